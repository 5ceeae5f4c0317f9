//! Making the first process and starting its thread.

use crate::bootstrap::{all_words, command_line, slots, Slot};
use crate::images::{BootImages, During, LoadError};
use crate::run;
use crate::vdso::{self, Image, ImageError, Level, Rodso};
use alloc::sync::Arc;
use alloc::vec::Vec;
use zircon_object::dev::Resource;
use zircon_object::diag::counter::{self, Counter};
use zircon_object::ipc::{Channel, Message};
use zircon_object::object::{Handle, TypedObject};
use zircon_object::runtime;
use zircon_object::task::{Job, Process, Thread};
use zircon_object::vm::memory_watchdog::{self, OomBehavior, Watermarks};
use zircon_object::vm::{Perms, Resizable, VmarOptions, Vmo};
use zircon_syscall::VdsoAbi;
use zx_abi::limits::INITIAL_STACK_SIZE;
use zx_abi::{Rights, ZxResult};

/// The vDSO and its restricted copies, in the order of the message.
struct Vdso {
    full: Arc<Vmo>,
    test1: Arc<Vmo>,
    test2: Arc<Vmo>,
    layout: Rodso,
    level: Level,
}

/// Starts userboot. Returns its process: when that ends before anything else runs, the boot has failed.
///
/// # Errors
/// [`LoadError`]: an image is not usable, or memory ran out.
pub fn start(images: &BootImages) -> Result<Arc<Process>, LoadError> {
    Counter::InitTargetTime.set(now_ms());
    runtime::init_slices().during("time slices")?;
    let job = Job::new_root().during("root job")?;
    let words = all_words(images.zbi, images.cmdline);
    let marks = Watermarks::for_machine(kernel_hal::frame::stats().total).with_words(&words);
    let behavior = OomBehavior::of_words(&words);
    memory_watchdog::start(job.clone(), marks, behavior).during("memory watchdog")?;
    let vdso = load_vdso(images.vdso)?;
    let layout = vdso::rodso(images.userboot).map_err(|error| bad("userboot", error))?;
    let userboot = vmo_of(
        images
            .userboot
            .get(..layout.code.end)
            .unwrap_or(images.userboot),
        b"userboot",
    )
    .during("userboot")?;
    let process = Process::create(&job, b"userboot").during("userboot's process")?;
    let base = map_pair(&process, (&userboot, &layout), (&vdso.full, &vdso.layout))
        .during("mapping userboot and vDSO")?;
    let stack = map_stack(&process).during("userboot's stack")?;
    let thread = Thread::new(process.clone(), b"userboot").during("userboot's thread")?;
    let channel = send_message(images, &words, &job, &process, &vdso)?;
    // The stack pointer is as after a call: 16-byte alignment less the return address, which is zero.
    let stack_pointer = ((stack + INITIAL_STACK_SIZE) & !15) - 8;
    let vdso_base = base + layout.code.end;
    process
        .start(
            &thread,
            base + layout.entry,
            stack_pointer,
            Some(channel),
            vdso_base,
        )
        .during("starting userboot")?;
    Counter::InitUserbootTime.set(now_ms());
    Ok(process)
}

fn now_ms() -> usize {
    usize::try_from(kernel_hal::time::now() / 1_000_000).unwrap_or(0)
}

fn bad(part: &'static str, error: ImageError) -> LoadError {
    LoadError::Image {
        part,
        why: error.describe(),
    }
}

