//! Records about handles and about objects that are no tasks and no memory.

use crate::limits::NAME_LEN;
use crate::object_type::OBJECT_TYPE_UPPER_BOUND;
use crate::wire::records;
use crate::{HandleValue, Rights};

/// `props` of objects that can be waited on.
#[doc(alias = "ZX_OBJ_PROP_WAITABLE")]
pub const PROP_WAITABLE: u32 = 1;

records! {
    /// `zx_info_handle_basic_t`.
    HandleBasicInfo: 32 {
        /// The object.
        koid: u64,
        /// The handle's rights.
        rights: Rights,
        /// Number of the object type.
        kind: u32,
        /// The peer's koid, the parent job's, or 0.
        related_koid: u64,
        /// [`PROP_WAITABLE`] or 0.
        props: u32,
        /// Zero.
        padding1: [u8; 4],
    }
    /// `zx_info_handle_extended_t`.
    HandleExtendedInfo: 40 {
        /// Number of the object type.
        kind: u32,
        /// The value in the process asked about.
        handle_value: HandleValue,
        /// The handle's rights.
        rights: Rights,
        /// [`PROP_WAITABLE`] or 0.
        props: u32,
        /// The object.
        koid: u64,
        /// The peer's koid, the parent job's, or 0.
        related_koid: u64,
        /// Zero.
        peer_owner_koid: u64,
    }
    /// `zx_info_handle_count_t`.
    HandleCountInfo: 4 {
        /// Handles to the object.
        handle_count: u32,
    }
    /// `zx_info_process_handle_stats_t`.
    ProcessHandleStatsInfo: 256 {
        /// Handles by number of object type.
        handle_count: [u32; OBJECT_TYPE_UPPER_BOUND],
    }
    /// `zx_info_socket_t`.
    SocketInfo: 48 {
        /// Options of `socket_create`.
        options: u32,
        /// Zero.
        padding1: [u8; 4],
        /// Capacity of the receive buffer.
        rx_buf_max: u64,
        /// Bytes in the receive buffer.
        rx_buf_size: u64,
        /// Bytes one read can return.
        rx_buf_available: u64,
        /// Capacity of the peer's receive buffer, 0 without peer.
        tx_buf_max: u64,
        /// Bytes in the peer's receive buffer, 0 without peer.
        tx_buf_size: u64,
    }
    /// `zx_info_timer_t` (2020).
    TimerInfo: 24 {
        /// Options of `timer_create`.
        options: u32,
        /// Zero.
        padding1: [u8; 4],
        /// When it fires, 0 when not set.
        deadline: i64,
        /// How far it may fire from the deadline, 0 when not set.
        slack: i64,
    }
    /// `zx_info_stream_t` (2020).
    StreamInfo: 24 {
        /// Options of `stream_create`.
        options: u32,
        /// Zero.
        padding1: [u8; 4],
        /// Where the next read or write happens.
        seek: u64,
        /// Bytes of content.
        content_size: u64,
    }
    /// `zx_info_resource_t`.
    ResourceInfo: 56 {
        /// Number of the resource kind.
        kind: u32,
        /// Creation flags.
        flags: u32,
        /// First address or number.
        base: u64,
        /// How many.
        size: u64,
        /// Name.
        name: [u8; NAME_LEN],
    }
    /// `zx_info_bti_t`. In 2019 only the first two fields exist.
    BtiInfo: 32 {
        /// Addresses returned by `bti_pin` are contiguous for at least this many bytes.
        minimum_contiguity: u64,
        /// Bytes of the device's address space, all ones for 2^64.
        aspace_size: u64,
        /// Pinned memory objects.
        pmo_count: u64,
        /// Quarantined pinned memory objects.
        quarantine_count: u64,
    }
    /// `zx_info_msi_t` (2020).
    MsiInfo: 24 {
        /// Where the device writes.
        target_addr: u64,
        /// What the device writes.
        target_data: u32,
        /// First interrupt of the block.
        base_irq_id: u32,
        /// Interrupts in the block.
        num_irq: u32,
        /// Interrupt objects made from the block.
        interrupt_count: u32,
    }
}
