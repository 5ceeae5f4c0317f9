//! `RoundTrip/`, `ContextSwitch/`, `Channel/Call` and `Futex/PingPong`: two threads that take turns.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicI32, Ordering::SeqCst};

use libzx::{thread, time, AsHandle, Channel, EventPair, Port, Signals, ZxError, ZxResult};
use zx_abi::syscalls::SyscallId;
use zx_abi::{ChannelCallArgs, PortPacket, Status};

use crate::bench::{Bench, Call, Row, Stop};
use crate::child::Mode;
use crate::world::{arg, World};

/// Bytes of a message.
const MESSAGE: usize = 64;
/// What an answer is asked for by, and what it is.
const QUESTION: Signals = Signals::USER_0;
const ANSWER: Signals = Signals::USER_1;

pub(crate) fn run(bench: &mut Bench, world: &World) {
    let about = "Sends 64 bytes to a thread that waits for them, and waits for them to come back.";
    bench.row(
        Row::control("RoundTrip/Channel/SameProcess", about),
        |sampler| {
            let (near, far) = Channel::create()?;
            let other = thread::spawn("echo", move || echo(&far))?;
            sampler.run(|_| ask(&near))?;
            drop(near);
            Ok(other.join()?)
        },
    );
    let about = "Sends 64 bytes to a process that waits for them, and waits for them to come back.";
    bench.row(
        Row::control("RoundTrip/Channel/OtherProcess", about),
        |sampler| {
            let (near, far) = Channel::create()?;
            let child = world.start_child(Mode::Echo, Some(far.into()))?;
            sampler.run(|_| ask(&near))?;
            drop(near);
            Ok(child
                .wait_one(Signals::PROCESS_TERMINATED, time::INFINITE)
                .map(drop)?)
        },
    );
    let about = "channel_call of 64 bytes to a thread that waits, reads and answers.";
    bench.row(Row::control("Channel/Call/64bytes", about), |sampler| {
        let (near, far) = Channel::create()?;
        let call = Call::new(SyscallId::ChannelCall)?;
        let other = thread::spawn("echo", move || echo(&far))?;
        let (sent, received, actual) = ([7u8; MESSAGE], [0u8; MESSAGE], [0u32; 2]);
        let place = core::ptr::from_ref(&actual).expose_provenance();
        let args = ChannelCallArgs {
            wr_bytes: core::ptr::from_ref(&sent).expose_provenance(),
            rd_bytes: core::ptr::from_ref(&received).expose_provenance(),
            wr_num_bytes: 64,
            rd_num_bytes: 64,
            ..ChannelCallArgs::default()
        };
        let args = core::ptr::from_ref(&args).expose_provenance();
        let forever = usize::MAX >> 1;
        sampler.run(|_| call.make([arg(&near), 0, forever, args, place, place + 4]))?;
        drop(near);
        Ok(other.join()?)
    });
    let about =
        "Signals a thread that waits, and waits for its signal: two switches between threads.";
    bench.row(
        Row::control("ContextSwitch/SameProcess", about),
        |sampler| {
            let (near, far) = EventPair::create()?;
            let other = thread::spawn("answer", move || answer(&far))?;
            sampler.run(|_| signal_and_wait(&near))?;
            drop(near);
            Ok(other.join()?)
        },
    );
    let about =
        "Signals a process that waits, and waits for its signal: two switches between processes.";
    bench.row(
        Row::control("ContextSwitch/OtherProcess", about),
        |sampler| {
            let (near, far) = EventPair::create()?;
            let child = world.start_child(Mode::Signal, Some(far.into()))?;
            sampler.run(|_| signal_and_wait(&near))?;
            drop(near);
            Ok(child
                .wait_one(Signals::PROCESS_TERMINATED, time::INFINITE)
                .map(drop)?)
        },
    );
    port(bench);
    futex(bench);
    yields(bench);
}

/// Sends a message and waits for one.
fn ask(channel: &Channel) -> ZxResult {
    let mut bytes = [7; MESSAGE];
    channel.write_raw(&bytes, &[])?;
    channel.wait_one(
        Signals::CHANNEL_READABLE | Signals::CHANNEL_PEER_CLOSED,
        time::INFINITE,
    )?;
    channel.read_raw(&mut bytes, &mut []).0
}

/// Sends back every message until the peer closes.
pub(crate) fn echo(channel: &Channel) {
    let mut bytes = [0; MESSAGE];
    let wanted = Signals::CHANNEL_READABLE | Signals::CHANNEL_PEER_CLOSED;
    while channel.wait_one(wanted, time::INFINITE).is_ok() {
        let (read, len, _) = channel.read_raw(&mut bytes, &mut []);
        let sent = bytes.get(..len).unwrap_or_default();
        if read.and_then(|()| channel.write_raw(sent, &[])).is_err() {
            return;
        }
    }
}

fn signal_and_wait(pair: &EventPair) -> ZxResult {
    pair.signal_peer(Signals::empty(), QUESTION)?;
    pair.wait_one(ANSWER | Signals::PEER_CLOSED, time::INFINITE)?;
    pair.signal(ANSWER, Signals::empty())
}

/// Answers signals until the peer closes.
pub(crate) fn answer(pair: &EventPair) {
    while let Ok(seen) = pair.wait_one(QUESTION | Signals::PEER_CLOSED, time::INFINITE) {
        if seen.contains(Signals::PEER_CLOSED) || pair.signal(QUESTION, Signals::empty()).is_err() {
            return;
        }
        let _ = pair.signal_peer(Signals::empty(), ANSWER);
    }
}