/// Reads the vDSO: from now on its numbers are the numbers. Its constants are written before any copy is made.
fn load_vdso(file: &'static [u8]) -> Result<Vdso, LoadError> {
    let image = Image::parse(file).map_err(|error| bad("vDSO", error))?;
    let level = vdso::level_of(&image);
    let sites = vdso::scan(&image).map_err(|error| bad("vDSO", error))?;
    let abi = VdsoAbi::new(level, &sites).map_err(|_| bad("vDSO", ImageError::Ambiguous))?;
    log::info!(
        "vDSO: {} calls from {} sites, level {level:?}",
        abi.len(),
        sites.len()
    );
    run::init(abi);

    let physmem = (kernel_hal::frame::stats().total * zircon_object::vm::PAGE_SIZE) as u64;
    let constants = vdso::fill_constants(
        &image,
        level,
        kernel_hal::cpu::info(),
        kernel_hal::time::tick_ratio(),
        physmem,
    )
    .map_err(|error| bad("vDSO", error))?;
    let full = vmo_of(image.bytes, b"vdso/full").during("vDSO")?;
    full.write(constants.at as u64, &constants.bytes)
        .during("vDSO constants")?;
    let code = image.layout.code.start as u64..image.layout.code.end as u64;
    full.mark_vdso(code.clone()).during("vDSO")?;
    let variant = |name: &[u8], calls| -> ZxResult<Arc<Vmo>> {
        let copy = vmo_of(image.bytes, name)?;
        copy.write(constants.at as u64, &constants.bytes)?;
        for (at, bytes) in vdso::block(&image, calls) {
            copy.write(at as u64, &bytes)?;
        }
        copy.mark_vdso(code.clone())?;
        Ok(copy)
    };
    let test1 = variant(b"vdso/test1", vdso::TEST1).during("vDSO variant test1")?;
    let test2 = variant(b"vdso/test2", vdso::TEST2).during("vDSO variant test2")?;
    Ok(Vdso {
        full,
        test1,
        test2,
        layout: image.layout,
        level,
    })
}

/// A VMO with these bytes.
fn vmo_of(bytes: &[u8], name: &[u8]) -> ZxResult<Arc<Vmo>> {
    let vmo = Vmo::new(bytes.len() as u64, Resizable::No)?;
    vmo.write(0, bytes)?;
    vmo.set_name(name);
    Ok(vmo)
}

/// Maps userboot and, right behind it, the vDSO, both as read-only data and executable code. Returns where userboot is.
fn map_pair(
    process: &Process,
    userboot: (&Arc<Vmo>, &Rodso),
    vdso: (&Arc<Vmo>, &Rodso),
) -> ZxResult<usize> {
    let can_map = VmarOptions::CAN_MAP_READ
        | VmarOptions::CAN_MAP_WRITE
        | VmarOptions::CAN_MAP_EXECUTE
        | VmarOptions::CAN_MAP_SPECIFIC;
    let size = userboot.1.code.end + vdso.1.code.end;
    let pair = process.root_vmar().allocate(can_map, 0, size as u64)?;
    let read = VmarOptions::PERM_READ | VmarOptions::SPECIFIC;
    let execute = read | VmarOptions::PERM_EXECUTE;
    for ((vmo, layout), at) in [(userboot, 0), (vdso, userboot.1.code.end)] {
        let start = layout.code.start as u64;
        let (at, code_len) = (at as u64, layout.code.len() as u64);
        pair.map(read, at, vmo, 0, start, Perms::ALL)?;
        pair.map(execute, at + start, vmo, start, code_len, Perms::ALL)?;
    }
    Ok(pair.base_addr())
}

fn map_stack(process: &Process) -> ZxResult<usize> {
    let stack = Vmo::new(INITIAL_STACK_SIZE as u64, Resizable::No)?;
    stack.set_name(b"userboot-initial-stack");
    let options = VmarOptions::PERM_READ | VmarOptions::PERM_WRITE;
    process
        .root_vmar()
        .map(options, 0, &stack, 0, INITIAL_STACK_SIZE as u64, Perms::ALL)
}

/// Writes the one message and returns the end of the channel that userboot gets.
fn send_message(
    images: &BootImages,
    words: &str,
    job: &Arc<Job>,
    process: &Arc<Process>,
    vdso: &Vdso,
) -> Result<Handle, LoadError> {
    let resource = Resource::root().during("root resource")?;
    let zbi = vmo_of(images.zbi, b"zbi").during("boot image")?;
    let mut handles = Vec::new();
    for slot in slots(vdso.level) {
        let handle = match slot {
            Slot::ProcSelf => Handle::new(process.clone()),
            Slot::VmarRootSelf => {
                Handle::with_rights(process.root_vmar().clone(), Process::ROOT_VMAR_RIGHTS)
            }
            Slot::RootJob => Handle::new(job.clone()),
            Slot::RootResource => Handle::new(resource.clone()),
            Slot::Zbi => Handle::new(zbi.clone()),
            Slot::VdsoFull => read_only(vdso.full.clone(), Rights::EXECUTE),
            Slot::VdsoTest1 => read_only(vdso.test1.clone(), Rights::EXECUTE),
            Slot::VdsoTest2 => read_only(vdso.test2.clone(), Rights::EXECUTE),
            Slot::Decompressor => decompressor(images),
            Slot::Crashlog => empty(b"crashlog"),
            Slot::CounterNames => {
                counter::names_vmo().and_then(|vmo| read_only(vmo, Rights::empty()))
            }
            Slot::Counters => counter::arena_vmo().and_then(|vmo| read_only(vmo, Rights::empty())),
            Slot::Instrumentation => empty(b""),
        };
        handles.push(handle.during("a handle for userboot")?);
    }
    let (ours, theirs) = Channel::create().during("bootstrap channel")?;
    // Both ends need a handle, or the first write finds its peer gone.
    let ours = Handle::new(ours).during("bootstrap channel")?;
    let theirs = Handle::new(theirs).during("bootstrap channel")?;
    let message =
        Message::from_kernel(&command_line(words), handles).during("bootstrap message")?;
    ours.get::<Channel>(Rights::WRITE)
        .and_then(|channel| channel.write(message))
        .map(drop)
        .during("bootstrap message")?;
    Ok(theirs)
}

