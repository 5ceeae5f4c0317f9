//! What programs and guests print, made readable for patterns.

use regex::Regex;

use crate::report::Tally;

/// Removes terminal control sequences and carriage returns.
pub(crate) fn plain(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    let text = String::from_utf8_lossy(bytes);
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\u{1b}' if characters.peek() == Some(&'[') => {
                characters.next();
                // Parameters and intermediates, up to the final character.
                for c in characters.by_ref() {
                    if ('@'..='~').contains(&c) {
                        break;
                    }
                }
            }
            '\u{1b}' | '\r' | '\0' => {}
            c => out.push(c),
        }
    }
    out
}

/// The last line that is not empty.
pub(crate) fn last_line(text: &str) -> &str {
    let says_something = |line: &&str| !line.trim().is_empty();
    let last = text.lines().rev().find(says_something);
    last.unwrap_or("nothing").trim()
}

/// The last line `N passed, M failed, K skipped` of a program's output.
pub(crate) fn summary(text: &str) -> Option<Tally> {
    let pattern = Regex::new(r"(\d+) passed, (\d+) failed, (\d+) skipped").ok()?;
    let found = pattern.captures_iter(text).last()?;
    let number = |index: usize| found.get(index).and_then(|m| m.as_str().parse().ok());
    Some(Tally {
        passed: number(1)?,
        failed: number(2)?,
        skipped: number(3)?,
    })
}

/// The sum of cargo's lines `test result: ok. N passed; M failed; K ignored; ...`.
pub(crate) fn cargo_results(text: &str) -> Tally {
    let mut sum = Tally::default();
    let Ok(pattern) =
        Regex::new(r"(?m)^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored")
    else {
        return sum;
    };
    for found in pattern.captures_iter(text) {
        let number = |index: usize| {
            found
                .get(index)
                .and_then(|m| m.as_str().parse().ok())
                .unwrap_or(0)
        };
        sum.passed += number(1);
        sum.failed += number(2);
        sum.skipped += number(3);
    }
    sum
}

/// The first lines that say what went wrong, for a reader who does not want the log yet; else the last line.
pub(crate) fn first_errors(text: &str) -> String {
    let is_error = |line: &&str| {
        line.starts_with("error") || line.contains("panicked at") || line.starts_with("Diff in")
    };
    let lines: Vec<_> = text.lines().filter(is_error).take(3).collect();
    if !lines.is_empty() {
        return lines.join(" | ");
    }
    // What make says last is only that its recipe failed.
    let says_something = |line: &&str| !line.trim().is_empty() && !line.starts_with("make");
    let last = text.lines().rev().find(says_something);
    last.or(text.lines().next_back())
        .unwrap_or("no output")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_sequences_vanish_and_text_stays() {
        assert_eq!(
            plain(b"\x1b[2J\x1b[01;01H\x1b[=3hBoot\r\n\x1b[1mshell\x1b[0m> "),
            "Boot\nshell> "
        );
    }

    #[test]
    fn the_last_summary_line_counts() {
        let text = "a: 1 passed, 2 failed, 3 skipped\nall: 10 passed, 0 failed, 4 skipped\n";
        assert_eq!(
            summary(text),
            Some(Tally {
                passed: 10,
                failed: 0,
                skipped: 4
            })
        );
        assert_eq!(summary("nothing"), None);
    }

    #[test]
    fn cargos_results_are_summed() {
        let text = "test result: ok. 22 passed; 0 failed; 1 ignored; 0 measured\n\
                    test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured\n";
        assert_eq!(
            cargo_results(text),
            Tally {
                passed: 25,
                failed: 2,
                skipped: 1
            }
        );
    }

    #[test]
    fn the_first_errors_are_shown_or_else_the_last_line_that_is_not_makes() {
        assert_eq!(
            first_errors("a\nerror: b\nerror[E1]: c\n"),
            "error: b | error[E1]: c"
        );
        assert_eq!(
            first_errors("tool: 3 differences\nmake: *** [Makefile:1: x] Error 1\n"),
            "tool: 3 differences"
        );
        assert_eq!(first_errors(""), "no output");
    }
}
