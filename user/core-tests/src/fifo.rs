//! FIFOs: queues of elements of one size.

use libzx::{AsHandle, Event, Fifo, Handle, Rights, Signals, ZxResult};
use zx_abi::syscalls::SyscallId;
use zx_abi::ObjectType;

use crate::check::{check, check_eq, fails, home_only, ok, suite, Case};
use crate::memory::{arg, call, Edge, Scratch, BAD_ADDRESSES};
use crate::world::{basic_info, sleep_ms, soon, World};

suite! {
    "Fifo":
    ends_know_each_other,
    new_ones_are_writable_only,
    shapes_out_of_range_are_refused,
    a_page_of_elements_is_the_most,
    options_are_refused,
    bad_result_pointers_are_refused,
    an_empty_one_says_should_wait,
    elements_arrive_in_order,
    single_reads_keep_the_order,
    the_order_survives_the_wrap,
    a_write_queues_what_fits,
    a_read_takes_what_is_there,
    a_full_one_says_should_wait_and_has_no_signals,
    a_read_makes_a_full_one_writable,
    the_last_element_takes_readable_with_it,
    the_size_of_an_element_must_match,
    no_elements_are_out_of_range,
    each_direction_has_its_own_queue,
    a_closed_peer_is_seen_after_its_last_elements,
    reading_and_writing_need_rights,
    other_objects_have_the_wrong_type,
    the_count_is_optional,
    reading_to_a_bad_buffer_keeps_the_elements,
    writing_from_a_bad_buffer_queues_nothing,
    huge_counts_do_not_overflow,
    a_waiting_reader_is_woken,
    fifo_write_checks_the_peer_before_the_size,
    fifo_write_checks_the_size_before_the_room,
    fifo_read_checks_the_size_before_the_peer,
    fifo_read_checks_the_handle_before_the_size,
}

/// Two ends of a queue of 8 elements of 4 bytes.
fn pair() -> ZxResult<(Fifo, Fifo)> {
    Fifo::create(8, 4, 0)
}

fn state(fifo: &Fifo) -> ZxResult<Signals> {
    fifo.signals_now(Signals::all())
}

/// Elements with these numbers.
fn elements<const N: usize>(first: u8) -> [[u8; 4]; N] {
    core::array::from_fn(|index| [first + index.to_le_bytes()[0], 0, 1, 2])
}

fn write(fifo: &Fifo, elements: &[[u8; 4]]) -> ZxResult<usize> {
    fifo.write(4, elements.as_flattened())
}

fn ends_know_each_other(_: &World) -> Case {
    let (left, right) = ok!(pair());
    let (left, right) = (ok!(basic_info(&left)), ok!(basic_info(&right)));
    check_eq!(
        (left.related_koid, right.related_koid),
        (right.koid, left.koid)
    );
    check_eq!(left.kind, ObjectType::Fifo.raw());
    check_eq!(left.rights, Rights::default_for(ObjectType::Fifo));
    check_eq!(right.rights, left.rights);
    Ok(())
}

fn new_ones_are_writable_only(_: &World) -> Case {
    let (left, right) = ok!(pair());
    check_eq!(ok!(state(&left)), Signals::FIFO_WRITABLE);
    check_eq!(ok!(state(&right)), Signals::FIFO_WRITABLE);
    Ok(())
}

fn shapes_out_of_range_are_refused(_: &World) -> Case {
    let huge = usize::MAX / 2 + 1;
    for (count, size) in [
        (0, 0),
        (0, 4),
        (8, 0),
        (35, 32),
        (128, 33),
        (8192, 1),
        (1, 4097),
        (huge, 2),
        (huge, huge),
        (2, usize::MAX),
    ] {
        fails!(Fifo::create(count, size, 0), OutOfRange);
    }
    Ok(())
}

