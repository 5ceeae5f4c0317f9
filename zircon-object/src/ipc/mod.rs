//! Objects that carry bytes and handles between two ends: channels, sockets, fifos.
//!
//! Start with [`channel`], the model of one object, and [`message`], what it carries.

pub mod channel;
pub mod message;

pub use channel::Channel;
pub use message::Message;
