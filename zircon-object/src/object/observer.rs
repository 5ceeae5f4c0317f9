//! Observers: who is told when an object's signals change, and the threads that are to be woken for it.

use alloc::vec::Vec;
use core::task::Waker;
use zx_abi::Signals;

/// Someone who is told of signal changes. Called with the object's observer list locked: it may lock what nests below
/// (a port, a waiter), and hands wakers out instead of calling them.
pub trait Observer: Send + Sync {
    /// The signals went from `old` to `new`, which is a change that it is to hear of. `item` is the number given at registration.
    fn notify(&self, item: usize, old: Signals, new: Signals, wakes: &mut Wakes) -> Verdict;
    /// The handle through which it was registered is gone; it has been removed from the list.
    fn cancel(&self, item: usize, signals: Signals, wakes: &mut Wakes);
}

/// What becomes of an observer after it was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It stays.
    Keep,
    /// It has seen what it waited for and leaves the list.
    Remove,
}

/// Of which changes an observer is to hear, and so where it stands in the order of notification.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Attention {
    /// When one of these becomes set: asynchronous waits of ports. They stand before all others, the latest first, which is the
    /// order in which Zircon queues their packets (`facts/objects.md`, 5.11).
    Rise(Signals),
    /// Of each change: blocked threads, in the order in which they came.
    Each,
}

impl Attention {
    /// Whether it is for a change by which these became set.
    #[inline(always)]
    pub fn is_for(self, risen: Signals) -> bool {
        match self {
            Self::Rise(wanted) => risen.intersects(wanted),
            Self::Each => true,
        }
    }
}

/// Wakers to be called once no lock is held.
#[derive(Debug, Default)]
#[must_use = "threads stay asleep unless `wake` is called after the locks are released"]
pub struct Wakes(Sleepers);

/// Nearly always nobody; one word says so.
#[derive(Debug, Default)]
enum Sleepers {
    #[default]
    None,
    One(Waker),
    Many(Vec<Waker>),
}

impl Wakes {
    /// Nobody to wake.
    #[inline(always)]
    pub const fn none() -> Self {
        Self(Sleepers::None)
    }
    /// Remembers one more. Without memory for the list it is woken at once.
    #[inline(always)]
    pub fn push(&mut self, waker: Waker) {
        match self.0 {
            Sleepers::None => self.0 = Sleepers::One(waker),
            Sleepers::One(_) | Sleepers::Many(_) => self.push_another(waker),
        }
    }
    #[cold]
    fn push_another(&mut self, waker: Waker) {
        self.0 = match core::mem::take(&mut self.0) {
            Sleepers::None => Sleepers::One(waker),
            Sleepers::One(first) => {
                let mut wakers = Vec::new();
                if wakers.try_reserve(2).is_ok() {
                    wakers.extend([first, waker]);
                    Sleepers::Many(wakers)
                } else {
                    waker.wake();
                    Sleepers::One(first)
                }
            }
            Sleepers::Many(mut wakers) => {
                if wakers.try_reserve(1).is_ok() {
                    wakers.push(waker);
                } else {
                    waker.wake();
                }
                Sleepers::Many(wakers)
            }
        };
    }
    /// Takes over what another list collected.
    #[inline(always)]
    pub fn append(&mut self, other: Self) {
        match (&self.0, &other.0) {
            (_, Sleepers::None) => {}
            (Sleepers::None, _) => *self = other,
            _ => self.append_some(other),
        }
    }
    #[cold]
    fn append_some(&mut self, other: Self) {
        match other.0 {
            Sleepers::None => {}
            Sleepers::One(waker) => self.push(waker),
            Sleepers::Many(wakers) => wakers.into_iter().for_each(|waker| self.push(waker)),
        }
    }
    /// Calls them all, in order. Call with no lock held.
    #[inline(always)]
    pub fn wake(self) {
        if !matches!(self.0, Sleepers::None) {
            self.wake_some();
        }
    }
    #[inline(never)]
    fn wake_some(self) {
        match self.0 {
            Sleepers::None => {}
            Sleepers::One(waker) => waker.wake(),
            Sleepers::Many(wakers) => wakers.into_iter().for_each(Waker::wake),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::sync::Arc;
    use std::sync::Mutex;
    use std::task::Wake;
    use std::vec;

    #[test]
    fn wakers_are_called_in_the_order_in_which_they_were_collected() {
        struct Named(usize, Arc<Mutex<Vec<usize>>>);
        impl Wake for Named {
            fn wake(self: Arc<Self>) {
                self.1.lock().unwrap().push(self.0);
            }
        }
        let woken = Arc::new(Mutex::new(vec![]));
        let waker = |name| Waker::from(Arc::new(Named(name, woken.clone())));
        let (mut wakes, mut more) = (Wakes::none(), Wakes::none());
        wakes.push(waker(1));
        wakes.push(waker(2));
        more.push(waker(3));
        more.push(waker(4));
        wakes.append(more);
        assert!(woken.lock().unwrap().is_empty());
        wakes.wake();
        assert_eq!(*woken.lock().unwrap(), [1, 2, 3, 4]);
    }
}
