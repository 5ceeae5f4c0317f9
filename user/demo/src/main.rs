//! Channels, ports and VMOs at work: a parent shares memory with worker processes and collects their answers.
//!
//! Read this as a first program on this kernel. It adds up 3 million numbers in three processes:
//!
//! ```text
//!   parent                                              worker 0, 1, 2
//!     makes a VMO and fills it with numbers
//!     starts this very program again, three times  -->  finds the word "worker" among its arguments
//!     sends each a request and a VMO handle        -->  maps the VMO: the same memory, nothing was copied
//!     waits on one port for all of them            <--  answers through its channel and ends
//! ```
//!
//! [`parent`] and [`worker`] are the two halves; [`message`] is what they say to each other.
#![cfg_attr(not(test), no_std, no_main)]
#![forbid(unsafe_code)]

extern crate alloc;

mod message;
mod parent;
mod worker;

use libzx::{println, Startup};

// Names the function that libzx's start code calls. Before that it has found the vDSO, through which all system calls
// go, and read the bootstrap message: arguments, environment, and the handles this process starts with.
libzx::entry!(main);

/// What makes an instance a worker.
const WORKER: &str = "worker";

fn main(startup: Startup) -> i64 {
    let is_worker = startup.args.iter().any(|arg| arg == WORKER);
    let result = if is_worker {
        worker::run(startup)
    } else {
        parent::run(startup)
    };
    match result {
        Ok(()) => 0,
        Err(what) => {
            println!("demo: {what}");
            1
        }
    }
}
