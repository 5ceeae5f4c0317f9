//! Races of IPC objects on real threads: each round both sides start together, with delays that shift them past each other
#![cfg(test)]

use std::future::Future;
use std::pin::{pin, Pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use zircon_object::ipc::channel::{PendingCall, Read, Unfit};
use zircon_object::ipc::{After, Channel, Message, Socket};
use zircon_object::object::{Handle, KernelObject};
use zircon_object::runtime::TIMERS;
use zircon_object::signal::port::AsyncWait;
use zircon_object::signal::port_packet::Style;
use zircon_object::signal::{Event, Port, Timer};
use zircon_object::task::job_policy::SlackMode;
use zx_abi::{Signals, Status, ZxError, ZxResult};

const ROUNDS: usize = 1000;

/// Runs `a` and `b` at the same time, round after round.
fn race<A, B>(mut round: impl FnMut(usize) -> (A, B))
where
    A: FnOnce() + Send,
    B: FnOnce() + Send,
{
    kernel_hal_hosted::init();
    for number in 0..ROUNDS {
        let (a, b) = round(number);
        let start = Barrier::new(2);
        thread::scope(|scope| {
            scope.spawn(|| {
                start.wait();
                (0..number % 32).for_each(|_| core::hint::spin_loop());
                a();
            });
            start.wait();
            (0..(number / 32) % 32).for_each(|_| core::hint::spin_loop());
            b();
        });
    }
}

fn port() -> (Arc<Port>, Handle) {
    let port = Port::create().unwrap();
    (port.clone(), Handle::new(port).unwrap())
}

fn event() -> (Arc<dyn KernelObject>, Handle) {
    let event = Event::create().unwrap();
    (event.clone(), Handle::new(event).unwrap())
}

fn signal(object: &Arc<dyn KernelObject>) {
    let signals = object.base().signals();
    signals.change(Signals::empty(), Signals::SIGNALED).wake();
}

fn wait(handle: &Handle) -> AsyncWait {
    AsyncWait {
        key: 7,
        trigger: Signals::SIGNALED,
        handle: handle.key(),
        style: Style::default(),
    }
}

fn packets(port: &Port) -> usize {
    std::iter::from_fn(|| port.take_ready()).count()
}

#[test]
fn a_cancel_against_the_signal_takes_the_wait_or_its_packet() {
    let mut checks = Vec::new();
    race(|_| {
        let ((port, port_handle), (object, handle)) = (port(), event());
        port.wait_async(&object, wait(&handle), 1).unwrap();
        let cancelled = Arc::new(AtomicBool::new(false));
        checks.push((port.clone(), port_handle, cancelled.clone()));
        let (signalled, key) = (object.clone(), handle.key());
        (
            move || signal(&signalled),
            move || {
                let _handle = handle;
                let cancel = port.cancel(&*object, key, 7);
                cancelled.store(cancel.is_ok(), Ordering::SeqCst);
            },
        )
    });
    for (port, _handle, cancelled) in checks {
        assert!(
            cancelled.load(Ordering::SeqCst),
            "there was something to cancel"
        );
        assert_eq!(packets(&port), 0, "and nothing is left of it");
    }
}

#[test]
fn a_port_that_closes_against_waits_packets_and_signals_leaves_nothing_behind() {
    let mut closed = Vec::new();
    race(|_| {
        let ((port, port_handle), (object, handle)) = (port(), event());
        port.wait_async(&object, wait(&handle), 1).unwrap();
        port.queue(1, Status(0), [0; 32]).unwrap();
        closed.push((port.clone(), object.clone()));
        (
            move || drop(port_handle),
            move || {
                let _handle = handle;
                let again = port.wait_async(&object, wait(&_handle), 1);
                assert!(matches!(again, Ok(()) | Err(ZxError::BadHandle)));
                let queued = port.queue(1, Status(0), [0; 32]);
                assert!(matches!(queued, Ok(()) | Err(ZxError::BadHandle)));
                signal(&object);
            },
        )
    });
    for (port, object) in closed {
        assert_eq!(
            Arc::strong_count(&port),
            1,
            "an object still knows the port"
        );
        assert_eq!(Arc::strong_count(&object), 1);
        assert_eq!(packets(&port), 0);
    }
}

#[test]
fn a_timer_cancelled_or_set_anew_against_its_expiry_does_not_show_the_old_one() {
    kernel_hal_hosted::init();
    let clock = kernel_hal_hosted::time::hold();
    let now = clock.advance(1_000_000);
    let timer = Timer::create(SlackMode::Center).unwrap();
    let _handle = Handle::new(timer.clone()).unwrap();
    let shows = || timer.base().signals().get().contains(Signals::SIGNALED);
    race(|number| {
        timer.set(now + 1, 0);
        let timer = &timer;
        (
            move || while TIMERS.expire(now + 1) == executor::Due::More {},
            move || {
                if number % 2 == 0 {
                    timer.cancel();
                } else {
                    timer.set(now + 1_000_000, 0);
                }
                assert!(!timer.base().signals().get().contains(Signals::SIGNALED));
            },
        )
    });
    assert!(!shows());
    assert_eq!(
        timer.setting().map(|setting| setting.deadline),
        Some(now + 1_000_000)
    );
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for the answer as a thread does.
fn answer(mut call: PendingCall) -> ZxResult<Vec<u8>> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        match Pin::new(&mut call).poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(answer) => return answer.map(|message| message.bytes().to_vec()),
            Poll::Pending => thread::park(),
        }
    }
}

