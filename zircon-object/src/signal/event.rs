//! Events: nothing but signals that programs set and clear.

use crate::alloc_try::try_arc;
use crate::object::{KernelObject, ObjectBase, TypedObject};
use alloc::sync::Arc;
use zx_abi::{ObjectType, Signals, ZxResult};

/// An event.
pub struct Event {
    base: ObjectBase,
}

impl Event {
    /// An event without signals.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted.
    pub fn create() -> ZxResult<Arc<Self>> {
        try_arc(Self {
            base: ObjectBase::new(Signals::empty()),
        })
    }
}

impl KernelObject for Event {
    fn base(&self) -> &ObjectBase {
        &self.base
    }
    fn object_type(&self) -> ObjectType {
        ObjectType::Event
    }
    fn user_signals(&self) -> Signals {
        Signals::USER_ALL | Signals::SIGNALED
    }
}

impl TypedObject for Event {
    const TYPE: ObjectType = ObjectType::Event;
}