fn read_only(vmo: Arc<Vmo>, more: Rights) -> ZxResult<Handle> {
    Handle::with_rights(
        vmo,
        Vmo::DEFAULT_RIGHTS.difference(Rights::WRITE).union(more),
    )
}

fn empty(name: &[u8]) -> ZxResult<Handle> {
    read_only(vmo_of(&[], name)?, Rights::empty())
}

fn decompressor(images: &BootImages) -> ZxResult<Handle> {
    let name = b"lib/hermetic/decompress-zbi.so";
    read_only(
        vmo_of(images.decompressor.unwrap_or_default(), name)?,
        Rights::EXECUTE,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vdso::sample::{stub, Hash, Sample, Symbols, CONSTANTS};
    use zircon_object::object::KernelObject;

    fn leak(file: Vec<u8>) -> &'static [u8] {
        alloc::boxed::Box::leak(file.into_boxed_slice())
    }

    fn images() -> BootImages {
        let mut vdso = Sample::new();
        vdso.function("zx_stream_create", &stub(7));
        vdso.function("zx_process_exit", &stub(8));
        vdso.local("DATA_CONSTANTS", CONSTANTS);
        let mut userboot = Sample::new();
        userboot.function("_start", &[0xf4]);
        BootImages {
            userboot: leak(userboot.stripped()),
            vdso: leak(vdso.build(Hash::Gnu, Symbols::Kept)),
            zbi: b"any bytes will do",
            decompressor: None,
            cmdline: "userboot=bin/shell",
        }
    }

    fn failure(images: &BootImages) -> alloc::string::String {
        kernel_hal_hosted::init();
        start(images)
            .err()
            .map(|error| alloc::format!("{error}"))
            .unwrap_or_default()
    }

    #[test]
    fn userboot_starts_with_the_vdso_right_behind_it() {
        kernel_hal_hosted::init();
        let process = start(&images()).unwrap();
        let vdso = process.space().vdso_base().unwrap();
        let mut magic = [0; 4];
        process.space().read_memory(vdso, &mut magic).unwrap();
        assert_eq!(&magic, b"\x7fELF");
        process
            .space()
            .read_memory(vdso - 0x2000, &mut magic)
            .unwrap();
        assert_eq!(&magic, b"\x7fELF");
        let mut version = [0; 6];
        process
            .space()
            .read_memory(vdso + CONSTANTS + 56, &mut version)
            .unwrap();
        assert_eq!(&version, b"zcore-");
        assert_eq!(process.name().unwrap().get()[..9], *b"userboot\0");
    }

    #[test]
    fn a_part_that_is_no_elf_file_is_named() {
        assert_eq!(
            failure(&BootImages {
                userboot: b"no",
                ..images()
            }),
            "userboot is not an ELF file"
        );
        assert_eq!(
            failure(&BootImages {
                vdso: b"no",
                ..images()
            }),
            "vDSO is not an ELF file"
        );
    }

    #[test]
    fn a_vdso_without_calls_is_named() {
        let mut vdso = Sample::new();
        vdso.function("zx_event_create", &[0xc3]);
        let why = failure(&BootImages {
            vdso: leak(vdso.stripped()),
            ..images()
        });
        assert_eq!(
            why,
            "vDSO contains no syscall instruction that could be named"
        );
    }

    #[test]
    fn too_little_memory_is_an_error_that_names_the_step() {
        kernel_hal_hosted::init();
        kernel_hal_hosted::frame::set_frame_limit(4);
        assert_eq!(failure(&images()), "vDSO variant test2: ZX_ERR_NO_MEMORY");
    }
}