fn a_page_of_elements_is_the_most(_: &World) -> Case {
    for (count, size) in [(4096, 1), (1, 4096), (128, 32), (1, 1)] {
        let (left, right) = ok!(Fifo::create(count, size, 0));
        let mut page = [5; 4096];
        let bytes = &mut page[..count * size];
        check_eq!(ok!(left.write(size, bytes)), count);
        check_eq!(ok!(right.read(size, bytes)), count);
    }
    Ok(())
}

fn options_are_refused(world: &World) -> Case {
    home_only!(world);
    check!(Fifo::create(8, 4, 1).is_err());
    fails!(Fifo::create(23, 4, 1), OutOfRange);
    Ok(())
}

fn bad_result_pointers_are_refused(_: &World) -> Case {
    let good = ok!(Scratch::new());
    for bad in BAD_ADDRESSES {
        for results in [[bad, good.address()], [good.address(), bad]] {
            fails!(
                call(SyscallId::FifoCreate, &[8, 4, 0, results[0], results[1]]),
                InvalidArgs
            );
        }
    }
    Ok(())
}

fn an_empty_one_says_should_wait(_: &World) -> Case {
    let (left, _right) = ok!(pair());
    fails!(left.read(4, &mut [0; 4]), ShouldWait);
    Ok(())
}

fn elements_arrive_in_order(_: &World) -> Case {
    let (left, right) = ok!(pair());
    let sent = elements::<8>(1);
    check_eq!(ok!(write(&left, &sent)), 8);
    let mut found = [[0; 4]; 8];
    check_eq!(ok!(right.read(4, found.as_flattened_mut())), 8);
    check_eq!(found, sent);
    Ok(())
}

fn single_reads_keep_the_order(_: &World) -> Case {
    let (left, right) = ok!(pair());
    ok!(write(&left, &elements::<4>(1)));
    ok!(write(&left, &elements::<4>(5)));
    for expected in elements::<8>(1) {
        let mut found = [0; 4];
        check_eq!(ok!(right.read(4, &mut found)), 1);
        check_eq!(found, expected);
    }
    Ok(())
}

fn the_order_survives_the_wrap(_: &World) -> Case {
    let (left, right) = ok!(pair());
    for round in 0..20u8 {
        check_eq!(ok!(write(&left, &elements::<5>(round * 5))), 5);
        let mut found = [[0; 4]; 5];
        check_eq!(ok!(right.read(4, found.as_flattened_mut())), 5);
        check_eq!(found, elements::<5>(round * 5));
    }
    Ok(())
}

fn a_write_queues_what_fits(_: &World) -> Case {
    let (left, right) = ok!(pair());
    check_eq!(ok!(write(&left, &elements::<5>(1))), 5);
    check_eq!(ok!(write(&left, &elements::<5>(6))), 3);
    let mut found = [[0; 4]; 10];
    check_eq!(ok!(right.read(4, found.as_flattened_mut())), 8);
    check_eq!(found[..8], elements::<8>(1));
    Ok(())
}

fn a_read_takes_what_is_there(_: &World) -> Case {
    let (left, right) = ok!(pair());
    ok!(write(&left, &elements::<3>(1)));
    let mut found = [[0xee; 4]; 5];
    check_eq!(ok!(right.read(4, found.as_flattened_mut())), 3);
    check_eq!(found[3..], [[0xee; 4]; 2]);
    Ok(())
}

fn a_full_one_says_should_wait_and_has_no_signals(_: &World) -> Case {
    let (left, right) = ok!(pair());
    ok!(write(&left, &elements::<8>(1)));
    fails!(write(&left, &elements::<1>(9)), ShouldWait);
    check_eq!(ok!(state(&left)), Signals::empty());
    let both = Signals::FIFO_READABLE | Signals::FIFO_WRITABLE;
    check_eq!(ok!(state(&right)), both);
    Ok(())
}

fn a_read_makes_a_full_one_writable(_: &World) -> Case {
    let (left, right) = ok!(pair());
    ok!(write(&left, &elements::<8>(1)));
    ok!(right.read(4, &mut [0; 4]));
    check_eq!(ok!(state(&left)), Signals::FIFO_WRITABLE);
    check_eq!(ok!(write(&left, &elements::<2>(9))), 1);
    Ok(())
}

