//! The boot, in order.
//!
//! Configuration; files; checks; kernel image; page tables; `BootInfo`; end of boot services; memory map; jump. Up to the end
//! of the boot services every step can fail with a message; after it nothing allocates and nothing is expected to fail.
use core::convert::Infallible;

use alloc::string::String;
use boot_info::layout::{to_usize, BOOT_STACK_BYTES, BOOT_STACK_TOP};
use boot_info::{
    phys_to_virt, BootInfo, Images, KernelRange, MemoryRegion, PhysRange, PAGE_SIZE, PHYS_OFFSET,
};
use rboot::config::{Config, Resolution};
use rboot::elf::KernelElf;
use rboot::memory_map::{direct_map_len, sort_and_merge};
use rboot::paging::{Access, LargestPage, PageTables, Scope};
use rboot::zbi;
use uefi::boot;
use uefi::mem::memory_map::MemoryMap;

use crate::failure::Failure;
use crate::files::Esp;
use crate::jump::{self, Destination};
use crate::pages::{self, FirmwareTables};
use crate::{console, cpu, firmware};

/// Entries by which the memory map may grow between its first look and the end of boot services.
const SPARE_REGIONS: usize = 64;

/// Boots. Returns only with a reason why not.
///
/// # Errors
/// See [`Failure`].
pub(crate) fn boot(tsc_at_entry: u64) -> Result<Infallible, Failure> {
    let unix_seconds = firmware::unix_seconds();
    let largest_page = cpu::check()?;
    let mut esp = Esp::open()?;
    let (config, warnings) = Config::parse(&esp.config()?).map_err(Failure::Config)?;
    for warning in warnings {
        console::line(format_args!("rboot.conf: {warning}"));
    }

    let kernel_file = esp.load("kernel", &config.kernel)?;
    let kernel = KernelElf::parse(kernel_file)
        .map_err(|error| Failure::Kernel(config.kernel.clone(), error))?;
    let images = load_images(&mut esp, &config, kernel_file)?;
    let range = place_kernel(&kernel)?;

    let regions = firmware::memory_regions()?;
    let mut info = BootInfo {
        magic: BootInfo::MAGIC,
        version: BootInfo::VERSION,
        size_bytes: BootInfo::SIZE_BYTES,
        memory_map: PhysRange::default(),
        direct_map_base: PHYS_OFFSET,
        direct_map_len: direct_map_len(&regions),
        kernel: range,
        images,
        cmdline: pages::keep(config.cmdline.as_bytes(), "the command line")?,
        acpi_rsdp: firmware::acpi_rsdp(),
        smbios: firmware::smbios(),
        framebuffer: Default::default(),
        tsc_at_entry,
        tsc_at_exit: 0,
        unix_seconds,
    };
    let root = build_tables(&kernel, &info, &regions, largest_page)?;
    let spare = regions.len() + SPARE_REGIONS;
    let map_bytes = pages::allocate((spare * size_of::<MemoryRegion>()) as u64, "the memory map")?;
    let info_bytes = pages::allocate(u64::from(BootInfo::SIZE_BYTES), "boot information")?;
    leave(&mut info, config.resolution, map_bytes);
    info.tsc_at_exit = cpu::time_stamp();

    // SAFETY: the page is ours, page aligned and larger than the structure, which has no invalid values to drop.
    unsafe { info_bytes.as_mut_ptr().cast::<BootInfo>().write(info) };
    let destination = Destination {
        root,
        entry: kernel.entry,
        stack_top: BOOT_STACK_TOP,
        boot_info: phys_to_virt(pages::phys_range(info_bytes).phys),
    };
    // SAFETY: `leave` ended the boot services; `build_tables` mapped the jump's code one to one, the kernel with its entry
    // point, the stack, and all RAM, where the structure is.
    unsafe { jump::enter(&destination) }
}

