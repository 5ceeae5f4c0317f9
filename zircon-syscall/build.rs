//! Joins the syscall table of `zx-abi` with the functions of this crate into the dispatcher.
//!
//! A call is built when a function `sys_NAME` exists here; it may block when that function is `async`. Calls of the table
//! without a function answer `NotSupported`, in one place, and are listed as MISSING in `conformance/syscalls.txt`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use zx_abi::syscalls::TABLE;

struct Handler {
    path: String,
    is_async: bool,
}

fn main() {
    println!("cargo:rerun-if-changed=src");
    let mut handlers = BTreeMap::new();
    scan(Path::new("src"), &mut Vec::new(), &mut handlers);
    for name in handlers.keys() {
        assert!(
            TABLE.iter().any(|call| call.name == name),
            "sys_{name} is not in the table of zx-abi"
        );
    }
    let registers = ["rdi", "rsi", "rdx", "r10", "r8", "r9", "r12", "r13"];
    let (mut now, mut later) = (String::new(), String::new());
    for call in TABLE.iter().filter(|call| call.has_kernel_entry()) {
        let Some(handler) = handlers.get(call.name) else {
            let _ = writeln!(
                now,
                "        SyscallId::{} => Dispatched::Missing,",
                call.variant
            );
            continue;
        };
        let args: String = call
            .args
            .iter()
            .enumerate()
            .map(|(i, _)| format!(", arg(r.{})", registers[i]))
            .collect();
        if handler.is_async {
            let _ = writeln!(
                now,
                "        SyscallId::{} => Dispatched::Blocking,",
                call.variant
            );
            let _ = writeln!(
                later,
                "        SyscallId::{} => result({}(caller{args}).await),",
                call.variant, handler.path
            );
        } else if call.is_noreturn() {
            let _ = writeln!(
                now,
                "        SyscallId::{} => {{ {}(caller{args}); Dispatched::Done(0) }}",
                call.variant, handler.path
            );
        } else {
            let _ = writeln!(
                now,
                "        SyscallId::{} => Dispatched::Done(result({}(caller{args}))),",
                call.variant, handler.path
            );
        }
    }
    let code = format!(
        "/// Runs a call that does not block, or says that it may.\n\
         #[inline(always)]\n\
         pub(crate) fn dispatch_now(caller: &Caller<'_>, id: SyscallId, r: &GeneralRegs) -> Dispatched {{\n    match id {{\n{now}        _ => Dispatched::Missing,\n    }}\n}}\n\
         /// Runs a call that may block.\n\
         pub(crate) async fn dispatch_blocking(caller: &Caller<'_>, id: SyscallId, r: &GeneralRegs) -> u64 {{\n    match id {{\n{later}        _ => 0,\n    }}\n}}\n"
    );
    let out =
        PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("dispatch.rs");
    std::fs::write(out, code).expect("OUT_DIR is writable");
}

/// Finds `fn sys_NAME` in all files below `dir`; the module path follows from the file's.
fn scan(dir: &Path, module: &mut Vec<String>, handlers: &mut BTreeMap<String, Handler>) {
    for entry in std::fs::read_dir(dir).expect("src is readable") {
        let path = entry.expect("src is readable").path();
        let stem = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default()
            .to_owned();
        if path.is_dir() {
            module.push(stem);
            scan(&path, module, handlers);
            module.pop();
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("source files are UTF-8");
            let mut prefix = module.clone();
            if stem != "mod" && stem != "lib" {
                prefix.push(stem);
            }
            for line in text.lines() {
                let line = line.trim_start();
                let (is_async, rest) = match (
                    line.strip_prefix("pub(crate) fn sys_"),
                    line.strip_prefix("pub(crate) async fn sys_"),
                ) {
                    (Some(rest), _) => (false, rest),
                    (None, Some(rest)) => (true, rest),
                    (None, None) => continue,
                };
                let name = rest.split(['(', '<']).next().unwrap_or_default().to_owned();
                let function = format!("{}::sys_{name}", prefix.join("::"));
                handlers.insert(
                    name,
                    Handler {
                        path: function,
                        is_async,
                    },
                );
            }
        }
    }
}
