//! Which calls work, read from the repository.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fmt, fs, io};

use zx_abi::syscalls::{Kind, Syscall, SyscallId, TABLE};

use crate::scan::{kernel_calls, vdso_calls, Definition};

const KERNEL_SOURCES: &str = "zircon-syscall/src";
const VDSO_SOURCES: &str = "user/vdso/src";

/// How far a call is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Complete.
    Done,
    /// Something is missing: what.
    Partial(String),
    /// Not there: the kernel answers `NotSupported`.
    Missing,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("DONE"),
            Self::Partial(reason) => write!(f, "PARTIAL {reason}"),
            Self::Missing => f.write_str("MISSING"),
        }
    }
}

/// The state of every call in the table.
#[derive(Debug, Default)]
pub(crate) struct States(BTreeMap<String, State>);

impl States {
    /// Reads the sources. Also returns what is wrong with them.
    ///
    /// # Errors
    /// A source that cannot be read.
    pub(crate) fn of_repository(root: &Path) -> io::Result<(Self, Vec<String>)> {
        let mut kernel = Vec::new();
        let mut vdso = Vec::new();
        for_each_source(&root.join(KERNEL_SOURCES), &mut |text| {
            kernel.extend(kernel_calls(text))
        })?;
        for_each_source(&root.join(VDSO_SOURCES), &mut |text| {
            vdso.extend(vdso_calls(text))
        })?;
        Ok(Self::of_definitions(&kernel, &vdso))
    }

    /// Sorts out definitions. Kernel definitions that the table does not know are a problem, as are notes without text.
    pub(crate) fn of_definitions(
        kernel: &[Definition],
        vdso: &[Definition],
    ) -> (Self, Vec<String>) {
        let mut problems = Vec::new();
        let mut states = Self::default();
        for found in kernel {
            match SyscallId::from_name(&found.name).map(SyscallId::info) {
                Some(call) if call.kind != Kind::VdsoOnly => states.add(found),
                Some(call) => problems.push(format!(
                    "{KERNEL_SOURCES} defines sys_{}, which only the vDSO has",
                    call.name
                )),
                None => problems.push(format!(
                    "{KERNEL_SOURCES} defines sys_{}, which the table lacks",
                    found.name
                )),
            }
        }
        for found in vdso {
            let call = SyscallId::from_name(&found.name).map(SyscallId::info);
            if call.is_some_and(|call| call.kind == Kind::VdsoOnly) {
                states.add(found);
            }
        }
        let unexplained = states
            .0
            .iter()
            .filter(|(_, state)| matches!(state, State::Partial(why) if why.is_empty()));
        problems.extend(unexplained.map(|(name, _)| format!("{name} is PARTIAL without a reason")));
        (states, problems)
    }

    /// A call found twice is as good as its worse half.
    fn add(&mut self, found: &Definition) {
        let state = found.partial.clone().map_or(State::Done, State::Partial);
        let entry = self.0.entry(found.name.clone()).or_insert(State::Done);
        if *entry == State::Done {
            *entry = state;
        }
    }

    /// The state of a call.
    pub(crate) fn get(&self, call: &Syscall) -> State {
        self.0.get(call.name).cloned().unwrap_or(State::Missing)
    }

    /// Every call of the table with its state.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&'static Syscall, State)> + '_ {
        TABLE.iter().map(|call| (call, self.get(call)))
    }
}

/// # Errors
/// A directory or file that cannot be read; a directory that does not exist holds no sources.
fn for_each_source(directory: &Path, see: &mut impl FnMut(&str)) -> io::Result<()> {
    if !directory.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            for_each_source(&path, see)?;
        } else if path
            .extension()
            .is_some_and(|extension| ["rs", "s", "S"].iter().any(|known| extension == *known))
        {
            let named = |error: io::Error| {
                io::Error::new(error.kind(), format!("{}: {error}", path.display()))
            };
            see(&fs::read_to_string(&path).map_err(named)?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, partial: Option<&str>) -> Definition {
        Definition {
            name: name.to_owned(),
            partial: partial.map(str::to_owned),
        }
    }

    fn state(states: &States, id: SyscallId) -> State {
        states.get(id.info())
    }

    #[test]
    fn kernel_calls_count_from_the_kernel_and_vdso_calls_from_the_vdso() {
        let kernel = [found("vmo_read", None), found("event_create", Some("x"))];
        let vdso = [
            found("ticks_get", None),
            found("vmo_write", None),
            found("not_a_call", None),
        ];
        let (states, problems) = States::of_definitions(&kernel, &vdso);
        assert!(problems.is_empty());
        assert_eq!(state(&states, SyscallId::VmoRead), State::Done);
        assert_eq!(
            state(&states, SyscallId::EventCreate),
            State::Partial("x".to_owned())
        );
        assert_eq!(state(&states, SyscallId::TicksGet), State::Done);
        assert_eq!(state(&states, SyscallId::VmoWrite), State::Missing);
    }

    #[test]
    fn kernel_functions_that_are_no_calls_and_notes_without_reason_are_problems() {
        let kernel = [
            found("no_such_call", None),
            found("ticks_get", None),
            found("vmo_read", Some("")),
        ];
        let (_, problems) = States::of_definitions(&kernel, &[]);
        assert_eq!(problems.len(), 3, "{problems:?}");
    }
}
