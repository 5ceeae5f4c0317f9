//! Page tables: holes, large pages, stale translations, and what the kernel's own map permits.
#![no_std]
#![no_main]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a panic is how a case fails"
)]

extern crate alloc;

mod support;

use alloc::vec::Vec;
use boot_info::layout::{self, BOOT_STACK_BYTES, BOOT_STACK_TOP};
use boot_info::BootInfo;
use core::arch::asm;
use core::arch::x86_64::__cpuid_count;
use core::sync::atomic::{AtomicU64, Ordering};
use kernel_hal::addr::{PAGE_SHIFT, USER_BASE, USER_SIZE, USER_TOP};
use kernel_hal::context::Trap;
use kernel_hal::frame::{self, Fill};
use kernel_hal::paging::{self, MmuFlags, PageTable};
use kernel_hal::{user, PhysAddr, PAGE_SIZE};
use support::{addresses, frames, run_until_trap, Space, CODE, CODE_AT, DATA, DATA_AT};

const LARGE: usize = 2 << 20;
const READ_ONLY: MmuFlags = MmuFlags {
    write: false,
    ..DATA
};

/// Where rboot put the kernel; the walks of the kernel's map need it.
static KERNEL_START: AtomicU64 = AtomicU64::new(0);
static KERNEL_END: AtomicU64 = AtomicU64::new(0);

#[no_mangle]
unsafe extern "C" fn kernel_main(boot_info: *const BootInfo) -> ! {
    // SAFETY: rboot made the structure and nothing writes to it.
    let kernel = unsafe { (*boot_info).kernel };
    KERNEL_START.store(kernel.virt, Ordering::Relaxed);
    KERNEL_END.store(kernel.virt + kernel.len, Ordering::Relaxed);
    // SAFETY: called once by the entry code, with what rboot passed.
    unsafe {
        support::run(
            boot_info,
            &[
                ("protection_is_switched_on", protection),
                (
                    "no_page_of_the_kernel_is_writable_and_executable",
                    write_xor_execute,
                ),
                (
                    "text_constants_data_and_stack_have_their_permissions",
                    sections,
                ),
                ("the_kernel_alone_maps_nothing_of_user_space", kernel_root),
                ("holes_stay_holes_over_the_whole_address_space", holes),
                ("adjoining_pages_use_large_ones_where_they_fit", contiguous),
                ("a_part_of_a_large_page_changes_alone", split),
                ("a_changed_permission_stops_running_code", running_code),
                ("each_table_has_its_own_pages", two_tables),
                ("freeing_an_inactive_table_leaves_the_active_one", freeing),
            ],
        )
    }
}

/// A present leaf of a page table with the permissions of all levels together.
struct Mapping {
    start: u64,
    len: u64,
    phys: u64,
    write: bool,
    execute: bool,
    user: bool,
}

impl Mapping {
    fn contains(&self, addr: u64) -> bool {
        (self.start..=self.start + (self.len - 1)).contains(&addr)
    }
}

/// Everything that the active table maps.
fn active_mappings() -> Vec<Mapping> {
    let root: u64;
    // SAFETY: reading a control register changes nothing.
    unsafe { asm!("mov {}, cr3", out(reg) root, options(nomem, nostack, preserves_flags)) }
    let mut found = Vec::new();
    let above = Mapping {
        start: 0,
        len: 0,
        phys: 0,
        write: true,
        execute: true,
        user: true,
    };
    walk(root, 39, &above, &mut found);
    assert!(found.len() > 3, "the walk found nothing");
    found
}

fn walk(table: u64, shift: u32, above: &Mapping, found: &mut Vec<Mapping>) {
    const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
    for index in 0..512_u64 {
        let mut bytes = [0; 8];
        frame::phys_read(PhysAddr((table & ADDRESS) + index * 8), &mut bytes);
        let entry = u64::from_le_bytes(bytes);
        if entry & 1 == 0 {
            continue;
        }
        let sign = if shift == 39 && index >= 256 {
            0xffff << 48
        } else {
            0
        };
        let here = Mapping {
            start: above.start | index << shift | sign,
            len: 1 << shift,
            phys: entry & ADDRESS & !((1 << shift) - 1),
            write: above.write && entry & 1 << 1 != 0,
            execute: above.execute && entry >> 63 == 0,
            user: above.user && entry & 1 << 2 != 0,
        };
        if shift == 12 || shift < 39 && entry & 1 << 7 != 0 {
            found.push(here);
        } else {
            walk(entry, shift - 9, &here, found);
        }
    }
}

