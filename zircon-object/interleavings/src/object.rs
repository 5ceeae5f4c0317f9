//! What the files under test find around them: objects that have signals and nothing else

#[path = "../../src/object/observer.rs"]
pub mod observer;
#[path = "../../src/object/observer_list.rs"]
pub mod observer_list;
#[path = "../../src/object/roster.rs"]
pub mod roster;
#[path = "../../src/object/signal.rs"]
pub mod signal;
mod sync;
#[path = "../../src/object/wait.rs"]
pub mod wait;
#[path = "../../src/object/wait_one.rs"]
pub mod wait_one;

pub use observer::{Attention, Observer, Verdict, Wakes};
pub use observer_list::ObserverToken;
pub use signal::SignalState;
pub use zircon_object::object::HandleKey;

use zx_abi::Signals;

/// Something to wait for.
pub trait KernelObject: Send + Sync {
    /// The part that all objects share.
    fn base(&self) -> &ObjectBase;
}

/// The part that all objects share: their signals. Alone it is the simplest object.
#[derive(Debug)]
pub struct ObjectBase(SignalState);

impl ObjectBase {
    /// An object that shows these signals.
    #[must_use]
    pub fn new(signals: Signals) -> Self {
        Self(SignalState::new(signals))
    }
    /// Signals and who waits for them.
    pub fn signals(&self) -> &SignalState {
        &self.0
    }
}

impl KernelObject for ObjectBase {
    fn base(&self) -> &ObjectBase {
        self
    }
}
