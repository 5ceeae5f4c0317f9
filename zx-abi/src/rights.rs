//! Handle rights (`ZX_RIGHT_*`) and the rights new objects start with.

use core::fmt;

use bitflags::bitflags;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::ObjectType;

/// What a handle allows. Unknown bits are kept: a check for "subset of what the handle has" then refuses them.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(transparent)]
pub struct Rights(u32);

bitflags! {
    impl Rights: u32 {
        /// Make another handle to the object.
        const DUPLICATE = 1 << 0;
        /// Send the handle through a channel.
        const TRANSFER = 1 << 1;
        /// Read from the object.
        const READ = 1 << 2;
        /// Write to the object.
        const WRITE = 1 << 3;
        /// Map executable, or run.
        const EXECUTE = 1 << 4;
        /// Map into memory.
        const MAP = 1 << 5;
        /// Read properties.
        const GET_PROPERTY = 1 << 6;
        /// Change properties.
        const SET_PROPERTY = 1 << 7;
        /// List children and get handles to them.
        const ENUMERATE = 1 << 8;
        /// Destroy or kill.
        const DESTROY = 1 << 9;
        /// Set the job's policy.
        const SET_POLICY = 1 << 10;
        /// Read the job's policy.
        const GET_POLICY = 1 << 11;
        /// Set and clear user signals.
        const SIGNAL = 1 << 12;
        /// Set and clear the peer's user signals.
        const SIGNAL_PEER = 1 << 13;
        /// Wait for signals.
        const WAIT = 1 << 14;
        /// Read information records.
        const INSPECT = 1 << 15;
        /// Create child jobs.
        const MANAGE_JOB = 1 << 16;
        /// Create processes.
        const MANAGE_PROCESS = 1 << 17;
        /// Create and start threads.
        const MANAGE_THREAD = 1 << 18;
        /// Apply the profile to a thread.
        const APPLY_PROFILE = 1 << 19;
        /// Only alone: "the rights the handle already has".
        const SAME_RIGHTS = 1 << 31;

        /// `TRANSFER | DUPLICATE | WAIT | INSPECT`.
        const BASIC = 0xC003;
        /// `READ | WRITE`.
        const IO = 0xC;
        /// `GET_PROPERTY | SET_PROPERTY`.
        const PROPERTY = 0xC0;
        /// `SET_POLICY | GET_POLICY`.
        const POLICY = 0xC00;
        const _ = !0;
    }
}

impl Rights {
    /// Rights of an event made by `system_get_event`.
    pub const SYSTEM_EVENT: Self = Self::WAIT.union(Self::DUPLICATE).union(Self::TRANSFER);
    /// Rights of the end that `task_create_exception_channel` hands out.
    pub const EXCEPTION_CHANNEL: Self = Self::TRANSFER.union(Self::WAIT).union(Self::READ);
    /// Rights of a process's root VMAR: the default ones and read, write, execute.
    pub const ROOT_VMAR: Self = Self::default_for(ObjectType::Vmar)
        .union(Self::IO)
        .union(Self::EXECUTE);

