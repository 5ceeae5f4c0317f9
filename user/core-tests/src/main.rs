//! Tests of the kernel's calls, as an ordinary program: one file per object, one line per case.
//!
//! `userboot=bin/core-tests` starts it directly, here and on a Zircon of July 2019; the shell starts it by name. The word
//! `FILTER=Suite.Case` (also `core-tests.filter=`), on the kernel's command line or as an argument, chooses cases;
//! several are separated by commas, `Suite` alone means all of its cases, and `*` at the end any rest.
//!
//! The word `core-tests.errors=true` adds one line `[SAW] CALL ERROR...` at the end for each call that gave errors.
//!
//! Each line is `[PASS] Suite.Case (N us)`, `[FAIL] Suite.Case: file:line: what`, or `[SKIP] Suite.Case: why`; the last
//! one is `N passed, M failed, K skipped`. The exit code is 0 only without failures. What the cases expect comes from
//! observations of real kernels, not from this one.
#![cfg_attr(not(test), no_std, no_main)]
#![forbid(unsafe_code)]

extern crate alloc;

mod check;
mod child;
mod crash;
mod demand;
mod disposition;
mod memory;
mod memory_pressure;
mod other_thread;
mod pages;
mod provoked;
mod runner;
mod scheduling;
mod world;

mod bad_syscall;
mod blocking;
mod channel;
mod channel_call;
mod channel_call_rule;
mod channel_rule;
mod channel_write_etc;
mod channel_write_etc_refusal;
mod clock_object;
mod datagram;
mod debuglog;
mod event;
mod event_pair;
mod exhaustion;
mod fault_race;
mod fifo;
mod futex;
mod futex_owner;
mod handle;
mod handle_limit;
mod interrupt;
mod ioports;
mod job;
mod memory_info;
mod memory_mapping;
mod memory_return;
mod object_info;
mod order;
mod pager_buffer;
mod pager_clone;
mod pager_commit;
mod pager_fail;
mod pager_interrupt;
mod pager_read;
mod pager_rule;
mod port;
mod process;
mod process_memory;
mod race;
mod refusal;
mod resource;
mod socket;
mod stream;
mod stream_rule;
mod system;
mod system_event;
mod task;
mod thread;
mod time;
mod timer;
mod user_pointer;
mod vdso;
mod vmar;
mod vmar_change;
mod vmar_map;
mod vmo;
mod vmo_clone;
mod vmo_clone_pages;
mod vmo_clone_rule;
mod vmo_device;
mod vmo_resize;
mod vmo_slice;
mod vmo_zero;
mod wait;

use libzx::Startup;

use runner::{Filter, Suite};
use world::World;

libzx::entry!(main);

const SUITES: &[&Suite] = &[
    &handle::SUITE,
    &handle_limit::SUITE,
    &event::SUITE,
    &event_pair::SUITE,
    &channel::SUITE,
    &channel_rule::SUITE,
    &channel_call::SUITE,
    &channel_call_rule::SUITE,
    &channel_write_etc::SUITE,
    &channel_write_etc_refusal::SUITE,
    &socket::SUITE,
    &datagram::SUITE,
    &fifo::SUITE,
    &port::SUITE,
    &wait::SUITE,
    &timer::SUITE,
    &clock_object::SUITE,
    &system_event::SUITE,
    &memory_pressure::SUITE,
    &scheduling::SUITE,
    &time::SUITE,
    &futex::SUITE,
    &futex_owner::SUITE,
    &order::SUITE,
    &blocking::SUITE,
    &race::SUITE,
    &refusal::SUITE,
    &vmo::SUITE,
    &vmo_clone::SUITE,
    &vmo_clone_rule::SUITE,
    &vmo_clone_pages::SUITE,
    &vmo_resize::SUITE,
    &vmo_slice::SUITE,
    &vmo_zero::SUITE,
    &vmo_device::SUITE,
    &stream::SUITE,
    &stream_rule::SUITE,
    &vmar::SUITE,
    &vmar_map::SUITE,
    &vmar_change::SUITE,
    &memory_mapping::SUITE,
    &memory_info::SUITE,
    &memory_return::SUITE,
    &fault_race::SUITE,
    &exhaustion::SUITE,
    &process_memory::SUITE,
    &pager_rule::SUITE,
    &pager_read::SUITE,
    &pager_interrupt::SUITE,
    &pager_commit::SUITE,
    &pager_fail::SUITE,
    &pager_clone::SUITE,
    &pager_buffer::SUITE,
    &object_info::SUITE,
    &user_pointer::SUITE,
    &vdso::SUITE,
    &interrupt::SUITE,
    &ioports::SUITE,
    &system::SUITE,
    &debuglog::SUITE,
    &resource::SUITE,
    &job::SUITE,
    &process::SUITE,
    &thread::SUITE,
    &bad_syscall::SUITE,
];

fn main(mut startup: Startup) -> i64 {
    if let Some(code) = child::run_if_child(&mut startup) {
        provoked::print_if_asked(&startup);
        return code;
    }
    let words = startup.args.iter().chain(&startup.env);
    let chosen = words.filter_map(|word| {
        let filter = word.strip_prefix("FILTER=");
        filter.or_else(|| word.strip_prefix("core-tests.filter="))
    });
    let filter = Filter::new(chosen);
    let world = World::new(&mut startup);
    let suites = SUITES.iter().chain(task::SUITES).copied();
    let tally = runner::run(suites, &world, &filter);
    provoked::print_if_asked(&startup);
    i64::from(tally.failed > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn every_case_has_a_name_of_its_own() {
        let mut names = BTreeSet::new();
        for suite in SUITES.iter().chain(task::SUITES) {
            for (case, _) in suite.cases {
                assert!(names.insert((suite.name, *case)), "{}.{case}", suite.name);
            }
        }
        assert!(names.len() >= 120, "{}", names.len());
    }
}