fn the_last_element_takes_readable_with_it(_: &World) -> Case {
    let (left, right) = ok!(pair());
    ok!(write(&left, &elements::<2>(1)));
    ok!(right.read(4, &mut [0; 4]));
    check!(ok!(state(&right)).contains(Signals::FIFO_READABLE));
    ok!(right.read(4, &mut [0; 4]));
    check_eq!(ok!(state(&right)), Signals::FIFO_WRITABLE);
    Ok(())
}

fn the_size_of_an_element_must_match(_: &World) -> Case {
    let (left, right) = ok!(pair());
    ok!(write(&left, &elements::<2>(1)));
    for size in [1, 3, 5, 8] {
        fails!(left.write(size, &[0; 16]), OutOfRange);
        fails!(right.read(size, &mut [0; 16]), OutOfRange);
    }
    Ok(())
}

fn no_elements_are_out_of_range(_: &World) -> Case {
    let (left, right) = ok!(pair());
    ok!(write(&left, &elements::<2>(1)));
    fails!(left.write(4, &[]), OutOfRange);
    fails!(right.read(4, &mut []), OutOfRange);
    Ok(())
}

fn each_direction_has_its_own_queue(_: &World) -> Case {
    let (left, right) = ok!(pair());
    ok!(write(&left, &elements::<8>(1)));
    check_eq!(ok!(write(&right, &elements::<8>(101))), 8);
    let mut found = [[0; 4]; 1];
    ok!(left.read(4, found.as_flattened_mut()));
    check_eq!(found, elements::<1>(101));
    Ok(())
}

fn a_closed_peer_is_seen_after_its_last_elements(_: &World) -> Case {
    let (left, right) = ok!(pair());
    ok!(write(&left, &elements::<2>(1)));
    drop(left);
    let signals = Signals::FIFO_READABLE | Signals::FIFO_PEER_CLOSED;
    check_eq!(ok!(state(&right)), signals);
    fails!(write(&right, &elements::<1>(1)), PeerClosed);
    check_eq!(ok!(right.read(4, &mut [0; 16])), 2);
    fails!(right.read(4, &mut [0; 16]), PeerClosed);
    check_eq!(ok!(state(&right)), Signals::FIFO_PEER_CLOSED);
    fails!(
        right.signal_peer(Signals::empty(), Signals::USER_0),
        PeerClosed
    );
    Ok(())
}

fn reading_and_writing_need_rights(_: &World) -> Case {
    let (left, right) = ok!(pair());
    let left = ok!(left.replace(Rights::READ));
    let right = ok!(right.replace(Rights::WRITE));
    fails!(write(&left, &elements::<1>(1)), AccessDenied);
    fails!(right.read(4, &mut [0; 4]), AccessDenied);
    ok!(write(&right, &elements::<1>(1)));
    ok!(left.read(4, &mut [0; 4]));
    Ok(())
}

fn other_objects_have_the_wrong_type(_: &World) -> Case {
    // An event lacks the rights too: the type is looked at first.
    let event = Fifo::from(Handle::from(ok!(Event::create())));
    fails!(event.read(4, &mut [0; 4]), WrongType);
    fails!(write(&event, &elements::<1>(1)), WrongType);
    fails!(call(SyscallId::FifoWrite, &[0, 4, 0, 1, 0]), BadHandle);
    Ok(())
}

fn the_count_is_optional(_: &World) -> Case {
    let (left, right) = ok!(pair());
    let page = ok!(Scratch::new());
    let at = page.address();
    ok!(call(SyscallId::FifoWrite, &[arg(&left), 4, at, 2, 0]));
    ok!(call(SyscallId::FifoRead, &[arg(&right), 4, at, 2, 0]));
    fails!(right.read(4, &mut [0; 4]), ShouldWait);
    Ok(())
}

