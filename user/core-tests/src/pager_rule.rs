//! Pagers: who may do what with them, what they refuse, and what supplying does to the pages supplied.

use libzx::{Pager, Rights, Vmo};
use zx_abi::info::VmoInfoFlags;
use zx_abi::syscalls::SyscallId;
use zx_abi::ObjectType;

use crate::check::{check, check_eq, fail, fails, ok, skip, suite, Case};
use crate::demand::{supplied, without, Demand, Packet};
use crate::memory::{arg, call, Scratch, BAD_ADDRESSES};
use crate::pages::{
    committed, device, info, op, pages, slice, snapshot, stamp, stamp_of, stamped, stamps, View,
    COMMIT, DECOMMIT, PAGE64,
};
use crate::world::{basic_info, rights_of, Level, World};

suite! {
    "Pager":
    a_new_one_has_the_usual_rights,
    unknown_options_are_refused,
    bad_result_pointers_are_refused,
    a_vmo_of_one_has_the_usual_rights_and_flags,
    making_a_vmo_checks_its_arguments,
    making_a_vmo_needs_write_on_the_port,
    the_size_is_rounded_up_to_pages,
    a_fixed_vmo_cannot_change_its_size,
    a_resizable_vmo_changes_its_size,
    supply_wants_whole_pages,
    supply_checks_types_and_handles,
    supply_wants_its_own_vmo,
    supply_needs_rights_to_the_source_only,
    supply_stays_inside_both_vmos,
    supply_wants_committed_pages,
    supply_wants_pages_that_nobody_else_has,
    supply_wants_pages_that_nobody_pins,
    supply_does_not_take_device_memory,
    supply_does_not_take_pages_of_a_pager,
    supplying_nothing_is_fine,
    supplying_moves_pages,
    supplying_moves_pages_from_an_offset,
    a_page_that_is_there_is_kept,
    supplying_over_a_range_fills_its_gaps,
    detach_checks_its_arguments,
    detaching_twice_sends_one_packet,
    supplying_a_detached_vmo_does_no_harm,
    a_vmo_with_a_dead_pager_says_what_a_detached_one_says,
    decommitting_follows_the_level,
    writing_to_present_pages_asks_for_nothing,
    nothing_is_asked_for_before_a_page_is_needed,
}

fn a_new_one_has_the_usual_rights(world: &World) -> Case {
    let pager = ok!(Pager::create());
    let info = ok!(basic_info(&pager));
    check_eq!(info.kind, ObjectType::Pager.raw());
    let usual = Rights::default_for(ObjectType::Pager);
    let expected = match world.level {
        Level::Home => usual,
        Level::July2019 => usual | Rights::ENUMERATE,
    };
    check_eq!(info.rights, expected);
    fails!(pager.duplicate(Rights::SAME_RIGHTS), AccessDenied);
    Ok(())
}

fn unknown_options_are_refused(_: &World) -> Case {
    let page = ok!(Scratch::new());
    for options in [1, 2, 1 << 31] {
        fails!(
            call(SyscallId::PagerCreate, &[options, page.address()]),
            InvalidArgs
        );
    }
    Ok(())
}

fn bad_result_pointers_are_refused(_: &World) -> Case {
    let demand = ok!(Demand::new());
    for bad in BAD_ADDRESSES {
        fails!(call(SyscallId::PagerCreate, &[0, bad]), InvalidArgs);
        let args = [arg(&demand.pager), 0, arg(&demand.port), 1, 4096, bad];
        fails!(call(SyscallId::PagerCreateVmo, &args), InvalidArgs);
    }
    Ok(())
}

fn a_vmo_of_one_has_the_usual_rights_and_flags(_: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(4, 1));
    check_eq!(ok!(rights_of(&vmo)), Rights::default_for(ObjectType::Vmo));
    let flags = VmoInfoFlags::PAGED | VmoInfoFlags::PAGER_BACKED | VmoInfoFlags::VIA_HANDLE;
    let record = ok!(info(&vmo));
    check_eq!(record.flags, flags.bits());
    check_eq!((record.size_bytes, record.committed_bytes), (4 * PAGE64, 0));
    ok!(demand.supply(&vmo, 1, 2));
    check_eq!(ok!(committed(&vmo)), 2);
    Ok(())
}

