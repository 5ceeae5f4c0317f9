//! The task: a header with the state, the links and the future, and its life token
//!
//! # Who owns a task
//! A task is one `Arc` allocation (the header) that owns another (the future). References to the header are held by
//! wakers, by [`TaskHandle`]s, and by the task's *life* (`Life`), of which exactly one exists until the task is done:
//!
//! * QUEUED: it is in the run queue, as the link to this task;
//! * RUNNING: the executor holds it while it polls;
//! * IDLE: nobody holds it; whoever changes the state to QUEUED takes it up (`Life::take_up`).
//!
//! When the future completes, the executor drops the future and then gives the life up. So a waker or a queue link never
//! counts references on the way of a wake, and whoever drops the last waker frees a header and runs no foreign code. The
//! price: a task that nobody can wake any more stays in memory, as a thread that waits forever would.
//!
//! # Why the unsafe code here is sound
//! The cell of the future is touched only between `start_poll` and `end_poll` or `complete`, which the states make
//! exclusive. The pointer in a `Life` comes from `Arc::into_raw`, and its reference is given up only by `Life::end`,
//! which consumes the only token. (If a future panics and the panic unwinds, its token is lost and it is never polled again.)
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::future::Future;
use core::ops::Deref;
use core::pin::Pin;
use core::ptr::NonNull;
use core::task::{Context, Poll};

use crate::levels::Contention;
use crate::links::{Links, Place};
use crate::priority::{Priority, Rank};
use crate::run_queue::RunQueue;
use crate::state::{AfterPoll, AfterWake, TaskState};
use crate::sync::UnsafeCell;
use crate::waker::with_borrowed_waker;
use crate::NoMemory;

type BoxedFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What wakers and queue links point to.
pub(crate) struct Task {
    state: TaskState,
    pub(crate) links: Links,
    queue: &'static RunQueue,
    /// Empty once the future has completed.
    future: UnsafeCell<Option<BoxedFuture>>,
}

// SAFETY: all fields but `future` are Sync; `future` is Send and is reached by one CPU at a time (module header).
unsafe impl Sync for Task {}
// SAFETY: all fields but `future`'s cell are Send, and what is in the cell is Send.
unsafe impl Send for Task {}

impl Task {
    /// Makes a task in state QUEUED; the caller queues the life.
    ///
    /// # Errors
    /// * `NoMemory`: the heap is exhausted; `make` was not called.
    #[inline]
    pub(crate) fn try_new<F: Future<Output = ()> + Send + 'static>(
        make: impl FnOnce() -> F,
        queue: &'static RunQueue,
    ) -> Result<(Life, TaskHandle), NoMemory> {
        let room = Box::<F>::try_new_uninit().map_err(|_| NoMemory)?;
        let task = Task {
            state: TaskState::queued(),
            links: Links::new(Rank::of(Priority::DEFAULT)),
            queue,
            future: UnsafeCell::new(None),
        };
        let task = Arc::try_new(task).map_err(|_| NoMemory)?;
        let future: BoxedFuture = Box::into_pin(Box::write(room, make()));
        // SAFETY: nobody else knows the task yet.
        task.future.with_mut(|cell| unsafe { *cell = Some(future) });
        Ok((Life::of(Arc::clone(&task)), TaskHandle { task }))
    }
}

/// Wakes the task behind `task`.
///
/// # Safety
/// 1. `task` came from `Arc::into_raw`.
/// 2. The caller holds a reference to it for the time of the call.
#[inline]
pub(crate) unsafe fn wake(task: NonNull<Task>) {
    // SAFETY: alive by duty 2.
    let header = unsafe { task.as_ref() };
    if header.state.wake() == AfterWake::Queue {
        let queue = header.queue;
        // SAFETY: this call changed the state from IDLE to QUEUED, so nobody else holds the life; duty 1.
        queue.push(unsafe { Life::take_up(task) }, Place::Woken);
    }
}

/// The one token that keeps a task that is not done alive, and the right to queue or poll it.
pub(crate) struct Life(NonNull<Task>);

// SAFETY: it stands for an `Arc<Task>`, and a Task is Send and Sync.
unsafe impl Send for Life {}

impl Life {
    fn of(task: Arc<Task>) -> Self {
        let raw = Arc::into_raw(task).cast_mut();
        // SAFETY: `into_raw` never gives null.
        Self(unsafe { NonNull::new_unchecked(raw) })
    }

