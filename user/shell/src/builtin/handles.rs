//! `handles`: what handles a process has.

use alloc::format;
use alloc::string::String;

use libzx::{println, AsHandle, ObjectType, Rights};
use zx_abi::info::{HandleExtendedInfo, InfoTopic};

use super::{wrong_use, Builtin, FAILED};
use crate::task_tree;
use crate::words::Place;
use crate::Shell;

pub(super) const HANDLES: Builtin = Builtin {
    name: "handles",
    usage: "KOID",
    summary: "the handles of a process: type, object, rights",
    run,
};

fn run(shell: &mut Shell, args: &[&str], _: Place) -> i64 {
    let [koid] = args else {
        return wrong_use(&HANDLES);
    };
    let found = koid
        .parse()
        .ok()
        .and_then(|koid| task_tree::find(&shell.job, koid));
    let Some(("process", process)) = found else {
        println!("handles: no process has koid {koid}");
        return FAILED;
    };
    match process.get_info_list::<HandleExtendedInfo>(InfoTopic::HandleTable) {
        Ok(mut handles) => {
            handles.sort_by_key(|handle| handle.handle_value);
            println!(
                "{:<12}{:<16}{:>8}{:>9}  RIGHTS",
                "VALUE", "TYPE", "KOID", "RELATED"
            );
            for handle in &handles {
                println!(
                    "{:<#12x}{:<16}{:>8}{:>9}  {}",
                    handle.handle_value,
                    kind(handle.kind),
                    handle.koid,
                    handle.related_koid,
                    rights(handle.rights)
                );
            }
            println!("{} handles", handles.len());
            0
        }
        Err(error) => {
            println!("handles: {koid}: {error}");
            FAILED
        }
    }
}

fn kind(number: u32) -> String {
    ObjectType::from_raw(number).map_or_else(
        || format!("type {number}"),
        |kind| String::from(kind.name()),
    )
}

/// Rights by name, in lower case, the basic four as one.
fn rights(rights: Rights) -> String {
    let (mut text, mut rest) = (String::new(), rights);
    if rest.contains(Rights::BASIC) {
        text.push_str("basic");
        rest.remove(Rights::BASIC);
    }
    for (name, single) in Rights::all().iter_names() {
        if single.bits().is_power_of_two() && rest.contains(single) {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(&name.to_ascii_lowercase());
            rest.remove(single);
        }
    }
    if !rest.is_empty() {
        text.push_str(&format!(" {:#x}", rest.bits()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_named() {
        assert_eq!(rights(Rights::BASIC | Rights::SIGNAL), "basic signal");
        assert_eq!(rights(Rights::IO | Rights::WAIT), "read write wait");
        assert_eq!(rights(Rights::from_bits_retain(1 << 25)), " 0x2000000");
    }
}