fn port(bench: &mut Bench) {
    let about = "Queues a packet for a thread that waits on its port, and waits for one from it.";
    bench.row(
        Row::control("RoundTrip/Port/SameProcess", about),
        |sampler| {
            let (near, far) = (Arc::new(Port::create()?), Arc::new(Port::create()?));
            let (to, from) = (near.clone(), far.clone());
            let other = thread::spawn("packets", move || {
                while let Ok(packet) = from.wait(time::INFINITE) {
                    // Key 0 says that it is over.
                    if packet.key == 0 || to.queue(&packet).is_err() {
                        return;
                    }
                }
            })?;
            let packet = |key| PortPacket::user(key, Status::OK, [0; 32]);
            sampler.run(|_| {
                far.queue(&packet(1))?;
                near.wait(time::INFINITE).map(drop)
            })?;
            far.queue(&packet(0))?;
            Ok(other.join()?)
        },
    );
}

/// A word that two threads wait on in turn.
#[derive(Debug, Default)]
struct Turn(AtomicI32);

impl Turn {
    const MINE: i32 = 0;
    const YOURS: i32 = 1;
    const OVER: i32 = 2;

    fn address(&self) -> usize {
        core::ptr::from_ref(&self.0).expose_provenance()
    }

    fn give(&self, wake: Call, value: i32) -> ZxResult {
        self.0.store(value, SeqCst);
        wake.make([self.address(), 1])
    }

    /// Waits while the word has this value, and gives the next one.
    fn wait_while(&self, wait: Call, value: i32) -> ZxResult<i32> {
        loop {
            let now = self.0.load(SeqCst);
            if now != value {
                return Ok(now);
            }
            let forever = usize::MAX >> 1;
            match wait.make([
                self.address(),
                usize::try_from(value).unwrap_or(0),
                0,
                forever,
            ]) {
                Ok(()) | Err(ZxError::BadState) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Two threads that wake each other by turns.
pub(crate) struct PingPong {
    wait: Call,
    wake: Call,
    turn: Arc<Turn>,
    other: thread::JoinHandle,
}

impl PingPong {
    /// Starts the other thread, which waits for its turn.
    pub(crate) fn start() -> Result<Self, Stop> {
        let (wait, wake) = (
            Call::new(SyscallId::FutexWait)?,
            Call::new(SyscallId::FutexWake)?,
        );
        let turn = Arc::new(Turn::default());
        let theirs = turn.clone();
        let other = thread::spawn("pong", move || {
            while theirs.wait_while(wait, Turn::MINE) == Ok(Turn::YOURS) {
                if theirs.give(wake, Turn::MINE).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self {
            wait,
            wake,
            turn,
            other,
        })
    }

    /// Gives the other thread its turn and waits until it has given it back.
    pub(crate) fn round(&self) -> ZxResult {
        self.turn.give(self.wake, Turn::YOURS)?;
        self.turn.wait_while(self.wait, Turn::YOURS).map(drop)
    }

    /// Ends the other thread.
    pub(crate) fn end(self) -> Result<(), Stop> {
        self.turn.give(self.wake, Turn::OVER)?;
        Ok(self.other.join()?)
    }
}

fn futex(bench: &mut Bench) {
    let about = "Wakes a thread that waits on a futex, and waits until it does the same.";
    bench.row(Row::control("Futex/PingPong", about), |sampler| {
        let pair = PingPong::start()?;
        sampler.run(|_| pair.round())?;
        pair.end()
    });
    let about = "Wakes one of no waiters.";
    bench.row(Row::control("Futex/WakeNobody", about), |sampler| {
        let (wake, word) = (Call::new(SyscallId::FutexWake)?, Turn::default());
        Ok(sampler.run(|_| wake.make([word.address(), 1]))?)
    });
    let about = "Waits on a futex whose word has another value, which is refused.";
    bench.row(Row::control("Futex/WaitOtherValue", about), |sampler| {
        let (wait, word) = (Call::new(SyscallId::FutexWait)?, Turn::default());
        Ok(sampler.run(
            |_| match wait.make([word.address(), 1, 0, usize::MAX >> 1]) {
                Err(ZxError::BadState) => Ok(()),
                _ => Err(ZxError::Internal),
            },
        )?)
    });
}

fn yields(bench: &mut Bench) {
    let about = "Sleeps until a time that has passed, with no other thread ready.";
    bench.row(Row::control("Thread/Yield/Alone", about), |sampler| {
        let sleep = Call::new(SyscallId::Nanosleep)?;
        Ok(sampler.run(|_| sleep.make([0]))?)
    });
    let about =
        "Sleeps until a time that has passed while another thread does the same: two switches.";
    bench.row(Row::control("Thread/Yield/ToOther", about), |sampler| {
        let sleep = Call::new(SyscallId::Nanosleep)?;
        let turns = Arc::new(AtomicI32::new(0));
        let counted = turns.clone();
        let other = thread::spawn("yield", move || {
            while counted.fetch_add(1, SeqCst) >= 0 && sleep.make([0]).is_ok() {}
        })?;
        sampler.run(|_| {
            let before = turns.load(SeqCst);
            // Until the other thread has had its turn.
            while turns.load(SeqCst) == before {
                sleep.make([0])?;
            }
            Ok(())
        })?;
        turns.store(i32::MIN / 2, SeqCst);
        Ok::<(), Stop>(other.join()?)
    });
}
