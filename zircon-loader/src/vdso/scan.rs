//! Finding every `syscall` instruction of a vDSO and the call that it makes.
//!
//! Each site loads its number by `mov $N,%eax` shortly before. A site is named by the symbol behind it
//! (`CODE_SYSRET_zx_X_VIA_zx_Y`) where the image has that; else by the exported function it stands in; else, for a raw stub
//! of a stripped image, by the exported function that calls it. A number that has a name keeps it wherever it is used, so
//! the combined exit helpers need no rule of their own.

use super::image::{Image, ImageError};
use super::symbols::Symbol;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use zircon_syscall::abi::Site;
use zircon_syscall::Level;
use zx_abi::syscalls::SyscallId;

/// The level of an image: what it exports says so.
pub(crate) fn level_of(image: &Image<'_>) -> Level {
    if image.export("zx_stream_create").is_some() {
        Level::Home
    } else {
        Level::Zircon2019
    }
}

/// How far before a `syscall` its number is loaded, in bytes.
const LOAD_DISTANCE: usize = 48;

/// A `syscall` instruction: its number and the address after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Raw {
    number: u32,
    at: usize,
}

impl Raw {
    const fn return_offset(self) -> usize {
        self.at + 2
    }
}

/// Finds and names all sites.
///
/// # Errors
/// - `NoSyscalls`: none could be named.
/// - `Ambiguous`: one number was named twice, differently.
pub(crate) fn scan(image: &Image<'_>) -> Result<Vec<Site>, ImageError> {
    let raw = sites(image);
    let functions = exported_functions(image);
    let mut names = BTreeMap::new();
    for site in &raw {
        if let Some(call) = by_local_symbol(image, *site) {
            give(&mut names, site.number, call)?;
        }
    }
    let exact = names.clone();
    for site in raw.iter().filter(|site| !exact.contains_key(&site.number)) {
        let within = functions
            .iter()
            .filter(|function| contains(function, site.at));
        let only_one = |function: &&Symbol<'_>| {
            raw.iter()
                .filter(|other| contains(function, other.at))
                .count()
                == 1
        };
        for call in within
            .filter(only_one)
            .filter_map(|function| kernel_call(function.name))
        {
            give(&mut names, site.number, call)?;
        }
    }
    for (index, site) in raw.iter().enumerate() {
        if !names.contains_key(&site.number) {
            let from = index
                .checked_sub(1)
                .map_or(image.layout.code.start, |before| {
                    raw[before].return_offset()
                });
            let inline = functions
                .iter()
                .any(|function| function.name == CHANNEL_CALL && contains(function, site.at));
            let call = if inline {
                Some(part_of_channel_call(&names))
            } else {
                by_caller(image, &functions, &names, from..site.at + 1)
            };
            if let Some(call) = call {
                names.insert(site.number, call);
            }
        }
    }
    let mut found = Vec::new();
    for site in raw {
        let Some(call) = names.get(&site.number) else {
            log::warn!(
                "vDSO: the syscall at {:#x} with number {} has no name and is refused",
                site.at,
                site.number
            );
            continue;
        };
        let Ok(return_offset) = u32::try_from(site.return_offset()) else {
            continue;
        };
        found.push(Site {
            number: site.number,
            call: *call,
            return_offset,
        });
    }
    if found.is_empty() {
        return Err(ImageError::NoSyscalls);
    }
    Ok(found)
}

/// Notes what a number means.
fn give(
    names: &mut BTreeMap<u32, SyscallId>,
    number: u32,
    call: SyscallId,
) -> Result<(), ImageError> {
    if *names.entry(number).or_insert(call) == call {
        return Ok(());
    }
    Err(ImageError::Ambiguous)
}

