//! Records about the memory of processes: what is mapped, which VMOs they hold.

use alloc::vec::Vec;
use zircon_object::object::KernelObject;
use zircon_object::task::Process;
use zircon_object::vm::{AddressSpace, Perms, RegionInfo, RegionKind, Vmo};
use zx_abi::info::{MapsInfo, MapsKind, MapsMapping, TaskStatsInfo, VmoInfo, VmoInfoFlags};
use zx_abi::limits::{NAME_LEN, PAGE_SIZE};
use zx_abi::{ObjectType, Rights, VmOptions, ZxError, ZxResult};

const PAGE: u64 = PAGE_SIZE as u64;

/// ZX_INFO_TASK_STATS.
pub(super) fn task_stats(space: &AddressSpace) -> TaskStatsInfo {
    let stats = space.stats();
    TaskStatsInfo {
        mem_mapped_bytes: stats.mapped,
        mem_private_bytes: stats.private,
        mem_shared_bytes: stats.shared,
        mem_scaled_shared_bytes: stats.scaled_shared,
    }
}

/// ZX_INFO_PROCESS_MAPS: the address space, then regions and mappings, parents first.
///
/// # Errors
/// - `NoMemory`: no kernel memory for the list.
pub(super) fn maps(process: &Process) -> ZxResult<Vec<MapsInfo>> {
    let space = process.space();
    let koid = usize::try_from(process.base().koid().0).unwrap_or(usize::MAX);
    let mut rows = Vec::new();
    rows.try_reserve_exact(space.entries() + 1)
        .map_err(|_| ZxError::NoMemory)?;
    rows.push(MapsInfo {
        name: numbered("proc:", koid, 10),
        base: space.base() as u64,
        size: space.size() as u64,
        kind: MapsKind::Aspace.raw(),
        ..MapsInfo::default()
    });
    space.for_each(&mut |region| {
        if rows.len() < rows.capacity() {
            rows.push(row(region));
        }
    });
    Ok(rows)
}

fn row(region: &RegionInfo) -> MapsInfo {
    let place = MapsInfo {
        base: region.base as u64,
        size: region.len as u64,
        depth: region.depth,
        ..MapsInfo::default()
    };
    match &region.kind {
        RegionKind::Vmar if region.depth == 1 => MapsInfo {
            name: text(&[b"root"]),
            kind: MapsKind::Vmar.raw(),
            ..place
        },
        RegionKind::Vmar => MapsInfo {
            name: numbered("vmar:", region.base, 16),
            kind: MapsKind::Vmar.raw(),
            ..place
        },
        RegionKind::Mapping {
            vmo,
            vmo_offset,
            perms,
        } => MapsInfo {
            name: vmo.name().map_or([0; NAME_LEN], |name| name.get()),
            kind: MapsKind::Mapping.raw(),
            mapping: MapsMapping {
                mmu_flags: options_of(*perms).bits(),
                vmo_koid: vmo.base().koid().0,
                vmo_offset: *vmo_offset,
                committed_pages: vmo.committed_pages(
                    vmo_offset / PAGE..(vmo_offset + region.len as u64).div_ceil(PAGE),
                ),
                ..MapsMapping::default()
            },
            ..place
        },
    }
}

fn options_of(perms: Perms) -> VmOptions {
    let mut options = VmOptions::empty();
    options.set(VmOptions::PERM_READ, perms.contains(Perms::READ));
    options.set(VmOptions::PERM_WRITE, perms.contains(Perms::WRITE));
    options.set(VmOptions::PERM_EXECUTE, perms.contains(Perms::EXECUTE));
    options
}

/// ZX_INFO_VMO of a VMO found through a handle.
pub(super) fn vmo_record(vmo: &Vmo, rights: Rights) -> VmoInfo {
    record(vmo, rights, VmoInfoFlags::VIA_HANDLE)
}

fn record(vmo: &Vmo, handle_rights: Rights, how: VmoInfoFlags) -> VmoInfo {
    let info = vmo.info();
    VmoInfo {
        handle_rights,
        flags: info.flags | how.bits(),
        ..info
    }
}

/// ZX_INFO_PROCESS_VMOS: every VMO once per handle and once per mapping.
///
/// # Errors
/// - `NoMemory`: no kernel memory for the list.
pub(super) fn process_vmos(process: &Process) -> ZxResult<Vec<VmoInfo>> {
    let mut found = Vec::new();
    {
        let table = process.handles();
        let vmos = table
            .iter()
            .filter(|(_, handle)| handle.object().object_type() == ObjectType::Vmo);
        for (_, handle) in vmos {
            found.try_reserve(1).map_err(|_| ZxError::NoMemory)?;
            found.push((
                handle.get::<Vmo>(Rights::empty())?,
                handle.rights(),
                VmoInfoFlags::VIA_HANDLE,
            ));
        }
    }
    let space = process.space();
    found
        .try_reserve(space.entries())
        .map_err(|_| ZxError::NoMemory)?;
    space.for_each(&mut |region| {
        if let (RegionKind::Mapping { vmo, .. }, true) =
            (&region.kind, found.len() < found.capacity())
        {
            found.push((vmo.clone(), Rights::empty(), VmoInfoFlags::VIA_MAPPING));
        }
    });
    let mut rows = Vec::new();
    rows.try_reserve_exact(found.len())
        .map_err(|_| ZxError::NoMemory)?;
    rows.extend(
        found
            .into_iter()
            .map(|(vmo, rights, how)| record(&vmo, rights, how)),
    );
    Ok(rows)
}

/// A name of a word and a number in base 10 or 16.
fn numbered(word: &str, number: usize, base: usize) -> [u8; NAME_LEN] {
    let (mut digits, mut left) = ([0; 20], number);
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b"0123456789abcdef"[left % base];
        left /= base;
        if left == 0 {
            return text(&[word.as_bytes(), &digits[first..]]);
        }
    }
}

/// A name of several parts, which fit.
fn text(parts: &[&[u8]]) -> [u8; NAME_LEN] {
    let (mut name, mut len) = ([0; NAME_LEN], 0);
    for part in parts {
        if let Some(room) = name.get_mut(len..len + part.len()) {
            room.copy_from_slice(part);
            len += part.len();
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_a_word_and_a_number() {
        for (number, base, expected) in [
            (0, 10, "proc:0"),
            (90_210, 10, "proc:90210"),
            (0x7f_ffff_ffff, 16, "proc:7fffffffff"),
            (usize::MAX, 10, "proc:18446744073709551615"),
        ] {
            let name = numbered("proc:", number, base);
            let end = name.iter().position(|byte| *byte == 0).unwrap();
            assert_eq!(&name[..end], expected.as_bytes());
        }
    }
}
