//! Exceptions: a thread stops, and those who listen for it decide one after the other whether it goes on.
//!
//! ```text
//! raise -> debugger, thread, process, (debugger again), job, its parents -> nobody: the process is killed
//! ```
//! - [`ExceptionChannel`] is a task's place for one listener: the kernel's end of a channel, and what the listener may do. In
//!   2019 a port may listen too, and is asked before.
//! - [`Exception`] is the object that a listener holds. When its last handle closes the listener has answered.
//! - [`raise`] is the walk through the listeners; it runs as part of the thread's own future.
//!
//! While an exception is open the thread's registers are parked (see [`super::Thread::park`]), so that a listener can read
//! and change them. Kill ends an exception at once, suspension waits for its end.

mod channel;
mod object;
mod port;
pub mod raise;

pub use channel::{Audience, ExceptionChannel};
pub use object::Exception;
pub use raise::Verdict;
