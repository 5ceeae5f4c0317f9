//! Records about address spaces and VMOs.

use crate::limits::NAME_LEN;
use crate::wire::{numbers, options, records};
use crate::Rights;

records! {
    /// `zx_info_vmar_t`.
    VmarInfo: 16 {
        /// First address.
        base: u64,
        /// Bytes.
        len: u64,
    }
    /// `zx_info_maps_mapping_t`: the last part of [`MapsInfo`] for mappings, zeros for other entries.
    MapsMapping: 32 {
        /// `PERM_READ`, `PERM_WRITE`, `PERM_EXECUTE`.
        mmu_flags: u32,
        /// Zero.
        padding1: [u8; 4],
        /// The VMO.
        vmo_koid: u64,
        /// Where in the VMO the mapping starts.
        vmo_offset: u64,
        /// Pages of the mapping that are backed by memory.
        committed_pages: u64,
    }
    /// `zx_info_maps_t`.
    MapsInfo: 96 {
        /// Name, empty if it has none.
        name: [u8; NAME_LEN],
        /// First address.
        base: u64,
        /// Bytes.
        size: u64,
        /// Depth in the tree; entries come parent first.
        depth: u64,
        /// Number of the [`MapsKind`].
        kind: u32,
        /// Zero.
        padding1: [u8; 4],
        /// For mappings.
        mapping: MapsMapping,
    }
    /// `zx_info_vmo_t`, the first version (2019 and 2020).
    VmoInfo: 104 {
        /// The VMO.
        koid: u64,
        /// Name.
        name: [u8; NAME_LEN],
        /// Bytes.
        size_bytes: u64,
        /// The VMO it is a child of, or 0.
        parent_koid: u64,
        /// Children.
        num_children: u64,
        /// Mappings.
        num_mappings: u64,
        /// Estimate of address spaces that map it.
        share_count: u64,
        /// [`VmoInfoFlags`].
        flags: u32,
        /// Zero.
        padding1: [u8; 4],
        /// Bytes of memory it holds, for paged VMOs.
        committed_bytes: u64,
        /// Rights of the handle, when found through one.
        handle_rights: Rights,
        /// Number of the cache policy.
        cache_policy: u32,
    }
}

numbers! {
    /// What a [`MapsInfo`] describes (`ZX_INFO_MAPS_TYPE_*`).
    MapsKind: u32 {
        /// Nothing.
        None = 0,
        /// The address space.
        Aspace = 1,
        /// A VMAR.
        Vmar = 2,
        /// A mapping.
        Mapping = 3,
    }
}

options! {
    /// Flags of [`VmoInfo`].
    VmoInfoFlags: u32 {
        /// Backed by pages; absent on physical VMOs.
        PAGED = 1,
        /// Can change size.
        RESIZABLE = 2,
        /// A copy-on-write child.
        IS_COW_CLONE = 4,
        /// The process has a handle to it.
        VIA_HANDLE = 8,
        /// The process maps it.
        VIA_MAPPING = 16,
        /// Backed by a pager, or a clone of such a one.
        PAGER_BACKED = 32,
        /// Physically contiguous.
        CONTIGUOUS = 64,
    }
}
