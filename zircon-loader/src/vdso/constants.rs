//! The constants that a vDSO answers from: where they are, and what they say.
//!
//! The image names the place by its symbol `DATA_CONSTANTS`. A stripped image has no such symbol; there the two functions
//! that do nothing but load a constant, `zx_system_get_num_cpus` (the first word) and `zx_system_get_physmem`, show it.

use super::image::{Image, ImageError};
use super::Level;
use alloc::vec::Vec;
use kernel_hal::cpu::CpuInfo;
use kernel_hal::time::TickRatio;
use zerocopy::IntoBytes;
use zx_abi::vdso_constants::VdsoConstants;

/// Kernel version as programs see it.
const VERSION: &str = concat!("zcore-", env!("CARGO_PKG_VERSION"));

/// What the system is like, as bytes for a place in the image.
pub(crate) struct Constants {
    /// Offset in the image.
    pub(crate) at: usize,
    /// What stands there.
    pub(crate) bytes: Vec<u8>,
}

/// The constants of this machine in the image's layout.
///
/// # Errors
/// - `NoConstants`: the image does not show where they go.
pub(crate) fn fill_constants(
    image: &Image<'_>,
    level: Level,
    cpu: CpuInfo,
    ticks: TickRatio,
    physmem: u64,
) -> Result<Constants, ImageError> {
    let first = loaded_by(image, "zx_system_get_num_cpus", &[0x8b, 0x05]);
    let named = image
        .local
        .iter()
        .find(|symbol| symbol.name == "DATA_CONSTANTS")
        .map(|symbol| symbol.value);
    let exported = image.export("DATA_CONSTANTS").map(|symbol| symbol.value);
    let at = named
        .or(exported)
        .or(first)
        .ok_or(ImageError::NoConstants)?;
    let mut all = VdsoConstants {
        max_num_cpus: cpu.count,
        features_cpu: cpu.features,
        hw_breakpoint_count: cpu.hw_breakpoints,
        hw_watchpoint_count: cpu.hw_watchpoints,
        dcache_line_size: cpu.dcache_line,
        icache_line_size: cpu.icache_line,
        ticks_per_second: ticks.ticks_per_second,
        ticks_to_mono_numerator: ticks.numerator,
        ticks_to_mono_denominator: ticks.denominator,
        physmem,
        ..VdsoConstants::default()
    };
    all.set_version(VERSION);
    let bytes = match level {
        Level::Home => all.as_bytes().to_vec(),
        Level::Zircon2019 => {
            let with_ratio = loaded_by(image, "zx_system_get_physmem", &[0x48, 0x8b, 0x05])
                .is_some_and(|physmem| physmem.checked_sub(at) == Some(40));
            older(&all, with_ratio)
        }
    };
    if image.bytes.get(at..at + bytes.len()).is_none() {
        return Err(ImageError::NoConstants);
    }
    Ok(Constants { at, bytes })
}

/// The records of 2019: a 64-byte build id instead of length and text, and before 2019-12 no tick ratio.
fn older(all: &VdsoConstants, with_ratio: bool) -> Vec<u8> {
    let mut bytes = all.as_bytes()[..32].to_vec();
    if with_ratio {
        bytes.extend_from_slice(&all.as_bytes()[32..40]);
    }
    bytes.extend_from_slice(&all.physmem.to_le_bytes());
    bytes.extend_from_slice(&all.version_string);
    bytes
}

/// The address from which a function loads, when it starts with that instruction and a rip-relative operand.
fn loaded_by(image: &Image<'_>, function: &str, opcode: &[u8]) -> Option<usize> {
    let start = image.export(function)?.value;
    let body = image.bytes.get(start..start + 24)?;
    let at = (0..body.len() - opcode.len()).find(|at| body[*at..].starts_with(opcode))?;
    let operand = start + at + opcode.len();
    let distance = image.word(operand)?.cast_signed();
    Some((operand + 4).wrapping_add_signed(distance as isize))
}
