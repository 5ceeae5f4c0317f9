//! Timers shared by all: the queue with its lock, its clock, and what is done when a deadline comes
//!
//! The queue lock is a leaf. Wakers and callbacks are called, and payloads dropped, after it is released; only
//! [`TimerHardware::set_alarm`] is called under it, so that two CPUs cannot set the hardware in the wrong order.
use alloc::sync::{Arc, Weak};
use core::borrow::Borrow;
use core::future::Future;
use core::ops::RangeInclusive;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use spin::Mutex;

use crate::timer_queue::{TakenOut, TimerQueue};
use crate::timer_slots::TimerId;
use crate::NoMemory;

/// The deadline that never comes (`ZX_TIME_INFINITE`): nothing is armed for it.
pub const NEVER: i64 = i64::MAX;

/// How many timers one [`Timers::expire`] serves, so that interrupts are not off for long.
const BATCH: usize = 32;

/// The clock and the one-shot timer below a queue.
pub trait TimerHardware: Sync {
    /// The time, ns. Any context; cheap; never goes back.
    fn now(&self) -> i64;

    /// Makes the next timer interrupt come at `deadline`, ns, at once if that is past; `None`: not at all. The interrupt
    /// leads to [`Timers::expire`], which sets it again.
    ///
    /// Called with the queue's lock held: it must not call into `Timers`, wake, or take another lock.
    fn set_alarm(&self, deadline: Option<i64>);
}

/// A callback of a timer.
pub trait OnTimer {
    /// The deadline has come; `now` is what [`Timers::expire`] was given. Called with no lock of this crate held, in
    /// the context of `expire`: in the kernel an interrupt handler, with interrupts disabled. It may arm timers again.
    ///
    /// On several CPUs it may come after another CPU disarmed or re-armed the timer too late: decide under your own lock.
    fn on_timer(&self, now: i64);
}

/// What happens at a deadline.
#[derive(Clone)]
pub enum Action {
    /// Wake a task.
    Wake(Waker),
    /// Call a function of an object.
    Call(Arc<dyn OnTimer + Send + Sync>),
    /// Call a function of an object, if it still exists: for a timer that is a part of it.
    CallOwner(Weak<dyn OnTimer + Send + Sync>),
}

/// Whether [`Timers::expire`] left timers whose deadline has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// None.
    None,
    /// There are more; the alarm is set to a past time, so the interrupt comes again as soon as it can.
    More,
}

/// A timer queue that may be used from anywhere. One per CPU, in a `static`.
pub struct Timers {
    state: Mutex<State>,
    hardware: &'static dyn TimerHardware,
}

struct State {
    queue: TimerQueue<Action>,
    /// What the hardware is set to: never later than the head. It may be earlier, because disarming the head leaves it
    /// alone: programming hardware is dear, most timers are disarmed before their deadline, and an interrupt that finds
    /// nothing to do only sets the alarm anew.
    alarm: i64,
}

impl Timers {
    /// An empty queue above `hardware`.
    pub const fn new(hardware: &'static dyn TimerHardware) -> Self {
        Self {
            state: Mutex::new(State {
                queue: TimerQueue::new(),
                alarm: NEVER,
            }),
            hardware,
        }
    }

    /// The time of this queue's clock, ns.
    pub fn now(&self) -> i64 {
        self.hardware.now()
    }

    /// The earliest deadline, ns.
    pub fn next_deadline(&self) -> Option<i64> {
        self.state.lock().queue.head_deadline()
    }

    /// Allocates a timer.
    ///
    /// # Errors
    /// * `NoMemory`: the heap is exhausted.
    pub fn register(&'static self) -> Result<TimerSlot, NoMemory> {
        let id = self.state.lock().queue.register()?;
        Ok(TimerSlot { timers: self, id })
    }

    /// A future that completes at `deadline`, with a timer of its own.
    ///
    /// # Errors
    /// * `NoMemory`: the heap is exhausted.
    pub fn sleep_until(&'static self, deadline: i64) -> Result<Deadline<TimerSlot>, NoMemory> {
        Ok(self.register()?.until(deadline))
    }

