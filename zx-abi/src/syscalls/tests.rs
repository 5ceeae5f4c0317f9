//! What must hold for the whole table.

use super::*;

fn count(pick: impl Fn(&Syscall) -> bool) -> usize {
    TABLE.iter().filter(|call| pick(call)).count()
}

#[test]
fn the_levels_have_as_many_calls_as_the_headers_of_their_time() {
    assert_eq!(TABLE.len(), 181 + 6 + 11);
    assert_eq!(count(|c| c.levels.contains(Levels::A2020)), 181);
    assert_eq!(count(|c| c.levels.contains(Levels::A2019)), 161 + 6);
    assert_eq!(count(|c| c.levels.contains(Levels::A2018)), 170);
    assert_eq!(
        count(|c| c.levels.contains(Levels::A2019) && c.levels.contains(Levels::A2020)),
        161
    );
}

#[test]
fn home_numbers_are_0_to_166_each_once_and_in_order() {
    let numbered = TABLE.iter().filter_map(|call| call.number);
    assert!(numbered.eq(0..167));
    assert!(TABLE
        .iter()
        .all(|c| c.number.is_none() || c.levels.contains(Levels::A2020)));
    assert_eq!(
        SyscallId::from_home_number(166),
        Some(SyscallId::VmoCreatePhysical)
    );
    assert_eq!(SyscallId::from_home_number(167), None);
}

#[test]
fn kinds_add_up_in_the_home_abi() {
    let home = |kind| count(|c| c.levels.contains(Levels::A2020) && c.kind == kind);
    assert_eq!(home(Kind::Kernel), 151);
    assert_eq!(home(Kind::Internal), 5);
    assert_eq!(home(Kind::Test), 11);
    assert_eq!(home(Kind::VdsoOnly), 14);
}

#[test]
fn names_are_unique_and_lead_back_to_their_entry() {
    for (index, &id) in (0u16..).zip(SyscallId::ALL) {
        assert_eq!(SyscallId::from_name(id.info().name), Some(id));
        assert_eq!(SyscallId::try_from(index), Ok(id));
    }
    assert_eq!(SyscallId::from_name("no_such_call"), None);
    assert!(SyscallId::try_from(198).is_err());
}

#[test]
fn no_call_has_more_arguments_than_argument_registers() {
    assert!(TABLE.iter().all(|call| call.args.len() <= 8));
}

#[test]
fn blocking_calls_are_the_eight_waits_and_the_internal_halves_of_channel_call() {
    assert_eq!(
        count(|c| c.blocking == Blocking::May && c.levels.contains(Levels::A2020)),
        10
    );
}
