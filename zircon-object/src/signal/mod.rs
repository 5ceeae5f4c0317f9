//! Signalling: ports and their packets, timers, futexes, events and event pairs.
//!
//! Start with [`port`]: the one object here that collects what the others say.

pub mod event;
pub mod event_pair;
pub mod futex;
mod futex_queues;
pub mod port;
pub mod port_packet;
pub mod timer;

pub use event::Event;
pub use event_pair::EventPair;
pub use port::Port;
pub use timer::Timer;