    /// The life of a task that nobody holds.
    ///
    /// # Safety
    /// 1. `task` came from `into_raw` of a `Life`, or the caller has just made it QUEUED from IDLE.
    /// 2. It is taken up once.
    #[inline]
    pub(crate) unsafe fn take_up(task: NonNull<Task>) -> Self {
        Self(task)
    }

    /// The pointer under which the life can be taken up again.
    #[inline]
    pub(crate) fn into_raw(self) -> NonNull<Task> {
        self.0
    }

    /// As `into_raw`, keeping the token; for borrowing only.
    #[inline]
    pub(crate) fn as_raw(&self) -> NonNull<Task> {
        self.0
    }

    /// Polls the task once and lets it go: back to its queue, to its wakers, or to its end.
    #[inline]
    pub(crate) fn poll(self) {
        self.state.start_poll();
        match with_borrowed_waker(&self, |context| self.poll_future(context)) {
            Poll::Pending => {
                let queue = self.queue;
                match self.state.end_poll() {
                    AfterPoll::Queue => queue.push(self, Place::Last),
                    // The life is left to the next wake, which may already be using it.
                    AfterPoll::Leave => {}
                }
            }
            Poll::Ready(()) => {
                // Still RUNNING: wakes out of the future's destructor find no one to queue.
                // SAFETY: RUNNING and not yet complete, so the cell is ours alone.
                let finished = self.future.with_mut(|cell| unsafe { (*cell).take() });
                drop(finished);
                self.state.complete();
                self.end();
            }
        }
    }

    /// Polls what is in the cell; only for `poll`, between `start_poll` and what ends it.
    #[inline]
    fn poll_future(&self, context: &mut Context<'_>) -> Poll<()> {
        self.future.with_mut(|cell| {
            // SAFETY: the state is RUNNING by our doing, so the cell is ours alone (module header).
            match unsafe { &mut *cell } {
                Some(future) => future.as_mut().poll(context),
                None => Poll::Ready(()),
            }
        })
    }

    /// Gives up the life's reference.
    fn end(self) {
        // SAFETY: the pointer came from `into_raw`, and the life's reference is given up here only.
        drop(unsafe { Arc::from_raw(self.0.as_ptr()) });
    }
}

impl Deref for Life {
    type Target = Task;

    #[inline]
    fn deref(&self) -> &Task {
        // SAFETY: a life keeps its task allocated.
        unsafe { self.0.as_ref() }
    }
}

/// A spawned task as its creator sees it. Dropping it changes nothing for the task.
#[derive(Clone)]
pub struct TaskHandle {
    task: Arc<Task>,
}

impl TaskHandle {
    /// Whether the future has completed and was dropped.
    pub fn is_done(&self) -> bool {
        self.task.state.is_done()
    }

    /// Wakes the task, as its wakers do.
    pub fn wake(&self) {
        let raw = Arc::as_ptr(&self.task).cast_mut();
        // SAFETY: an `Arc`'s pointer is not null.
        let raw = unsafe { NonNull::new_unchecked(raw) };
        // SAFETY: the pointer is that of `into_raw`, and the handle keeps the task alive during the call.
        unsafe { wake(raw) };
    }

    /// Where the task stands among others.
    pub fn rank(&self) -> Rank {
        self.task.links.rank()
    }

    /// When the task was queued, by the executor's clock, if it waits for its turn.
    pub fn queued_since(&self) -> Option<i64> {
        let links = &self.task.links;
        links.list().map(|_| links.queued_at())
    }

    /// Changes the priority, which replaces a deadline. A task that waits in the run queue goes behind the others of its new
    /// priority at once.
    pub fn set_priority(&self, priority: Priority) {
        self.task.queue.set_rank(&self.task, Rank::of(priority), 0);
    }

    /// Puts the task above all priorities, among others with a deadline before those that have a later one. Units are the
    /// caller's; they are only compared.
    pub fn set_deadline(&self, deadline: i64) {
        self.task
            .queue
            .set_rank(&self.task, Rank::DEADLINE, deadline);
    }

    /// Says where the task goes the next time it is queued; for a task that runs.
    pub fn place_next(&self, place: Place) {
        self.task.links.mark(place);
    }

    /// Who waits beside the task, which runs.
    pub fn contention(&self) -> Contention {
        self.task.queue.contention(&self.task)
    }
}

impl core::fmt::Debug for TaskHandle {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("TaskHandle")
            .field("rank", &self.rank())
            .finish_non_exhaustive()
    }
}
