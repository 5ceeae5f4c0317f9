//! Results of tests, read from what a console showed.
//!
//! Four ways of saying them are known: this project's `[PASS] Suite.Case`, Zircon's `unittest` (`CASE` lines around
//! `[RUNNING]` and `[PASSED]`) and `zxtest` (`[ RUN      ]` and `[       OK ]`), and plain `PASS|FAIL|SKIP NAME`
//! in either order. They may be mixed, as they are in Zircon's core tests.

use std::collections::BTreeSet;

use regex::Regex;

use crate::ledger::{Entries, Entry, Verdict};

/// What the kernel's log puts before each record: the time, the process and the thread.
const RECORD: &str = r"\[\d+\.\d+\] \d+[.:]\d+> ?";

/// All results of a console's text. A case that began and never ended has failed.
pub(crate) fn read(console: &str) -> Entries {
    let mut reader = Reader::default();
    for line in lines(console) {
        // What was held may as well have been no part of this line.
        if !reader.line(&line.whole) && line.last_part < line.whole.len() {
            let alone = line.whole.get(line.whole.len() - line.last_part..);
            reader.line(alone.unwrap_or(""));
        }
    }
    reader.finish()
}

/// A line as a program wrote it.
struct Line {
    whole: String,
    /// How many bytes at its end came after the last record of the log.
    last_part: usize,
}

impl Line {
    fn unbroken(text: &str) -> Self {
        Self {
            whole: text.to_owned(),
            last_part: text.len(),
        }
    }
}

/// The lines that programs wrote: without what the log puts before them, and put together again where a record of the log
/// came in between.
fn lines(console: &str) -> Vec<Line> {
    let Ok(record) = Regex::new(RECORD) else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    let mut held = String::new();
    for line in console.lines() {
        let mut parts = record.split(line);
        let before = parts.next().unwrap_or("");
        let mut records = parts.peekable();
        let whole = format!("{held}{before}");
        held.clear();
        if records.peek().is_some() {
            held = whole;
        } else {
            let last_part = before.len();
            lines.push(Line { whole, last_part });
        }
        lines.extend(records.map(Line::unbroken));
    }
    lines.push(Line::unbroken(&held));
    lines
}

#[derive(Default)]
struct Reader {
    entries: Entries,
    /// The group of `unittest`.
    group: String,
    /// The case that runs, if it is one that says its name only at the start.
    running: Option<String>,
    begun: BTreeSet<String>,
}

impl Reader {
    /// Whether it says anything of a test.
    fn line(&mut self, line: &str) -> bool {
        self.zxtest(line) || self.unittest(line) || self.plain(line)
    }

    fn zxtest(&mut self, line: &str) -> bool {
        let Some((mark, rest)) = line.split_at_checked(12) else {
            return false;
        };
        let name = rest.trim_start().split(' ').next().unwrap_or("");
        // A group's sum has the same marks.
        if !name.contains('.') {
            return false;
        }
        match mark {
            "[ RUN      ]" => {
                self.begun.insert(name.to_owned());
            }
            "[       OK ]" => self.end(name, Verdict::Pass, ""),
            "[  FAILED  ]" => self.end(name, Verdict::Fail, ""),
            "[  SKIPPED ]" => self.end(name, Verdict::Skip, ""),
            _ => return false,
        }
        true
    }

    fn unittest(&mut self, line: &str) -> bool {
        let mut words = line.split_whitespace();
        let (first, second) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        if first == "CASE" && line.contains("[STARTED]") {
            self.group = second.to_owned();
            self.running = None;
            return true;
        }
        // The name of a case may have spaces, which a ledger cannot have.
        let named = |mark| {
            let name = line.split_once(mark)?.0.trim().replace(' ', "_");
            (!name.is_empty()).then(|| format!("{}.{name}", self.group))
        };
        let (starts, ignored) = (named("[RUNNING]"), named("[IGNORED]"));
        if let Some(name) = &starts {
            self.begun.insert(name.clone());
            self.running = Some(name.clone());
        }
        if let Some(name) = &ignored {
            self.end(name, Verdict::Skip, "ignored");
        }
        let mut ended = false;
        for (mark, verdict) in [
            (" [PASSED] (", Verdict::Pass),
            (" [FAILED] (", Verdict::Fail),
        ] {
            if line.contains(mark) {
                if let Some(name) = self.running.take() {
                    self.end(&name, verdict, "");
                    ended = true;
                }
            }
        }
        ended || starts.is_some() || ignored.is_some()
    }

    /// `PASS|FAIL|SKIP` and a name with a dot, in either order, then why.
    fn plain(&mut self, line: &str) -> bool {
        let line = line.trim();
        let Some((first, rest)) = line.split_once(' ') else {
            return false;
        };
        let (second, why) = rest.split_once(' ').unwrap_or((rest, ""));
        let bare = |word: &str| word.trim_matches(['[', ']', ':']).to_owned();
        let (first, second) = (bare(first), bare(second));
        let pair = match (Verdict::parse(&first), Verdict::parse(&second)) {
            (Some(verdict), None) => Some((second, verdict)),
            (None, Some(verdict)) => Some((first, verdict)),
            _ => None,
        };
        let Some((name, verdict)) = pair.filter(|(name, _)| name.contains('.')) else {
            return false;
        };
        self.end(&name, verdict, why);
        true
    }

