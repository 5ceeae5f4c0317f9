//! Writes the syscall stubs and the table of status names from zx-abi.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use zx_abi::syscalls::{Blocking, Kind, Levels, Syscall, SyscallId, TABLE};
use zx_abi::ZxError;

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src/functions.S");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("stubs.s"), stubs())?;
    fs::write(out.join("functions.s"), functions()?)?;
    fs::write(out.join("status_names.bin"), status_names())
}

/// One stub per public call with a kernel entry.
fn stubs() -> String {
    let mut asm = String::new();
    for call in TABLE {
        // syscall_test_wrapper is in functions.S: the wrapping is what it tests.
        let public =
            matches!(call.kind, Kind::Kernel | Kind::Test) && call.name != "syscall_test_wrapper";
        if let (true, true, Some(number)) =
            (public, call.levels.contains(Levels::A2020), call.number)
        {
            push_stub(&mut asm, call, number);
        }
    }
    asm
}

fn push_stub(asm: &mut String, call: &Syscall, number: u32) {
    let name = call.name;
    let many = call.args.len() > 6;
    push_begin(asm, name);
    if many {
        // Arguments 7 and 8 travel in registers that belong to the caller.
        asm.push_str("    push r12\n    push r13\n    mov r12, [rsp + 24]\n");
        if call.args.len() > 7 {
            asm.push_str("    mov r13, [rsp + 32]\n");
        }
    }
    if call.args.len() > 3 {
        asm.push_str("    mov r10, rcx\n");
    }
    if call.blocking == Blocking::May {
        asm.push_str("1:\n");
    }
    push_syscall(asm, number, name, name);
    if call.blocking == Blocking::May {
        asm.push_str("    cmp eax, -6\n    je 1b\n");
    }
    if many {
        asm.push_str("    pop r13\n    pop r12\n");
    }
    asm.push_str(if call.is_noreturn() {
        "    ud2\n"
    } else {
        "    ret\n"
    });
    push_end(asm, name);
}

/// The instruction pair the kernel's loader looks for, and the symbol it names the call site by.
fn push_syscall(asm: &mut String, number: u32, call: &str, caller: &str) {
    let _ = write!(
        asm,
        "    mov eax, {number}\n    syscall\nCODE_SYSRET_zx_{call}_VIA_zx_{caller}:\n"
    );
}

fn push_begin(asm: &mut String, name: &str) {
    let _ = write!(
        asm,
        "    .p2align 4, 0xcc\n    .globl _zx_{name}\n    .type _zx_{name}, @function\n    .weak zx_{name}\n    \
         .type zx_{name}, @function\n_zx_{name}:\nzx_{name}:\n"
    );
}

fn push_end(asm: &mut String, name: &str) {
    let _ = write!(
        asm,
        "    .size _zx_{name}, . - _zx_{name}\n    .size zx_{name}, . - zx_{name}\n"
    );
}

/// `src/functions.S` with its three directives expanded:
/// `.BEGIN name`, `.END name`, `.SYSCALL call caller`.
fn functions() -> io::Result<String> {
    let source = fs::read_to_string(Path::new("src/functions.S"))?;
    let mut asm = String::new();
    for line in source.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [".BEGIN", name] => push_begin(&mut asm, name),
            [".END", name] => push_end(&mut asm, name),
            [".SYSCALL", call, caller] => {
                let number = SyscallId::from_name(call).and_then(|id| id.info().number);
                let number =
                    number.ok_or_else(|| io::Error::other(format!("no number for {call}")))?;
                push_syscall(&mut asm, number, call, caller);
            }
            _ => {
                asm.push_str(line);
                asm.push('\n');
            }
        }
    }
    Ok(asm)
}

/// Records of a little-endian status and a NUL-terminated name: a table without pointers needs no relocation.
fn status_names() -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(0i32.to_le_bytes());
    bytes.extend(b"ZX_OK\0");
    for error in ZxError::ALL {
        bytes.extend((*error as i32).to_le_bytes());
        bytes.extend(error.name().as_bytes());
        bytes.push(0);
    }
    bytes
}
