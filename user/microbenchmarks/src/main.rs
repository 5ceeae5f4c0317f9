//! What calls cost: each row is one operation, measured many times one by one, in parts where it has them.
//!
//! Ticks are the CPU's (`zx_ticks_get`); under QEMU's `-icount shift=0` one tick is one guest instruction. The cost of
//! reading the clock is measured first and subtracted. The program uses nothing but the vDSO, so the same file runs on a
//! real Zircon; rows whose calls a kernel lacks are reported as skipped.
//!
//! Output: a table for people, and for each row a line `JSON {...}` for tools. Arguments and the word `FILTER=TEXT`
//! (several by commas) choose rows whose name contains one of them; the word `SET=growth` chooses the rows of
//! `growth.rs` instead; `REPEAT=NUMBER` runs each operation so often and times nothing, for profilers. Start reading at `bench.rs`.
#![cfg_attr(not(test), no_std, no_main)]
#![forbid(unsafe_code)]

extern crate alloc;

mod bench;
mod child;
mod measure;
mod world;

mod channel;
mod clock;
mod event;
mod growth;
mod handle;
mod handle_create;
mod object_info;
mod page_fault;
mod queue;
mod round_trip;
mod syscall;
mod task;
mod timer;
mod vmar;
mod vmo;
mod vmo_clone;

use alloc::string::String;
use alloc::vec::Vec;

use libzx::{println, time, Startup};

use bench::Bench;
use world::World;

libzx::entry!(main);

/// Nanoseconds for whoever counts from outside to get ready.
const GET_READY: i64 = 4_000_000_000;

fn main(mut startup: Startup) -> i64 {
    if let Some(code) = child::run_if_child(&mut startup) {
        return code;
    }
    let words = startup.args.iter().skip(1).map(String::as_str);
    let chosen = words.chain(startup.env_value("FILTER"));
    let filters: Vec<String> = chosen
        .flat_map(|word| word.strip_prefix("FILTER=").unwrap_or(word).split(','))
        .map(String::from)
        .collect();
    let world = World::new(&mut startup);
    let mut bench = Bench::new(filters, world.level.name());
    if let Some(times) = startup
        .env_value("REPEAT")
        .and_then(|text| text.parse().ok())
    {
        bench.repeat(times);
        println!("repeating in {} s", GET_READY / 1_000_000_000);
        time::sleep_until(time::after(GET_READY));
    }
    match startup.env_value("SET") {
        Some("growth") => growth::run(&mut bench, &world),
        _ => all_rows(&mut bench, &world),
    }
    bench.finish()
}

fn all_rows(bench: &mut Bench, world: &World) {
    syscall::run(bench);
    clock::run(bench);
    handle::run(bench);
    handle_create::run(bench, world);
    event::run(bench, world);
    channel::run(bench);
    queue::run(bench);
    round_trip::run(bench, world);
    timer::run(bench);
    task::run(bench, world);
    object_info::run(bench, world);
    vmar::run(bench, world);
    page_fault::run(bench, world);
    vmo::run(bench);
    vmo_clone::run(bench, world);
}