fn making_a_vmo_checks_its_arguments(_: &World) -> Case {
    let demand = ok!(Demand::new());
    let page = ok!(Scratch::new());
    let (pager, port, at) = (arg(&demand.pager), arg(&demand.port), page.address());
    let make = |args: [usize; 5]| {
        let [pager, options, port, size, at] = args;
        call(
            SyscallId::PagerCreateVmo,
            &[pager, options, port, 0, size, at],
        )
    };
    fails!(make([0, 0, port, 4096, at]), BadHandle);
    fails!(make([pager, 0, 0, 4096, at]), BadHandle);
    fails!(make([port, 0, port, 4096, at]), WrongType);
    fails!(make([pager, 0, pager, 4096, at]), WrongType);
    for options in [4, 8, 1 << 31] {
        fails!(make([pager, options, port, 4096, at]), InvalidArgs);
    }
    for size in [usize::MAX, usize::MAX - 4095, usize::MAX - 4094] {
        fails!(make([pager, 0, port, size, at]), OutOfRange);
    }
    Ok(())
}

fn making_a_vmo_needs_write_on_the_port(_: &World) -> Case {
    let demand = ok!(Demand::new());
    let reader = ok!(demand.port.duplicate(Rights::READ));
    fails!(demand.pager.create_vmo(0, &reader, 0, PAGE64), AccessDenied);
    let writer = ok!(demand.port.duplicate(Rights::WRITE));
    ok!(demand.pager.create_vmo(0, &writer, 0, PAGE64));
    Ok(())
}

fn the_size_is_rounded_up_to_pages(_: &World) -> Case {
    let demand = ok!(Demand::new());
    for (asked, given) in [(0, 0), (1, 1), (PAGE64, 1), (PAGE64 + 1, 2)] {
        let vmo = ok!(demand.pager.create_vmo(0, &demand.port, 0, asked));
        check_eq!(ok!(vmo.size()), given * PAGE64);
    }
    Ok(())
}

fn a_fixed_vmo_cannot_change_its_size(_: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(2, 1));
    fails!(vmo.set_size(PAGE64), Unavailable);
    check_eq!(ok!(vmo.size()), 2 * PAGE64);
    Ok(())
}

fn a_resizable_vmo_changes_its_size(_: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.resizable(2, 1));
    ok!(demand.supply(&vmo, 0, 2));
    ok!(vmo.set_size(PAGE64));
    check_eq!(ok!(committed(&vmo)), 1);
    fails!(vmo.read(&mut [0], PAGE64), OutOfRange);
    ok!(vmo.set_size(3 * PAGE64));
    ok!(demand.supply(&vmo, 2, 1));
    check_eq!(ok!(stamp_of(&vmo, 2)), supplied(2));
    Ok(())
}

fn supply_wants_whole_pages(world: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(2, 1));
    let source = ok!(stamped(2, 1));
    for (offset, len, from) in [
        (1, PAGE64, 0),
        (0, PAGE64 + 1, 0),
        (0, PAGE64, 8),
        (0, 1, 0),
    ] {
        fails!(
            demand.pager.supply(&vmo, offset, len, &source, from),
            InvalidArgs
        );
    }
    // Looked at before the handles.
    if world.level == Level::Home {
        fails!(
            call(SyscallId::PagerSupplyPages, &[0, 0, 1, 4096, 0, 0]),
            InvalidArgs
        );
    }
    check_eq!(ok!(stamps(&source)), [1, 2]);
    Ok(())
}

