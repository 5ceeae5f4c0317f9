//! Which number means which call, and from where it may be made: what the vDSO that was given says.
//!
//! Syscall numbers are private to a vDSO build. The loader scans the image for `syscall` instructions and the numbers loaded
//! before them, names each by the symbol tables, and hands the result over as a list of [`Site`]s.

use crate::{Handler, Level};
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
    run: Handler,
    /// The first site; further ones are in `more`.
    return_offset: u32,
    call: Option<SyscallId>,
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
                run: |caller, _| caller.refuse(),
                return_offset: u32::MAX,
                call: None,
            },
        );
        for site in sites {
            let entry = &mut abi.calls[site.number as usize];
            match entry.call {
                None => {
                    *entry = Entry {
                        run: crate::handler(site.call),
                        return_offset: site.return_offset,
                        call: Some(site.call),
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

    /// What serves the call that `number` means when made from `pc` (the address after the instruction) in a process whose vDSO
    /// is mapped at `base`: the look that nearly always is enough. The number is compared as a whole 64-bit value.
    #[inline(always)]
    #[must_use]
    pub(crate) fn handler(&self, number: u64, pc: u64, base: usize) -> Option<Handler> {
        let number = usize::try_from(number).ok()?;
        let entry = self.calls.get(number)?;
        (pc.wrapping_sub(base as u64) == u64::from(entry.return_offset)).then_some(entry.run)
    }

    /// As [`VdsoAbi::handler`], looking at every site.
    #[cold]
    pub(crate) fn handler_anywhere(&self, number: u64, pc: u64, base: usize) -> Option<Handler> {
        if let Some(found) = self.handler(number, pc, base) {
            return Some(found);
        }
        let offset = pc.wrapping_sub(base as u64);
        let legal = |site: &&Site| {
            u64::from(site.number) == number && u64::from(site.return_offset) == offset
        };
        let site = self.more.iter().find(legal)?;
        Some(crate::handler(site.call))
    }

    /// The call that `number` means, wherever it is made.
    pub(crate) fn call(&self, number: u64) -> Option<SyscallId> {
        let number = usize::try_from(number).ok()?;
        self.calls.get(number)?.call
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

    /// Whether the call may be made from there; the quick look may say no, but never yes when the thorough one says no.
    fn legal(abi: &VdsoAbi, number: u64, pc: u64) -> bool {
        const BASE: usize = 0x10_0000;
        let anywhere = abi.handler_anywhere(number, pc, BASE).is_some();
        assert!(anywhere || abi.handler(number, pc, BASE).is_none());
        anywhere
    }

    #[test]
    fn a_call_is_legal_only_from_its_own_sites() {
        let abi = abi();
        assert!(legal(&abi, 5, 0x10_7010));
        assert!(legal(&abi, 5, 0x10_7100));
        assert!(!legal(&abi, 5, 0x10_7020));
        assert!(legal(&abi, 2, 0x10_7020));
        assert_eq!(abi.call(5), Some(SyscallId::HandleClose));
        assert_eq!(abi.call(2), Some(SyscallId::EventCreate));
    }

    #[test]
    fn numbers_that_mean_nothing_or_have_high_bits_are_refused() {
        let abi = abi();
        assert!(!legal(&abi, 3, 0x10_0000));
        assert!(!legal(&abi, 6, 0x10_7010));
        assert!(!legal(&abi, 1 << 32 | 5, 0x10_7010));
        assert_eq!(abi.call(3), None);
        assert_eq!(abi.call(1 << 32 | 5), None);
    }
}