    /// Serves timers whose deadline is not after `now`, by deadline and first armed first among equals; then sets the
    /// alarm to the head. For the timer interrupt; an early or needless call does no harm.
    ///
    /// One at a time, so that an action that disarms a later timer of the same moment really stops it; and no more than
    /// a bounded number in one call.
    pub fn expire(&self, now: i64) -> Due {
        for _ in 0..BATCH {
            let expired = self.state.lock().queue.pop_expired(now);
            match expired.map(|expired| expired.payload) {
                Some(Action::Wake(waker)) => waker.wake(),
                Some(Action::Call(object)) => object.on_timer(now),
                Some(Action::CallOwner(object)) => {
                    if let Some(object) = object.upgrade() {
                        object.on_timer(now);
                    }
                }
                None => break,
            }
        }
        let mut state = self.state.lock();
        let head = state.queue.head_deadline();
        state.alarm = head.unwrap_or(NEVER);
        self.hardware.set_alarm(head);
        match head {
            Some(deadline) if deadline <= now => Due::More,
            _ => Due::None,
        }
    }

    /// Changes the queue, then the alarm if the head has come before it; gives what came out, to be dropped.
    #[inline(always)]
    fn change<R>(&self, change: impl FnOnce(&mut TimerQueue<Action>) -> R) -> R {
        let mut state = self.state.lock();
        let removed = change(&mut state.queue);
        if let Some(head) = state.queue.head_deadline() {
            if head < state.alarm {
                self.set_alarm(&mut state, head);
            }
        }
        removed
    }

    #[cold]
    fn set_alarm(&self, state: &mut State, head: i64) {
        state.alarm = head;
        self.hardware.set_alarm(Some(head));
    }

    /// Takes something out of the queue, which cannot bring the head before the alarm.
    #[inline(always)]
    fn take<R>(&self, take: impl FnOnce(&mut TimerQueue<Action>) -> R) -> R {
        take(&mut self.state.lock().queue)
    }
}

/// What became of a timer that was to be disarmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disarmed {
    /// It was armed, and its action will not happen.
    InTime,
    /// It was not armed: never, or its action has happened, or (on another CPU) is about to.
    NotArmed,
}

/// A timer of one's own, allocated until it is dropped. Arming it allocates nothing and cannot fail.
pub struct TimerSlot {
    timers: &'static Timers,
    id: TimerId,
}

impl TimerSlot {
    /// Arms the timer for `deadline`, in place of what it was armed for before. A past deadline acts at once, by way of
    /// the timer interrupt; [`NEVER`] disarms.
    pub fn arm(&self, deadline: i64, action: Action) {
        if deadline == NEVER {
            self.disarm();
            return;
        }
        drop(
            self.timers
                .change(|queue| queue.arm(self.id, deadline, action)),
        );
    }

    /// Arms the timer for the deadline nearest to `deadline` in `window` that another timer is armed for, or for
    /// `deadline` itself when there is none. Gives the deadline chosen.
    pub fn arm_coalesced(&self, window: RangeInclusive<i64>, deadline: i64, action: Action) -> i64 {
        let mut chosen = deadline;
        let replaced = self.timers.change(|queue| {
            let before = queue.disarm(self.id).payload();
            chosen = queue.nearest_in(window, deadline).unwrap_or(deadline);
            // `after` holds nothing unless the name were stale, and a slot's is not.
            let after = queue.arm(self.id, chosen, action);
            before.or(after)
        });
        drop(replaced);
        chosen
    }

    /// Makes the timer act with `action` whenever [`TimerSlot::rearm`] arms it. It must not be armed.
    pub fn set_standing(&self, action: Action) {
        drop(
            self.timers
                .take(|queue| queue.set_standing(self.id, action)),
        );
    }

