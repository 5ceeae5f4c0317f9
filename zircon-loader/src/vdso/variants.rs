//! vDSO variants: copies in which a category of calls is blocked.
//!
//! A blocked call's symbols become local and its code becomes `hlt`; addresses stay the same (`facts/boot.md`, section 5).

use super::image::Image;
use alloc::vec::Vec;

/// Calls blocked in the variant `vdso/test1`.
pub(crate) const TEST1: &[&str] = &["syscall_test_1", "syscall_test_2"];
/// Calls blocked in the variant `vdso/test2`.
pub(crate) const TEST2: &[&str] = &["syscall_test_3"];

/// The byte that a blocked call consists of.
const HLT: u8 = 0xf4;
/// Offset of the binding and type in an `Elf64_Sym`.
const INFO: usize = 4;

/// Changes to the image, as offset and new bytes, that block these calls.
pub(crate) fn block(image: &Image<'_>, calls: &[&str]) -> Vec<(usize, Vec<u8>)> {
    let mut changes = Vec::new();
    for (entry, symbol) in &image.dynamic {
        let name = symbol.name.strip_prefix('_').unwrap_or(symbol.name);
        if !name
            .strip_prefix("zx_")
            .is_some_and(|name| calls.contains(&name))
        {
            continue;
        }
        let code = symbol.value..symbol.value.saturating_add(symbol.size);
        let in_code = image.layout.code.start <= code.start && code.end <= image.bytes.len();
        if let (Some(info), true) = (image.bytes.get(entry + INFO), in_code) {
            changes.push((entry + INFO, [info & 0xf].to_vec()));
            changes.push((
                symbol.value,
                core::iter::repeat_n(HLT, symbol.size).collect(),
            ));
        }
    }
    changes
}
