//! The vDSO: what it tells without the kernel, its test calls, and that it cannot be tampered with.

use alloc::vec::Vec;

use libzx::{raw, AsHandle, Rights, VmOptions};
use zx_abi::syscalls::SyscallId;

use crate::check::{check, check_eq, fails, needs, ok, skip, suite, Case};
use crate::memory::{call, root_vmar, Scratch, PAGE};
use crate::world::World;

suite! {
    "Vdso":
    constants_make_sense,
    cpu_features_are_told,
    the_version_is_a_string,
    test_calls_add_up,
    arguments_of_32_bits_ignore_the_upper_half,
    the_wrapper_checks_before_and_after,
    it_cannot_be_unmapped,
    it_cannot_be_made_writable,
    its_code_cannot_be_mapped_twice,
    its_data_can_be_mapped_and_is_an_elf_file,
    cache_flush_checks_its_options,
}

fn constants_make_sense(_: &World) -> Case {
    let cpus = raw::call(SyscallId::SystemGetNumCpus, &[]);
    check!((1..=64).contains(&cpus));
    let memory = raw::call(SyscallId::SystemGetPhysmem, &[]);
    check!(memory > 16 << 20 && memory % 4096 == 0);
    let line = raw::call(SyscallId::SystemGetDcacheLineSize, &[]);
    check!([16, 32, 64, 128].contains(&line));
    Ok(())
}

fn cpu_features_are_told(_: &World) -> Case {
    needs!(SystemGetFeatures);
    let page = ok!(Scratch::new());
    // The kernel of July 2019 has no CPU features to tell of on x86.
    match call(SyscallId::SystemGetFeatures, &[0, page.address()]) {
        Ok(()) => check_eq!(page.u32(0) & 1, 1),
        other => fails!(other, NotSupported),
    }
    for kind in [1, 2] {
        ok!(call(SyscallId::SystemGetFeatures, &[kind, page.address()]));
        check!(page.u32(0) <= 64);
    }
    fails!(
        call(SyscallId::SystemGetFeatures, &[9, page.address()]),
        NotSupported
    );
    Ok(())
}

fn the_version_is_a_string(_: &World) -> Case {
    needs!(SystemGetVersionString);
    // The address comes back in the first result register; it lies in the vDSO.
    let address = raw::call(SyscallId::SystemGetVersionString, &[]);
    let address = usize::try_from(address).unwrap_or(0);
    let base = libzx::own_vdso_base();
    check!(address > base && address < base + (1 << 20));
    Ok(())
}

const SUMS: [SyscallId; 9] = [
    SyscallId::SyscallTest0,
    SyscallId::SyscallTest1,
    SyscallId::SyscallTest2,
    SyscallId::SyscallTest3,
    SyscallId::SyscallTest4,
    SyscallId::SyscallTest5,
    SyscallId::SyscallTest6,
    SyscallId::SyscallTest7,
    SyscallId::SyscallTest8,
];

fn test_calls_add_up(_: &World) -> Case {
    needs!(SyscallTest0, SyscallTest8);
    let numbers = [1u32, 20, 300, 4_000, 50_000, 600_000, 7_000_000, 80_000_000];
    for (count, id) in SUMS.into_iter().enumerate() {
        let args: Vec<usize> = numbers[..count]
            .iter()
            .map(|number| *number as usize)
            .collect();
        let sum: u32 = numbers[..count].iter().sum();
        check_eq!(u32::try_from(raw::status(id, &args).0), Ok(sum));
    }
    Ok(())
}

fn arguments_of_32_bits_ignore_the_upper_half(_: &World) -> Case {
    needs!(SyscallTest2);
    let garbage = 0xdead_beef_0000_0000usize;
    check_eq!(
        raw::status(SyscallId::SyscallTest2, &[garbage | 3, garbage | 4]).0,
        7
    );
    let page = ok!(Scratch::new());
    ok!(call(SyscallId::EventCreate, &[garbage, page.address()]));
    ok!(call(
        SyscallId::HandleClose,
        &[garbage | page.u32(0) as usize]
    ));
    Ok(())
}

