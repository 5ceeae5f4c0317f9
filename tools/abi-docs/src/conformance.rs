//! `conformance/syscalls.txt`: one line per call, `name STATE`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use zx_abi::syscalls::SyscallId;

use crate::state::States;

const HEAD: &str = "\
# Every call of the ABI and whether the kernel has it: DONE, PARTIAL what is missing, or MISSING.
# First the home ABI (2020-06-30) by number, then its vDSO-only calls, then calls of 2019-07 and 2018-12 that it dropped.
# Written by tools/abi-docs from the code; `make test` compares the two.
";

pub(crate) fn render(states: &States) -> String {
    let mut text = HEAD.to_owned();
    for (call, state) in states.all() {
        let _ = writeln!(text, "{} {state}", call.name);
    }
    text
}

/// What the file says and the code does not, and the other way round.
pub(crate) fn compare(file: &str, states: &States) -> Vec<String> {
    let mut problems = Vec::new();
    let mut listed = BTreeMap::new();
    for line in file
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
    {
        let (name, state) = line.split_once(' ').unwrap_or((line, ""));
        if SyscallId::from_name(name).is_none() {
            problems.push(format!(
                "{}: {name} is listed but not in the table",
                crate::LIST
            ));
        } else if listed.insert(name, state).is_some() {
            problems.push(format!("{}: {name} is listed twice", crate::LIST));
        }
    }
    for (call, state) in states.all() {
        let state = state.to_string();
        match listed.get(call.name) {
            Some(said) if *said == state => {}
            Some(said) => problems.push(format!(
                "{}: {} is {said} in the list, {state} in the code",
                crate::LIST,
                call.name
            )),
            None => problems.push(format!(
                "{}: {} is in the table but not listed",
                crate::LIST,
                call.name
            )),
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_compares_equal() {
        let states = States::default();
        let text = render(&states);
        assert_eq!(
            text.lines().filter(|line| !line.starts_with('#')).count(),
            SyscallId::COUNT
        );
        assert!(compare(&text, &states).is_empty());
    }

    #[test]
    fn differences_show_in_both_directions() {
        let states = States::default();
        let text = render(&states);
        let better = text.replace("\nvmo_read MISSING", "\nvmo_read DONE");
        assert_eq!(
            compare(&better, &states),
            ["conformance/syscalls.txt: vmo_read is DONE in the list, MISSING in the code"]
        );
        let fewer = text.replace("\nvmo_read MISSING", "");
        assert_eq!(
            compare(&fewer, &states),
            ["conformance/syscalls.txt: vmo_read is in the table but not listed"]
        );
        let more = format!("{text}strange DONE\n");
        assert_eq!(
            compare(&more, &states),
            ["conformance/syscalls.txt: strange is listed but not in the table"]
        );
        let twice = format!("{text}vmo_read MISSING\n");
        assert_eq!(
            compare(&twice, &states),
            ["conformance/syscalls.txt: vmo_read is listed twice"]
        );
    }
}
