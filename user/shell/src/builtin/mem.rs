//! `mem`: where the memory is.

use libzx::{println, AsHandle};
use zx_abi::info::{InfoTopic, KmemStatsInfo};

use super::{Builtin, FAILED};
use crate::units::size;
use crate::words::Place;
use crate::Shell;

pub(super) const MEM: Builtin = Builtin {
    name: "mem",
    usage: "",
    summary: "where the machine's memory is",
    run,
};

fn run(shell: &mut Shell, _: &[&str], _: Place) -> i64 {
    let stats = match shell
        .resource
        .get_info::<KmemStatsInfo>(InfoTopic::KmemStats)
    {
        Ok(stats) => stats,
        Err(error) => {
            println!("mem: {error}");
            return FAILED;
        }
    };
    let row = |name: &str, bytes: u64| println!("{name:<24}{:>12}", size(bytes));
    row("total", stats.total_bytes);
    row("free", stats.free_bytes);
    row("kernel image and wired", stats.wired_bytes);
    row("kernel heap", stats.total_heap_bytes);
    row("  of it free", stats.free_heap_bytes);
    row("memory objects", stats.vmo_bytes);
    row("page tables", stats.mmu_overhead_bytes);
    row("messages", stats.ipc_bytes);
    row("other", stats.other_bytes);
    0
}
