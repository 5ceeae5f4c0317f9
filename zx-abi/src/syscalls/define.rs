//! The macro that writes [`TABLE`](super::TABLE) and [`SyscallId`](super::SyscallId) from one list.

/// `-` is no number.
macro_rules! number {
    (-) => {
        None
    };
    ($number:literal) => {
        Some($number)
    };
}

/// Each entry: `name Variant number Kind Blocking LEVELS Category (arguments) -> Result;`
macro_rules! syscalls {
    ($(
        $name:ident $variant:ident $number:tt $kind:ident $blocking:ident $levels:ident $category:ident
        ( $( $arg:ident : $ty:ident $( ( $elem:literal ) )? ),* ) -> $ret:ident;
    )*) => {
        /// Every call, home ABI first in order of number, then vDSO-only calls, then calls of older levels.
        pub const TABLE: &[Syscall] = &[
            $(Syscall {
                name: stringify!($name),
                variant: stringify!($variant),
                number: number!($number),
                args: &[$( Arg { name: stringify!($arg), ty: ArgType::$ty $( ($elem) )? } ),*],
                ret: Ret::$ret,
                kind: Kind::$kind,
                blocking: Blocking::$blocking,
                levels: Levels::$levels,
                category: Category::$category,
            },)*
        ];

        /// Names a call independently of any vDSO's private numbers; the discriminant is the index in [`TABLE`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum SyscallId {
            $(#[doc = concat!("`zx_", stringify!($name), "`")] $variant,)*
        }

        impl SyscallId {
            /// Every call in table order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];
            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The call's table entry.
            #[must_use]
            pub const fn info(self) -> &'static Syscall {
                &TABLE[self as usize]
            }

            /// The call of this name, given without the `zx_` prefix.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $(stringify!($name) => Some(Self::$variant),)* _ => None }
            }

            /// The call with this number in the home ABI.
            #[must_use]
            pub fn from_home_number(number: u32) -> Option<Self> {
                Self::ALL.get(usize::try_from(number).ok()?).copied().filter(|id| id.info().number == Some(number))
            }
        }
    };
}

pub(super) use {number, syscalls};