fn the_wrapper_checks_before_and_after(_: &World) -> Case {
    needs!(SyscallTestWrapper);
    check_eq!(raw::status(SyscallId::SyscallTestWrapper, &[1, 2, 3]).0, 6);
    fails!(
        call(SyscallId::SyscallTestWrapper, &[0xffff_ffff, 2, 3]),
        InvalidArgs
    );
    fails!(
        call(SyscallId::SyscallTestWrapper, &[10, 20, 30]),
        OutOfRange
    );
    Ok(())
}

/// Bytes of the vDSO's first segment, which ends where its code starts.
fn data_size(world: &World) -> Option<usize> {
    let mut page = [0; 4096];
    world.vdso()?.read(&mut page, 0).ok()?;
    let plan = libzx::elf::plan(&page, world.vdso()?.size().ok()?).ok()?;
    let code = plan.segments.iter().find(|segment| segment.executable)?;
    usize::try_from(code.start).ok()
}

fn it_cannot_be_unmapped(world: &World) -> Case {
    let Some(code) = data_size(world) else {
        skip!("no vDSO VMO");
    };
    let root = ok!(root_vmar());
    fails!(
        root.unmap(libzx::own_vdso_base() + code, PAGE),
        AccessDenied
    );
    check!(libzx::time::now() > 0);
    Ok(())
}

fn it_cannot_be_made_writable(world: &World) -> Case {
    let Some(code) = data_size(world) else {
        skip!("no vDSO VMO");
    };
    // The mappings belong to a region inside the root, which has to be named for protect; the root says what it is.
    let writable = VmOptions::PERM_READ | VmOptions::PERM_WRITE;
    let root = ok!(root_vmar());
    check!(root
        .protect(writable, libzx::own_vdso_base() + code, PAGE)
        .is_err());
    check!(root
        .protect(writable, libzx::own_vdso_base(), PAGE)
        .is_err());
    Ok(())
}

fn its_code_cannot_be_mapped_twice(world: &World) -> Case {
    let (Some(vdso), Some(code)) = (world.vdso(), data_size(world)) else {
        skip!("no vDSO VMO");
    };
    let root = ok!(root_vmar());
    let flags = VmOptions::PERM_READ | VmOptions::PERM_EXECUTE;
    let size = usize::try_from(ok!(vdso.size())).unwrap_or(0);
    fails!(
        root.map(flags, 0, vdso, code as u64, size - code),
        AccessDenied
    );
    fails!(root.map(flags, 0, vdso, 0, PAGE), AccessDenied);
    Ok(())
}

fn its_data_can_be_mapped_and_is_an_elf_file(world: &World) -> Case {
    let Some(vdso) = world.vdso() else {
        skip!("no vDSO VMO");
    };
    let mapping = ok!(libzx::Mapping::readable(vdso));
    check_eq!(mapping.as_slice()[..4], *b"\x7fELF");
    let rights = ok!(crate::world::rights_of(vdso));
    check!(!rights.contains(Rights::WRITE));
    fails!(vdso.write(b"x", 0), AccessDenied);
    check!(vdso.name().is_ok_and(|name| name.starts_with("vdso")));
    Ok(())
}

fn cache_flush_checks_its_options(_: &World) -> Case {
    needs!(CacheFlush);
    let page = ok!(Scratch::new());
    for options in [1, 2, 3, 6, 7] {
        ok!(call(
            SyscallId::CacheFlush,
            &[page.address(), PAGE, options]
        ));
    }
    for options in [0, 4, 5, 8, 15] {
        fails!(
            call(SyscallId::CacheFlush, &[page.address(), PAGE, options]),
            InvalidArgs
        );
    }
    Ok(())
}