fn supply_checks_types_and_handles(_: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = arg(&ok!(demand.vmo(1, 1)));
    let vmo_kept = ok!(demand.vmo(1, 1));
    let source = ok!(stamped(1, 1));
    let (pager, paged, source) = (arg(&demand.pager), arg(&vmo_kept), arg(&source));
    let supply = |pager, vmo, source| {
        call(
            SyscallId::PagerSupplyPages,
            &[pager, vmo, 0, 4096, source, 0],
        )
    };
    fails!(supply(0, paged, source), BadHandle);
    fails!(supply(pager, 0, source), BadHandle);
    fails!(supply(pager, vmo, source), BadHandle);
    fails!(supply(pager, paged, 0), BadHandle);
    fails!(supply(paged, paged, source), WrongType);
    fails!(supply(pager, pager, source), WrongType);
    fails!(supply(pager, paged, pager), WrongType);
    Ok(())
}

fn supply_wants_its_own_vmo(_: &World) -> Case {
    let (demand, other) = (ok!(Demand::new()), ok!(Demand::new()));
    let (foreign, plain) = (ok!(other.vmo(1, 1)), ok!(pages(1)));
    fails!(demand.supply(&foreign, 0, 1), InvalidArgs);
    fails!(demand.supply(&plain, 0, 1), InvalidArgs);
    Ok(())
}

fn supply_needs_rights_to_the_source_only(_: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(1, 1));
    let source = ok!(stamped(1, 7));
    for right in [Rights::READ, Rights::WRITE] {
        let poor = ok!(without(&source, right));
        fails!(demand.pager.supply(&vmo, 0, PAGE64, &poor, 0), AccessDenied);
    }
    let nothing = ok!(vmo.duplicate(Rights::empty()));
    let enough = ok!(source.duplicate(Rights::IO));
    ok!(demand.pager.supply(&nothing, 0, PAGE64, &enough, 0));
    check_eq!(ok!(stamps(&vmo)), [7]);
    Ok(())
}

fn supply_stays_inside_both_vmos(_: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(2, 1));
    let source = ok!(stamped(2, 1));
    let supply = |page: u64, count: u64, from: u64| {
        let len = count.wrapping_mul(PAGE64);
        demand
            .pager
            .supply(&vmo, page.wrapping_mul(PAGE64), len, &source, from * PAGE64)
    };
    fails!(supply(0, 3, 0), OutOfRange);
    fails!(supply(0, 2, 1), OutOfRange);
    fails!(supply(0, 1, 2), OutOfRange);
    fails!(supply(0, 0u64.wrapping_sub(1), 0), OutOfRange);
    check_eq!(ok!(committed(&vmo)), 0);
    let four = ok!(stamped(4, 1));
    fails!(
        demand.pager.supply(&vmo, PAGE64, 2 * PAGE64, &four, 0),
        OutOfRange
    );
    fails!(
        demand
            .pager
            .supply(&vmo, 2 * PAGE64, PAGE64, &four, 2 * PAGE64),
        OutOfRange
    );
    Ok(())
}

fn supply_wants_committed_pages(_: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(2, 1));
    let source = ok!(pages(2));
    ok!(stamp(&source, 0, 1));
    fails!(
        demand.pager.supply(&vmo, 0, 2 * PAGE64, &source, 0),
        BadState
    );
    fails!(
        demand.pager.supply(&vmo, 0, PAGE64, &source, PAGE64),
        BadState
    );
    check_eq!(ok!(stamp_of(&source, 0)), 1);
    ok!(op(&source, COMMIT, 1, 1));
    ok!(demand.pager.supply(&vmo, 0, 2 * PAGE64, &source, 0));
    check_eq!(ok!(stamps(&vmo)), [1, 0]);
    Ok(())
}

fn supply_wants_pages_that_nobody_else_has(world: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(1, 1));
    let source = ok!(stamped(1, 7));
    let supply = |source: &Vmo| demand.pager.supply(&vmo, 0, PAGE64, source, 0);
    let view = ok!(View::new(&source, 1));
    fails!(supply(&source), BadState);
    drop(view);
    let copy = ok!(snapshot(world, &source, 0, 1));
    fails!(supply(&source), BadState);
    fails!(supply(&copy), BadState);
    drop(copy);
    let window = ok!(slice(world, &source, 0, 1));
    fails!(supply(&source), BadState);
    fails!(supply(&window), BadState);
    drop(window);
    ok!(supply(&source));
    check_eq!(ok!(stamps(&vmo)), [7]);
    Ok(())
}

