//! Signalling: ports and their packets, timers, clocks, futexes, events and event pairs.

pub mod event;
pub mod event_pair;
pub mod futex;

pub use event::Event;
pub use event_pair::EventPair;
