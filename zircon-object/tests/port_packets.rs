//! Ports with real objects: what fires, in which order, and what a cancel takes back.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use zircon_object::ipc::{Channel, Message};
use zircon_object::object::{Handle, KernelObject};
use zircon_object::signal::port::AsyncWait;
use zircon_object::signal::port_packet::{Edge, Stamp, Style};
use zircon_object::signal::{Event, Port};
use zx_abi::packet::PortPacket;
use zx_abi::{Signals, Status, ZxError, ZxResult};

fn made<T>(result: ZxResult<T>) -> T {
    result.unwrap_or_else(|error| panic!("{error:?}"))
}

fn take(port: &Port) -> Option<PortPacket> {
    match pin!(port.wait()).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(packet) => Some(made(packet)),
        Poll::Pending => None,
    }
}

fn event() -> (Arc<dyn KernelObject>, Handle) {
    let event = made(Event::create());
    (event.clone(), made(Handle::new(event)))
}

fn port() -> (Arc<Port>, Handle) {
    let port = made(Port::create());
    (port.clone(), made(Handle::new(port)))
}

fn wait(handle: &Handle, key: u64) -> AsyncWait {
    AsyncWait {
        key,
        trigger: Signals::SIGNALED,
        handle: handle.key(),
        style: Style::default(),
    }
}

fn signal(object: &Arc<dyn KernelObject>, set: Signals) {
    object.base().signals().change(Signals::empty(), set).wake();
}

#[test]
fn packets_of_programs_come_out_in_order_and_with_their_content() {
    let (port, _handle) = port();
    for key in 0..3 {
        port.queue(key, Status(-5), [7; 32]).unwrap();
    }
    for key in 0..3 {
        assert_eq!(
            take(&port),
            Some(PortPacket::user(key, Status(-5), [7; 32]))
        );
    }
    assert_eq!(take(&port), None);
}

#[test]
fn only_so_many_packets_of_programs_fit_but_a_wait_still_fires() {
    kernel_hal_hosted::init();
    let ((port, _ph), (event, handle)) = (port(), event());
    for _ in 0..=zx_abi::limits::PORT_QUEUE_MAX {
        port.queue(0, Status::OK, [0; 32]).unwrap();
    }
    assert_eq!(port.queue(0, Status::OK, [0; 32]), Err(ZxError::ShouldWait));
    port.wait_async(&event, wait(&handle, 9), 1).unwrap();
    signal(&event, Signals::SIGNALED);
    let keys: Vec<u64> = std::iter::from_fn(|| take(&port))
        .map(|packet| packet.key)
        .collect();
    assert_eq!(
        (keys.len(), keys.last()),
        (zx_abi::limits::PORT_QUEUE_MAX + 2, Some(&9))
    );
}

#[test]
fn one_change_queues_the_packets_of_its_waits_last_registered_first() {
    let ((port, _ph), (event, handle)) = (port(), event());
    for key in 0..3 {
        port.wait_async(&event, wait(&handle, key), 1).unwrap();
    }
    signal(&event, Signals::SIGNALED | Signals::USER_0);
    signal(&event, Signals::USER_1);
    for key in [2, 1, 0] {
        let packet = take(&port).unwrap();
        let signal = packet.as_signal().unwrap();
        assert_eq!((packet.key, signal.count, signal.timestamp), (key, 1, 0));
        assert_eq!(
            (signal.trigger, signal.observed),
            (Signals::SIGNALED, Signals::SIGNALED | Signals::USER_0)
        );
    }
    assert_eq!(take(&port), None);
}

#[test]
fn a_signal_that_is_there_already_fires_at_once_unless_only_its_rise_counts() {
    let ((port, _ph), (event, handle)) = (port(), event());
    signal(&event, Signals::SIGNALED);
    port.wait_async(&event, wait(&handle, 1), 5).unwrap();
    assert_eq!(take(&port).unwrap().as_signal().unwrap().count, 5);
    let rising = Style {
        edge: Edge::Rising,
        stamp: Stamp::None,
    };
    port.wait_async(
        &event,
        AsyncWait {
            style: rising,
            ..wait(&handle, 2)
        },
        1,
    )
    .unwrap();
    signal(&event, Signals::USER_0);
    assert_eq!(take(&port), None);
    event
        .base()
        .signals()
        .change(Signals::SIGNALED, Signals::empty())
        .wake();
    signal(&event, Signals::SIGNALED);
    assert_eq!(take(&port).unwrap().key, 2);
}