fn reading_to_a_bad_buffer_keeps_the_elements(_: &World) -> Case {
    let (left, right) = ok!(pair());
    ok!(write(&left, &elements::<3>(1)));
    let edge = ok!(Edge::new());
    for bad in BAD_ADDRESSES.into_iter().chain([edge.before_end(6)]) {
        let args = [arg(&right), 4, bad, 2, 0];
        fails!(call(SyscallId::FifoRead, &args), InvalidArgs);
    }
    let mut found = [[0; 4]; 3];
    check_eq!(ok!(right.read(4, found.as_flattened_mut())), 3);
    check_eq!(found, elements::<3>(1));
    Ok(())
}

fn writing_from_a_bad_buffer_queues_nothing(_: &World) -> Case {
    let (left, right) = ok!(pair());
    let edge = ok!(Edge::new());
    for bad in BAD_ADDRESSES.into_iter().chain([edge.before_end(6)]) {
        let args = [arg(&left), 4, bad, 2, 0];
        fails!(call(SyscallId::FifoWrite, &args), InvalidArgs);
    }
    check_eq!(ok!(state(&right)), Signals::FIFO_WRITABLE);
    check_eq!(ok!(write(&left, &elements::<8>(1))), 8);
    Ok(())
}

fn huge_counts_do_not_overflow(_: &World) -> Case {
    let (left, right) = ok!(pair());
    let page = ok!(Scratch::new());
    for count in [usize::MAX, usize::MAX / 4 + 2] {
        let args = [arg(&left), 4, page.address(), count, page.address() + 64];
        ok!(call(SyscallId::FifoWrite, &args));
        check_eq!(page.get::<u64>(64), 8);
        let args = [arg(&right), 4, page.address(), count, page.address() + 64];
        ok!(call(SyscallId::FifoRead, &args));
        check_eq!(page.get::<u64>(64), 8);
    }
    Ok(())
}

fn a_waiting_reader_is_woken(_: &World) -> Case {
    let (left, right) = ok!(pair());
    let writer = ok!(libzx::thread::spawn("writer", move || {
        sleep_ms(2);
        let _ = write(&left, &elements::<1>(1));
        sleep_ms(2);
    }));
    ok!(right.wait_one(Signals::FIFO_READABLE, soon()));
    ok!(right.wait_one(Signals::FIFO_PEER_CLOSED, soon()));
    check_eq!(ok!(right.read(4, &mut [0; 4])), 1);
    ok!(writer.join());
    Ok(())
}

fn fifo_write_checks_the_peer_before_the_size(_: &World) -> Case {
    let (left, right) = ok!(pair());
    drop(right);
    fails!(left.write(3, &[0; 3]), PeerClosed);
    fails!(left.write(4, &[]), PeerClosed);
    Ok(())
}

fn fifo_write_checks_the_size_before_the_room(_: &World) -> Case {
    let (left, _right) = ok!(pair());
    ok!(write(&left, &elements::<8>(1)));
    fails!(left.write(3, &[0; 3]), OutOfRange);
    fails!(
        call(SyscallId::FifoWrite, &[arg(&left), 4, 0, 1, 0]),
        ShouldWait
    );
    Ok(())
}

fn fifo_read_checks_the_size_before_the_peer(_: &World) -> Case {
    let (left, right) = ok!(pair());
    fails!(left.read(3, &mut [0; 3]), OutOfRange);
    drop(right);
    fails!(left.read(3, &mut [0; 3]), OutOfRange);
    fails!(
        call(SyscallId::FifoRead, &[arg(&left), 4, 0, 1, 0]),
        PeerClosed
    );
    Ok(())
}

fn fifo_read_checks_the_handle_before_the_size(_: &World) -> Case {
    let (left, _right) = ok!(pair());
    fails!(call(SyscallId::FifoRead, &[0, 3, 0, 0, 0]), BadHandle);
    let weak = ok!(left.replace(Rights::WRITE));
    fails!(weak.read(3, &mut [0; 3]), AccessDenied);
    Ok(())
}
