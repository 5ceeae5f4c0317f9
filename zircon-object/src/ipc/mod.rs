//! Objects that carry bytes and handles between two ends: channels, sockets, fifos.
//!
//! Start with `channel`, the model of one object.
