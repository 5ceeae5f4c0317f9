//! Where the kernel goes on when a copy to or from user space faults.

use core::ptr::addr_of;

/// One range of instructions of `user_copy.S` that may fault. Each word is relative to its own address, so the table
/// needs no relocation.
#[repr(C)]
struct Entry {
    first: i32,
    end: i32,
    resume: i32,
}

unsafe extern "C" {
    static user_fault_table: Entry;
    static user_fault_table_end: Entry;
}

/// The address to resume at when the instruction at `rip` faulted, if it is one that may.
pub(crate) fn fixup(rip: u64) -> Option<u64> {
    let first = &raw const user_fault_table;
    let end = &raw const user_fault_table_end;
    let len = (end as usize - first as usize) / size_of::<Entry>();
    // SAFETY: the assembler put whole entries between the two symbols, in read-only memory.
    let table = unsafe { core::slice::from_raw_parts(first, len) };
    table
        .iter()
        .find(|entry| {
            (absolute(addr_of!(entry.first))..absolute(addr_of!(entry.end))).contains(&rip)
        })
        .map(|entry| absolute(addr_of!(entry.resume)))
}

fn absolute(word: *const i32) -> u64 {
    // SAFETY: the pointer comes from a reference to an entry.
    let relative = unsafe { word.read() };
    (word as u64).wrapping_add_signed(i64::from(relative))
}
