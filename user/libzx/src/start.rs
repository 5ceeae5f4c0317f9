//! The first instructions of a program.
//!
//! The kernel starts it with the bootstrap channel in rdi, the vDSO's base in rsi, and a stack pointer 8 below a
//! multiple of 16, as after a call.

use core::panic::PanicInfo;
use core::slice;

#[cfg(not(feature = "rodso"))]
use zx_abi::HandleValue;

use crate::vdso::{first_segment_size, Image};
use crate::{println, task};

core::arch::global_asm!(
    ".globl _start",
    ".type _start, @function",
    "_start:",
    "    xor ebp, ebp",
    "    and rsp, -16",
    "    lea rdx, [rip + __ehdr_start]",
    "    lea rcx, [rip + _DYNAMIC]",
    "    call {start}",
    "    ud2",
    ".size _start, . - _start",
    ".hidden __ehdr_start",
    ".hidden _DYNAMIC",
    start = sym start,
);

/// Finds the tables of the vDSO mapped at `base`.
///
/// # Safety
/// 1. A vDSO is mapped at `base` and stays there.
unsafe fn vdso_image(base: usize) -> Option<Image<'static>> {
    let start = core::ptr::with_exposed_provenance::<u8>(base);
    // SAFETY: the image has at least its first page.
    let page = unsafe { slice::from_raw_parts(start, 4096) };
    let size = first_segment_size(page)?;
    // SAFETY: the first segment is mapped as a whole.
    let segment = unsafe { slice::from_raw_parts(start, size) };
    Image::parse(segment)
}

#[cfg(not(feature = "rodso"))]
mod program {
    use super::{task, vdso_image, HandleValue};
    use crate::state::state;
    use crate::{println, Startup};

    const DT_RELA: usize = 7;
    const DT_RELASZ: usize = 8;
    const R_X86_64_RELATIVE: usize = 8;

    unsafe extern "Rust" {
        /// Written by [`entry!`](crate::entry).
        fn libzx_main(startup: Startup) -> i64;
    }

    /// Where all programs begin. Nothing before `relocate` may use an address that the linker stored in data.
    pub(super) unsafe extern "C" fn start(
        channel: HandleValue,
        vdso_base: usize,
        image_base: usize,
        dynamic: *const [usize; 2],
    ) -> ! {
        // SAFETY: both addresses are the linker's own for this image.
        unsafe { relocate(image_base, dynamic) };
        // SAFETY: the parent mapped a vDSO and passed its base.
        if let Some(image) = unsafe { vdso_image(vdso_base) } {
            state().resolve(&image, vdso_base);
        }
        let startup = match Startup::read(channel) {
            Ok(startup) => startup,
            Err(error) => {
                println!("libzx: bootstrap message: {error}");
                task::exit(101);
            }
        };
        let _ = crate::Handle::from_raw(channel);
        // SAFETY: the macro writes a function of exactly this type.
        let code = unsafe { libzx_main(startup) };
        task::exit(code)
    }

    /// Adds the load address to every stored address.
    ///
    /// # Safety
    /// 1. `dynamic` is this image's dynamic section, `base` where the image was loaded.
    /// 2. It runs once, before anything else.
    unsafe fn relocate(base: usize, mut dynamic: *const [usize; 2]) {
        let (mut rela, mut rela_bytes) = (0, 0);
        loop {
            // SAFETY: the section ends with a null tag.
            let [tag, value] = unsafe { dynamic.read() };
            match tag {
                0 => break,
                DT_RELA => rela = value,
                DT_RELASZ => rela_bytes = value,
                _ => {}
            }
            // SAFETY: not at the end yet.
            dynamic = unsafe { dynamic.add(1) };
        }
        let mut entry = core::ptr::with_exposed_provenance::<[usize; 3]>(base + rela);
        for _ in 0..rela_bytes / size_of::<[usize; 3]>() {
            // SAFETY: inside the relocation table.
            let [offset, info, addend] = unsafe { entry.read() };
            if info == R_X86_64_RELATIVE {
                let place = core::ptr::with_exposed_provenance_mut::<usize>(base + offset);
                // SAFETY: the linker names only places in the writable segment.
                unsafe { place.write_unaligned(base + addend) };
            }
            // SAFETY: at most one past the end.
            entry = unsafe { entry.add(1) };
        }
    }
}

#[cfg(not(feature = "rodso"))]
use program::start;

#[cfg(feature = "rodso")]
mod rodso;
#[cfg(feature = "rodso")]
use rodso::start;

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    println!("{info}");
    task::exit(101)
}
