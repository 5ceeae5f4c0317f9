//! Signalling: ports and their packets, timers, futexes, events and event pairs.
//!
//! Start with [`port`]: the one object here that collects what the others say.

pub mod clock;
mod clock_line;
pub mod event;
pub mod event_pair;
pub mod futex;
mod futex_queues;
pub mod port;
pub mod port_packet;
pub mod system_events;
pub mod timer;

pub use clock::Clock;
pub use event::Event;
pub use event_pair::EventPair;
pub use port::Port;
pub use timer::Timer;
