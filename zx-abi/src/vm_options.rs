//! Options and operations of VMARs and VMOs.

use crate::wire::{numbers, options};

options! {
    /// Options of `vmar_map`, `vmar_allocate` and `vmar_protect` (`ZX_VM_*`).
    VmOptions: u32 {
        /// Readable.
        PERM_READ = 1,
        /// Writable.
        PERM_WRITE = 1 << 1,
        /// Executable.
        PERM_EXECUTE = 1 << 2,
        /// Place close to other mappings.
        COMPACT = 1 << 3,
        /// At the offset given.
        SPECIFIC = 1 << 4,
        /// At the offset given, replacing mappings there.
        SPECIFIC_OVERWRITE = 1 << 5,
        /// The child VMAR may place at offsets.
        CAN_MAP_SPECIFIC = 1 << 6,
        /// The child VMAR may map readable.
        CAN_MAP_READ = 1 << 7,
        /// The child VMAR may map writable.
        CAN_MAP_WRITE = 1 << 8,
        /// The child VMAR may map executable.
        CAN_MAP_EXECUTE = 1 << 9,
        /// Enter pages that are already there into the page tables.
        MAP_RANGE = 1 << 10,
        /// Refuse resizable VMOs.
        REQUIRE_NON_RESIZABLE = 1 << 11,
        /// Faults beyond the VMO's end are acceptable.
        ALLOW_FAULTS = 1 << 12,
        /// The offset is the highest acceptable end (2020).
        OFFSET_IS_UPPER_LIMIT = 1 << 13,
        /// Field: log2 of the alignment, 10 to 32, or 0.
        ALIGN_MASK = 0xff << 24,
    }
    /// Options of `vmo_create`.
    VmoOptions: u32 {
        /// The size can change.
        RESIZABLE = 2,
    }
    /// Options of `vmo_create_child`.
    VmoChildOptions: u32 {
        /// A copy that sees no later change of the parent.
        SNAPSHOT = 1,
        /// The child's size can change.
        RESIZABLE = 4,
        /// A window into the parent.
        SLICE = 8,
        /// A copy that may see changes of the parent in pages it has not written itself.
        SNAPSHOT_AT_LEAST_ON_WRITE = 16,
        /// Leave out the WRITE right.
        NO_WRITE = 32,
    }
    /// Options of `vmo_create_child` in 2019.
    VmoChildOptions2019: u32 {
        /// A one-way copy: sees changes of the parent in pages it has not written itself.
        COPY_ON_WRITE = 1,
        /// Formerly "not resizable"; ignored.
        OLD_NON_RESIZABLE = 2,
        /// The child's size can change.
        RESIZABLE = 4,
        /// A two-way copy.
        COPY_ON_WRITE2 = 8,
        /// A window into the parent.
        SLICE = 16,
    }
    /// Options of `cache_flush`.
    CacheFlushOptions: u32 {
        /// Instructions.
        INSN = 1,
        /// Data.
        DATA = 2,
        /// Also invalidate; only with DATA.
        INVALIDATE = 4,
    }
}

impl VmOptions {
    /// Where the alignment field starts.
    pub const ALIGN_BASE: u32 = 24;
    /// The three permissions.
    pub const PERMS: Self = Self::PERM_READ
        .union(Self::PERM_WRITE)
        .union(Self::PERM_EXECUTE);
    /// The three limits on permissions of a child VMAR.
    pub const CAN_MAP_PERMS: Self = Self::CAN_MAP_READ
        .union(Self::CAN_MAP_WRITE)
        .union(Self::CAN_MAP_EXECUTE);

    /// The alignment field, log2, 0 when no alignment is asked for.
    #[must_use]
    pub const fn align_log2(self) -> u32 {
        self.bits() >> Self::ALIGN_BASE
    }

    /// The alignment in bytes; None when the field holds something other than 0 or 10 to 32.
    ///
    /// 0 means no wish, which is one page.
    #[must_use]
    pub const fn alignment(self) -> Option<u64> {
        match self.align_log2() {
            0..12 if self.align_log2() == 0 || self.align_log2() >= 10 => Some(4096),
            log2 @ 12..=32 => Some(1 << log2),
            _ => None,
        }
    }

    /// The same options with this alignment field.
    #[must_use]
    pub const fn with_align_log2(self, log2: u8) -> Self {
        Self::from_bits_retain(
            self.bits() & !Self::ALIGN_MASK.bits() | (log2 as u32) << Self::ALIGN_BASE,
        )
    }
}

numbers! {
    /// What `vmo_op_range` does (`ZX_VMO_OP_*`).
    VmoOp: u32 {
        /// Back with pages.
        Commit = 1,
        /// Give pages back.
        Decommit = 2,
        /// Never built.
        Lock = 3,
        /// Never built.
        Unlock = 4,
        /// Make instructions written visible.
        CacheSync = 6,
        /// Drop cache lines.
        CacheInvalidate = 7,
        /// Write cache lines back.
        CacheClean = 8,
        /// Write cache lines back and drop them.
        CacheCleanInvalidate = 9,
        /// Make zero (2020).
        Zero = 10,
    }
    /// What `vmar_op_range` does (2020).
    VmarOp: u32 {
        /// Give pages back.
        Decommit = 2,
        /// Enter pages that are already there into the page tables.
        MapRange = 3,
    }
    /// What `pager_op_range` does (2020).
    PagerOp: u32 {
        /// Fail requests with the status in `data`.
        Fail = 1,
    }
    /// How memory is cached (`ZX_CACHE_POLICY_*`).
    CachePolicy: u32 {
        /// Normally.
        Cached = 0,
        /// Not.
        Uncached = 1,
        /// Not, as a device.
        UncachedDevice = 2,
        /// Writes are combined.
        WriteCombining = 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alignments_from_1_kib_to_4_gib_are_known_and_others_are_not() {
        assert_eq!(VmOptions::empty().alignment(), Some(4096));
        assert_eq!(
            VmOptions::PERM_READ.with_align_log2(10).alignment(),
            Some(4096)
        );
        assert_eq!(
            VmOptions::PERM_READ.with_align_log2(21).alignment(),
            Some(2 << 20)
        );
        assert_eq!(
            VmOptions::PERM_READ.with_align_log2(32).alignment(),
            Some(4 << 30)
        );
        for log2 in [1, 9, 33, 255] {
            assert_eq!(VmOptions::empty().with_align_log2(log2).alignment(), None);
        }
        assert_eq!(VmOptions::from_bits(1 << 14), None);
    }
}