fn supply_wants_pages_that_nobody_pins(world: &World) -> Case {
    let Some(bti) = ok!(device(world)) else {
        skip!("no root resource");
    };
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(2, 1));
    let source = ok!(stamped(2, 7));
    let (pinned, _) = ok!(bti.pin(1, &source, PAGE64, PAGE64, 1));
    fails!(
        demand.pager.supply(&vmo, 0, 2 * PAGE64, &source, 0),
        BadState
    );
    ok!(pinned.unpin());
    ok!(demand.pager.supply(&vmo, 0, 2 * PAGE64, &source, 0));
    Ok(())
}

fn supply_does_not_take_device_memory(world: &World) -> Case {
    let Some(resource) = &world.resource else {
        skip!("no root resource");
    };
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(1, 1));
    let physical = ok!(Vmo::physical(resource, 0xf000_0000, 4096));
    fails!(
        demand.pager.supply(&vmo, 0, PAGE64, &physical, 0),
        NotSupported
    );
    Ok(())
}

fn supply_does_not_take_pages_of_a_pager(_: &World) -> Case {
    let demand = ok!(Demand::new());
    let (vmo, other) = (ok!(demand.vmo(1, 1)), ok!(demand.vmo(1, 2)));
    ok!(demand.supply(&other, 0, 1));
    fails!(demand.pager.supply(&vmo, 0, PAGE64, &other, 0), BadState);
    check_eq!(ok!(stamps(&other)), [supplied(0)]);
    Ok(())
}

fn supplying_nothing_is_fine(_: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(1, 1));
    let source = ok!(pages(1));
    ok!(demand.pager.supply(&vmo, 0, 0, &source, 0));
    ok!(demand.pager.supply(&vmo, PAGE64, 0, &source, PAGE64));
    check_eq!(ok!(committed(&vmo)), 0);
    Ok(())
}

fn supplying_moves_pages(_: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(3, 1));
    let source = ok!(stamped(3, 50));
    ok!(demand.pager.supply(&vmo, 0, 3 * PAGE64, &source, 0));
    check_eq!(ok!(stamps(&vmo)), [50, 51, 52]);
    check_eq!(ok!(stamps(&source)), [0, 0, 0]);
    check_eq!((ok!(committed(&vmo)), ok!(committed(&source))), (3, 0));
    // What was supplied is the VMO's alone.
    ok!(stamp(&source, 0, 9));
    check_eq!(ok!(stamp_of(&vmo, 0)), 50);
    Ok(())
}

fn supplying_moves_pages_from_an_offset(_: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(4, 1));
    let source = ok!(stamped(4, 50));
    ok!(demand
        .pager
        .supply(&vmo, 2 * PAGE64, 2 * PAGE64, &source, PAGE64));
    check_eq!((ok!(stamp_of(&vmo, 2)), ok!(stamp_of(&vmo, 3))), (51, 52));
    check_eq!(ok!(stamps(&source)), [50, 0, 0, 53]);
    check_eq!(ok!(committed(&vmo)), 2);
    Ok(())
}

fn a_page_that_is_there_is_kept(_: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(1, 1));
    ok!(demand.supply(&vmo, 0, 1));
    let source = ok!(stamped(1, 99));
    ok!(demand.pager.supply(&vmo, 0, PAGE64, &source, 0));
    check_eq!(ok!(stamps(&vmo)), [supplied(0)]);
    check_eq!((ok!(committed(&vmo)), ok!(committed(&source))), (1, 0));
    Ok(())
}

