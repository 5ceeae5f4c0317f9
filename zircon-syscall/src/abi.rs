//! Which number means which call, and from where it may be made: what the vDSO that was given says.
//!
//! Syscall numbers are private to a vDSO build. The loader scans the image for `syscall` instructions and the numbers loaded
//! before them, names each by the symbol tables, and hands the result over as a list of [`Site`]s.

use crate::Level;
use alloc::vec::Vec;
use zx_abi::syscalls::SyscallId;
use zx_abi::{ZxError, ZxResult};

/// One `syscall` instruction of a vDSO.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Site {
    /// The number it passes.
    pub number: u32,
    /// The call that the number means.
    pub call: SyscallId,
    /// Offset in the image of the instruction after it: where the call returns to.
    pub return_offset: u32,
}

/// Numbers and legal call sites of one vDSO image.
#[derive(Debug)]
pub struct VdsoAbi {
    level: Level,
    calls: Vec<Entry>,
    more: Vec<Site>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    call: Option<SyscallId>,
    /// The first site; further ones are in `more`.
    return_offset: u32,
}

impl VdsoAbi {
    /// The map for these sites.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted.
    /// - `InvalidArgs`: one number means two calls.
    pub fn new(level: Level, sites: &[Site]) -> ZxResult<Self> {
        let count = sites
            .iter()
            .map(|site| site.number as usize + 1)
            .max()
            .unwrap_or(0);
        let mut abi = Self {
            level,
            calls: Vec::new(),
            more: Vec::new(),
        };
        abi.calls
            .try_reserve_exact(count)
            .map_err(|_| ZxError::NoMemory)?;
        abi.calls.resize(
            count,
            Entry {
                call: None,
                return_offset: 0,
            },
        );
        for site in sites {
            let entry = &mut abi.calls[site.number as usize];
            match entry.call {
                None => {
                    *entry = Entry {
                        call: Some(site.call),
                        return_offset: site.return_offset,
                    }
                }
                Some(call) if call == site.call => {
                    abi.more.try_reserve(1).map_err(|_| ZxError::NoMemory)?;
                    abi.more.push(*site);
                }
                Some(_) => return Err(ZxError::InvalidArgs),
            }
        }
        Ok(abi)
    }

    /// The call that `number` means when made from `pc` (the address after the instruction) in a process whose vDSO is
    /// mapped at `base`. The number is compared as a whole 64-bit value.
    #[inline(always)]
    #[must_use]
    pub fn call(&self, number: u64, pc: u64, base: usize) -> Option<SyscallId> {
        let entry = usize::try_from(number)
            .ok()
            .and_then(|number| self.calls.get(number))?;
        let offset = pc.wrapping_sub(base as u64);
        if offset == u64::from(entry.return_offset) {
            return entry.call;
        }
        self.elsewhere(number, offset)
    }

    #[cold]
    fn elsewhere(&self, number: u64, offset: u64) -> Option<SyscallId> {
        let legal = |site: &&Site| {
            u64::from(site.number) == number && u64::from(site.return_offset) == offset
        };
        self.more.iter().find(legal).map(|site| site.call)
    }

    /// The ABI level that the vDSO belongs to.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }

    /// How many numbers mean something.
    #[must_use]
    pub fn len(&self) -> usize {
        self.calls
            .iter()
            .filter(|entry| entry.call.is_some())
            .count()
    }
    /// Whether none does.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn abi() -> VdsoAbi {
        let close = Site {
            number: 5,
            call: SyscallId::HandleClose,
            return_offset: 0x7010,
        };
        let combined = Site {
            return_offset: 0x7100,
            ..close
        };
        let create = Site {
            number: 2,
            call: SyscallId::EventCreate,
            return_offset: 0x7020,
        };
        VdsoAbi::new(Level::Home, &[close, combined, create]).unwrap()
    }

    #[test]
    fn a_call_is_legal_only_from_its_own_sites() {
        let abi = abi();
        assert_eq!(
            abi.call(5, 0x10_7010, 0x10_0000),
            Some(SyscallId::HandleClose)
        );
        assert_eq!(
            abi.call(5, 0x10_7100, 0x10_0000),
            Some(SyscallId::HandleClose)
        );
        assert_eq!(abi.call(5, 0x10_7020, 0x10_0000), None);
        assert_eq!(
            abi.call(2, 0x10_7020, 0x10_0000),
            Some(SyscallId::EventCreate)
        );
    }

    #[test]
    fn numbers_that_mean_nothing_or_have_high_bits_are_refused() {
        let abi = abi();
        assert_eq!(abi.call(3, 0x10_0000, 0x10_0000), None);
        assert_eq!(abi.call(6, 0x10_7010, 0x10_0000), None);
        assert_eq!(abi.call(1 << 32 | 5, 0x10_7010, 0x10_0000), None);
    }
}
