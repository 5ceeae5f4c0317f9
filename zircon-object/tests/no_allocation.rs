//! What programs do all the time takes no memory from the heap, once an object has been used
//!
//! Each operation runs a few times first: queues and lists keep the room that they have grown to.
#![cfg(test)]

use kernel_hal_hosted::heap::{allocations, CountingHeap};
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use zircon_object::ipc::channel::{Read, Unfit};
use zircon_object::ipc::socket::Kind;
use zircon_object::ipc::{After, Channel, Fifo, Message, Socket};
use zircon_object::object::wait::{Wait, WaitTarget};
use zircon_object::object::{Handle, KernelObject};
use zircon_object::signal::port::AsyncWait;
use zircon_object::signal::port_packet::Style;
use zircon_object::signal::{Event, Port, Timer};
use zircon_object::task::job_policy::SlackMode;
use zx_abi::{Signals, Status};

#[global_allocator]
static HEAP: CountingHeap = CountingHeap;

const NONE: Signals = Signals::empty();

/// How often `round` allocates when it has run before.
fn in_the_long_run(mut round: impl FnMut()) -> usize {
    kernel_hal_hosted::init();
    for _ in 0..3 {
        round();
    }
    allocations(|| (0..10).for_each(|_| round())).0
}

fn change(object: &dyn KernelObject, clear: Signals, set: Signals) {
    object.base().signals().change(clear, set).wake();
}

fn event() -> (Arc<Event>, Handle) {
    let event = Event::create().unwrap();
    (event.clone(), Handle::new(event).unwrap())
}

fn take(port: &Port) -> Option<u64> {
    match pin!(port.wait()).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(packet) => Some(packet.unwrap().key),
        Poll::Pending => None,
    }
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| vec![1u8]).0, 1);
    assert_eq!(allocations(|| 1).0, 0);
}

#[test]
fn a_message_of_up_to_1_kib_takes_one_buffer_and_nothing_else() {
    kernel_hal_hosted::init();
    let (a, b) = Channel::create().unwrap();
    for len in [1, 64, 1024] {
        let bytes = vec![7; len];
        let allocated = in_the_long_run(|| {
            let message = Message::from_kernel(&bytes, Vec::new()).unwrap();
            let _ = a.write(message).unwrap();
            let Ok(Read::Message(message)) = b.read(1024, 0, Unfit::Keep) else {
                panic!("no message");
            };
            assert_eq!(message.bytes(), bytes);
        });
        assert_eq!(allocated, 10, "{len} bytes, ten rounds");
    }
}

#[test]
fn signals_change_without_memory_whether_somebody_listens_or_not() {
    let (event, handle) = event();
    let flip = || {
        change(&*event, NONE, Signals::USER_0);
        change(&*event, Signals::USER_0, NONE);
    };
    assert_eq!(in_the_long_run(flip), 0);
    let _wait = Wait::start(vec![target(&event, &handle)]).unwrap();
    assert_eq!(in_the_long_run(flip), 0);
}