    /// The rights a new object of this type starts with (home ABI, 2020).
    ///
    /// Streams add READ and WRITE, VMARs READ, WRITE and EXECUTE, readable logs READ, according to their options.
    #[must_use]
    pub const fn default_for(kind: ObjectType) -> Self {
        match kind {
            ObjectType::None => Self::empty(),
            ObjectType::Channel => Self::IO
                .union(Self::TRANSFER)
                .union(Self::SIGNAL)
                .union(Self::SIGNAL_PEER)
                .union(Self::WAIT)
                .union(Self::INSPECT),
            ObjectType::Event => Self::BASIC.union(Self::SIGNAL),
            ObjectType::EventPair => Self::BASIC.union(Self::SIGNAL).union(Self::SIGNAL_PEER),
            ObjectType::Fifo => Self::BASIC
                .union(Self::IO)
                .union(Self::SIGNAL)
                .union(Self::SIGNAL_PEER),
            ObjectType::Socket => Self::BASIC
                .union(Self::IO)
                .union(Self::PROPERTY)
                .union(Self::SIGNAL)
                .union(Self::SIGNAL_PEER),
            ObjectType::Stream => Self::BASIC.union(Self::PROPERTY).union(Self::SIGNAL),
            ObjectType::Port => Self::IO
                .union(Self::DUPLICATE)
                .union(Self::TRANSFER)
                .union(Self::INSPECT),
            ObjectType::Timer | ObjectType::Log => {
                Self::BASIC.union(Self::WRITE).union(Self::SIGNAL)
            }
            ObjectType::Job => Self::BASIC
                .union(Self::IO)
                .union(Self::PROPERTY)
                .union(Self::POLICY)
                .union(Self::ENUMERATE)
                .union(Self::DESTROY)
                .union(Self::SIGNAL)
                .union(Self::MANAGE_JOB)
                .union(Self::MANAGE_PROCESS)
                .union(Self::MANAGE_THREAD),
            ObjectType::Process => Self::BASIC
                .union(Self::IO)
                .union(Self::PROPERTY)
                .union(Self::ENUMERATE)
                .union(Self::DESTROY)
                .union(Self::SIGNAL)
                .union(Self::MANAGE_PROCESS)
                .union(Self::MANAGE_THREAD),
            ObjectType::Thread => Self::BASIC
                .union(Self::IO)
                .union(Self::PROPERTY)
                .union(Self::DESTROY)
                .union(Self::SIGNAL)
                .union(Self::MANAGE_THREAD),
            ObjectType::Vmar | ObjectType::Iommu => {
                Self::DUPLICATE.union(Self::TRANSFER).union(Self::INSPECT)
            }
            ObjectType::Vmo => Self::BASIC
                .union(Self::IO)
                .union(Self::PROPERTY)
                .union(Self::MAP)
                .union(Self::SIGNAL),
            ObjectType::Resource => Self::DUPLICATE
                .union(Self::TRANSFER)
                .union(Self::WRITE)
                .union(Self::INSPECT),
            ObjectType::Interrupt | ObjectType::MsiInterrupt => {
                Self::BASIC.union(Self::IO).union(Self::SIGNAL)
            }
            ObjectType::PciDevice | ObjectType::Clock => Self::BASIC.union(Self::IO),
            ObjectType::Bti => Self::IO
                .union(Self::DUPLICATE)
                .union(Self::TRANSFER)
                .union(Self::MAP)
                .union(Self::INSPECT),
            ObjectType::Pmt => Self::INSPECT,
            ObjectType::Profile => Self::DUPLICATE
                .union(Self::TRANSFER)
                .union(Self::INSPECT)
                .union(Self::APPLY_PROFILE),
            ObjectType::SuspendToken => Self::TRANSFER.union(Self::INSPECT),
            ObjectType::Pager | ObjectType::Exception => {
                Self::PROPERTY.union(Self::TRANSFER).union(Self::INSPECT)
            }
            ObjectType::MsiAllocation => Self::BASIC,
            ObjectType::Guest => Self::DUPLICATE
                .union(Self::TRANSFER)
                .union(Self::WRITE)
                .union(Self::INSPECT)
                .union(Self::MANAGE_PROCESS),
            ObjectType::Vcpu => Self::BASIC
                .union(Self::IO)
                .union(Self::EXECUTE)
                .union(Self::SIGNAL),
        }
    }
}

impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        bitflags::parser::to_writer(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_what_their_members_are() {
        assert_eq!(
            Rights::BASIC,
            Rights::TRANSFER | Rights::DUPLICATE | Rights::WAIT | Rights::INSPECT
        );
        assert_eq!(Rights::IO, Rights::READ | Rights::WRITE);
        assert_eq!(
            Rights::PROPERTY,
            Rights::GET_PROPERTY | Rights::SET_PROPERTY
        );
        assert_eq!(Rights::POLICY, Rights::GET_POLICY | Rights::SET_POLICY);
    }

    #[test]
    fn default_rights_have_the_numbers_of_2020() {
        let expected = [
            (ObjectType::Channel, 0xf00e),
            (ObjectType::Event, 0xd003),
            (ObjectType::EventPair, 0xf003),
            (ObjectType::Fifo, 0xf00f),
            (ObjectType::Socket, 0xf0cf),
            (ObjectType::Stream, 0xd0c3),
            (ObjectType::Port, 0x800f),
            (ObjectType::Timer, 0xd00b),
            (ObjectType::Job, 0x7dfcf),
            (ObjectType::Process, 0x6d3cf),
            (ObjectType::Thread, 0x4d2cf),
            (ObjectType::Vmar, 0x8003),
            (ObjectType::Vmo, 0xd0ef),
            (ObjectType::Resource, 0x800b),
            (ObjectType::Log, 0xd00b),
            (ObjectType::Interrupt, 0xd00f),
            (ObjectType::MsiInterrupt, 0xd00f),
            (ObjectType::PciDevice, 0xc00f),
            (ObjectType::Iommu, 0x8003),
            (ObjectType::Bti, 0x802f),
            (ObjectType::Pmt, 0x8000),
            (ObjectType::Profile, 0x88003),
            (ObjectType::SuspendToken, 0x8002),
            (ObjectType::Pager, 0x80c2),
            (ObjectType::Exception, 0x80c2),
            (ObjectType::Clock, 0xc00f),
            (ObjectType::MsiAllocation, 0xc003),
            (ObjectType::Guest, 0x2800b),
            (ObjectType::Vcpu, 0xd01f),
        ];
        assert_eq!(expected.len() + 1, ObjectType::ALL.len());
        for (kind, bits) in expected {
            assert_eq!(Rights::default_for(kind).bits(), bits, "{kind:?}");
        }
        assert_eq!(Rights::SYSTEM_EVENT.bits(), 0x4003);
        assert_eq!(Rights::EXCEPTION_CHANNEL.bits(), 0x4006);
        assert_eq!(Rights::ROOT_VMAR.bits(), 0x801f);
    }

    #[test]
    fn unknown_bits_are_kept_so_that_subset_checks_see_them() {
        let odd = Rights::from_bits_retain(1 << 25);
        assert_eq!(odd.bits(), 1 << 25);
        assert!(!Rights::BASIC.contains(odd));
    }
}