    /// Arms the timer for `deadline` with its standing action, in place of what it was armed for before.
    #[inline(always)]
    pub fn rearm(&self, deadline: i64) {
        if deadline == NEVER {
            self.disarm();
            return;
        }
        self.timers.change(|queue| queue.rearm(self.id, deadline));
    }

    /// As [`TimerSlot::arm_coalesced`], with the standing action.
    pub fn rearm_coalesced(&self, window: RangeInclusive<i64>, deadline: i64) -> i64 {
        self.timers.change(|queue| {
            let once = queue.disarm(self.id);
            debug_assert!(!matches!(once, TakenOut::Once(_)));
            let chosen = queue.nearest_in(window, deadline).unwrap_or(deadline);
            queue.rearm(self.id, chosen);
            chosen
        })
    }

    /// Disarms the timer.
    #[inline(always)]
    pub fn disarm(&self) -> Disarmed {
        match self.timers.take(|queue| queue.disarm(self.id)) {
            TakenOut::Once(_) | TakenOut::Standing => Disarmed::InTime,
            TakenOut::NotArmed => Disarmed::NotArmed,
        }
    }

    /// What the timer is armed for, ns.
    pub fn deadline(&self) -> Option<i64> {
        self.timers.state.lock().queue.deadline(self.id)
    }

    /// The queue that the timer is of.
    pub fn timers(&self) -> &'static Timers {
        self.timers
    }

    /// A future that completes at `deadline` and uses this timer while it lives. To keep the timer for the next wait,
    /// use [`TimerSlot::until_borrowed`].
    pub fn until(self, deadline: i64) -> Deadline<Self> {
        Deadline::new(self, deadline)
    }

    /// As [`TimerSlot::until`], giving the timer back afterwards: a thread registers one timer and waits with it often.
    pub fn until_borrowed(&mut self, deadline: i64) -> Deadline<&mut Self> {
        Deadline::new(self, deadline)
    }
}

impl Drop for TimerSlot {
    fn drop(&mut self) {
        drop(self.timers.take(|queue| queue.unregister(self.id)));
    }
}

/// A wait for a moment: a future that completes when it has come, and a guard whose `Drop` disarms the timer.
#[must_use = "dropping it disarms the timer"]
pub struct Deadline<S: Borrow<TimerSlot>> {
    slot: S,
    deadline: i64,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    New,
    Armed,
    Passed,
}

impl<S: Borrow<TimerSlot>> Deadline<S> {
    fn new(slot: S, deadline: i64) -> Self {
        Self {
            slot,
            deadline,
            phase: Phase::New,
        }
    }

    /// The moment that is waited for, ns.
    pub fn deadline(&self) -> i64 {
        self.deadline
    }

    /// Arms the timer the first time, later sees whether it has expired.
    fn poll_phase(&self, waker: &Waker) -> Phase {
        let slot = self.slot.borrow();
        match self.phase {
            Phase::Passed => Phase::Passed,
            Phase::New if self.deadline == NEVER => Phase::New,
            Phase::New if self.deadline <= slot.timers.now() => Phase::Passed,
            Phase::New => {
                slot.arm(self.deadline, Action::Wake(waker.clone()));
                Phase::Armed
            }
            Phase::Armed => {
                let mut state = slot.timers.state.lock();
                let replaced = match state.queue.payload_mut(slot.id) {
                    Some(Action::Wake(armed)) if !armed.will_wake(waker) => {
                        Some(core::mem::replace(armed, waker.clone()))
                    }
                    Some(_) => None,
                    None => return Phase::Passed,
                };
                drop(state);
                drop(replaced);
                Phase::Armed
            }
        }
    }
}

impl<S: Borrow<TimerSlot> + Unpin> Future for Deadline<S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.phase = self.poll_phase(context.waker());
        match self.phase {
            Phase::Passed => Poll::Ready(()),
            Phase::New | Phase::Armed => Poll::Pending,
        }
    }
}

impl<S: Borrow<TimerSlot>> Drop for Deadline<S> {
    fn drop(&mut self) {
        if self.phase == Phase::Armed {
            self.slot.borrow().disarm();
        }
    }
}
