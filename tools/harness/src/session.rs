//! Session files: what to type at a guest and what to expect, one word and its argument per line.
//!
//! ```text
//! boot userboot=bin/shell      the command line; starts the guest (first word of a session)
//! case a name                  what follows belongs to this case
//! timeout 10                   seconds for each expectation from here on
//! expect REGEX                 wait for this on the console, after what was expected before
//! prompt 0                     wait for the shell's prompt after a command with this exit code
//! send TEXT                    type a line
//! interrupt                    type ^C
//! never REGEX                  must not be anywhere on the console, at the end of the session
//! end 0                        wait for the end of the guest, with this exit code
//! ```
//! A case fails at its first unmet expectation; the session goes on with the next case.

use std::time::Duration;

use regex::Regex;

use crate::guest::{Guest, Parts, END_LIMIT};
use crate::place::Place;
use crate::report::Report;

/// A line of a session file.
#[derive(Debug)]
enum Line {
    Boot(String),
    Case(String),
    Timeout(Duration),
    Expect(Regex),
    Send(String),
    Interrupt,
    Never(Regex),
    End(i32),
}

/// A session, read and checked before any guest is started.
#[derive(Debug)]
pub(crate) struct Session {
    lines: Vec<Line>,
}

impl Session {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut lines = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            lines.push(parse_line(line).map_err(|what| format!("line {}: {what}", number + 1))?);
        }
        match lines.first() {
            Some(Line::Boot(_)) => Ok(Self { lines }),
            _ => Err("a session starts with 'boot COMMAND-LINE'".to_owned()),
        }
    }

    /// Plays the session; each case becomes a line of the report.
    pub(crate) fn play(&self, place: &Place, name: &str, report: &mut Report) {
        let mut limit = Duration::from_secs(30);
        let mut guest: Result<Guest, String> = Err("no guest".to_owned());
        let mut never = Vec::new();
        let mut case = Case::new(name, "boot");
        for line in &self.lines {
            match line {
                Line::Case(next) => {
                    let done = std::mem::replace(&mut case, Case::new(name, next));
                    done.report(report);
                }
                Line::Timeout(seconds) => limit = *seconds,
                Line::Never(pattern) => never.push(pattern),
                Line::Boot(words) => guest = Guest::start(place, name, &Parts::own(place, words)),
                Line::Expect(_) | Line::Send(_) | Line::Interrupt | Line::End(_)
                    if case.failed() => {}
                Line::Expect(pattern) => {
                    case.step(with(&mut guest, |g| g.expect(pattern, limit).map(drop)))
                }
                Line::Send(text) => case.step(with(&mut guest, |g| g.send(text))),
                Line::Interrupt => case.step(with(&mut guest, |g| g.type_keys(b"\x03"))),
                Line::End(code) => case.step(with(&mut guest, |g| expect_end(g, *code))),
            }
        }
        let console = guest.as_ref().map(Guest::console).unwrap_or_default();
        for pattern in never {
            if let Some(found) = pattern.find(&console) {
                case.step(Err(format!("the console shows '{}'", found.as_str())));
            }
        }
        case.report(report);
    }
}

/// The shell's prompt at the start of a line, which shows the exit code of the last command unless that is 0.
pub(crate) fn prompt(code: i64) -> String {
    match code {
        0 => r"\nzcore\$ ".to_owned(),
        code => format!(r"\nzcore \[{code}\]\$ "),
    }
}

/// Waits for the end and compares the exit code.
pub(crate) fn expect_end(guest: &mut Guest, code: i32) -> Result<(), String> {
    let found = guest.end(END_LIMIT)?;
    if found == code {
        Ok(())
    } else {
        Err(format!(
            "the run ended with exit code {found} and not {code}"
        ))
    }
}

fn with(
    guest: &mut Result<Guest, String>,
    act: impl FnOnce(&mut Guest) -> Result<(), String>,
) -> Result<(), String> {
    guest.as_mut().map_err(|e| e.clone()).and_then(act)
}

struct Case {
    name: String,
    result: Result<(), String>,
}

impl Case {
    fn new(session: &str, case: &str) -> Self {
        Self {
            name: format!("{session}: {case}"),
            result: Ok(()),
        }
    }

    fn failed(&self) -> bool {
        self.result.is_err()
    }

    fn step(&mut self, result: Result<(), String>) {
        if self.result.is_ok() {
            self.result = result;
        }
    }

    fn report(self, report: &mut Report) {
        report.check(&self.name, self.result);
    }
}

fn parse_line(line: &str) -> Result<Line, String> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let pattern = || Regex::new(&format!("(?m){rest}")).map_err(|e| e.to_string());
    match word {
        "boot" => Ok(Line::Boot(rest.to_owned())),
        "case" => Ok(Line::Case(rest.to_owned())),
        "timeout" => rest
            .parse()
            .map(Duration::from_secs)
            .map(Line::Timeout)
            .map_err(|e| format!("timeout: {e}")),
        "expect" => pattern().map(Line::Expect),
        "send" => Ok(Line::Send(rest.to_owned())),
        "interrupt" => Ok(Line::Interrupt),
        "never" => pattern().map(Line::Never),
        "prompt" => {
            let code: i64 = rest.parse().map_err(|e| format!("prompt: {e}"))?;
            Regex::new(&prompt(code))
                .map(Line::Expect)
                .map_err(|e| e.to_string())
        }
        "end" => rest.parse().map(Line::End).map_err(|e| format!("end: {e}")),
        _ => Err(format!("'{word}' is no word of a session")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_of_the_shell_can_be_read() {
        Session::parse(include_str!("../sessions/shell.session")).unwrap();
    }

    #[test]
    fn a_session_is_checked_before_a_guest_is_started() {
        assert!(Session::parse(
            "boot userboot=bin/shell\ncase prompt\nexpect > $\nsend ps\nend 0\n"
        )
        .is_ok());
        let refuse = |text: &str| Session::parse(text).unwrap_err();
        assert_eq!(
            refuse("send ps"),
            "a session starts with 'boot COMMAND-LINE'"
        );
        assert_eq!(
            refuse("boot x\nshout ps"),
            "line 2: 'shout' is no word of a session"
        );
        assert!(refuse("boot x\n\nexpect (").starts_with("line 3: "));
    }
}
