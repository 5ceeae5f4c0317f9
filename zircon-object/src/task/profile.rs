//! Profiles: how a thread wishes to be scheduled.

use super::thread::Thread;
use super::thread_state::Phase;
use crate::alloc_try::try_arc;
use crate::object::{KernelObject, ObjectBase, TypedObject};
use alloc::sync::Arc;
use executor::Priority;
use zx_abi::{ObjectType, Signals, ZxError, ZxResult};

/// What a profile says; `None` leaves that as it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Scheduling {
    /// Higher runs first.
    pub priority: Option<Priority>,
    /// Instead of a priority.
    pub deadline: Option<DeadlineParams>,
    /// CPUs that it prefers, one bit each. There is no other to prefer.
    pub cpu_mask: Option<u32>,
}

/// A share of the CPU per period, ns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeadlineParams {
    /// Time on the CPU in each period.
    pub capacity: i64,
    /// By when in the period it is to be had.
    pub relative_deadline: i64,
    /// Length of a period.
    pub period: i64,
}

/// A profile.
#[derive(Debug)]
pub struct Profile {
    base: ObjectBase,
    scheduling: Scheduling,
}

impl Profile {
    /// A profile that says this.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted.
    pub fn create(scheduling: Scheduling) -> ZxResult<Arc<Self>> {
        try_arc(Self {
            base: ObjectBase::new(Signals::empty()),
            scheduling,
        })
    }

    /// What it says.
    pub fn scheduling(&self) -> Scheduling {
        self.scheduling
    }

    /// Applies it to a thread: at once, and until another profile says otherwise.
    ///
    /// # Errors
    /// - `BadState`: the thread is ending or dead.
    pub fn apply_to(&self, thread: &Thread) -> ZxResult {
        match thread.phase() {
            Phase::New | Phase::Running => {
                thread.schedule(&self.scheduling);
                Ok(())
            }
            Phase::Dying | Phase::Dead => Err(ZxError::BadState),
        }
    }
}

impl KernelObject for Profile {
    fn base(&self) -> &ObjectBase {
        &self.base
    }
    fn object_type(&self) -> ObjectType {
        Self::TYPE
    }
}

impl TypedObject for Profile {
    const TYPE: ObjectType = ObjectType::Profile;
}
