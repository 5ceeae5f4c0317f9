//! Limits of the home ABI. Where an older level differs, the constant carries its year.

/// Bytes in a page.
pub const PAGE_SIZE: usize = 4096;
/// `log2(PAGE_SIZE)`.
pub const PAGE_SHIFT: u32 = 12;

/// Handles in the whole system; the next one is `NoMemory`.
pub const HANDLE_MAX: usize = 262_144;
/// Handles in the system from which the kernel warns.
pub const HANDLE_HIGH_WATER: usize = HANDLE_MAX / 8 * 7;
/// Bits set in every handle value (2019 and later).
pub const HANDLE_FIXED_BITS: u32 = 3;

/// A koid that names nothing.
pub const KOID_INVALID: u64 = 0;
/// The kernel's own koid.
pub const KOID_KERNEL: u64 = 1;
/// The first koid given to an object.
pub const KOID_FIRST: u64 = 1024;

/// Bytes of an object name, with the NUL.
pub const NAME_LEN: usize = 32;
/// Bytes in a channel message.
pub const CHANNEL_MAX_BYTES: usize = 65_536;
/// Handles in a channel message.
pub const CHANNEL_MAX_HANDLES: usize = 64;
/// Messages queued on one channel end before the writer is faulted (2020; no limit in 2018 and 2019).
pub const CHANNEL_MAX_MESSAGES: usize = 3500;
/// Lowest transaction id the kernel hands out for `channel_call`.
pub const CHANNEL_KERNEL_TXID: u32 = 0x8000_0000;

/// Items in `object_wait_many`.
pub const WAIT_MANY_MAX: usize = 64;
/// Items in `object_wait_many` in 2018 and 2019.
pub const WAIT_MANY_MAX_2019: usize = 16;

/// Port packets in the whole system.
pub const PORT_PACKETS_MAX: usize = 16_384;
/// `port_queue` refuses when more than this many user packets wait, so one more than this fits.
pub const PORT_QUEUE_MAX: usize = 2048;

/// Bytes a fifo can hold: `elem_count * elem_size`.
pub const FIFO_MAX_BYTES: usize = 4096;
/// Bytes a socket holds per direction: 128 buffers of 2008.
pub const SOCKET_BUFFER_BYTES: usize = 257_024;
/// Bytes in a socket control message (2018).
pub const SOCKET_CONTROL_MAX: usize = 1024;

/// Bytes of one `cprng_draw_once`.
pub const CPRNG_DRAW_MAX: usize = 256;
/// Bytes of one `cprng_add_entropy`.
pub const CPRNG_ADD_ENTROPY_MAX: usize = 256;
/// Bytes of one `debug_write`; longer text is cut.
pub const DEBUG_WRITE_MAX: usize = 256;
/// Bytes of `process_read_memory` and `process_write_memory`.
pub const PROCESS_MEMORY_MAX: usize = 64 << 20;
/// Height of the root job; a job of height 0 cannot have child jobs.
pub const JOB_MAX_HEIGHT: u32 = 32;
/// Bytes of a debug log record with its header.
pub const LOG_RECORD_MAX: usize = 256;
/// Bytes of an IOMMU description.
pub const IOMMU_DESC_MAX: usize = 4096;
/// Largest size of a VMO (2019 and later).
pub const VMO_SIZE_MAX: u64 = 0xffff_ffff_fffe_0000;
/// Largest size of a VMO in 2018.
pub const VMO_SIZE_MAX_2018: u64 = 0xffff_ffff_ffff_f000;
/// Interrupts in one MSI allocation.
pub const MSI_MAX: u32 = 32;
/// Bytes of a kernel command line handed to userboot.
pub const CMDLINE_MAX: usize = 4096;

/// A deadline that never comes.
pub const TIME_INFINITE: i64 = i64::MAX;
/// A deadline that has always passed.
pub const TIME_INFINITE_PAST: i64 = i64::MIN;

/// Lowest user address.
pub const USER_ASPACE_BASE: usize = 0x100_0000;
/// Bytes of user address space; its end is `2^47 - 4096`.
pub const USER_ASPACE_SIZE: usize = 0x7fff_feff_f000;
/// Bytes of userboot's and the first program's stack.
pub const INITIAL_STACK_SIZE: usize = 256 << 10;
