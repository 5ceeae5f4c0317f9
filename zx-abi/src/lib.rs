//! Every number, layout and name of the Zircon ABI, as plain data without behaviour.
//!
//! The crate knows nothing of the kernel; the kernel, the vDSO, user programs and host tools all build against it.
#![no_std]
#![forbid(unsafe_code)]

mod wire;

pub mod bootfs;
pub mod channel;
pub mod clock;
pub mod debuglog;
pub mod device;
pub mod elf;
pub mod exception;
pub mod info;
pub mod limits;
pub mod object_type;
pub mod packet;
pub mod policy;
pub mod power;
pub mod procargs;
pub mod profile;
pub mod property;
pub mod rights;
pub mod signals;
pub mod status;
pub mod stream;
pub mod syscalls;
pub mod thread_state;
pub mod vdso_constants;
pub mod vm_options;
pub mod wait;
pub mod zbi;

pub use channel::{ChannelCallArgs, HandleDisposition, HandleInfo};
pub use device::{PciBar, PcieDeviceInfo};
pub use exception::{ExceptionInfo, ExceptionReport};
pub use info::InfoTopic;
pub use object_type::ObjectType;
pub use packet::PortPacket;
pub use power::SystemPowerctlArg;
pub use profile::ProfileInfo;
pub use rights::Rights;
pub use signals::Signals;
pub use status::{Status, ZxError, ZxResult};
pub use stream::{Iovec, StringView};
pub use vm_options::VmOptions;
pub use wait::WaitItem;

/// A handle as programs see it: a number that means something in one process only. 0 is no handle.
pub type HandleValue = u32;

/// No handle.
#[doc(alias = "ZX_HANDLE_INVALID")]
pub const HANDLE_INVALID: HandleValue = 0;
