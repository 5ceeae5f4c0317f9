//! Port packets: 48 bytes, a key and a payload whose meaning the type decides.
//!
//! ```
//! use zx_abi::packet::{PacketSignal, PortPacket};
//! use zx_abi::{Signals, Status};
//!
//! let signal = PacketSignal { observed: Signals::READABLE, count: 1, ..Default::default() };
//! let packet = PortPacket::signal_one(7, signal);
//! assert_eq!(packet.as_signal(), Some(signal));
//! assert_eq!(packet.as_user(), None);
//! assert_eq!((packet.key, packet.status), (7, Status::OK.0));
//! ```

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::wire::{numbers, options, records};
use crate::{Signals, Status};

options! {
    /// Options of `port_create`.
    PortOptions: u32 {
        /// Interrupts may be bound to the port.
        BIND_TO_INTERRUPT = 1,
    }
}

numbers! {
    /// What a packet is about (`ZX_PKT_TYPE_*`).
    PacketType: u32 {
        /// From `port_queue`.
        User = 0,
        /// From `object_wait_async`.
        SignalOne = 1,
        /// From a repeating `object_wait_async` (2018).
        SignalRep = 2,
        /// From a guest.
        GuestBell = 3,
        /// From a guest.
        GuestMem = 4,
        /// From a guest.
        GuestIo = 5,
        /// From a guest.
        GuestVcpu = 6,
        /// From an interrupt.
        Interrupt = 7,
        /// From a pager's VMO.
        PageRequest = 9,
    }
    /// What a pager is told (`ZX_PAGER_VMO_*`).
    PageRequestCommand: u16 {
        /// Pages are wanted.
        Read = 0,
        /// No more requests will come.
        Complete = 1,
    }
}

/// The payload of a user packet.
pub type PacketUser = [u8; 32];

records! {
    /// `zx_port_packet_t`.
    PortPacket: 48 {
        /// Chosen by the program.
        key: u64,
        /// Number of the [`PacketType`].
        kind: u32,
        /// Status, 0 except in user packets and failed vCPUs.
        status: i32,
        /// By type.
        payload: [u8; 32],
    }
    /// `zx_packet_signal_t`.
    PacketSignal: 32 {
        /// Signals asked for.
        trigger: Signals,
        /// Signals seen.
        observed: Signals,
        /// Messages waiting on a channel, otherwise 1.
        count: u64,
        /// When it was queued, if asked for.
        timestamp: u64,
        /// Zero.
        reserved1: u64,
    }
    /// `zx_packet_interrupt_t`.
    PacketInterrupt: 32 {
        /// When it was triggered.
        timestamp: i64,
        /// Zero.
        reserved: [u64; 3],
    }
    /// `zx_packet_page_request_t`.
    PacketPageRequest: 32 {
        /// Number of the [`PageRequestCommand`].
        command: u16,
        /// Zero.
        flags: u16,
        /// Zero.
        reserved0: u32,
        /// First byte wanted.
        offset: u64,
        /// Bytes wanted.
        length: u64,
        /// Zero.
        reserved1: u64,
    }
    /// `zx_packet_guest_bell_t`.
    PacketGuestBell: 32 {
        /// Guest physical address.
        addr: u64,
        /// Zero.
        reserved: [u64; 3],
    }
    /// `zx_packet_guest_mem_t` on x86-64.
    PacketGuestMem: 32 {
        /// Guest physical address.
        addr: u64,
        /// Bytes of the instruction.
        inst_len: u8,
        /// The instruction.
        inst_buf: [u8; 15],
        /// Operand size without prefixes.
        default_operand_size: u8,
        /// Zero.
        reserved: [u8; 7],
    }
    /// `zx_packet_guest_io_t`.
    PacketGuestIo: 32 {
        /// I/O port.
        port: u16,
        /// 1, 2 or 4.
        access_size: u8,
        /// 1 for reads.
        input: u8,
        /// What was written.
        data: [u8; 4],
        /// Zero.
        reserved: [u64; 3],
    }
}

impl PortPacket {
    fn with_payload(key: u64, kind: PacketType, payload: &(impl IntoBytes + Immutable)) -> Self {
        let mut packet = Self {
            key,
            kind: kind.raw(),
            status: Status::OK.0,
            payload: [0; 32],
        };
        // Every payload record is 32 bytes long, so this always succeeds.
        let _ = payload.write_to(&mut packet.payload);
        packet
    }

    fn payload_of<T: FromBytes>(&self, kind: PacketType) -> Option<T> {
        if self.kind != kind.raw() {
            return None;
        }
        T::read_from_bytes(&self.payload).ok()
    }

    /// What `port_queue` puts on a port: key, status and payload are the program's.
    #[must_use]
    pub fn user(key: u64, status: Status, payload: PacketUser) -> Self {
        Self {
            key,
            kind: PacketType::User.raw(),
            status: status.0,
            payload,
        }
    }

    /// What `object_wait_async` puts on a port.
    #[must_use]
    pub fn signal_one(key: u64, signal: PacketSignal) -> Self {
        Self::with_payload(key, PacketType::SignalOne, &signal)
    }

    /// What a bound interrupt puts on a port.
    #[must_use]
    pub fn interrupt(key: u64, timestamp: i64) -> Self {
        Self::with_payload(
            key,
            PacketType::Interrupt,
            &PacketInterrupt {
                timestamp,
                reserved: [0; 3],
            },
        )
    }

    /// What a pager's VMO puts on a port.
    #[must_use]
    pub fn page_request(key: u64, command: PageRequestCommand, offset: u64, length: u64) -> Self {
        let request = PacketPageRequest {
            command: command.raw(),
            offset,
            length,
            ..Default::default()
        };
        Self::with_payload(key, PacketType::PageRequest, &request)
    }

    /// The packet's type, if the number is one.
    #[must_use]
    pub fn packet_type(&self) -> Option<PacketType> {
        PacketType::from_raw(self.kind)
    }

    /// The payload of a user packet.
    #[must_use]
    pub fn as_user(&self) -> Option<PacketUser> {
        self.payload_of(PacketType::User)
    }

    /// The payload of a signal packet.
    #[must_use]
    pub fn as_signal(&self) -> Option<PacketSignal> {
        self.payload_of(PacketType::SignalOne)
    }

    /// The payload of an interrupt packet.
    #[must_use]
    pub fn as_interrupt(&self) -> Option<PacketInterrupt> {
        self.payload_of(PacketType::Interrupt)
    }

    /// The payload of a page request.
    #[must_use]
    pub fn as_page_request(&self) -> Option<PacketPageRequest> {
        self.payload_of(PacketType::PageRequest)
    }
}
