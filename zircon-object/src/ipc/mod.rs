//! Objects that carry bytes and handles between two ends: channels, sockets, fifos.
//!
//! Start with [`channel`], the model of one object, and [`message`], what it carries.

mod byte_ring;
mod calls;
pub mod channel;
pub mod fifo;
mod held;
pub mod message;
pub mod socket;
pub mod socket_control;
pub mod transfer;

pub use channel::Channel;
pub use fifo::Fifo;
pub use held::held_bytes;
pub use message::Message;
pub use socket::Socket;
pub use transfer::{After, Failed};
