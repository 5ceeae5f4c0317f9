//! Writes the declarations of `libzx::sys` and the list of names to look up from the syscall table in zx-abi.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs, io};

use zx_abi::syscalls::{ArgType, Kind, Ret, Syscall, TABLE};

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let mut source = String::new();
    let mut names = String::new();
    for call in TABLE {
        // Internal calls keep their place in the list, so that it can be indexed by SyscallId, but have no symbol.
        if call.kind != Kind::Internal {
            push_function(&mut source, call);
            let _ = write!(names, "_zx_{}", call.name);
        }
        names.push('\n');
    }
    fs::write(out.join("sys.rs"), source)?;
    fs::write(out.join("names.txt"), names)
}

fn push_function(source: &mut String, call: &Syscall) {
    let Syscall { name, variant, .. } = call;
    let params: Vec<String> = call
        .args
        .iter()
        .map(|arg| format!("{}: {}", arg.name, rust_type(arg.ty)))
        .collect();
    let types: Vec<String> = call.args.iter().map(|arg| rust_type(arg.ty)).collect();
    let values: Vec<&str> = call.args.iter().map(|arg| arg.name).collect();
    let result = match call.ret.rust() {
        "" => String::new(),
        ty => format!(" -> {}", qualified(ty)),
    };
    let many = match call.args.len() {
        0..=7 => "",
        _ => "#[expect(clippy::too_many_arguments, reason = \"the ABI has them\")]\n",
    };
    let missing = match call.ret {
        Ret::Status => "return zx_abi::Status(-2)",
        Ret::Void => "return",
        Ret::NoReturn => "never()",
        Ret::Time | Ret::Ticks => "return -2",
        Ret::U32 | Ret::U64 => "return 0",
        Ret::StringView => "return zx_abi::StringView { data: 0, length: 0 }",
    };
    let values = values.join(", ");
    let give = match call.ret {
        Ret::Status => format!(
            "let status = unsafe {{ stub({values}) }};\n\
             crate::witness::saw(SyscallId::{variant}, status);\n\
             status"
        ),
        _ => format!("unsafe {{ stub({values}) }}"),
    };
    let (params, types) = (params.join(", "), types.join(", "));
    let _ = write!(
        source,
        "/// `zx_{name}`; without it in the vDSO: NOT_SUPPORTED.\n\
         ///\n/// # Safety\n\
         /// Memory that the call writes must be the caller's to be written, and what it unmaps, starts or ends must be\n\
         /// unused by safe code.\n\
         #[inline]\n{many}pub unsafe fn zx_{name}({params}){result} {{\n\
             let Some(symbol) = crate::state::function(SyscallId::{variant}) else {{ {missing} }};\n\
             // SAFETY: the vDSO's function of this name has this type.\n\
             let stub = unsafe {{ mem::transmute::<*const (), unsafe extern \"C\" fn({types}){result}>(symbol) }};\n\
             // SAFETY: as promised by the caller.\n\
             {give}\n\
         }}\n\n"
    );
}

fn rust_type(ty: ArgType) -> String {
    match (ty.scalar(), ty.pointee()) {
        (Some(scalar), _) => qualified(scalar),
        (None, Some(element)) if ty.is_const_pointer() => format!("*const {}", qualified(element)),
        (None, element) => format!("*mut {}", qualified(element.unwrap_or("u8"))),
    }
}

/// Names that start with a capital are types of zx-abi.
fn qualified(ty: &str) -> String {
    match ty.starts_with(|first: char| first.is_ascii_uppercase()) {
        true => format!("zx_abi::{ty}"),
        false => ty.to_string(),
    }
}