fn message(bytes: &[u8]) -> Message {
    Message::from_kernel(bytes, Vec::new()).unwrap()
}

fn read(channel: &Channel) -> Vec<u8> {
    loop {
        match channel.read(64, 0, Unfit::Keep) {
            Ok(Read::Message(message)) => return message.bytes().to_vec(),
            Err(ZxError::ShouldWait) => thread::yield_now(),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_answer_finds_its_call_however_early_it_comes() {
    let ends = Channel::create().unwrap();
    let _handles = [&ends.0, &ends.1].map(|end| Handle::new(end.clone()).unwrap());
    race(|number| {
        let (client, server) = (&ends.0, &ends.1);
        (
            move || {
                let asked = read(server);
                let _ = server.write(message(&asked)).unwrap();
            },
            move || {
                let mut asked = b"????".to_vec();
                asked.extend_from_slice(&number.to_le_bytes());
                let (call, _) = client.call(message(&asked)).unwrap();
                assert_eq!(answer(call).unwrap()[4..], number.to_le_bytes());
            },
        )
    });
    assert_eq!(ends.0.message_count(), 0, "no answer went into the queue");
}

#[test]
fn two_readers_and_a_writer_of_a_socket_pass_every_byte_once() {
    const BYTES: usize = 100_000;
    kernel_hal_hosted::init();
    let (a, b) = Socket::create(zircon_object::ipc::socket::Kind::Stream).unwrap();
    let _handles = [&a, &b].map(|end| Handle::new(end.clone()).unwrap());
    let (sum, count) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let reader = || {
        while count.load(Ordering::SeqCst) < BYTES {
            let mut part = 0;
            let read = b.read(97, After::Remove, |_, bytes| {
                part += bytes.iter().map(|byte| usize::from(*byte)).sum::<usize>();
                Ok::<(), ()>(())
            });
            match read {
                Ok(read) => {
                    sum.fetch_add(part, Ordering::SeqCst);
                    count.fetch_add(read, Ordering::SeqCst);
                }
                Err(_) => thread::yield_now(),
            }
        }
    };
    let value = |place: usize| u8::try_from(place % 251).unwrap();
    thread::scope(|scope| {
        scope.spawn(reader);
        scope.spawn(reader);
        let mut written = 0;
        while written < BYTES {
            let start = written;
            let wrote = a.write((BYTES - start).min(333), |before, part| {
                for (place, byte) in part.iter_mut().enumerate() {
                    *byte = value(start + before + place);
                }
                Ok::<(), ()>(())
            });
            written += wrote.unwrap_or(0);
        }
    });
    let expected: usize = (0..BYTES).map(|place| usize::from(value(place))).sum();
    assert_eq!((count.into_inner(), sum.into_inner()), (BYTES, expected));
}

#[test]
fn a_packet_against_a_thread_that_joins_the_line_wakes_it() {
    let (port, _handle) = port();
    race(|_| {
        let port = &port;
        (
            move || port.queue(1, Status(0), [0; 32]).unwrap(),
            move || {
                let waker = Waker::from(Arc::new(Unpark(thread::current())));
                let mut wait = pin!(port.wait());
                while wait
                    .as_mut()
                    .poll(&mut Context::from_waker(&waker))
                    .is_pending()
                {
                    thread::park();
                }
            },
        )
    });
    assert_eq!(packets(&port), 0);
}
