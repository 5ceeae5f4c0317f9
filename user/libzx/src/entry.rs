//! The macro that makes a function the program's main function.

/// Makes `fn main(startup: libzx::Startup) -> i64` the program; what it returns is the exit code.
///
/// The macro may use what a program with `forbid(unsafe_code)` may not: it gives the function the symbol that
/// libzx's start code calls. A second use in one program is a link error.
#[macro_export]
#[allow_internal_unsafe]
macro_rules! entry {
    ($main:path) => {
        #[cfg(target_os = "none")]
        const _: () = {
            #[unsafe(no_mangle)]
            extern "Rust" fn libzx_main(startup: $crate::Startup) -> i64 {
                $main(startup)
            }
        };
    };
}

/// The same for userboot, whose message is the kernel's: `fn main(message: libzx::KernelMessage) -> i64`.
#[cfg(feature = "rodso")]
#[macro_export]
#[allow_internal_unsafe]
macro_rules! userboot_entry {
    ($main:path) => {
        #[cfg(target_os = "none")]
        const _: () = {
            #[unsafe(no_mangle)]
            extern "Rust" fn libzx_main(message: $crate::KernelMessage) -> i64 {
                $main(message)
            }
        };
    };
}
