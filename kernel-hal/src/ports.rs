//! I/O ports that user code may use.

use crate::hal::hal_fn;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;

/// How many ports there are.
pub const PORTS: u32 = 1 << 16;
const WORDS: usize = PORTS as usize / 64;

/// Some of the ports. A bit is clear where a port may be used, as the CPU wants its table.
#[derive(Debug)]
pub struct PortSet {
    denied: Box<[u64]>,
}

impl PortSet {
    /// No port at all; `None` without memory.
    #[must_use]
    pub fn empty() -> Option<Self> {
        let mut denied = Vec::new();
        denied.try_reserve_exact(WORDS).ok()?;
        denied.resize(WORDS, u64::MAX);
        Some(Self {
            denied: denied.into_boxed_slice(),
        })
    }

    /// Adds ports; those beyond [`PORTS`] do not exist.
    pub fn allow(&mut self, ports: Range<u32>) {
        self.for_each(ports, |word, bit| *word &= !bit);
    }

    /// Takes ports out.
    pub fn deny(&mut self, ports: Range<u32>) {
        self.for_each(ports, |word, bit| *word |= bit);
    }

    /// Whether the port is in it.
    #[must_use]
    pub fn contains(&self, port: u16) -> bool {
        self.denied[usize::from(port) / 64] & (1 << (port % 64)) == 0
    }

    /// The table, port 0 in the lowest bit of the first word.
    #[must_use]
    pub fn words(&self) -> &[u64] {
        &self.denied
    }

    fn for_each(&mut self, ports: Range<u32>, change: impl Fn(&mut u64, u64)) {
        for port in ports.start..ports.end.min(PORTS) {
            change(&mut self.denied[port as usize / 64], 1 << (port % 64));
        }
    }
}

/// Owner of an empty set of ports.
pub const NOBODY: u64 = 0;

hal_fn! {
    /// Whose ports user code on this CPU may use; [`NOBODY`] when it may use none.
    pub fn owner as hal_ports_owner() -> u64;
    /// From now on user code on this CPU may use these ports of `owner`, or none.
    pub fn load as hal_ports_load(owner: u64, ports: Option<&PortSet>);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_can_be_added_and_taken_out_and_those_that_do_not_exist_are_left_out() {
        let mut set = PortSet::empty().unwrap();
        set.allow(0x3f8..0x400);
        set.deny(0x3fc..0x3fd);
        set.allow(0xfffe..0x1_0010);
        let allowed: Vec<u16> = (0..=u16::MAX).filter(|port| set.contains(*port)).collect();
        assert_eq!(
            allowed,
            [0x3f8, 0x3f9, 0x3fa, 0x3fb, 0x3fd, 0x3fe, 0x3ff, 0xfffe, 0xffff]
        );
    }
}