/// Every `syscall` with a number loaded before it.
fn sites(image: &Image<'_>) -> Vec<Raw> {
    const SYSCALL: [u8; 2] = [0x0f, 0x05];
    const MOV_EAX: u8 = 0xb8;
    let code = image.layout.code.clone();
    let mut found: Vec<Raw> = Vec::new();
    for at in code.start..code.end.min(image.bytes.len()).saturating_sub(1) {
        if image.bytes[at..at + 2] != SYSCALL {
            continue;
        }
        let floor = found
            .last()
            .map_or(code.start, |site| site.return_offset())
            .max(at.saturating_sub(LOAD_DISTANCE));
        let load = (floor..at.saturating_sub(4)).rev().find(|load| {
            image.bytes[*load] == MOV_EAX
                && image.word(load + 1).is_some_and(|number| number < 0x1000)
        });
        if let Some(number) = load.and_then(|load| image.word(load + 1)) {
            found.push(Raw { number, at });
        }
    }
    found
}

/// Exported functions, each once (`_zx_X` and `zx_X` share an address).
fn exported_functions<'a>(image: &Image<'a>) -> Vec<Symbol<'a>> {
    let mut functions: Vec<Symbol<'a>> = image
        .dynamic
        .iter()
        .map(|(_, symbol)| *symbol)
        .filter(|symbol| {
            symbol.name.starts_with("zx_") && image.layout.code.contains(&symbol.value)
        })
        .collect();
    functions.sort_by_key(|symbol| symbol.value);
    functions.dedup_by_key(|symbol| symbol.value);
    functions
}

fn contains(function: &Symbol<'_>, at: usize) -> bool {
    (function.value..function.value.saturating_add(function.size)).contains(&at)
}

fn by_local_symbol(image: &Image<'_>, site: Raw) -> Option<SyscallId> {
    let here = image
        .local
        .iter()
        .filter(|symbol| symbol.value == site.return_offset());
    here.filter_map(|symbol| {
        let (call, _) = symbol
            .name
            .strip_prefix("CODE_SYSRET_")?
            .split_once("_VIA_zx_")?;
        kernel_call(call)
    })
    .next()
}

/// The kernel call behind a name. What the home ABI does in the vDSO alone or under a name of its own may be a kernel call in
/// another level.
fn kernel_call(function: &str) -> Option<SyscallId> {
    let name = function.strip_prefix("zx_")?;
    let call = SyscallId::from_name(name)?;
    if call.info().has_kernel_entry() {
        return Some(call);
    }
    match name {
        "clock_get_monotonic" => Some(SyscallId::ClockGetMonotonicViaKernel),
        "ticks_get" => Some(SyscallId::TicksGetViaKernel),
        "cprng_draw" => Some(SyscallId::CprngDrawOnce),
        _ => None,
    }
}

/// The name of a raw stub that starts somewhere in `range`: of the exported function that calls it.
fn by_caller(
    image: &Image<'_>,
    functions: &[Symbol<'_>],
    names: &BTreeMap<u32, SyscallId>,
    range: core::ops::Range<usize>,
) -> Option<SyscallId> {
    const CALL: u8 = 0xe8;
    const JUMP: u8 = 0xe9;
    for function in functions {
        for at in function.value
            ..function
                .value
                .saturating_add(function.size)
                .min(image.bytes.len())
        {
            if !matches!(image.bytes[at], CALL | JUMP) {
                continue;
            }
            let Some(distance) = image.word(at + 1) else {
                continue;
            };
            let target = (at + 5).wrapping_add_signed(distance.cast_signed() as isize);
            if !range.contains(&target) {
                continue;
            }
            if function.name == CHANNEL_CALL {
                return Some(part_of_channel_call(names));
            }
            if let Some(call) = kernel_call(function.name) {
                return Some(call);
            }
        }
    }
    None
}

/// The exported function that makes two kernel calls: one that sends, and one that goes on waiting.
const CHANNEL_CALL: &str = "zx_channel_call";

/// What the next site of `zx_channel_call` is: it sends first, so that site comes first.
fn part_of_channel_call(names: &BTreeMap<u32, SyscallId>) -> SyscallId {
    if names
        .values()
        .any(|call| *call == SyscallId::ChannelCallNoretry)
    {
        SyscallId::ChannelCallFinish
    } else {
        SyscallId::ChannelCallNoretry
    }
}
