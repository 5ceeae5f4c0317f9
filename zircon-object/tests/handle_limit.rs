//! The whole system has 262144 handles. A process of its own, because no other test could have a handle meanwhile
#![cfg(test)]

use zircon_object::object::{Handle, HandleTable};
use zircon_object::signal::event::Event;
use zircon_object::{Rights, ZxError};

#[test]
fn the_handle_after_the_262144th_is_refused_until_one_is_closed() {
    let event = Event::create().unwrap();
    let mut table = HandleTable::new(0x1234_5678);
    let first = table.add(Handle::new(event.clone()).unwrap()).unwrap();
    for _ in 1..262_144 {
        table.add(Handle::new(event.clone()).unwrap()).unwrap();
    }
    assert_eq!(Handle::total_in_use(), 262_144);
    assert_eq!(Handle::new(event.clone()).err(), Some(ZxError::NoMemory));
    assert_eq!(
        table
            .find(first)
            .unwrap()
            .duplicate(Rights::SAME_RIGHTS)
            .err(),
        Some(ZxError::NoMemory)
    );

    let moved = table.remove(first).unwrap();
    let again = table.add(moved).unwrap();
    assert_ne!(first, again);
    drop(table.remove(again).unwrap());
    table.add(Handle::new(event.clone()).unwrap()).unwrap();
    drop(table);
    assert_eq!(Handle::total_in_use(), 0);
}
