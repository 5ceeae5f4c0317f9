//! What all kernel objects share: identity, signals, handle count, name, and the way to be found through a handle.
//!
//! - [`KernelObject`] is what a handle points to; [`TypedObject`] names a type so that a handle table can give it back.
//! - [`typed`] tells types apart.
//! - [`ObjectBase`] is the part every object embeds: koid, [`signal::SignalState`], number of handles.
//! - [`handle::Handle`] is one reference with rights; [`handle_table::HandleTable`] gives them numbers in a process.
//! - [`peered`] is what the two ends of a channel, socket, fifo or event pair share.
//! - [`observer`] and [`observer_list`] are how waits hang on an object, and [`roster`] how they are found among very many;
//!   [`wait`] and [`wait_one`] are the futures that a blocked thread polls.

pub mod handle;
pub mod handle_table;
pub mod koid;
pub mod name;
pub mod observer;
pub mod observer_list;
pub mod peered;
pub mod roster;
pub mod signal;
mod sync;
pub mod typed;
pub mod wait;
pub mod wait_one;

pub use handle::{Handle, HandleKey};
pub use handle_table::HandleTable;
pub use koid::Koid;
pub use name::Name;
pub use observer::{Attention, Observer, Verdict, Wakes};
pub use observer_list::ObserverToken;
pub use peered::Peered;
pub use signal::SignalState;
pub use typed::{FromTyped, IntoTyped, Typed};

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering};
use zx_abi::{ObjectType, Rights, Signals, ZxResult};

/// Something a handle can refer to.
pub trait KernelObject: IntoTyped + Send + Sync + 'static {
    /// The part that all objects share.
    fn base(&self) -> &ObjectBase;
    /// ZX_OBJ_TYPE of the object.
    fn object_type(&self) -> ObjectType;
    /// Koid of the peer, of a thread's process, of a task's parent job; 0 where nothing is related.
    fn related_koid(&self) -> Koid {
        Koid::NONE
    }
    /// Bits that `object_signal` and `object_signal_peer` may change.
    fn user_signals(&self) -> Signals {
        Signals::USER_ALL
    }
    /// The name, for types that have one.
    fn name(&self) -> Option<&Name> {
        None
    }
    /// The other end: `None` for a type without peers, `PeerClosed` when it is gone.
    fn peer(&self) -> Option<ZxResult<Arc<dyn KernelObject>>> {
        None
    }
    /// The last handle is gone (closed, or destroyed in an unread message). Runs once, with no lock held; the object may
    /// live on by other references.
    fn on_zero_handles(&self) {}
}

/// A concrete object type; lets [`HandleTable::get`] give back the type and not only an object.
pub trait TypedObject: KernelObject + FromTyped + 'static {
    /// Its number.
    const TYPE: ObjectType;
    /// Rights of the handle that the creating call returns.
    const DEFAULT_RIGHTS: Rights = Rights::default_for(Self::TYPE);
}

/// Koid, signals and handle count: the part every object embeds.
#[derive(Debug)]
pub struct ObjectBase {
    koid: Koid,
    signals: SignalState,
    handles: AtomicU32,
}

impl ObjectBase {
    /// A new identity with these signals set and no handle.
    #[must_use]
    pub fn new(signals: Signals) -> Self {
        Self {
            koid: Koid::next(),
            signals: SignalState::new(signals),
            handles: AtomicU32::new(0),
        }
    }
    /// The object's number, unique for the life of the system.
    pub fn koid(&self) -> Koid {
        self.koid
    }
    /// Signals and who waits for them.
    pub fn signals(&self) -> &SignalState {
        &self.signals
    }
    /// Handles in tables, in messages and held by the kernel.
    pub fn handle_count(&self) -> u32 {
        self.handles.load(Ordering::Relaxed)
    }
    pub(crate) fn handle_added(&self) {
        self.handles.fetch_add(1, Ordering::Relaxed);
    }
    /// Whether that was the last one.
    pub(crate) fn handle_removed(&self) -> bool {
        self.handles.fetch_sub(1, Ordering::AcqRel) == 1
    }
}

/// The object as `T`.
///
/// # Errors
/// - `WrongType`: it is something else.
#[inline(always)]
pub fn downcast<T: TypedObject>(object: Arc<dyn KernelObject>) -> ZxResult<Arc<T>> {
    T::from_typed(object.into_typed())
}
