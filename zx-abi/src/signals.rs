//! Object signals: what waits wait for (`zx_signals_t`).
//!
//! The same bit means different things on different objects, so most bits have several names.

use core::fmt;

use bitflags::bitflags;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A set of signals. Kernel bits are 0..24, user bits 24..32; unknown bits are kept.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(transparent)]
pub struct Signals(u32);

bitflags! {
    impl Signals: u32 {
        /// Something can be read.
        const READABLE = 1 << 0;
        /// Something can be written.
        const WRITABLE = 1 << 1;
        /// The other end is gone.
        const PEER_CLOSED = 1 << 2;
        /// Event, eventpair or timer: signaled.
        const SIGNALED = 1 << 3;
        /// The handle waited on went away.
        const HANDLE_CLOSED = 1 << 23;
        /// Channel: a message waits.
        const CHANNEL_READABLE = 1 << 0;
        /// Channel: the peer lives.
        const CHANNEL_WRITABLE = 1 << 1;
        /// Channel: the peer is gone.
        const CHANNEL_PEER_CLOSED = 1 << 2;
        /// Event: signaled.
        const EVENT_SIGNALED = 1 << 3;
        /// Eventpair: signaled.
        const EVENTPAIR_SIGNALED = 1 << 3;
        /// Eventpair: the peer is gone.
        const EVENTPAIR_PEER_CLOSED = 1 << 2;
        /// Timer: fired.
        const TIMER_SIGNALED = 1 << 3;
        /// Fifo: an element waits.
        const FIFO_READABLE = 1 << 0;
        /// Fifo: there is room.
        const FIFO_WRITABLE = 1 << 1;
        /// Fifo: the peer is gone.
        const FIFO_PEER_CLOSED = 1 << 2;
        /// Socket: data waits.
        const SOCKET_READABLE = 1 << 0;
        /// Socket: there is room.
        const SOCKET_WRITABLE = 1 << 1;
        /// Socket: the peer is gone.
        const SOCKET_PEER_CLOSED = 1 << 2;
        /// Socket: the peer will write no more.
        const SOCKET_PEER_WRITE_DISABLED = 1 << 4;
        /// Socket: this end may write no more.
        const SOCKET_WRITE_DISABLED = 1 << 5;
        /// Socket (2018): a control message waits.
        const SOCKET_CONTROL_READABLE = 1 << 6;
        /// Socket (2018): control messages can be sent.
        const SOCKET_CONTROL_WRITABLE = 1 << 7;
        /// Socket (2018, 2019): a socket can be accepted.
        const SOCKET_ACCEPT = 1 << 8;
        /// Socket (2018, 2019): a socket can be shared.
        const SOCKET_SHARE = 1 << 9;
        /// Socket: the read threshold is reached.
        const SOCKET_READ_THRESHOLD = 1 << 10;
        /// Socket: the write threshold is reached.
        const SOCKET_WRITE_THRESHOLD = 1 << 11;
        /// Job, process or thread: ended.
        const TASK_TERMINATED = 1 << 3;
        /// Job: killed.
        const JOB_TERMINATED = 1 << 3;
        /// Job: no child jobs.
        const JOB_NO_JOBS = 1 << 4;
        /// Job: no processes.
        const JOB_NO_PROCESSES = 1 << 5;
        /// Process: ended.
        const PROCESS_TERMINATED = 1 << 3;
        /// Thread: ended.
        const THREAD_TERMINATED = 1 << 3;
        /// Thread: started and not suspended.
        const THREAD_RUNNING = 1 << 4;
        /// Thread: suspended.
        const THREAD_SUSPENDED = 1 << 5;
        /// VMO: no children.
        const VMO_ZERO_CHILDREN = 1 << 3;
        /// Debug log: a record waits.
        const LOG_READABLE = 1 << 0;
        /// Debug log: can be written.
        const LOG_WRITABLE = 1 << 1;
        /// Clock: has a value.
        const CLOCK_STARTED = 1 << 4;
        /// Virtual interrupt: not triggered.
        const VIRTUAL_INTERRUPT_UNTRIGGERED = 1 << 4;
        /// User signal 0.
        const USER_0 = 1 << 24;
        /// User signal 1.
        const USER_1 = 1 << 25;
        /// User signal 2.
        const USER_2 = 1 << 26;
        /// User signal 3.
        const USER_3 = 1 << 27;
        /// User signal 4.
        const USER_4 = 1 << 28;
        /// User signal 5.
        const USER_5 = 1 << 29;
        /// User signal 6.
        const USER_6 = 1 << 30;
        /// User signal 7.
        const USER_7 = 1 << 31;
        /// Every user signal.
        const USER_ALL = 0xff00_0000;
        const _ = !0;
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        bitflags::parser::to_writer(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_bits_are_kept() {
        assert_eq!(Signals::from_bits_retain(1 << 20).bits(), 1 << 20);
        assert_eq!(!Signals::empty(), Signals::all());
    }

    #[test]
    fn user_signals_are_the_top_byte() {
        assert_eq!(Signals::USER_0.bits(), 1 << 24);
        assert_eq!(Signals::USER_7.bits(), 1 << 31);
        assert!(Signals::USER_ALL.contains(Signals::USER_0 | Signals::USER_7));
    }
}
