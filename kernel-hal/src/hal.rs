//! How a HAL function is declared here and defined by a backend.
//!
//! [`hal_fn!`] declares a function once: name, types, documentation. It emits a weak body under the C-like symbol
//! `hal_NAME` in a link section `.hal_default.NAME` of its own, and a type alias in `signatures` of the same module.
//! A backend defines the strong symbol with [`hal_impl!`](crate::hal_impl), which checks the type against that alias.
//! Crates above compile and unit-test without any backend; the kernel's linker script asserts that the output section
//! `.hal_default` is empty after garbage collection, so a function that is used but not defined is a link error that
//! names the problem. With fat LTO the strong body is inlined into its callers: the interface costs nothing.

/// Declares HAL functions with weak default bodies.
macro_rules! hal_fn {
    ($( $(#[$meta:meta])* pub fn $name:ident as $symbol:ident ( $($arg:ident : $ty:ty),* $(,)? ) $(-> $ret:ty)? ; )*) => {
        /// The types of this module's HAL functions by symbol; `hal_impl!` checks a backend against them.
        #[expect(non_camel_case_types, reason = "each alias carries the name of the symbol that it describes")]
        pub mod signatures {
            #[allow(unused_imports, clippy::wildcard_imports, clippy::allow_attributes, reason = "the aliases use the types of the declaring module; some modules need none")]
            use super::*;
            $( #[doc = concat!("Type of `", stringify!($symbol), "`.")] pub type $symbol = fn($($ty),*) $(-> $ret)?; )*
        }
        mod defaults {
            #[allow(unused_imports, clippy::wildcard_imports, clippy::allow_attributes, reason = "the bodies use the types of the declaring module; some modules need none")]
            use super::*;
            $(
                #[linkage = "weak"]
                #[no_mangle]
                #[link_section = concat!(".hal_default.", stringify!($symbol))]
                pub(super) extern "Rust" fn $symbol($($arg: $ty),*) $(-> $ret)? {
                    $( let _ = $arg; )*
                    panic!(concat!(stringify!($symbol), " has no backend"))
                }
            )*
        }
        $(
            $(#[$meta])*
            #[allow(clippy::missing_errors_doc, clippy::allow_attributes, reason = "each function's own text says how it fails; not all can")]
            #[inline(always)]
            pub fn $name($($arg: $ty),*) $(-> $ret)? { defaults::$symbol($($arg),*) }
        )*
    };
}
pub(crate) use hal_fn;

/// Defines the strong body of a HAL function in a backend.
///
/// `hal_impl! { kernel_hal::time => fn hal_ticks() -> u64 { .. } }` emits the symbol and refuses to compile when its type
/// differs from the declaration in `kernel_hal::time`.
#[macro_export]
macro_rules! hal_impl {
    ($( $module:path => fn $symbol:ident ( $($arg:ident : $ty:ty),* $(,)? ) $(-> $ret:ty)? $body:block )*) => {
        $(
            const _: () = {
                use $module as declared;
                const _: declared::signatures::$symbol = $symbol;
                #[no_mangle]
                extern "Rust" fn $symbol($($arg: $ty),*) $(-> $ret)? $body
            };
        )*
    };
}
