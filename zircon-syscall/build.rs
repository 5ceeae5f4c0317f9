//! Joins the syscall table of `zx-abi` with the functions of this crate into the dispatcher.
//!
//! A call is built when a function `sys_NAME` exists here; it may block when that function is `async`. Calls of the table
//! without a function answer `NotSupported`, in one place, and are listed as MISSING in `conformance/syscalls.txt`. A call
//! that may block can have a plain function `now_NAME` beside it, which serves it if that needs no waiting.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};
use zx_abi::syscalls::TABLE;

struct Handler {
    module: String,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `fn sys_NAME`
    Plain,
    /// `async fn sys_NAME`
    Async,
    /// The same with `fn now_NAME`, which is asked first.
    AsyncWithNow,
}

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=src");
    let mut handlers = BTreeMap::new();
    scan(Path::new("src"), &mut Vec::new(), &mut handlers)?;
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
            continue;
        };
        let args: String = call
            .args
            .iter()
            .enumerate()
            .map(|(i, _)| format!(", arg(r.{})", registers[i]))
            .collect();
        let (path, name) = (&handler.module, call.name);
        let body = match handler.kind {
            Kind::Plain if call.is_noreturn() => format!("{{ {path}::sys_{name}(caller{args}); 0 }}"),
            Kind::Plain => format!("result({path}::sys_{name}(caller{args}))"),
            Kind::Async => String::from("caller.must_wait()"),
            Kind::AsyncWithNow => format!(
                "match {path}::now_{name}(caller{args}) {{ Some(value) => result(value), None => caller.must_wait() }}"
            ),
        };
        let unused = if body.contains("(r.") { "r" } else { "_" };
        let _ = writeln!(
            now,
            "        SyscallId::{} => |caller, {unused}| {body},",
            call.variant
        );
        if matches!(handler.kind, Kind::Async | Kind::AsyncWithNow) {
            let _ = writeln!(
                later,
                "        Some(SyscallId::{}) => result({path}::sys_{name}(caller{args}).await),",
                call.variant
            );
        }
    }
    let code = format!(
        "/// What serves a call when it comes.\n\
         pub(crate) fn handler(id: SyscallId) -> Handler {{\n    match id {{\n{now}        _ => missing,\n    }}\n}}\n\
         /// Runs a call that must wait.\n\
         pub(crate) async fn dispatch_blocking(caller: &Caller<'_>, id: Option<SyscallId>, r: &GeneralRegs) -> u64 {{\n    match id {{\n{later}        _ => result(Err(ZxError::BadSyscall)),\n    }}\n}}\n"
    );
    let out_dir = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?;
    fs::write(PathBuf::from(out_dir).join("dispatch.rs"), code)
}

/// Finds `fn sys_NAME` in all files below `dir`; the module path follows from the file's.
fn scan(
    dir: &Path,
    module: &mut Vec<String>,
    handlers: &mut BTreeMap<String, Handler>,
) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let stem = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default()
            .to_owned();
        if path.is_dir() {
            module.push(stem);
            scan(&path, module, handlers)?;
            module.pop();
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path)?;
            let mut prefix = module.clone();
            if stem != "mod" && stem != "lib" {
                prefix.push(stem);
            }
            let module = prefix.join("::");
            let asked_first = |name: &str| text.contains(&format!("fn now_{name}("));
            for line in text.lines() {
                let line = line.trim_start();
                let (mut kind, rest) = match (
                    line.strip_prefix("pub(crate) fn sys_"),
                    line.strip_prefix("pub(crate) async fn sys_"),
                ) {
                    (Some(rest), _) => (Kind::Plain, rest),
                    (None, Some(rest)) => (Kind::Async, rest),
                    (None, None) => continue,
                };
                let name = rest.split(['(', '<']).next().unwrap_or_default().to_owned();
                if kind == Kind::Async && asked_first(&name) {
                    kind = Kind::AsyncWithNow;
                }
                let module = module.clone();
                handlers.insert(name, Handler { module, kind });
            }
        }
    }
    Ok(())
}
