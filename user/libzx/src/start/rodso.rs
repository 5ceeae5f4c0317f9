//! The start of userboot: no writable memory, no relocations, and a message of the kernel's own form.

use core::{mem, ptr};

use zx_abi::info::{InfoTopic, VmarInfo};
use zx_abi::{HandleValue, VmOptions};

use super::vdso_image;
use crate::state::{set_own_handles, State, STATE_ADDRESS};
use crate::vdso::Image;
use crate::{console, task, Handle, KernelMessage};

/// Bytes of command line that the kernel sends at most.
const CMDLINE_MAX: usize = 4096;
/// More handles than any kernel sends.
const HANDLES_MAX: usize = 32;
/// Where the kernel's handle list has the process and its root VMAR.
const PROCESS_INDEX: usize = 0;
const VMAR_INDEX: usize = 1;

unsafe extern "Rust" {
    /// Written by [`userboot_entry!`](crate::userboot_entry).
    fn libzx_main(message: KernelMessage) -> i64;
}

/// Calls by name, before there is a place for the function table.
struct Early<'a> {
    image: Image<'a>,
    base: usize,
}

impl Early<'_> {
    /// Makes a call that returns a status.
    fn call(&self, name: &[u8], args: [usize; 8]) -> Result<(), ()> {
        type Function =
            unsafe extern "C" fn(usize, usize, usize, usize, usize, usize, usize, usize) -> i32;
        let offset = self.image.find(name).ok_or(())?;
        let address: *const () = ptr::with_exposed_provenance(self.base + offset);
        // SAFETY: the C convention lets a function ignore arguments.
        let function = unsafe { mem::transmute::<*const (), Function>(address) };
        let [a, b, c, d, e, f, g, h] = args;
        // SAFETY: each caller below passes what the named call takes, with pointers to its own frame.
        let status = unsafe { function(a, b, c, d, e, f, g, h) };
        if status == 0 {
            Ok(())
        } else {
            Err(())
        }
    }

    /// Maps a page for the state at its fixed address.
    fn map_state(&self, root_vmar: HandleValue) -> Result<(), ()> {
        let mut info = VmarInfo::default();
        let (vmar, place) = (root_vmar as usize, (&raw mut info).expose_provenance());
        let topic = InfoTopic::Vmar.raw() as usize;
        self.call(
            b"_zx_object_get_info",
            [vmar, topic, place, size_of::<VmarInfo>(), 0, 0, 0, 0],
        )?;
        let len = size_of::<State>().next_multiple_of(4096);
        let mut vmo: HandleValue = 0;
        let out = (&raw mut vmo).expose_provenance();
        self.call(b"_zx_vmo_create", [len, 0, out, 0, 0, 0, 0, 0])?;
        let options = VmOptions::PERM_READ | VmOptions::PERM_WRITE | VmOptions::SPECIFIC;
        let offset = STATE_ADDRESS - usize::try_from(info.base).map_err(drop)?;
        let mut address = 0usize;
        let out = (&raw mut address).expose_provenance();
        self.call(
            b"_zx_vmar_map",
            [
                vmar,
                options.bits() as usize,
                offset,
                vmo as usize,
                0,
                len,
                out,
                0,
            ],
        )?;
        self.call(b"_zx_handle_close", [vmo as usize, 0, 0, 0, 0, 0, 0, 0])
    }

    /// Says what went wrong and ends userboot.
    fn fail(&self, what: &str) -> ! {
        let _ = self.call(
            b"_zx_debug_write",
            [
                what.as_ptr().expose_provenance(),
                what.len(),
                0,
                0,
                0,
                0,
                0,
                0,
            ],
        );
        let _ = self.call(b"_zx_process_exit", [1, 0, 0, 0, 0, 0, 0, 0]);
        loop {
            core::hint::spin_loop();
        }
    }
}

/// Where userboot begins.
pub(super) unsafe extern "C" fn start(channel: HandleValue, vdso_base: usize) -> ! {
    // SAFETY: the kernel mapped a vDSO and passed its base.
    let Some(image) = (unsafe { vdso_image(vdso_base) }) else {
        // Without calls there is nothing to be done: an access that faults ends the process.
        // SAFETY: does not return.
        unsafe { core::arch::asm!("ud2", options(noreturn)) };
    };
    let early = Early {
        image,
        base: vdso_base,
    };
    let mut cmdline = [0u8; CMDLINE_MAX];
    let mut values: [HandleValue; HANDLES_MAX] = [0; HANDLES_MAX];
    let mut counts = [0u32; 2];
    let counts_at = (&raw mut counts).expose_provenance();
    let args = [
        channel as usize,
        0,
        cmdline.as_mut_ptr().expose_provenance(),
        values.as_mut_ptr().expose_provenance(),
        CMDLINE_MAX,
        HANDLES_MAX,
        counts_at,
        counts_at + 4,
    ];
    if early.call(b"_zx_channel_read", args).is_err() {
        early.fail("userboot: cannot read the kernel's bootstrap message\n");
    }
    if early.map_state(values[VMAR_INDEX]).is_err() {
        early.fail("userboot: cannot map memory at its fixed address\n");
    }
    let place: *mut State = ptr::with_exposed_provenance_mut(STATE_ADDRESS);
    // SAFETY: mapped just now, large enough, page-aligned, and nobody refers to it yet.
    unsafe { place.write(State::new()) };
    // SAFETY: written above; from here on it is only shared.
    unsafe { &*place }.resolve(&early.image, vdso_base);
    set_own_handles(values[PROCESS_INDEX], values[VMAR_INDEX]);
    drop(Handle::from_raw(channel));

    // The counts were written behind the compiler's back through an exposed address.
    // SAFETY: `counts` is this frame's.
    let [num_bytes, num_handles] = unsafe { (&raw const counts).read_volatile() };
    values[PROCESS_INDEX] = 0;
    values[VMAR_INDEX] = 0;
    let handles = values
        .iter()
        .take(num_handles as usize)
        .map(|&value| Handle::from_raw(value))
        .collect();
    let Some(cmdline) = cmdline.get(..num_bytes as usize) else {
        console::write(b"userboot: the kernel's bootstrap message has an impossible length\n");
        task::exit(1);
    };
    // SAFETY: the macro writes a function of exactly this type.
    let code = unsafe {
        libzx_main(KernelMessage {
            cmdline: cmdline.into(),
            handles,
        })
    };
    task::exit(code)
}
