//! What the parent tells a program: arguments, environment, handles.

use alloc::string::String;
use alloc::vec::Vec;

use zx_abi::procargs::{pa_hnd, PA_PROC_SELF, PA_VMAR_ROOT};
use zx_abi::{HandleValue, Status, ZxError, ZxResult};

use crate::{procargs, state, sys, Handle};

/// The bootstrap message, taken apart.
#[derive(Debug, Default)]
pub struct Startup {
    /// Arguments; the first is the program's name where the parent follows that custom. userboot gives none.
    pub args: Vec<String>,
    /// Environment, one `NAME=value` each; from userboot the words of the kernel command line.
    pub env: Vec<String>,
    /// Names of the namespace entries.
    pub names: Vec<String>,
    handles: Vec<(u32, Handle)>,
}

impl Startup {
    /// Takes the handle tagged with this kind (`zx_abi::procargs::PA_*`) and number.
    pub fn take_handle(&mut self, kind: u8, arg: u16) -> Option<Handle> {
        let tag = pa_hnd(kind, arg);
        let index = self.handles.iter().position(|(have, _)| *have == tag)?;
        Some(self.handles.remove(index).1)
    }

    /// Takes the handle of this kind and number as its type, for example `take::<Job>(PA_JOB_DEFAULT, 0)`.
    pub fn take<T: From<Handle>>(&mut self, kind: u8, arg: u16) -> Option<T> {
        self.take_handle(kind, arg).map(T::from)
    }

    /// The handles not taken yet, with their tags.
    #[must_use]
    pub fn handles(&self) -> &[(u32, Handle)] {
        &self.handles
    }

    /// Takes every handle that is left, with its tag.
    pub fn take_all_handles(&mut self) -> Vec<(u32, Handle)> {
        core::mem::take(&mut self.handles)
    }

    /// The value of an environment variable or command line word `name=value`; the last one wins.
    #[must_use]
    pub fn env_value(&self, name: &str) -> Option<&str> {
        let value_of = |entry: &'_ String| {
            entry
                .strip_prefix(name)
                .is_some_and(|rest| rest.starts_with('='))
        };
        let entry = self.env.iter().rev().find(|entry| value_of(entry))?;
        entry.get(name.len() + 1..)
    }

    /// Reads the message that waits in the bootstrap channel. A program started without one has an empty startup.
    ///
    /// # Errors
    /// Those of `zx_channel_read`, and `InvalidArgs` when the message is no processargs.
    pub(crate) fn read(channel: HandleValue) -> ZxResult<Self> {
        if channel == 0 {
            return Ok(Self::default());
        }
        // The heap works only once the root VMAR is known, so the message is read to the stack, in two sizes to keep
        // the usual start from touching many pages.
        match Self::read_with_room::<8192>(channel) {
            Err(ZxError::BufferTooSmall) => Self::read_with_room::<65536>(channel),
            result => result,
        }
    }

    #[inline(never)]
    fn read_with_room<const ROOM: usize>(channel: HandleValue) -> ZxResult<Self> {
        let mut bytes = [0; ROOM];
        let mut values = [0; 64];
        let (mut num_bytes, mut num_handles) = (0, 0);
        // SAFETY: both buffers and both counts are this frame's, the sizes are theirs.
        let status: Status = unsafe {
            sys::zx_channel_read(
                channel,
                0,
                bytes.as_mut_ptr(),
                values.as_mut_ptr(),
                u32::try_from(ROOM).unwrap_or(0),
                64,
                &mut num_bytes,
                &mut num_handles,
            )
        };
        status.into_result()?;
        let bytes = bytes.get(..num_bytes as usize).unwrap_or_default();
        let values = values.get(..num_handles as usize).unwrap_or_default();
        Self::parse(bytes, values)
    }

    fn parse(bytes: &[u8], values: &[HandleValue]) -> ZxResult<Self> {
        let message = procargs::Received::parse(bytes, values.len())?;
        let find = |kind| {
            let index = message.tags().position(|tag| tag == pa_hnd(kind, 0));
            index
                .and_then(|index| values.get(index).copied())
                .unwrap_or(0)
        };
        state::set_own_handles(find(PA_PROC_SELF), find(PA_VMAR_ROOT));
        // From here on the heap works. libzx keeps those two handles open for the life of the program: what the
        // program takes are its own, so they are left out of the list.
        let kept = [pa_hnd(PA_PROC_SELF, 0), pa_hnd(PA_VMAR_ROOT, 0)];
        let handles = message
            .tags()
            .zip(values)
            .filter(|(tag, _)| !kept.contains(tag));
        let handles = handles
            .map(|(tag, &value)| (tag, Handle::from_raw(value)))
            .collect();
        let (args, env, names) = (message.args(), message.env(), message.names());
        Ok(Self {
            args: args.collect(),
            env: env.collect(),
            names: names.collect(),
            handles,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zx_abi::procargs::PA_USER0;

    #[test]
    fn the_last_value_of_a_name_wins() {
        let env = ["a=1", "ab=2", "a=3", "b"].map(String::from).into();
        let startup = Startup {
            env,
            ..Startup::default()
        };
        assert_eq!(startup.env_value("a"), Some("3"));
        assert_eq!(startup.env_value("b"), None);
        assert_eq!(startup.env_value("c"), None);
    }

    #[test]
    fn a_message_built_here_is_read_back() {
        let tags = [pa_hnd(PA_PROC_SELF, 0), pa_hnd(PA_USER0, 7)];
        let bytes = procargs::build(&tags, &["run", "x y"], &["TERM=vt100"]);
        // Handle value 0 is never closed, so it can stand for any handle here.
        let mut startup = Startup::parse(&bytes, &[0, 0]).unwrap();
        assert_eq!(startup.args, ["run", "x y"]);
        assert_eq!(startup.env, ["TERM=vt100"]);
        assert_eq!(startup.handles().len(), 1);
        assert!(startup.take_handle(PA_USER0, 7).is_some());
        assert!(startup.take_handle(PA_USER0, 7).is_none());
    }

    #[test]
    fn a_message_that_is_no_processargs_is_refused() {
        assert_eq!(
            Startup::parse(b"userboot=bin/shell\0", &[]).err(),
            Some(ZxError::InvalidArgs)
        );
        let bytes = procargs::build(&[1], &[], &[]);
        assert_eq!(
            Startup::parse(&bytes, &[0, 0]).err(),
            Some(ZxError::InvalidArgs)
        );
    }
}