    /// A case may run more than once; then each time counts, and the worst of them is its result.
    fn end(&mut self, name: &str, verdict: Verdict, why: &str) {
        let failed = |entry: &Entry| entry.verdict == Verdict::Fail;
        if !self.entries.get(name).is_some_and(failed) {
            let why = if verdict == Verdict::Pass { "" } else { why };
            self.entries
                .insert(name.to_owned(), Entry::new(verdict, why));
        }
    }

    fn finish(mut self) -> Entries {
        for name in self.begun {
            let entry = || Entry::new(Verdict::Fail, "began and never ended");
            self.entries.entry(name).or_insert_with(entry);
        }
        self.entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(console: &str) -> Vec<String> {
        let entries = read(console).into_iter();
        entries
            .map(|(name, entry)| {
                format!("{name} {} {}", entry.verdict, entry.reason)
                    .trim_end()
                    .to_owned()
            })
            .collect()
    }

    #[test]
    fn this_projects_lines_are_read_with_their_reasons() {
        let console = "noise\n[00001.250] 01068.01070> [PASS] A.a (3 us)\n\
                       [FAIL] A.b: a.rs:1: no\n[SKIP] A.c: not here\nPort.Wait FAIL timed out\n3 PASS\n\
                       2 passed, 1 failed, 1 skipped\n";
        assert_eq!(
            shown(console),
            [
                "A.a PASS",
                "A.b FAIL a.rs:1: no",
                "A.c SKIP not here",
                "Port.Wait FAIL timed out"
            ]
        );
    }

    #[test]
    fn unittest_says_the_name_of_a_case_only_when_it_starts() {
        let console = "[00000.216] 01069:01072> \n\
            CASE vmar_tests                                         [STARTED] \n\
            [00000.216] 01069:01072>     map_test                                    [RUNNING]\n\
            [00000.217] 01069:01072>  [PASSED] (0 ms)\n\
            [00000.217] 01069:01072>     oob_test                                    [RUNNING]\n\
            ../../vmar.c:10: expected 1, was 2\n\
            [00000.218] 01069:01072>  [FAILED] (1 ms)\n    slow test [RUNNING]text [PASSED] (4 ms)\n\
                large_test         [IGNORED]\n\
            CASE vmar_tests                                         [FAILED]\n";
        assert_eq!(
            shown(console),
            [
                "vmar_tests.large_test SKIP ignored",
                "vmar_tests.map_test PASS",
                "vmar_tests.oob_test FAIL",
                "vmar_tests.slow_test PASS"
            ]
        );
    }

    #[test]
    fn zxtest_says_the_name_at_the_end_too_and_its_sums_are_no_cases() {
        let console = "[ RUN      ] ProfileTest.Create\n\n[       OK ] ProfileTest.Create (0\n\
                       [00021.387] 01069:01072>  ms)\n[ RUN      ] ProfileTest.Bad\n[  FAILED  ] ProfileTest.Bad (2 ms)\n\
                       [  SKIPPED ] ProfileTest.Off  (0 ms)\n[  PASSED  ] 1 test\n[  FAILED  ] 1 test, listed below:\n\
                       [  FAILED  ] ProfileTest.Bad\n";
        assert_eq!(
            shown(console),
            [
                "ProfileTest.Bad FAIL",
                "ProfileTest.Create PASS",
                "ProfileTest.Off SKIP"
            ]
        );
    }

    #[test]
    fn a_case_that_never_ended_has_failed() {
        assert_eq!(
            shown("CASE g [STARTED]\n  hang     [RUNNING]\n"),
            ["g.hang FAIL began and never ended"]
        );
        assert_eq!(
            shown("[ RUN      ] A.dies\n[ RUN      ] A.next\n[       OK ] A.next (0 ms)\n"),
            ["A.dies FAIL began and never ended", "A.next PASS"]
        );
    }

    #[test]
    fn of_a_case_that_ran_twice_the_failure_counts() {
        let console = "[       OK ] A.a (0 ms)\n[  FAILED  ] A.a (0 ms)\n[       OK ] A.a (0 ms)\n";
        assert_eq!(shown(console), ["A.a FAIL"]);
    }

    #[test]
    fn a_record_of_the_log_in_the_middle_of_a_line_does_not_cut_it() {
        let console = "CASE g [STARTED]\n    torn_te[00003.100] 00000.00000> driver: hello\nst      [RUNNING]\n [PASSED] (0 ms)\n";
        assert_eq!(shown(console), ["g.torn_test PASS"]);
    }

    #[test]
    fn text_that_stood_before_a_record_does_not_hide_the_next_line() {
        let console = "Booting from ROM..[00000.000] 00000.00000> kernel\n[PASS] A.a (3 us)\n";
        assert_eq!(shown(console), ["A.a PASS"]);
    }
}
