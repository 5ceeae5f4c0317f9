//! A debugger at work: it attaches to a process, and stops, steps, reads and changes it, telling what it sees.
//!
//! Read this after `demo`. The debugged program ([`subject`]) is eleven instructions long, so that every line of the
//! output can be checked by eye:
//!
//! ```text
//!   debugger                                            subject
//!     makes its exception channel as a debugger
//!     starts it                                    -->  stands before its first instruction
//!     sets a hardware breakpoint                   -->  runs into it
//!     steps, reads registers and memory            <->  one instruction at a time
//!     changes a register and its memory            -->  computes with what it finds
//!     watches a word                               -->  stops after it has written it
//!     mends the address that it faults at          -->  goes on and ends with its result
//! ```
//!
//! [`session`] is that story; [`view`] prints registers and memory.
#![cfg_attr(not(test), no_std, no_main)]
#![forbid(unsafe_code)]

extern crate alloc;

mod session;
mod subject;
mod view;

use libzx::{println, Startup};

libzx::entry!(main);

fn main(startup: Startup) -> i64 {
    match session::run(startup) {
        Ok(()) => 0,
        Err(what) => {
            println!("debugger: {what}");
            1
        }
    }
}
