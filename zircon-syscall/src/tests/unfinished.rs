//! Calls that leave work to their thread.

use super::{made, Program};
use crate::vmar::{sys_vmar_destroy, sys_vmar_unmap};
use crate::vmo::sys_vmo_set_size;
use crate::Further;
use zircon_object::vm::{Perms, Resizable, VmOptions, Vmo, PAGE_SIZE};
use zx_abi::ZxError;

const PAGE: u64 = PAGE_SIZE as u64;
const LONG: u64 = 20_000 * PAGE;

/// Does the rest; in how many steps.
fn steps(program: &Program, caller: &crate::Caller<'_>) -> usize {
    assert!(caller.take_unfinished());
    let mut steps = 1;
    while matches!(made(caller.go_on()), Further::More) {
        assert!(program.thread.process().space().stats().mapped > 0);
        steps += 1;
    }
    steps
}

#[test]
fn a_long_unmap_and_a_destroy_go_on_in_steps_after_the_call() {
    let program = Program::new();
    let caller = program.caller();
    let options = VmOptions::CAN_MAP_READ | VmOptions::CAN_MAP_WRITE;
    let root = program.thread.process().root_vmar();
    let region = made(root.allocate(options, 0, LONG));
    let handle = program.give(region.clone());
    let vmo = made(Vmo::new(PAGE, Resizable::No));
    let map = || made(region.map(VmOptions::PERM_READ, 0, &vmo, 0, LONG, Perms::ALL));

    let at = map();
    assert_eq!(sys_vmar_unmap(&caller, handle, at, LONG), Ok(()));
    assert!(steps(&program, &caller) > 1);
    assert_eq!(vmo.mapping_count(), 0);

    map();
    assert_eq!(sys_vmar_destroy(&caller, handle), Ok(()));
    assert_eq!(
        region.map(VmOptions::PERM_READ, 0, &vmo, 0, PAGE, Perms::ALL),
        Err(ZxError::BadState)
    );
    assert!(steps(&program, &caller) > 1);
    assert_eq!(vmo.mapping_count(), 0);
}

#[test]
fn a_vmo_shrinks_by_very_much_in_several_resizes() {
    let program = Program::new();
    let caller = program.caller();
    let vmo = made(Vmo::new(3 << 30, Resizable::Yes));
    for gibibyte in 0..3 {
        made(vmo.commit((gibibyte << 30) + PAGE, PAGE));
    }
    let handle = program.give(vmo.clone());
    assert_eq!(sys_vmo_set_size(&caller, handle, PAGE), Ok(()));
    assert!((PAGE..3 << 30).contains(&vmo.size()));
    assert!(steps(&program, &caller) > 1);
    assert_eq!(vmo.size(), PAGE);
}
