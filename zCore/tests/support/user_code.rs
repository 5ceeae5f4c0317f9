//! User programs written as assembly beside the test that runs them.

/// Defines a function that returns user code written as assembly, which must not depend on where it runs.
macro_rules! user_code {
    ($(#[$meta:meta])* $name:ident: $($line:literal)+) => {
        $(#[$meta])*
        #[inline(never)]
        fn $name() -> &'static [u8] {
            let (start, end): (*const u8, *const u8);
            // SAFETY: two addresses are taken; what stands between them is data here.
            unsafe {
                core::arch::asm!(
                    "lea {start}, [rip + 771f]",
                    "lea {end}, [rip + 772f]",
                    ".pushsection .rodata.user_code, \"a\", @progbits",
                    "771:",
                    $($line,)+
                    "772:",
                    ".popsection",
                    start = out(reg) start,
                    end = out(reg) end,
                    options(nomem, nostack, preserves_flags),
                );
            }
            // SAFETY: the assembler put the bytes between the two labels, in read-only memory.
            unsafe { core::slice::from_raw_parts(start, end as usize - start as usize) }
        }
    };
}
pub(crate) use user_code;
