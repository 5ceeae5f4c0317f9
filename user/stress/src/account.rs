//! What the kernel and this program have, at a moment when nothing random is alive.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use libzx::{AsHandle, Resource, ZxError};
use zx_abi::info::{InfoTopic, KmemStatsInfo, ProcessHandleStatsInfo, TaskStatsInfo};

/// Page frames, kernel memory, and the handles of this process.
#[derive(Debug)]
pub(crate) struct Account {
    kernel: KmemStatsInfo,
    own: TaskStatsInfo,
    handles: ProcessHandleStatsInfo,
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} bytes free, {} in own VMOs, {} in others, {} of the kernel's heap in use",
            self.kernel.free_bytes,
            self.own.mem_private_bytes,
            self.foreign_vmo_bytes(),
            self.heap_in_use()
        )
    }
}

impl Account {
    pub(crate) fn take(resource: &Resource) -> Result<Self, String> {
        let during = |error: ZxError| format!("object_get_info: {error}");
        let process = libzx::own_process();
        Ok(Self {
            own: process.get_info(InfoTopic::TaskStats).map_err(during)?,
            handles: process
                .get_info(InfoTopic::ProcessHandleStats)
                .map_err(during)?,
            kernel: resource.get_info(InfoTopic::KmemStats).map_err(during)?,
        })
    }

    /// Bytes of VMOs that are not this program's own memory, which grows with its lists.
    const fn foreign_vmo_bytes(&self) -> u64 {
        let own = self.own.mem_private_bytes;
        self.kernel.vmo_bytes.wrapping_sub(own)
    }

    /// Kernel heap in use.
    const fn heap_in_use(&self) -> u64 {
        self.kernel.total_heap_bytes - self.kernel.free_heap_bytes
    }

    /// Frames that nothing in the list explains: all, less the free ones and those with a known use.
    const fn unexplained(&self) -> u64 {
        let kernel = &self.kernel;
        kernel
            .total_bytes
            .wrapping_sub(kernel.free_bytes)
            .wrapping_sub(kernel.wired_bytes)
            .wrapping_sub(kernel.total_heap_bytes)
            .wrapping_sub(kernel.vmo_bytes)
            .wrapping_sub(kernel.mmu_overhead_bytes)
    }

    /// What is more or less than before.
    pub(crate) fn differences(&self, before: &Self) -> Vec<String> {
        let mut found = Vec::new();
        let mut compare = |what: &str, before: u64, now: u64| {
            if before != now {
                found.push(format!("{what} {before} -> {now}"));
            }
        };
        compare(
            "VMO bytes",
            before.foreign_vmo_bytes(),
            self.foreign_vmo_bytes(),
        );
        compare(
            "page table bytes",
            before.kernel.mmu_overhead_bytes,
            self.kernel.mmu_overhead_bytes,
        );
        compare(
            "message bytes",
            before.kernel.ipc_bytes,
            self.kernel.ipc_bytes,
        );
        compare(
            "heap bytes in use",
            before.heap_in_use(),
            self.heap_in_use(),
        );
        compare(
            "unexplained bytes",
            before.unexplained(),
            self.unexplained(),
        );
        let kinds = before
            .handles
            .handle_count
            .iter()
            .zip(&self.handles.handle_count);
        for (kind, (before, now)) in kinds.enumerate() {
            compare(
                &format!("handles of type {kind}"),
                u64::from(*before),
                u64::from(*now),
            );
        }
        found
    }
}
