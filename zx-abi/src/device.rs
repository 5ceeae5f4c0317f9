//! Resources, interrupts, bus transaction initiators and PCI.

use crate::wire::{numbers, options, records};

numbers! {
    /// Resource kinds (`ZX_RSRC_KIND_*`).
    ResourceKind: u32 {
        /// Physical addresses.
        Mmio = 0,
        /// Interrupts.
        Irq = 1,
        /// I/O ports.
        Ioport = 2,
        /// Creating guests.
        Hypervisor = 3,
        /// Everything.
        Root = 4,
        /// Making VMOs executable.
        Vmex = 5,
        /// Secure monitor calls.
        Smc = 6,
    }
    /// How an interrupt line behaves; the MODE field of its options, not shifted down.
    InterruptMode: u32 {
        /// As the platform says.
        Default = 0,
        /// Falling edge.
        EdgeLow = 2,
        /// Rising edge.
        EdgeHigh = 4,
        /// Low level.
        LevelLow = 6,
        /// High level.
        LevelHigh = 8,
        /// Both edges.
        EdgeBoth = 10,
    }
    /// Options of `interrupt_bind`.
    InterruptBind: u32 {
        /// Bind.
        Bind = 0,
        /// Undo (2020).
        Unbind = 1,
    }
    /// PCI interrupt modes.
    PciIrqMode: u32 {
        /// None.
        Disabled = 0,
        /// Pin.
        Legacy = 1,
        /// MSI.
        Msi = 2,
        /// MSI-X.
        MsiX = 3,
    }
    /// What a PCI BAR is.
    PciBarType: u32 {
        /// Absent.
        Unused = 0,
        /// Memory.
        Mmio = 1,
        /// I/O ports.
        Pio = 2,
    }
    /// IOMMU kinds.
    IommuType: u32 {
        /// None really.
        Dummy = 0,
        /// VT-d.
        Intel = 1,
    }
}

/// The kind in the options of `resource_create`.
pub const RESOURCE_KIND_MASK: u32 = 0xffff;
/// Flag of `resource_create`: the range is not shared.
pub const RESOURCE_EXCLUSIVE: u32 = 0x1_0000;

options! {
    /// Options of `interrupt_create`.
    InterruptOptions: u32 {
        /// Translate the number as the platform does for legacy interrupts.
        REMAP_IRQ = 1,
        /// Field: [`InterruptMode`].
        MODE_MASK = 0xe,
        /// No hardware behind it.
        VIRTUAL = 0x10,
    }
    /// Options of `bti_pin`.
    BtiOptions: u32 {
        /// The device reads.
        PERM_READ = 1,
        /// The device writes.
        PERM_WRITE = 2,
        /// The device executes.
        PERM_EXECUTE = 4,
        /// One address per contiguous run.
        COMPRESS = 8,
        /// One address in all.
        CONTIGUOUS = 16,
    }
    /// Options of `job_set_critical`.
    JobCriticalOptions: u32 {
        /// Only when the return code is not 0.
        RETCODE_NONZERO = 1,
    }
}

records! {
    /// `zx_pci_bar_t`.
    PciBar: 24 {
        /// Which BAR.
        id: u32,
        /// Number of the [`PciBarType`].
        kind: u32,
        /// Bytes.
        size: u64,
        /// Port address, or a handle in the low 32 bits.
        addr: u64,
    }
    /// `zx_pcie_device_info_t`.
    PcieDeviceInfo: 12 {
        /// Vendor.
        vendor_id: u16,
        /// Device.
        device_id: u16,
        /// Class.
        base_class: u8,
        /// Subclass.
        sub_class: u8,
        /// Programming interface.
        program_interface: u8,
        /// Revision.
        revision_id: u8,
        /// Bus.
        bus_id: u8,
        /// Device number.
        dev_id: u8,
        /// Function.
        func_id: u8,
        /// Zero.
        padding1: u8,
    }
}
