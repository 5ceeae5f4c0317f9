//! `object_wait_one` and `object_wait_many`.

use crate::Caller;
use alloc::vec::Vec;
use core::future::poll_fn;
use core::task::Poll;
use kernel_hal::user::{UserInOut, UserOut};
use zircon_object::object::wait::{Wait, WaitTarget};
use zircon_object::object::wait_one::WaitOne;
use zircon_object::task::{BlockedOn, Deadline, Interrupted};
use zx_abi::limits::WAIT_MANY_MAX;
use zx_abi::{HandleValue, Rights, Signals, WaitItem, ZxError, ZxResult};

/// `object_wait_one` for a signal that stands, or to a moment that has passed.
pub(crate) fn now_object_wait_one(
    caller: &Caller<'_>,
    handle: HandleValue,
    signals: Signals,
    deadline: i64,
    observed: UserOut<Signals>,
) -> Option<ZxResult> {
    let now = match caller.signals_of(handle, Rights::WAIT) {
        Ok(now) => now,
        Err(error) => return Some(Err(error)),
    };
    if now.intersects(signals) {
        return Some(caller.write_optional(observed, &now));
    }
    if has_passed(deadline) {
        let written = caller.write_optional(observed, &now);
        return Some(written.and(Err(ZxError::TimedOut)));
    }
    None
}

/// Whether a deadline has come; for those that never come the clock is not read.
#[inline(always)]
fn has_passed(deadline: i64) -> bool {
    deadline != kernel_hal::time::NEVER && kernel_hal::time::now() >= deadline
}

/// Waits until an object shows one of `signals`.
///
/// # Errors
/// - `BadHandle`, `AccessDenied`: the handle is bad or lacks WAIT.
/// - `InvalidArgs`: `observed` cannot be written; hides what follows.
/// - `Canceled`: the handle was closed, replaced or transferred.
/// - `TimedOut`: the deadline came first.
pub(crate) async fn sys_object_wait_one(
    caller: &Caller<'_>,
    handle: HandleValue,
    signals: Signals,
    deadline: i64,
    observed: UserOut<Signals>,
) -> ZxResult {
    let started = poll_fn(|cx| {
        let started = caller
            .get_any(handle, Rights::WAIT)
            .and_then(|(object, handle)| {
                let target = WaitTarget {
                    object,
                    handle,
                    signals,
                };
                WaitOne::start(target, cx.waker())
            });
        Poll::Ready(started)
    });
    let mut wait = started.await?;
    let ended = caller
        .thread()
        .block(BlockedOn::WaitOne, caller.deadline(deadline), &mut wait)
        .await;
    let (outcome, seen) = match ended {
        Ok(ended) => ended,
        Err(Interrupted::TimedOut) => (Err(ZxError::TimedOut), wait.seen()),
        Err(interrupted) => return Err(interrupted.into()),
    };
    drop(wait);
    caller.write_optional(observed, &seen)?;
    outcome
}

/// `object_wait_many` for a signal that stands, or to a moment that has passed.
pub(crate) fn now_object_wait_many(
    caller: &Caller<'_>,
    items: UserInOut<WaitItem>,
    count: usize,
    deadline: i64,
) -> Option<ZxResult> {
    let seen = match count {
        _ if count > caller.level().wait_many_max => Err(ZxError::OutOfRange),
        ..=FEW => look::<FEW>(caller, items, count, deadline),
        _ => look::<WAIT_MANY_MAX>(caller, items, count, deadline),
    };
    match seen {
        Ok(Seen::Nothing) => None,
        Ok(Seen::Wanted) => Some(Ok(())),
        Err(error) => Some(Err(error)),
    }
}

/// Waits until one of many objects shows a wanted signal. Every item's `pending` is written, also on time-out.
///
/// # Errors
/// - `OutOfRange`: more items than allowed.
/// - `InvalidArgs`: the items cannot be read.
/// - `BadHandle`, `AccessDenied`: the first bad item; nothing is written.
/// - `InvalidArgs`: the items cannot be written.
/// - `Canceled`: a handle was closed, replaced or transferred.
/// - `TimedOut`: the deadline came first.
pub(crate) async fn sys_object_wait_many(
    caller: &Caller<'_>,
    items: UserInOut<WaitItem>,
    count: usize,
    deadline: i64,
) -> ZxResult {
    if count > caller.level().wait_many_max {
        return Err(ZxError::OutOfRange);
    }
    let mut list = caller.read_vec(items.input(), count)?;
    let mut targets = Vec::new();
    targets
        .try_reserve_exact(count)
        .map_err(|_| ZxError::NoMemory)?;
    for item in &list {
        let (object, handle) = caller.get_any(item.handle, Rights::WAIT)?;
        targets.push(WaitTarget {
            object,
            handle,
            signals: item.waitfor,
        });
    }
    let mut wait = Wait::start(targets)?;
    let deadline = if count == 0 {
        Deadline::exact(deadline)
    } else {
        caller.deadline(deadline)
    };
    let ended = caller
        .thread()
        .block(BlockedOn::WaitMany, deadline, &mut wait)
        .await;
    let outcome = outcome(ended)?;
    let mut seen = [Signals::empty(); WAIT_MANY_MAX];
    wait.pending(&mut seen);
    drop(wait);
    for (item, seen) in list.iter_mut().zip(seen) {
        item.pending = seen;
    }
    caller.write_slice(items.output(), &list)?;
    outcome
}

/// Few items are the rule, and clearing a large buffer costs more than they do.
const FEW: usize = 8;

/// Whether a wait has to begin at all.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// A wanted signal; the items are written.
    Wanted,
    /// None, and there is time.
    Nothing,
}

/// Looks at the objects before anything is made for a wait: when a wanted signal is there, or the time is over, that is all.
fn look<const N: usize>(
    caller: &Caller<'_>,
    items: UserInOut<WaitItem>,
    count: usize,
    deadline: i64,
) -> ZxResult<Seen> {
    let mut list = [WaitItem::default(); N];
    let list = &mut list[..count.min(N)];
    caller.read_slice(items.input(), list)?;
    let mut satisfied = false;
    for item in &mut *list {
        item.pending = caller.signals_of(item.handle, Rights::WAIT)?;
        satisfied |= item.pending.intersects(item.waitfor);
    }
    if satisfied {
        return caller
            .write_slice(items.output(), list)
            .map(|()| Seen::Wanted);
    }
    if has_passed(deadline) {
        caller.write_slice(items.output(), list)?;
        return Err(ZxError::TimedOut);
    }
    Ok(Seen::Nothing)
}

/// What the program hears of a wait: the outer error ends the call at once, the inner one comes after `observed` is written.
fn outcome(ended: Result<ZxResult, Interrupted>) -> ZxResult<ZxResult> {
    match ended {
        Ok(result) => Ok(result),
        Err(Interrupted::TimedOut) => Ok(Err(ZxError::TimedOut)),
        Err(interrupted @ (Interrupted::Killed | Interrupted::Suspended)) => {
            Err(interrupted.into())
        }
    }
}