fn target(event: &Arc<Event>, handle: &Handle) -> WaitTarget {
    WaitTarget {
        object: event.clone(),
        handle: handle.key(),
        signals: Signals::SIGNALED,
    }
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn waking_a_thread_takes_no_memory() {
    kernel_hal_hosted::init();
    let (event, handle) = event();
    let woken = Arc::new(Woken::default());
    let mut wait = Wait::start(vec![target(&event, &handle)]).unwrap();
    let waker = Waker::from(woken.clone());
    let mut poll = || pin!(&mut wait).poll(&mut Context::from_waker(&waker));
    assert!(poll().is_pending());
    let (allocated, ()) = allocations(|| change(&*event, NONE, Signals::SIGNALED));
    assert_eq!((allocated, woken.0.load(Ordering::SeqCst)), (0, 1));
    assert_eq!(allocations(poll), (0, Poll::Ready(Ok(()))));
}

#[test]
fn a_port_passes_packets_without_memory() {
    kernel_hal_hosted::init();
    let port = Port::create().unwrap();
    let allocated = in_the_long_run(|| {
        for key in 0..3 {
            port.queue(key, Status(0), [0; 32]).unwrap();
        }
        assert_eq!(
            [take(&port), take(&port), take(&port)],
            [Some(0), Some(1), Some(2)]
        );
        assert_eq!(take(&port), None);
    });
    assert_eq!(allocated, 0);
}

#[test]
fn a_thread_that_sleeps_at_a_port_is_woken_without_memory() {
    kernel_hal_hosted::init();
    let (port, woken) = (Port::create().unwrap(), Arc::new(Woken::default()));
    let waker = Waker::from(woken.clone());
    let allocated = in_the_long_run(|| {
        let mut wait = pin!(port.wait());
        assert!(wait
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending());
        port.queue(1, Status(0), [0; 32]).unwrap();
        assert!(wait
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_ready());
    });
    assert_eq!((allocated, woken.0.load(Ordering::SeqCst)), (0, 13));
}

#[test]
fn asynchronous_waits_fire_without_memory() {
    kernel_hal_hosted::init();
    let port = Port::create().unwrap();
    let (event, handle) = event();
    let object: Arc<dyn KernelObject> = event.clone();
    let wait = AsyncWait {
        key: 9,
        trigger: Signals::SIGNALED,
        handle: handle.key(),
        style: Style::default(),
    };
    // The first one too: its packet was made when it was registered.
    port.wait_async(&object, wait, 1).unwrap();
    assert_eq!(
        allocations(|| change(&*event, NONE, Signals::SIGNALED)).0,
        0
    );
    assert_eq!(allocations(|| take(&port)), (0, Some(9)));
    let allocated = in_the_long_run(|| {
        change(&*event, Signals::SIGNALED, NONE);
        port.wait_async(&object, wait, 1).unwrap();
        change(&*event, NONE, Signals::SIGNALED);
        assert_eq!(take(&port), Some(9));
        port.wait_async(&object, wait, 1).unwrap();
        assert_eq!(take(&port), Some(9), "it stands");
    });
    assert_eq!(allocated, 0);
}

#[test]
fn timers_are_set_and_cancelled_without_memory() {
    kernel_hal_hosted::init();
    let clock = kernel_hal_hosted::time::hold();
    let start = clock.advance(1_000);
    let timers: Vec<_> = (0..4)
        .map(|_| Timer::create(SlackMode::Center).unwrap())
        .collect();
    let mut deadline = start + 1_000_000;
    let allocated = in_the_long_run(|| {
        for timer in &timers {
            deadline += 17;
            timer.set(deadline, 0);
        }
        for (timer, slack) in timers.iter().zip([0, 0, 5, 50]) {
            timer.set(deadline + 3, slack);
            timer.cancel();
        }
    });
    assert_eq!(allocated, 0);
}

fn put(_: usize, part: &mut [u8]) -> Result<(), ()> {
    part.fill(5);
    Ok(())
}

fn leave(_: usize, _: &[u8]) -> Result<(), ()> {
    Ok(())
}

#[test]
fn fifos_carry_elements_without_memory() {
    kernel_hal_hosted::init();
    let (a, b) = Fifo::create(8, 16).unwrap();
    let round = || {
        assert_eq!(a.write(16, 5, put), Ok(5));
        assert_eq!(b.read(16, 8, leave), Ok(5));
    };
    // Not even the first time.
    assert_eq!(allocations(round).0, 0);
    assert_eq!(in_the_long_run(round), 0);
}

#[test]
fn sockets_carry_bytes_and_datagrams_without_memory() {
    kernel_hal_hosted::init();
    for kind in [Kind::Stream, Kind::Datagram] {
        let (a, b) = Socket::create(kind).unwrap();
        let allocated = in_the_long_run(|| {
            for len in [4000, 300, 1] {
                assert_eq!(a.write(len, put), Ok(len));
            }
            let mut left = 4301;
            while left > 0 {
                left -= b.read(5000, After::Remove, leave).unwrap();
            }
        });
        assert_eq!(allocated, 0, "{kind:?}");
    }
}
