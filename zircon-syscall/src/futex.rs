//! Futexes. A futex is a word of the calling process, named by its address.

use crate::Caller;
use alloc::sync::Arc;
use core::future::poll_fn;
use core::task::Poll;
use kernel_hal::addr::is_user_range;
use kernel_hal::user::{UserIn, UserOut};
use zircon_object::signal::futex::{Ended, NewOwner, Requeue};
use zircon_object::task::thread_state::Phase;
use zircon_object::task::{BlockedOn, Thread};
use zx_abi::{HandleValue, Rights, ZxError, ZxResult, HANDLE_INVALID};

/// `futex_wait` of a word that has another value, or cannot be read: nobody queues up for that.
pub(crate) fn now_futex_wait(
    caller: &Caller<'_>,
    value_ptr: UserIn<i32>,
    current_value: i32,
    _new_futex_owner: HandleValue,
    _deadline: i64,
) -> Option<ZxResult> {
    match address_of(value_ptr).and_then(|_| caller.read(value_ptr)) {
        Ok(value) if value == current_value => None,
        Ok(_) => Some(Err(ZxError::BadState)),
        Err(error) => Some(Err(error)),
    }
}

/// `futex_wait`
pub(crate) async fn sys_futex_wait(
    caller: &Caller<'_>,
    value_ptr: UserIn<i32>,
    current_value: i32,
    new_futex_owner: HandleValue,
    deadline: i64,
) -> ZxResult {
    let address = address_of(value_ptr)?;
    let joined = poll_fn(|cx| {
        let futexes = caller.process().futexes();
        Poll::Ready(futexes.enqueue(address, caller.thread(), cx.waker()))
    });
    let mut wait = joined.await?;
    // Only now: who stores another value and wakes finds this thread in the queue, or has stored before this read.
    if caller.read(value_ptr)? != current_value {
        return Err(ZxError::BadState);
    }
    let owner = owner(caller, new_futex_owner)?;
    if owner
        .as_ref()
        .is_some_and(|owner| Arc::ptr_eq(owner, caller.thread()))
    {
        return Err(ZxError::InvalidArgs);
    }
    wait.begin(owner.as_ref())?;
    drop(owner);
    match caller
        .thread()
        .block(BlockedOn::Futex, caller.deadline(deadline), &mut wait)
        .await
    {
        Ok(()) => Ok(()),
        Err(interrupted) => match wait.leave() {
            Ended::Woken => Ok(()),
            Ended::Waiting => Err(interrupted.into()),
        },
    }
}

/// `futex_wake`
pub(crate) fn sys_futex_wake(
    caller: &Caller<'_>,
    value_ptr: UserIn<i32>,
    wake_count: u32,
) -> ZxResult {
    let address = address_of(value_ptr)?;
    caller
        .process()
        .futexes()
        .wake(address, wake_count as usize, NewOwner::Nobody);
    Ok(())
}

/// `futex_wake_single_owner`
pub(crate) fn sys_futex_wake_single_owner(caller: &Caller<'_>, value_ptr: UserIn<i32>) -> ZxResult {
    let address = address_of(value_ptr)?;
    caller.process().futexes().wake(address, 1, NewOwner::Woken);
    Ok(())
}

/// `futex_requeue`
pub(crate) fn sys_futex_requeue(
    caller: &Caller<'_>,
    value_ptr: UserIn<i32>,
    wake_count: u32,
    current_value: i32,
    requeue_ptr: UserIn<i32>,
    requeue_count: u32,
    new_requeue_owner: HandleValue,
) -> ZxResult {
    let counts = (wake_count as usize, requeue_count as usize);
    requeue(
        caller,
        value_ptr,
        current_value,
        requeue_ptr,
        counts,
        new_requeue_owner,
        NewOwner::Nobody,
    )
}

/// `futex_requeue_single_owner`
pub(crate) fn sys_futex_requeue_single_owner(
    caller: &Caller<'_>,
    value_ptr: UserIn<i32>,
    current_value: i32,
    requeue_ptr: UserIn<i32>,
    requeue_count: u32,
    new_requeue_owner: HandleValue,
) -> ZxResult {
    let counts = (1, requeue_count as usize);
    requeue(
        caller,
        value_ptr,
        current_value,
        requeue_ptr,
        counts,
        new_requeue_owner,
        NewOwner::Woken,
    )
}

fn requeue(
    caller: &Caller<'_>,
    value_ptr: UserIn<i32>,
    current_value: i32,
    requeue_ptr: UserIn<i32>,
    counts: (usize, usize),
    new_requeue_owner: HandleValue,
    owner_after: NewOwner,
) -> ZxResult {
    let (from, to) = (address_of(value_ptr)?, address_of(requeue_ptr)?);
    if from == to {
        return Err(ZxError::InvalidArgs);
    }
    let futexes = caller.process().futexes();
    let epoch = futexes.epoch();
    if caller.read(value_ptr)? != current_value {
        return Err(ZxError::BadState);
    }
    let to_owner = owner(caller, new_requeue_owner)?;
    let from = Requeue {
        address: from,
        wake_count: counts.0,
        move_count: counts.1,
        owner: owner_after,
    };
    futexes.requeue(from, to, to_owner.as_ref(), epoch)
}

/// `futex_get_owner`
pub(crate) fn sys_futex_get_owner(
    caller: &Caller<'_>,
    value_ptr: UserIn<i32>,
    koid: UserOut<u64>,
) -> ZxResult {
    let address = address_of(value_ptr)?;
    caller.write(koid, &caller.process().futexes().owner(address).0)
}

fn address_of(futex: UserIn<i32>) -> ZxResult<usize> {
    let address = futex.addr();
    if address != 0
        && address.is_multiple_of(align_of::<i32>())
        && is_user_range(address, size_of::<i32>())
    {
        Ok(address)
    } else {
        Err(ZxError::InvalidArgs)
    }
}

/// The thread that is to own a futex: of this process and started; one that has died counts as none.
fn owner(caller: &Caller<'_>, handle: HandleValue) -> ZxResult<Option<Arc<Thread>>> {
    if handle == HANDLE_INVALID {
        return Ok(None);
    }
    let thread = caller.get::<Thread>(handle, Rights::empty())?;
    if !Arc::ptr_eq(thread.process(), caller.process()) {
        return Err(ZxError::InvalidArgs);
    }
    match thread.phase() {
        Phase::New => Err(ZxError::InvalidArgs),
        Phase::Running | Phase::Dying => Ok(Some(thread)),
        Phase::Dead => Ok(None),
    }
}