/// Loads what the kernel wants beside itself, and checks the boot image.
///
/// # Errors
/// What reading a file can give, and `Zbi`.
fn load_images(esp: &mut Esp, config: &Config, kernel_file: &[u8]) -> Result<Images, Failure> {
    let mut load = |key: &'static str, path: &Option<String>| match path {
        Some(path) => esp.load(key, path),
        None => Ok(&[][..]),
    };
    let userboot = load("userboot", &config.userboot)?;
    let vdso = load("vdso", &config.vdso)?;
    let zbi = load("zbi", &config.zbi)?;
    let decompressor = load("decompress", &config.decompress)?;
    if let Some(path) = &config.zbi {
        zbi::check(zbi).map_err(|error| Failure::Zbi(path.clone(), error))?;
    }
    let total = [kernel_file, userboot, vdso, zbi, decompressor]
        .iter()
        .map(|file| file.len())
        .sum::<usize>();
    console::line(format_args!(
        "loaded {} KiB, starting {}",
        total.div_ceil(1024),
        config.kernel
    ));
    Ok(Images {
        kernel_elf: file_range(kernel_file),
        userboot: file_range(userboot),
        vdso: file_range(vdso),
        zbi: file_range(zbi),
        decompressor: file_range(decompressor),
    })
}

/// The range of a file; the default (absent) for one that was not loaded.
fn file_range(file: &[u8]) -> PhysRange {
    if file.is_empty() {
        PhysRange::default()
    } else {
        pages::phys_range(file)
    }
}

/// Copies the segments to one run of pages, gaps and uninitialised data zeroed.
///
/// # Errors
/// `NoMemory`.
fn place_kernel(kernel: &KernelElf<'_>) -> Result<KernelRange, Failure> {
    let (virt, len) = kernel.span();
    let memory = pages::allocate(len, "the kernel")?;
    memory.fill(0);
    for segment in &kernel.segments {
        let start = to_usize(segment.virt - virt);
        memory[start..start + segment.bytes.len()].copy_from_slice(segment.bytes);
    }
    Ok(KernelRange {
        virt,
        phys: pages::phys_range(memory).phys,
        len,
        entry: kernel.entry,
    })
}

/// Builds the kernel's page tables and boot stack; returns the top table.
///
/// # Errors
/// `NoMemory`.
fn build_tables(
    kernel: &KernelElf<'_>,
    info: &BootInfo,
    regions: &[MemoryRegion],
    largest_page: LargestPage,
) -> Result<u64, Failure> {
    let mut tables = PageTables::new(FirmwareTables)?;
    tables.map_direct(info.direct_map_len, regions, largest_page)?;
    for segment in &kernel.segments {
        let phys = info.kernel.phys + (segment.page_start() - info.kernel.virt);
        let bytes = segment.page_end() - segment.page_start();
        tables.map(
            segment.page_start(),
            phys,
            bytes,
            segment.access,
            Scope::Global,
        )?;
    }

    // The page below the stack stays unmapped: overflowing it faults instead of writing over something.
    let stack = pages::allocate(BOOT_STACK_BYTES, "the boot stack")?;
    let phys = pages::phys_range(stack).phys;
    let bottom = BOOT_STACK_TOP - BOOT_STACK_BYTES;
    tables.map(
        bottom,
        phys,
        BOOT_STACK_BYTES,
        Access::ReadWrite,
        Scope::Global,
    )?;

    let (start, end) = jump::code_range();
    let page = start & !(PAGE_SIZE - 1);
    tables.map(
        page,
        page,
        end.next_multiple_of(PAGE_SIZE) - page,
        Access::ReadExecute,
        Scope::Local,
    )?;
    Ok(tables.root())
}

/// Ends the boot services and writes the final memory map into `map_bytes`.
fn leave(info: &mut BootInfo, resolution: Option<Resolution>, map_bytes: &'static mut [u8]) {
    info.framebuffer = firmware::framebuffer(resolution);
    console::leave_firmware();
    // SAFETY: from here on nothing uses a boot service or memory that only they own: no allocation, no file, no console but
    // COM1. The ESP's handles are not used again.
    let map = unsafe { boot::exit_boot_services(None) };
    // SAFETY: page aligned, of our own for good, and every bit pattern is a region.
    let (_, space, _) = unsafe { map_bytes.align_to_mut::<MemoryRegion>() };
    let mut count = 0;
    for region in map.entries().filter_map(firmware::region) {
        space[count] = region;
        count += 1;
    }
    let kept = sort_and_merge(&mut space[..count]);
    let phys = space.as_ptr().addr() as u64;
    info.memory_map = PhysRange {
        phys,
        len: (kept * size_of::<MemoryRegion>()) as u64,
    };
    core::mem::forget(map);
}
