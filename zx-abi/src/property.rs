//! `object_get_property` and `object_set_property`.

use crate::wire::numbers;

numbers! {
    /// Which property (`ZX_PROP_*`).
    Property: u32 {
        /// gs.base of the calling thread, a u64; set only.
        RegisterGs = 2,
        /// 32 bytes.
        Name = 3,
        /// fs.base of the calling thread, a u64; set only.
        RegisterFs = 4,
        /// The dynamic linker's list of modules, an address.
        ProcessDebugAddr = 5,
        /// Where the vDSO is mapped, an address; get only.
        ProcessVdsoBaseAddress = 6,
        /// Whether the dynamic linker stops after each load (2020), an address-sized number.
        ProcessBreakOnLoad = 7,
        /// cr3 (2020), an address-sized number; get only.
        ProcessHwTraceContextId = 8,
        /// Bytes from which READ_THRESHOLD is signaled, a u64.
        SocketRxThreshold = 12,
        /// Free bytes from which WRITE_THRESHOLD is signaled, a u64.
        SocketTxThreshold = 13,
        /// Whether to kill the job first when memory runs out, a u64 0 or 1; set only.
        JobKillOnOom = 15,
        /// A u32, [`ExceptionState`](crate::exception::ExceptionState).
        ExceptionState = 16,
        /// Bytes of content (2020), a u64.
        VmoContentSize = 17,
        /// A u32, [`ExceptionStrategy`](crate::exception::ExceptionStrategy) (2020).
        ExceptionStrategy = 18,
    }
}

/// [`Property::ProcessDebugAddr`] set to this makes the dynamic linker stop after setting it.
pub const PROCESS_DEBUG_ADDR_BREAK_ON_SET: u64 = 1;
