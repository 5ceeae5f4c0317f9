//! Event pairs: two events, each of which can signal the other and hears when it is gone.

use crate::object::{KernelObject, Koid, ObjectBase, Peered, TypedObject};
use alloc::sync::Arc;
use zx_abi::{ObjectType, Signals, ZxResult};

/// One end of an event pair.
pub struct EventPair {
    link: Peered<Self, ()>,
}

impl EventPair {
    /// Both ends of a new pair, without signals.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted.
    pub fn create() -> ZxResult<(Arc<Self>, Arc<Self>)> {
        Peered::create(Signals::empty(), |link| Self { link })
    }
}

impl KernelObject for EventPair {
    fn base(&self) -> &ObjectBase {
        self.link.base()
    }
    fn object_type(&self) -> ObjectType {
        ObjectType::EventPair
    }
    fn related_koid(&self) -> Koid {
        self.link.peer_koid()
    }
    fn user_signals(&self) -> Signals {
        Signals::USER_ALL | Signals::SIGNALED
    }
    fn peer(&self) -> Option<ZxResult<Arc<dyn KernelObject>>> {
        Some(self.link.peer())
    }
    fn on_zero_handles(&self) {
        self.link.sever(Signals::empty(), |_| ());
    }
}

impl TypedObject for EventPair {
    const TYPE: ObjectType = ObjectType::EventPair;
}
