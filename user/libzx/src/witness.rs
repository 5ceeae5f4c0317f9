//! Remembers which results each call has given, so that a test program can show which errors it provoked.
//!
//! Only with feature `witness`; without it [`saw`] is nothing at all. Calls of [`crate::raw::Prepared`], made for measuring,
//! are not remembered.

/// A call came back with `status`.
#[cfg(not(feature = "witness"))]
#[inline(always)]
pub(crate) fn saw(_: zx_abi::syscalls::SyscallId, _: zx_abi::Status) {}

#[cfg(feature = "witness")]
pub(crate) use memory::saw;
#[cfg(feature = "witness")]
pub use memory::seen;

#[cfg(feature = "witness")]
mod memory {
    use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

    use zx_abi::syscalls::SyscallId;
    use zx_abi::{Status, ZxError};

    /// Numbers of errors that are kept: 0 to -127, in words of 64 bits.
    const WORDS: usize = 2;
    const WORD_BITS: u32 = u64::BITS;

    /// One bit for each call and error.
    static SEEN: [[AtomicU64; WORDS]; SyscallId::COUNT] =
        [const { [const { AtomicU64::new(0) }; WORDS] }; SyscallId::COUNT];

    /// A call came back with `status`. Positive numbers and those that no Zircon uses are passed over.
    pub(crate) fn saw(call: SyscallId, status: Status) {
        if let Some((word, bit)) = place(call, status) {
            word.fetch_or(bit, Relaxed);
        }
    }

    fn place(call: SyscallId, status: Status) -> Option<(&'static AtomicU64, u64)> {
        let number = status.0.checked_neg().and_then(|n| u32::try_from(n).ok())?;
        let word = SEEN[call as usize].get((number / WORD_BITS) as usize)?;
        Some((word, 1 << (number % WORD_BITS)))
    }

    /// The errors that `call` has given in this process so far, in the order of their numbers.
    pub fn seen(call: SyscallId) -> impl Iterator<Item = ZxError> {
        let saw = move |error: &ZxError| {
            place(call, Status::from(*error))
                .is_some_and(|(word, bit)| word.load(Relaxed) & bit != 0)
        };
        ZxError::ALL.iter().copied().filter(saw)
    }

    #[cfg(test)]
    mod tests {
        use alloc::vec::Vec;

        use super::*;

        #[test]
        fn an_error_is_seen_for_the_call_that_gave_it_only() {
            saw(SyscallId::ChannelRead, Status::from(ZxError::ShouldWait));
            saw(SyscallId::ChannelRead, Status::from(ZxError::PeerClosed));
            saw(SyscallId::ChannelRead, Status(0));
            saw(SyscallId::ChannelRead, Status(7));
            saw(SyscallId::ChannelRead, Status(i32::MIN));
            let seen_at = |call| seen(call).collect::<alloc::vec::Vec<_>>();
            assert_eq!(
                seen_at(SyscallId::ChannelRead),
                [ZxError::ShouldWait, ZxError::PeerClosed]
            );
            assert_eq!(seen_at(SyscallId::ChannelWrite), []);
        }
    }
}
