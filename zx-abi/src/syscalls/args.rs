//! Types of arguments and results in the syscall table.

/// One argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arg {
    /// Name; never a Rust keyword, so it can be pasted into generated code.
    pub name: &'static str,
    /// Type.
    pub ty: ArgType,
}

/// What an argument register holds.
///
/// Pointer variants carry the element type as Rust writes it: a primitive, or a type exported at the root of
/// `zx_abi` (`HandleValue`, `Signals`, `PortPacket`, ...). Whether it points to one element or to an array counted
/// by another argument is the call's own business; `u8` also stands for C's `void` and `char`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgType {
    /// A handle value, 32 bits.
    Handle,
    /// 8 bits.
    U8,
    /// 16 bits.
    U16,
    /// 32 bits.
    U32,
    /// 32 bits, signed.
    I32,
    /// 64 bits.
    U64,
    /// 64 bits, signed.
    I64,
    /// A count or size.
    Usize,
    /// An integer as wide as a pointer that the kernel only passes on.
    Uptr,
    /// C's `bool`.
    Bool,
    /// A user address the kernel does not dereference as data.
    Vaddr,
    /// A physical address.
    Paddr,
    /// An absolute time, 64 bits signed.
    Time,
    /// A length of time, 64 bits signed.
    Duration,
    /// A koid.
    Koid,
    /// Handle rights, 32 bits.
    Rights,
    /// Signals, 32 bits.
    Signals,
    /// User memory the kernel reads.
    In(&'static str),
    /// User memory the kernel writes.
    Out(&'static str),
    /// User memory the kernel writes unless the pointer is null.
    OptionalOut(&'static str),
    /// User memory the kernel reads and writes.
    InOut(&'static str),
}

impl ArgType {
    /// The Rust type of a scalar in generated declarations; None for pointers.
    #[must_use]
    pub const fn scalar(self) -> Option<&'static str> {
        Some(match self {
            Self::Handle => "HandleValue",
            Self::U8 => "u8",
            Self::U16 => "u16",
            Self::U32 => "u32",
            Self::I32 => "i32",
            Self::U64 | Self::Paddr | Self::Koid => "u64",
            Self::I64 | Self::Time | Self::Duration => "i64",
            Self::Usize | Self::Uptr | Self::Vaddr => "usize",
            Self::Bool => "bool",
            Self::Rights => "Rights",
            Self::Signals => "Signals",
            Self::In(_) | Self::Out(_) | Self::OptionalOut(_) | Self::InOut(_) => return None,
        })
    }

    /// The element type a pointer points to; None for scalars.
    #[must_use]
    pub const fn pointee(self) -> Option<&'static str> {
        match self {
            Self::In(elem) | Self::Out(elem) | Self::OptionalOut(elem) | Self::InOut(elem) => {
                Some(elem)
            }
            _ => None,
        }
    }

    /// Whether the pointer is `*const` in generated declarations.
    #[must_use]
    pub const fn is_const_pointer(self) -> bool {
        matches!(self, Self::In(_))
    }

    /// How many low bits of the register count; the rest is ignored by the kernel.
    #[must_use]
    pub const fn register_bits(self) -> u32 {
        match self {
            Self::U8 | Self::Bool => 8,
            Self::U16 => 16,
            Self::Handle | Self::U32 | Self::I32 | Self::Rights | Self::Signals => 32,
            _ => 64,
        }
    }
}

/// What a call returns in rax (and rdx for [`Ret::StringView`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ret {
    /// A status.
    Status,
    /// Nothing.
    Void,
    /// Never returns.
    NoReturn,
    /// An absolute time.
    Time,
    /// Ticks.
    Ticks,
    /// A 32-bit number.
    U32,
    /// A 64-bit number.
    U64,
    /// Pointer and length.
    StringView,
}

impl Ret {
    /// The Rust return type in generated declarations, an empty string for nothing.
    #[must_use]
    pub const fn rust(self) -> &'static str {
        match self {
            Self::Status => "Status",
            Self::Void => "",
            Self::NoReturn => "!",
            Self::Time | Self::Ticks => "i64",
            Self::U32 => "u32",
            Self::U64 => "u64",
            Self::StringView => "StringView",
        }
    }
}
