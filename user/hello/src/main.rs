//! Says hello, and what it was started with. The smallest program there is.
#![cfg_attr(not(test), no_std, no_main)]
#![forbid(unsafe_code)]

use libzx::{println, Startup};

libzx::entry!(main);

fn main(startup: Startup) -> i64 {
    println!("hello from user space");
    println!("arguments: {:?}", startup.args);
    println!(
        "environment: {} entries, {} handles",
        startup.env.len(),
        startup.handles().len()
    );
    for entry in &startup.env {
        println!("  {entry}");
    }
    0
}
