//! Job policy.

use crate::wire::{numbers, records};

numbers! {
    /// How a policy is merged with the parent's (`ZX_JOB_POL_RELATIVE`, `_ABSOLUTE`).
    PolicyMode: u32 {
        /// Conflicts are ignored.
        Relative = 0,
        /// Conflicts are an error.
        Absolute = 1,
    }
    /// What `job_set_policy` gets.
    PolicyTopic: u32 {
        /// [`PolicyBasicV1`] each.
        Basic = 0,
        /// [`PolicyTimerSlack`], one.
        TimerSlack = 1,
        /// [`PolicyBasicV2`] each.
        BasicV2 = 0x0100_0000,
    }
    /// What is decided on (`ZX_POL_*`).
    PolicyCondition: u32 {
        /// Using a bad handle value.
        BadHandle = 0,
        /// Using an object of the wrong type.
        WrongObject = 1,
        /// Mapping writable and executable.
        VmarWx = 2,
        /// Every `New` condition at once.
        NewAny = 3,
        /// Creating a VMO.
        NewVmo = 4,
        /// Creating a channel.
        NewChannel = 5,
        /// Creating an event.
        NewEvent = 6,
        /// Creating an eventpair.
        NewEventPair = 7,
        /// Creating a port.
        NewPort = 8,
        /// Creating a socket.
        NewSocket = 9,
        /// Creating a fifo.
        NewFifo = 10,
        /// Creating a timer.
        NewTimer = 11,
        /// Creating a process.
        NewProcess = 12,
        /// Creating a profile.
        NewProfile = 13,
        /// `vmo_replace_as_executable` without a resource.
        AmbientMarkVmoExec = 14,
    }
    /// What is decided (`ZX_POL_ACTION_*`; 2018 has flags instead).
    PolicyAction: u32 {
        /// Go on.
        Allow = 0,
        /// `AccessDenied`.
        Deny = 1,
        /// Go on, then raise an exception.
        AllowException = 2,
        /// `AccessDenied`, and raise an exception.
        DenyException = 3,
        /// Kill the process.
        Kill = 4,
    }
    /// Whether child jobs may change the entry (`ZX_POL_OVERRIDE_*`).
    PolicyOverride: u32 {
        /// They may.
        Allow = 0,
        /// They may not.
        Deny = 1,
    }
}

records! {
    /// `zx_policy_basic_v1_t`.
    PolicyBasicV1: 8 {
        /// Number of the [`PolicyCondition`].
        condition: u32,
        /// Number of the [`PolicyAction`].
        policy: u32,
    }
    /// `zx_policy_basic_v2_t` (2020).
    PolicyBasicV2: 12 {
        /// Number of the [`PolicyCondition`].
        condition: u32,
        /// Number of the [`PolicyAction`].
        action: u32,
        /// Number of the [`PolicyOverride`].
        flags: u32,
    }
    /// `zx_policy_timer_slack_t`.
    PolicyTimerSlack: 16 {
        /// Least slack of timers and deadlines, in ns.
        min_slack: i64,
        /// Number of the [`TimerSlackMode`](crate::clock::TimerSlackMode) used by waits.
        default_mode: u32,
        /// Zero.
        padding1: [u8; 4],
    }
}