fn mapping_of(mappings: &[Mapping], addr: u64) -> &Mapping {
    mappings
        .iter()
        .find(|mapping| mapping.contains(addr))
        .expect("not mapped")
}

fn protection() {
    let (cr0, cr4): (u64, u64);
    // SAFETY: reading a control register changes nothing.
    unsafe { asm!("mov {}, cr0", out(reg) cr0, options(nomem, nostack, preserves_flags)) }
    // SAFETY: as above.
    unsafe { asm!("mov {}, cr4", out(reg) cr4, options(nomem, nostack, preserves_flags)) }
    let efer: u32;
    // SAFETY: every 64-bit CPU has the register (EFER), and reading it changes nothing.
    unsafe {
        asm!("rdmsr", in("ecx") 0xc000_0080_u32, out("eax") efer, out("edx") _, options(nomem, nostack, preserves_flags))
    }
    assert_eq!(cr0 >> 16 & 1, 1, "CR0.WP");
    assert_eq!(efer >> 11 & 1, 1, "EFER.NXE");
    if __cpuid_count(0, 0).eax < 7 {
        return;
    }
    let features = __cpuid_count(7, 0);
    for (name, has, bit) in [
        ("SMEP", features.ebx >> 7, 20),
        ("SMAP", features.ebx >> 20, 21),
        ("UMIP", features.ecx >> 2, 11),
    ] {
        assert_eq!(cr4 >> bit & 1, u64::from(has & 1), "CR4.{name}");
    }
}

fn write_xor_execute() {
    let kernel = KERNEL_START.load(Ordering::Relaxed)..KERNEL_END.load(Ordering::Relaxed);
    for mapping in active_mappings() {
        let Mapping {
            start, len, phys, ..
        } = mapping;
        assert!(
            !(mapping.write && mapping.execute),
            "{start:#x}, {len:#x} bytes at {phys:#x}"
        );
        assert!(!mapping.user, "a user may reach {start:#x}");
        assert!(
            start >= layout::PHYS_OFFSET,
            "{start:#x} is mapped in user space"
        );
        if mapping.execute {
            assert!(
                kernel.contains(&start) && start + len <= kernel.end,
                "{start:#x} is executable"
            );
        }
    }
}

fn sections() {
    static CONSTANT: [u8; 4] = *b"text";
    let on_stack = 0_u8;
    let address_of = |pointer: *const u8| pointer as u64;
    let mappings = active_mappings();
    let permissions = |addr| {
        let mapping = mapping_of(&mappings, addr);
        (mapping.write, mapping.execute)
    };
    assert_eq!(permissions(kernel_main as *const () as u64), (false, true));
    assert_eq!(
        permissions(KERNEL_START.load(Ordering::Relaxed)),
        (false, true)
    );
    assert_eq!(
        permissions(address_of(core::hint::black_box(&CONSTANT).as_ptr())),
        (false, false)
    );
    assert_eq!(permissions((&raw const KERNEL_START) as u64), (true, false));
    assert_eq!(
        permissions(address_of(core::hint::black_box(&raw const on_stack))),
        (true, false)
    );
    // The stack ends at a page that is not there.
    let bottom = BOOT_STACK_TOP - BOOT_STACK_BYTES;
    assert_eq!(permissions(bottom), (true, false));
    assert!(!mappings.iter().any(|mapping| mapping.contains(bottom - 1)));
}

