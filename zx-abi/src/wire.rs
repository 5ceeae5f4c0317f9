//! Macros that write wire structures, numbered enums and option flags the same way everywhere.

/// `#[repr(C)]` records that may be copied to and from user memory byte by byte. Each states its size; a wrong layout
/// does not compile. `Default` is all zeros.
macro_rules! records {
    ($($(#[$meta:meta])* $name:ident: $size:literal { $($(#[$field_meta:meta])* $field:ident: $ty:ty,)* })*) => {
        $(
            $(#[$meta])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            #[derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)]
            #[repr(C)]
            pub struct $name { $($(#[$field_meta])* pub $field: $ty,)* }

            const _: () = assert!(size_of::<$name>() == $size);

            impl Default for $name {
                fn default() -> Self {
                    zerocopy::FromZeros::new_zeroed()
                }
            }
        )*
    };
}

/// Enums whose discriminants are wire values, with `from_raw` and `raw`.
macro_rules! numbers {
    ($($(#[$meta:meta])* $name:ident: $repr:ident { $($(#[$variant_meta:meta])* $variant:ident = $value:literal,)* })*) => {
        $(
            $(#[$meta])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
            #[repr($repr)]
            pub enum $name { $($(#[$variant_meta])* $variant = $value,)* }

            impl $name {
                /// Every value.
                pub const ALL: &'static [Self] = &[$(Self::$variant),*];

                /// The number on the wire.
                #[must_use]
                pub const fn raw(self) -> $repr {
                    self as $repr
                }

                /// The meaning of a number from the wire, if it has one.
                #[must_use]
                pub const fn from_raw(raw: $repr) -> Option<Self> {
                    match raw { $($value => Some(Self::$variant),)* _ => None }
                }
            }
        )*
    };
}

/// Option flags. `from_bits` refuses unknown bits, which is what callers of a syscall should see as `InvalidArgs`.
macro_rules! options {
    ($($(#[$($meta:tt)*])* $name:ident: $repr:ident { $($(#[$($flag_meta:tt)*])* $flag:ident = $value:expr,)* })*) => {
        $(
            bitflags::bitflags! {
                $(#[$($meta)*])*
                #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
                pub struct $name: $repr { $($(#[$($flag_meta)*])* const $flag = $value;)* }
            }
        )*
    };
}

pub(crate) use {numbers, options, records};
