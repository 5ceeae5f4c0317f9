//! What calls cost: each row is one operation, measured many times one by one.
//!
//! Ticks are the CPU's (`zx_ticks_get`); under QEMU's `-icount shift=0` one tick is one guest instruction. The cost of
//! reading the clock is measured first and subtracted. An operation goes through libzx as a program would, but for the
//! rows `Syscall/`, which call the vDSO's function directly.
//!
//! Output: a table for people (name, minimum, median, 95th percentile), then one line `JSON {...}` per row for tools.
//! Arguments and the word `FILTER=TEXT` choose rows whose name contains one of them.
#![cfg_attr(not(test), no_std, no_main)]
#![forbid(unsafe_code)]

extern crate alloc;

mod channel;
mod clock;
mod event;
mod futex;
mod handle;
mod measure;
mod object_info;
mod port;
mod syscall;
mod timer;
mod vmo;

use alloc::string::String;
use alloc::vec::Vec;

use libzx::{println, Startup};

use measure::Bench;

libzx::entry!(main);

fn main(startup: Startup) -> i64 {
    let words = startup.args.iter().skip(1);
    let mut filters: Vec<String> = words
        .map(|word| String::from(word.strip_prefix("FILTER=").unwrap_or(word)))
        .collect();
    filters.extend(startup.env_value("FILTER").map(String::from));

    let mut bench = Bench::new(filters);
    println!(
        "{} ticks a second; reading the clock takes {} ticks, which are subtracted",
        libzx::time::ticks_per_second(),
        bench.clock_cost()
    );
    println!(
        "{:<32}{:>10}{:>10}{:>10}",
        "operation", "min", "median", "p95"
    );
    syscall::run(&mut bench);
    clock::run(&mut bench);
    handle::run(&mut bench);
    event::run(&mut bench);
    channel::run(&mut bench);
    port::run(&mut bench);
    timer::run(&mut bench);
    vmo::run(&mut bench);
    futex::run(&mut bench);
    object_info::run(&mut bench);
    bench.print_json();
    println!("benchmarks done");
    0
}
