//! `docs/syscalls.md`: the reference page, from the table alone.

use std::fmt::Write as _;

use zx_abi::syscalls::{ArgType, Blocking, Category, Kind, Levels, Syscall, TABLE};

const HEAD: &str = "\
<!-- Written by tools/abi-docs from zx-abi/src/syscalls/table.rs; change that file, then `abi-docs --write`. -->
# System calls

Every call of the home ABI (Fuchsia of 2020-06-30) and of the two older levels, by subject. Every public function is
exported by the vDSO as `_zx_NAME` and weakly as `zx_NAME`; numbers are private to a vDSO build, those given here are the
home ABI's. Arguments travel in rdi, rsi, rdx, r10, r8, r9, r12, r13, the number in eax, the result in rax.

`*const T` is memory the kernel reads, `*mut T` memory it writes; `optional` may be null. `u8` also stands for untyped
memory. Marks: **B** may block, **V** runs in the vDSO without a kernel entry, **I** internal to the vDSO, **T** for tests.
Which calls are built is in `conformance/syscalls.txt`.
";

pub(crate) fn render() -> String {
    let mut text = HEAD.to_owned();
    for &category in Category::ALL {
        let _ = write!(
            text,
            "\n## {}\n\n| call | # | levels | |\n|---|---|---|---|\n",
            category.title()
        );
        let mut calls: Vec<&Syscall> = TABLE
            .iter()
            .filter(|call| call.category == category)
            .collect();
        calls.sort_by_key(|call| (!call.levels.contains(Levels::A2020), call.name));
        for call in calls {
            let number = call
                .number
                .map_or_else(String::new, |number| number.to_string());
            let _ = writeln!(
                text,
                "| `{}` | {number} | {} | {} |",
                signature(call),
                levels(call.levels),
                marks(call)
            );
        }
    }
    text
}

pub(crate) fn compare(file: &str) -> Option<String> {
    let fresh = render();
    if file == fresh {
        return None;
    }
    let same = file
        .lines()
        .zip(fresh.lines())
        .take_while(|(old, new)| old == new)
        .count();
    Some(format!(
        "{}: differs from the table from line {} on",
        crate::REFERENCE,
        same + 1
    ))
}

fn signature(call: &Syscall) -> String {
    let args: Vec<String> = call
        .args
        .iter()
        .map(|arg| format!("{}: {}", arg.name, type_name(arg.ty)))
        .collect();
    let ret = match call.ret.rust() {
        "" => String::new(),
        ret => format!(" -> {ret}"),
    };
    format!("{}({}){ret}", call.name, args.join(", "))
}

fn type_name(ty: ArgType) -> String {
    match ty {
        ArgType::In(elem) => format!("*const {elem}"),
        ArgType::Out(elem) | ArgType::InOut(elem) => format!("*mut {elem}"),
        ArgType::OptionalOut(elem) => format!("optional *mut {elem}"),
        scalar => scalar.scalar().unwrap_or_default().to_owned(),
    }
}

fn levels(levels: Levels) -> String {
    let known = [
        (Levels::A2018, "18"),
        (Levels::A2019, "19"),
        (Levels::A2020, "20"),
    ];
    let names: Vec<&str> = known
        .iter()
        .filter(|(level, _)| levels.contains(*level))
        .map(|(_, name)| *name)
        .collect();
    names.join(" ")
}

fn marks(call: &Syscall) -> String {
    let kind = match call.kind {
        Kind::Kernel => "",
        Kind::Internal => "I",
        Kind::VdsoOnly => "V",
        Kind::Test => "T",
    };
    let blocking = if call.blocking == Blocking::May {
        "B"
    } else {
        ""
    };
    format!("{blocking}{kind}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use zx_abi::syscalls::SyscallId;

    #[test]
    fn every_call_has_a_row() {
        let page = render();
        assert_eq!(
            page.lines().filter(|line| line.starts_with("| `")).count(),
            SyscallId::COUNT
        );
        assert!(
            page.contains("| `handle_close(handle: HandleValue) -> Status` | 42 | 18 19 20 |  |")
        );
        assert!(page.contains("| `thread_exit() -> !` | 137 | 18 19 20 |  |"));
        assert!(page.contains("| `ticks_get() -> i64` |  | 18 19 20 | V |"));
    }

    #[test]
    fn an_edited_page_is_noticed_at_its_line() {
        let page = render();
        assert_eq!(compare(&page), None);
        let edited = page.replacen("# System calls", "# Calls", 1);
        assert_eq!(
            compare(&edited).as_deref(),
            Some("docs/syscalls.md: differs from the table from line 2 on")
        );
    }
}