fn supplying_over_a_range_fills_its_gaps(_: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(5, 1));
    ok!(demand.supply(&vmo, 1, 1));
    ok!(demand.supply(&vmo, 3, 1));
    ok!(demand.supply_from(&vmo, 0, 5, 70));
    check_eq!(ok!(stamps(&vmo)), [70, supplied(1), 72, supplied(3), 74]);
    check_eq!(ok!(committed(&vmo)), 5);
    Ok(())
}

fn detach_checks_its_arguments(_: &World) -> Case {
    let (demand, other) = (ok!(Demand::new()), ok!(Demand::new()));
    let vmo = ok!(demand.vmo(1, 1));
    let detach = |pager, vmo| call(SyscallId::PagerDetachVmo, &[pager, vmo]);
    let (pager, paged) = (arg(&demand.pager), arg(&vmo));
    fails!(detach(0, paged), BadHandle);
    fails!(detach(pager, 0), BadHandle);
    fails!(detach(paged, paged), WrongType);
    fails!(detach(pager, pager), WrongType);
    fails!(demand.pager.detach(&ok!(pages(1))), InvalidArgs);
    fails!(other.pager.detach(&vmo), InvalidArgs);
    ok!(demand.pager.detach(&ok!(vmo.duplicate(Rights::empty()))));
    Ok(())
}

fn detaching_twice_sends_one_packet(_: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(1, 77));
    ok!(demand.pager.detach(&vmo));
    check_eq!(ok!(demand.next()), Packet::Complete(77));
    ok!(demand.pager.detach(&vmo));
    check!(demand.is_quiet());
    Ok(())
}

fn supplying_a_detached_vmo_does_no_harm(_: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(2, 1));
    ok!(demand.supply(&vmo, 0, 1));
    ok!(demand.pager.detach(&vmo));
    match demand.supply(&vmo, 1, 1) {
        Ok(()) | Err(libzx::ZxError::BadState) => {}
        other => fail!("supplying ended with {other:?}"),
    }
    check_eq!(ok!(stamp_of(&vmo, 0)), supplied(0));
    Ok(())
}

fn a_vmo_with_a_dead_pager_says_what_a_detached_one_says(world: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(2, 1));
    ok!(demand.supply(&vmo, 0, 1));
    drop(demand.pager);
    check_eq!(ok!(stamp_of(&vmo, 0)), supplied(0));
    match world.level {
        Level::Home => fails!(stamp_of(&vmo, 1), BadState),
        Level::July2019 => fails!(stamp_of(&vmo, 1), NotFound),
    }
    Ok(())
}

fn decommitting_follows_the_level(world: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(2, 1));
    ok!(demand.supply(&vmo, 0, 2));
    if world.level == Level::Home {
        fails!(op(&vmo, DECOMMIT, 0, 1), NotSupported);
        check_eq!(ok!(committed(&vmo)), 2);
    } else {
        ok!(op(&vmo, DECOMMIT, 0, 1));
        check_eq!(ok!(committed(&vmo)), 1);
    }
    Ok(())
}

fn writing_to_present_pages_asks_for_nothing(_: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(2, 1));
    ok!(demand.supply(&vmo, 0, 2));
    ok!(stamp(&vmo, 0, 5));
    let view = ok!(View::new(&vmo, 2));
    view.store(1, 6);
    check_eq!(ok!(stamps(&vmo)), [5, 6]);
    check!(demand.is_quiet());
    Ok(())
}

fn nothing_is_asked_for_before_a_page_is_needed(world: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.resizable(4, 1));
    let view = ok!(View::new(&vmo, 4));
    let all = libzx::VmOptions::PERM_READ | libzx::VmOptions::MAP_RANGE;
    let mapped = ok!(View::with(&vmo, all, 0, 4));
    ok!(vmo.set_size(8 * PAGE64));
    check_eq!(ok!(vmo.size()), 8 * PAGE64);
    if world.level == Level::Home {
        ok!(crate::memory::root_vmar().and_then(|root| root.op_range(3, view.at(0), 4 * 4096)));
    }
    check!(demand.is_quiet());
    drop((view, mapped));
    Ok(())
}
