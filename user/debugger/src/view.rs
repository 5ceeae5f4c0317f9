//! Printing of registers and memory.

use libzx::println;
use zx_abi::thread_state::GeneralRegs;

/// The general registers, four to a line.
pub(crate) fn print_registers(regs: &GeneralRegs) {
    let named = [
        ("rax", regs.rax),
        ("rbx", regs.rbx),
        ("rcx", regs.rcx),
        ("rdx", regs.rdx),
        ("rsi", regs.rsi),
        ("rdi", regs.rdi),
        ("rbp", regs.rbp),
        ("rsp", regs.rsp),
        ("r8 ", regs.r8),
        ("r9 ", regs.r9),
        ("r10", regs.r10),
        ("r11", regs.r11),
        ("r12", regs.r12),
        ("r13", regs.r13),
        ("r14", regs.r14),
        ("r15", regs.r15),
    ];
    for row in named.chunks_exact(4) {
        if let [(a, av), (b, bv), (c, cv), (d, dv)] = row {
            println!("  {a} {av:16x}  {b} {bv:16x}  {c} {cv:16x}  {d} {dv:16x}");
        }
    }
    let GeneralRegs { rip, rflags, .. } = regs;
    println!(
        "  rip {rip:16x}  flags {rflags:x} ({})",
        flag_names(*rflags)
    );
}

/// The flags that arithmetic sets, and the trap flag.
fn flag_names(flags: u64) -> alloc::string::String {
    let names = [
        (0, "carry"),
        (2, "parity"),
        (6, "zero"),
        (7, "sign"),
        (8, "trap"),
        (11, "overflow"),
    ];
    let set = names.iter().filter(|(bit, _)| flags >> bit & 1 == 1);
    let names: alloc::vec::Vec<&str> = set.map(|(_, name)| *name).collect();
    if names.is_empty() {
        "none set".into()
    } else {
        names.join(", ")
    }
}

/// Memory as words, two to a line.
pub(crate) fn print_memory(address: usize, bytes: &[u8]) {
    for (index, row) in bytes.chunks(16).enumerate() {
        let mut line = alloc::format!("  {:x}:", address + index * 16);
        for word in row.chunks_exact(8) {
            let mut value = [0; 8];
            value.copy_from_slice(word);
            line.push_str(&alloc::format!(" {:16x}", u64::from_le_bytes(value)));
        }
        println!("{line}");
    }
}
