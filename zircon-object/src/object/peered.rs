//! Two-ended objects: both ends share one lock, and one place severs them.
//!
//! The part that both ends share holds their [`ObjectBase`]s, so either end can change the other's signals without going
//! through a reference to it, and in the same step as the state that the signals tell of. Wakers that come out of such a
//! change are called after the lock is released; [`Peered::with`] sees to that.

use super::{KernelObject, Koid, ObjectBase, Wakes};
use crate::alloc_try::{try_arc, try_arc_cyclic};
use alloc::sync::{Arc, Weak};
use kernel_hal::sync::{Mutex, MutexGuard};
use zx_abi::{Signals, ZxError, ZxResult};

/// One end's way to what it shares with the other: the part that a two-ended object `T` embeds. `S` is the state per end.
pub struct Peered<T, S> {
    shared: Arc<Shared<T, S>>,
    side: Side,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Side {
    First = 0,
    Second = 1,
}

impl Side {
    #[inline(always)]
    fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

struct Shared<T, S> {
    bases: [ObjectBase; 2],
    ends: Mutex<[End<T, S>; 2]>,
}

struct End<T, S> {
    object: Weak<T>,
    open: bool,
    state: S,
}

/// Both ends, locked, seen from one of them.
pub struct Ends<'a, T, S> {
    ends: MutexGuard<'a, [End<T, S>; 2]>,
    bases: &'a [ObjectBase; 2],
    side: Side,
    wakes: Wakes,
}

impl<T: KernelObject, S: Default> Peered<T, S> {
    /// Both ends of a new pair, with these signals set; `make` turns an end's link into the object.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted.
    pub fn create(signals: Signals, make: impl Fn(Self) -> T) -> ZxResult<(Arc<T>, Arc<T>)> {
        let end = || End {
            object: Weak::new(),
            open: true,
            state: S::default(),
        };
        let bases = [ObjectBase::new(signals), ObjectBase::new(signals)];
        let shared = try_arc(Shared {
            bases,
            ends: Mutex::new([end(), end()]),
        })?;
        let build = |side: Side| {
            try_arc_cyclic(|this| {
                shared.ends.lock()[side as usize].object = this.clone();
                make(Self {
                    shared: shared.clone(),
                    side,
                })
            })
        };
        Ok((build(Side::First)?, build(Side::Second)?))
    }
}

impl<T: KernelObject, S> Peered<T, S> {
    /// This end's koid, signals and handle count.
    #[inline(always)]
    pub fn base(&self) -> &ObjectBase {
        &self.shared.bases[self.side as usize]
    }

    /// Koid of the other end; it stays when that is gone.
    pub fn peer_koid(&self) -> Koid {
        self.shared.bases[self.side.other() as usize].koid()
    }

    /// The other end.
    ///
    /// # Errors
    /// - `PeerClosed`: it is gone.
    pub fn peer(&self) -> ZxResult<Arc<dyn KernelObject>> {
        let peer = {
            let ends = self.shared.ends.lock();
            let end = &ends[self.side.other() as usize];
            if end.open {
                end.object.upgrade()
            } else {
                None
            }
        };
        Ok(peer.ok_or(ZxError::PeerClosed)?)
    }

    /// Runs `f` with both ends locked, then wakes whom its signal changes concern. What `f` takes out of a state, it returns,
    /// so that it is dropped without the lock.
    #[inline(always)]
    pub fn with<R>(&self, f: impl FnOnce(&mut Ends<'_, T, S>) -> R) -> R {
        let mut ends = Ends {
            ends: self.shared.ends.lock(),
            bases: &self.shared.bases,
            side: self.side,
            wakes: Wakes::none(),
        };
        let result = f(&mut ends);
        let Ends { ends, wakes, .. } = ends;
        drop(ends);
        wakes.wake();
        result
    }

    /// This end is gone: the other one shows PEER_CLOSED and loses `lost`. The one place where a pair is severed.
    pub fn sever<R>(&self, lost: Signals, f: impl FnOnce(&mut Ends<'_, T, S>) -> R) -> R {
        self.with(|ends| {
            let own = &mut ends.ends[ends.side as usize];
            own.open = false;
            // Only the count of weak references changes here: the end itself is alive, it is being called.
            own.object = Weak::new();
            if ends.ends[ends.side.other() as usize].open {
                ends.change_peer(lost, Signals::PEER_CLOSED);
            }
            f(ends)
        })
    }
}

impl<T, S> Ends<'_, T, S> {
    /// This end's state.
    #[inline(always)]
    pub fn own(&mut self) -> &mut S {
        &mut self.ends[self.side as usize].state
    }

    /// Both ends' states, of an object that is being made.
    pub fn both(&mut self) -> [&mut S; 2] {
        self.ends.each_mut().map(|end| &mut end.state)
    }

    /// Whether this end has not been severed itself: it has not lost its last handle.
    pub fn is_open(&self) -> bool {
        self.ends[self.side as usize].open
    }

    /// Whether the other end is gone.
    #[inline(always)]
    pub fn is_severed(&self) -> bool {
        !self.ends[self.side.other() as usize].open
    }

    /// The other end's state.
    ///
    /// # Errors
    /// - `PeerClosed`: it is gone.
    #[inline(always)]
    pub fn peer(&mut self) -> ZxResult<&mut S> {
        let end = &mut self.ends[self.side.other() as usize];
        if end.open {
            Ok(&mut end.state)
        } else {
            Err(ZxError::PeerClosed)
        }
    }

    /// Clears and sets signals of this end.
    #[inline(always)]
    pub fn change_own(&mut self, clear: Signals, set: Signals) {
        let wakes = self.bases[self.side as usize].signals().change(clear, set);
        self.wakes.append(wakes);
    }

    /// Clears and sets signals of the other end.
    #[inline(always)]
    pub fn change_peer(&mut self, clear: Signals, set: Signals) {
        let wakes = self.bases[self.side.other() as usize]
            .signals()
            .change(clear, set);
        self.wakes.append(wakes);
    }

    /// More to be woken once the lock is released.
    pub fn wakes(&mut self) -> &mut Wakes {
        &mut self.wakes
    }
}
