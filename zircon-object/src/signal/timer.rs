//! Timers: a deadline after which an object shows SIGNALED.
//!
//! The timer's lock decides between arming, cancelling and firing: what fires late, after another CPU has set the timer anew,
//! finds a deadline that has not come and does nothing.

use crate::alloc_try::try_arc_cyclic;
use crate::object::{KernelObject, ObjectBase, TypedObject};
use crate::runtime::TIMERS;
use crate::task::job_policy::SlackMode;
use alloc::sync::{Arc, Weak};
use executor::{Action, OnTimer, TimerSlot};
use kernel_hal::sync::Mutex;
use kernel_hal::time::NEVER;
use zx_abi::{ObjectType, Signals, ZxError, ZxResult};

/// A timer.
pub struct Timer {
    base: ObjectBase,
    mode: SlackMode,
    slot: TimerSlot,
    setting: Mutex<Option<Setting>>,
}

/// What a timer that has not fired is set to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Setting {
    /// The deadline that was asked for, ns.
    pub deadline: i64,
    /// How far it may be missed, ns; in which direction the timer's mode says.
    pub slack: i64,
    /// When it fires, ns.
    fires: i64,
}

impl Timer {
    /// A timer that is not set.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted.
    pub fn create(mode: SlackMode) -> ZxResult<Arc<Self>> {
        let slot = TIMERS.register().map_err(|_| ZxError::NoMemory)?;
        try_arc_cyclic(|this: &Weak<Self>| {
            slot.set_standing(Action::CallOwner(this.clone()));
            Self {
                base: ObjectBase::new(Signals::empty()),
                mode,
                slot,
                setting: Mutex::new(None),
            }
        })
    }

    /// Sets it, in place of what it was set to. A deadline that has passed fires it at once. With slack it fires together with
    /// a timer that is already armed inside the window, if there is one.
    #[inline(always)]
    pub fn set(&self, deadline: i64, slack: i64) {
        let wakes = {
            let mut setting = self.setting.lock();
            if deadline <= kernel_hal::time::now() {
                self.slot.disarm();
                *setting = None;
                self.base
                    .signals()
                    .change(Signals::SIGNALED, Signals::SIGNALED)
            } else {
                let fires = self.arm(deadline, slack);
                *setting = Some(Setting {
                    deadline,
                    slack,
                    fires,
                });
                self.base
                    .signals()
                    .change(Signals::SIGNALED, Signals::empty())
            }
        };
        wakes.wake();
    }

    #[inline(always)]
    fn arm(&self, deadline: i64, slack: i64) -> i64 {
        if slack == 0 || deadline == NEVER {
            self.slot.rearm(deadline);
            return deadline;
        }
        self.arm_coalesced(deadline, slack)
    }

    #[inline(never)]
    fn arm_coalesced(&self, deadline: i64, slack: i64) -> i64 {
        let window = self.mode.deadline(deadline, slack);
        let (first, last) = (
            deadline.saturating_sub(window.early),
            deadline.saturating_add(window.late),
        );
        self.slot.rearm_coalesced(first..=last, deadline)
    }

    /// Disarms it and takes SIGNALED back.
    #[inline(always)]
    pub fn cancel(&self) {
        let wakes = {
            let mut setting = self.setting.lock();
            self.slot.disarm();
            *setting = None;
            self.base
                .signals()
                .change(Signals::SIGNALED, Signals::empty())
        };
        wakes.wake();
    }

    /// Its mode.
    pub fn mode(&self) -> SlackMode {
        self.mode
    }
    /// What it is set to, unless it has fired or been cancelled.
    pub fn setting(&self) -> Option<Setting> {
        *self.setting.lock()
    }
}

impl OnTimer for Timer {
    fn on_timer(&self, now: i64) {
        let wakes = {
            let mut setting = self.setting.lock();
            if setting.is_none_or(|setting| setting.fires > now) {
                return;
            }
            *setting = None;
            self.base
                .signals()
                .change(Signals::empty(), Signals::SIGNALED)
        };
        wakes.wake();
    }
}

impl KernelObject for Timer {
    fn base(&self) -> &ObjectBase {
        &self.base
    }
    fn object_type(&self) -> ObjectType {
        ObjectType::Timer
    }
    fn on_zero_handles(&self) {
        self.cancel();
    }
}

impl TypedObject for Timer {
    const TYPE: ObjectType = ObjectType::Timer;
}
