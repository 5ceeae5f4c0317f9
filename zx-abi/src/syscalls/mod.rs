//! The syscall table: name, number, arguments, result and level of every call, as plain data.
//!
//! Dispatch, vDSO stubs, libzx declarations, the reference page and the conformance page are all generated from
//! [`TABLE`] by build scripts, so everything here works on the host as well as in the kernel.
//!
//! ```
//! use zx_abi::syscalls::{SyscallId, Kind, TABLE};
//!
//! let id = SyscallId::from_name("handle_close").unwrap();
//! assert_eq!(id, SyscallId::HandleClose);
//! assert_eq!(id.info().number, Some(42));
//! assert_eq!(TABLE.len(), SyscallId::COUNT);
//! assert!(id.info().has_kernel_entry());
//! assert_eq!(SyscallId::TicksGet.info().kind, Kind::VdsoOnly);
//! ```

mod args;
mod define;
mod table;

pub use args::{Arg, ArgType, Ret};
pub use table::{SyscallId, TABLE};

use bitflags::bitflags;

/// One call of the ABI.
#[derive(Clone, Copy, Debug)]
pub struct Syscall {
    /// Name without the `zx_` prefix.
    pub name: &'static str,
    /// Name of the [`SyscallId`] variant, for generated code.
    pub variant: &'static str,
    /// Number in the home ABI (2020-06-30). None for vDSO-only calls and for calls of older levels.
    pub number: Option<u32>,
    /// Arguments in order; the first eight go in rdi, rsi, rdx, r10, r8, r9, r12, r13.
    pub args: &'static [Arg],
    /// What comes back in rax.
    pub ret: Ret,
    /// Who may call it, and where it runs.
    pub kind: Kind,
    /// Whether the call may block.
    pub blocking: Blocking,
    /// The ABI levels that have the call.
    pub levels: Levels,
    /// What it is about, for documentation.
    pub category: Category,
}

impl Syscall {
    /// Whether the call never returns to its caller.
    #[must_use]
    pub const fn is_noreturn(&self) -> bool {
        matches!(self.ret, Ret::NoReturn)
    }

    /// Whether the kernel is entered under this name (in some level).
    #[must_use]
    pub const fn has_kernel_entry(&self) -> bool {
        !matches!(self.kind, Kind::VdsoOnly)
    }
}

/// Who may call a syscall, and where it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A public call with a kernel entry.
    Kernel,
    /// A kernel entry that only the vDSO itself uses; no public symbol.
    Internal,
    /// A public function that runs in the vDSO and has no entry of its own.
    VdsoOnly,
    /// `syscall_test_*`: a kernel entry that exists for tests.
    Test,
}

/// Whether a call may block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocking {
    /// Runs to completion.
    Never,
    /// May wait; its handler is asynchronous.
    May,
}

bitflags! {
    /// ABI levels.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Levels: u8 {
        /// Zircon of 2018-12-29.
        const A2018 = 1;
        /// Zircon of 2019-07-15.
        const A2019 = 2;
        /// Fuchsia of 2020-06-30, the home ABI.
        const A2020 = 4;

        /// In every level.
        const ALL = 7;
        /// Added between 2018-12 and 2019-07.
        const SINCE_2019 = 6;
        /// Added between 2019-07 and 2020-06.
        const ONLY_2020 = 4;
        /// Removed between 2019-07 and 2020-06.
        const UNTIL_2019 = 3;
        /// Removed between 2018-12 and 2019-07.
        const ONLY_2018 = 1;
    }
}

/// Writes the category enum and its titles.
macro_rules! categories {
    ($($variant:ident $title:literal,)*) => {
        /// What a call is about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Category {
            $(#[doc = $title] $variant,)*
        }

        impl Category {
            /// Every category, in the order of the reference page.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The heading on the reference page.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
        }
    };
}

categories! {
    Handle "Handles", Object "Objects", Channel "Channels", Socket "Sockets", Fifo "Fifos", Stream "Streams",
    Signalling "Events", Port "Ports", Timer "Timers", Time "Time", Futex "Futexes", Job "Jobs",
    Process "Processes", Thread "Threads", Task "Tasks", Exceptions "Exceptions", Vmo "VMOs", Vmar "VMARs",
    Pager "Pagers", Resource "Resources", Profile "Profiles", Random "Random numbers", Log "Debug log",
    DebugConsole "Debug console", Tracing "Tracing", System "System", Ddk "Drivers", Hypervisor "Hypervisor",
    Test "Test calls",
}

/// A number outside the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownSyscall(pub u16);

impl TryFrom<u16> for SyscallId {
    type Error = UnknownSyscall;
    fn try_from(raw: u16) -> Result<Self, UnknownSyscall> {
        Self::ALL
            .get(usize::from(raw))
            .copied()
            .ok_or(UnknownSyscall(raw))
    }
}

#[cfg(test)]
mod tests;
