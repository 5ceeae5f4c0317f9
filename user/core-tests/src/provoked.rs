//! Which errors the calls have given in this process, for the comparison with the documented ones.

use alloc::vec::Vec;

use libzx::Startup;
use zx_abi::syscalls::SyscallId;

/// The word, as an argument or on the kernel's command line, that asks for the lines.
pub(crate) const WORD: &str = "core-tests.errors=true";

/// Whether the lines are wanted.
pub(crate) fn asked(startup: &Startup) -> bool {
    startup
        .args
        .iter()
        .chain(&startup.env)
        .any(|word| word == WORD)
}

/// Prints `[SAW] CALL ERROR...` for each call that gave an error, if that is wanted.
pub(crate) fn print_if_asked(startup: &Startup) {
    if !asked(startup) {
        return;
    }
    for call in SyscallId::ALL.iter().copied() {
        let errors: Vec<_> = libzx::witness::seen(call)
            .map(|error| error.name().trim_start_matches("ZX_ERR_"))
            .collect();
        if !errors.is_empty() {
            libzx::println!("[SAW] {} {}", call.info().name, errors.join(" "));
        }
    }
}
