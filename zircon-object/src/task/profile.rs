//! Profiles: how a thread wishes to be scheduled.

use super::thread::Thread;
use super::thread_state::Phase;
use crate::alloc_try::try_arc;
use crate::object::{KernelObject, ObjectBase, TypedObject};
use alloc::sync::Arc;
use zx_abi::{ObjectType, Signals, ZxError, ZxResult};

/// What a profile says; `None` leaves that as it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Scheduling {
    /// 0 to 31.
    pub priority: Option<i32>,
    /// Instead of a priority.
    pub deadline: Option<DeadlineParams>,
    /// CPUs to run on.
    pub cpu_mask: Option<[u64; 8]>,
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

    /// Applies it to a thread. The executor runs all threads alike, so only the thread's state is checked.
    ///
    /// # Errors
    /// - `BadState`: the thread is not started, or ending.
    pub fn apply_to(&self, thread: &Thread) -> ZxResult {
        match thread.phase() {
            Phase::Running => Ok(()),
            Phase::New | Phase::Dying | Phase::Dead => Err(ZxError::BadState),
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
