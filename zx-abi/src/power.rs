//! `system_powerctl`, system events and features.

use crate::wire::{numbers, records};

numbers! {
    /// What to do (`ZX_SYSTEM_POWERCTL_*`).
    PowerCommand: u32 {
        /// Start every CPU.
        EnableAllCpus = 1,
        /// Stop every CPU but the first.
        DisableAllCpusButPrimary = 2,
        /// Enter an ACPI sleep state.
        AcpiTransitionSState = 3,
        /// Set the package power limit.
        X86SetPkgPl1 = 4,
        /// Restart.
        Reboot = 5,
        /// Restart into the boot loader.
        RebootBootloader = 6,
        /// Restart into recovery.
        RebootRecovery = 7,
        /// Switch off.
        Shutdown = 8,
    }
    /// Events of `system_get_event`; 2019 only has the first.
    SystemEvent: u32 {
        /// Memory has run out.
        OutOfMemory = 1,
        /// Memory is very low.
        MemoryPressureCritical = 2,
        /// Memory is low.
        MemoryPressureWarning = 3,
        /// Memory is fine.
        MemoryPressureNormal = 4,
    }
    /// What `system_get_features` is asked for.
    FeatureKind: u32 {
        /// CPU features.
        Cpu = 0,
        /// Hardware breakpoints.
        HwBreakpointCount = 1,
        /// Hardware watchpoints.
        HwWatchpointCount = 2,
    }
}

/// Set in the CPU features when there is something to report.
pub const HAS_CPU_FEATURES: u32 = 1;

records! {
    /// `zx_system_powerctl_arg_t`, a union: for the S state its bytes 0 to 2, for the power limit two u32 and two bytes.
    SystemPowerctlArg: 12 {
        /// By command.
        words: [u32; 3],
    }
}