fn kernel_root() {
    let space = Space::new(&[], 1);
    user::raw_write_u64(DATA_AT, 1).unwrap();
    paging::deactivate();
    assert_eq!(user::raw_read_u64(DATA_AT), Err(DATA_AT));
    assert!(active_mappings()
        .iter()
        .all(|mapping| mapping.start >= layout::PHYS_OFFSET));
    space.table.activate();
    assert_eq!(user::raw_read_u64(DATA_AT), Ok(1));
}

fn holes() {
    let table = PageTable::new().unwrap();
    table.activate();
    let pages = frames(9);
    let mut places: Vec<usize> = [12, 13, 20, 21, 22, 29, 30, 38, 46]
        .iter()
        .map(|shift| USER_BASE + (1 << shift))
        .collect();
    places.push(USER_TOP - PAGE_SIZE);
    for (at, frame) in places.iter().zip(addresses(&pages).iter().cycle()) {
        table.map(*at, &[*frame], DATA).unwrap();
        user::raw_write_u64(*at, *at as u64).unwrap();
    }
    table.protect(USER_BASE, USER_SIZE >> PAGE_SHIFT, READ_ONLY);
    for at in &places {
        assert_eq!(table.query(*at).unwrap().1, READ_ONLY);
        assert_eq!(user::raw_write_u64(*at, 0), Err(*at));
        user::raw_read_u64(*at).unwrap();
        for beside in [at - PAGE_SIZE, at + PAGE_SIZE] {
            let mapped = places.contains(&beside);
            assert_eq!(table.query(beside).is_some(), mapped, "{beside:#x}");
        }
    }
    // All but the first and the last.
    table.unmap(
        places[0] + PAGE_SIZE,
        (USER_TOP - PAGE_SIZE - places[0] - PAGE_SIZE) >> PAGE_SHIFT,
    );
    for (number, at) in places.iter().enumerate() {
        let kept = number == 0 || number == places.len() - 1;
        assert_eq!(table.query(*at).is_some(), kept);
        assert_eq!(user::raw_read_u64(*at).is_ok(), kept, "{at:#x}");
    }
}

fn contiguous() {
    const PAGES: usize = 3 + 2 * 512 + 5;
    let block = frame::raw_alloc_contiguous(4 * 512, 21).unwrap();
    // Three small pages before the first boundary, two large ones, five small ones.
    let first = block.add((LARGE - 3 * PAGE_SIZE) as u64);
    let at = 0x4000_0000 - 3 * PAGE_SIZE;
    let table = PageTable::new().unwrap();
    table.activate();
    for page in 0..PAGES {
        frame::phys_write(
            first.add((page * PAGE_SIZE) as u64),
            &(page as u64 + 1).to_le_bytes(),
        );
    }
    table.map_contiguous(at, first, PAGES, DATA).unwrap();
    let sizes: Vec<u64> = user_sizes();
    assert_eq!(sizes.iter().filter(|&&len| len == LARGE as u64).count(), 2);
    assert_eq!(sizes.len(), 3 + 2 + 5);
    let holds_all =
        || (0..PAGES).all(|page| user::raw_read_u64(at + page * PAGE_SIZE) == Ok(page as u64 + 1));
    assert!(holds_all());
    assert_eq!(user::raw_read_u64(at - 8), Err(at - 8));
    assert!(user::raw_read_u64(at + PAGES * PAGE_SIZE).is_err());
    // Boundaries that do not agree: small pages only, and the same contents.
    table.unmap(at, PAGES);
    let shifted = 0x8000_0000;
    table
        .map_contiguous(shifted, first, PAGES, READ_ONLY)
        .unwrap();
    assert!(user_sizes().iter().all(|&len| len == PAGE_SIZE as u64));
    assert_eq!(user::raw_read_u64(shifted + 700 * PAGE_SIZE), Ok(701));
    assert_eq!(
        user::raw_write_u64(shifted + 700 * PAGE_SIZE, 0),
        Err(shifted + 700 * PAGE_SIZE)
    );
    drop(table);
    give_back(block, 4 * 512);
}

fn user_sizes() -> Vec<u64> {
    active_mappings()
        .iter()
        .filter(|mapping| mapping.user)
        .map(|mapping| mapping.len)
        .collect()
}

