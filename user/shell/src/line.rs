//! Editing a line on a terminal, without any calls: bytes in, bytes to show out.
//!
//! Plain lines from a pipe are echoed as they are; escape sequences appear only when something inside the line changes.

mod editor;
mod history;
mod keys;

pub(crate) use editor::{Edit, Editor};