#[test]
fn cancel_takes_back_waits_and_queued_packets_of_that_handle_and_key_only() {
    let ((port, _ph), (event, handle)) = (port(), event());
    let other = handle.duplicate(zx_abi::Rights::SAME_RIGHTS).unwrap();
    port.wait_async(&event, wait(&handle, 1), 1).unwrap();
    port.wait_async(&event, wait(&handle, 1), 1).unwrap();
    port.wait_async(&event, wait(&other, 1), 1).unwrap();
    port.wait_async(&event, wait(&handle, 2), 1).unwrap();
    assert_eq!(
        port.cancel(&*event, handle.key(), 3),
        Err(ZxError::NotFound)
    );
    assert_eq!(port.cancel(&*event, handle.key(), 1), Ok(()));
    assert_eq!(
        port.cancel(&*event, handle.key(), 1),
        Err(ZxError::NotFound)
    );
    signal(&event, Signals::SIGNALED);
    assert_eq!(port.cancel(&*event, handle.key(), 2), Ok(()));
    assert_eq!(take(&port).unwrap().key, 1);
    assert_eq!(take(&port), None);
}

#[test]
fn closing_the_source_drops_its_waits_and_keeps_packets_that_are_queued() {
    let ((port, _ph), (event, handle)) = (port(), event());
    let (kept, _keep) = (
        event.clone(),
        handle.duplicate(zx_abi::Rights::SAME_RIGHTS).unwrap(),
    );
    port.wait_async(&event, wait(&handle, 1), 1).unwrap();
    signal(&event, Signals::SIGNALED);
    event
        .base()
        .signals()
        .change(Signals::SIGNALED, Signals::empty())
        .wake();
    port.wait_async(&event, wait(&handle, 2), 1).unwrap();
    drop(handle);
    signal(&kept, Signals::SIGNALED);
    assert_eq!(take(&port).unwrap().key, 1);
    assert_eq!(take(&port), None);
}

#[test]
fn a_handle_in_an_unread_message_still_fires_and_stops_when_the_message_is_read() {
    let ((port, _ph), (event, handle)) = (port(), event());
    let (a, b) = Channel::create().unwrap();
    let (_a, _b) = (
        Handle::new(a.clone()).unwrap(),
        Handle::new(b.clone()).unwrap(),
    );
    port.wait_async(&event, wait(&handle, 1), 1).unwrap();
    let _ = a
        .write(Message::from_kernel(&[], vec![handle]).unwrap())
        .unwrap();
    let zircon_object::ipc::channel::Read::Message(mut message) = b
        .read(0, 1, zircon_object::ipc::channel::Unfit::Keep)
        .unwrap()
    else {
        panic!("the message fits");
    };
    let handles = message.unload();
    signal(&event, Signals::SIGNALED);
    assert_eq!(take(&port), None);
    drop(handles);
}

#[test]
fn a_port_that_closes_leaves_no_observer_behind() {
    let ((port, port_handle), (event, handle)) = (port(), event());
    port.wait_async(&event, wait(&handle, 1), 1).unwrap();
    port.queue(1, Status::OK, [0; 32]).unwrap();
    drop(port_handle);
    assert_eq!(Arc::strong_count(&port), 1);
    signal(&event, Signals::SIGNALED);
    assert_eq!(
        (take(&port), port.queue(1, Status::OK, [0; 32])),
        (None, Err(ZxError::BadHandle))
    );
}

#[test]
fn threads_are_served_in_the_order_in_which_they_came() {
    let (port, _handle) = port();
    let cx = &mut Context::from_waker(Waker::noop());
    let (mut first, mut second) = (Box::pin(port.wait()), Box::pin(port.wait()));
    assert!(first.as_mut().poll(cx).is_pending() && second.as_mut().poll(cx).is_pending());
    port.queue(1, Status::OK, [0; 32]).unwrap();
    assert!(second.as_mut().poll(cx).is_pending());
    assert!(take(&port).is_none(), "who comes last does not push in");
    drop(first);
    assert!(second.as_mut().poll(cx).is_ready());
}