fn give_back(first: PhysAddr, pages: usize) {
    let all: Vec<PhysAddr> = (0..pages)
        .map(|page| first.add((page * PAGE_SIZE) as u64))
        .collect();
    frame::raw_free_many(&all);
}

fn split() {
    let block = frame::raw_alloc_contiguous(512, 21).unwrap();
    let at = 0x4000_0000;
    let page_at = |page: usize| at + page * PAGE_SIZE;
    let table = PageTable::new().unwrap();
    table.activate();
    table.map_contiguous(at, block, 512, DATA).unwrap();
    // Every translation is in use before it changes.
    for page in 0..512 {
        user::raw_write_u64(page_at(page), page as u64).unwrap();
    }
    table.protect(page_at(7), 1, READ_ONLY);
    table.unmap(page_at(100), 3);
    let other = frames(1);
    other[0].write(0, &0x99_u64.to_le_bytes());
    table.map(page_at(200), &addresses(&other), DATA).unwrap();
    for page in 0..512 {
        let expected = match page {
            100..=102 => Err(page_at(page)),
            200 => Ok(0x99),
            _ => Ok(page as u64),
        };
        assert_eq!(user::raw_read_u64(page_at(page)), expected, "page {page}");
        let writable = !matches!(page, 7 | 100..=102);
        assert_eq!(
            user::raw_write_u64(page_at(page), page as u64).is_ok(),
            writable,
            "page {page}"
        );
    }
    drop(table);
    give_back(block, 512);
}

fn running_code() {
    // 1: syscall; jmp 1b
    let space = Space::new(&[0x0f, 0x05, 0xeb, 0xfc], 1);
    let mut thread = space.thread(0);
    assert_eq!(run_until_trap(&mut thread), Trap::Syscall);
    space.table.protect(
        CODE_AT,
        1,
        MmuFlags {
            execute: false,
            ..CODE
        },
    );
    // Present, user, instruction fetch.
    assert_eq!(
        run_until_trap(&mut thread),
        Trap::PageFault {
            addr: CODE_AT + 2,
            code: 0x15
        }
    );
    space.table.protect(CODE_AT, 1, CODE);
    assert_eq!(run_until_trap(&mut thread), Trap::Syscall);
    space.table.unmap(CODE_AT, 1);
    assert_eq!(
        run_until_trap(&mut thread),
        Trap::PageFault {
            addr: CODE_AT + 2,
            code: 0x14
        }
    );
    // Data is not code.
    thread.regs.rip = DATA_AT as u64;
    assert_eq!(
        run_until_trap(&mut thread),
        Trap::PageFault {
            addr: DATA_AT,
            code: 0x15
        }
    );
}

fn two_tables() {
    let (one, two) = (Space::new(&[], 1), Space::new(&[], 1));
    for turn in 0..10 {
        one.table.activate();
        user::raw_write_u64(DATA_AT, turn).unwrap();
        two.table.activate();
        user::raw_write_u64(DATA_AT, turn + 1000).unwrap();
        one.table.activate();
        assert_eq!(user::raw_read_u64(DATA_AT), Ok(turn));
        two.table.activate();
        assert_eq!(user::raw_read_u64(DATA_AT), Ok(turn + 1000));
    }
}

fn freeing() {
    let other = Space::new(&[], 3);
    let active = Space::new(&[], 300);
    drop(other);
    // Whatever was freed is overwritten.
    let mut taken = alloc::vec![PhysAddr(0); 600];
    let count = frame::raw_alloc_many(&mut taken, Fill::Garbage);
    for frame in &taken[..count] {
        frame::phys_write(*frame, &[0xff; PAGE_SIZE]);
    }
    for (page, frame) in active.data.iter().enumerate() {
        assert_eq!(
            active.table.query(DATA_AT + page * PAGE_SIZE),
            Some((frame.addr(), DATA))
        );
        assert_eq!(user::raw_read_u64(DATA_AT + page * PAGE_SIZE), Ok(0));
    }
    frame::raw_free_many(&taken[..count]);
}
