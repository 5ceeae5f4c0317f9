//! Handles that a call closes by an array of their values, however long it is.
//!
//! The array is worked off in pieces. The first is part of the call, the others are what it leaves to its thread, which gives way
//! between them and waits where a pager has yet to supply the array.

use crate::handle::sys_handle_close;
use crate::unfinished::Unfinished;
use crate::Caller;
use kernel_hal::user::UserIn;
use zircon_object::vm::Rest;
use zx_abi::channel::HandleOp;
use zx_abi::{HandleDisposition, HandleValue, ZxError, ZxResult, HANDLE_INVALID};

/// Handles that are closed in one step.
const PIECE: usize = 64;

/// What is yet to be closed, and what the call returns then.
pub(crate) struct Closing {
    array: Array,
    left: usize,
    purpose: Purpose,
    outcome: ZxResult,
}

/// Where the values are.
#[derive(Clone, Copy)]
pub(crate) enum Array {
    /// Values back to back.
    Values(UserIn<HandleValue>),
    /// Records of `channel_write_etc`, of which only those to be moved count.
    Dispositions(UserIn<HandleDisposition>),
}

/// Why handles are closed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// The program asked for it, and hears of values that are none and of memory that cannot be read.
    Asked,
    /// The call has failed and loses its handles.
    Lost,
}

/// Closes handles for a program that asks for it; zeros are skipped.
///
/// # Errors
/// - `InvalidArgs`: a piece of the array cannot be read; the pieces before it are closed.
/// - `BadHandle`: an entry was not a handle, or stood there twice.
#[inline(always)]
pub(crate) fn close_all(
    caller: &Caller<'_>,
    values: UserIn<HandleValue>,
    count: usize,
) -> ZxResult {
    let mut piece = [HANDLE_INVALID; PIECE];
    let piece = &mut piece[..count.min(PIECE)];
    caller.read_slice(values, piece)?;
    let outcome = close_piece(caller, piece);
    if count <= PIECE {
        return outcome;
    }
    caller.leave_unfinished(Unfinished::Close(Closing {
        array: Array::Values(values.element(PIECE)),
        left: count - PIECE,
        purpose: Purpose::Asked,
        outcome,
    }));
    Ok(())
}

/// Closes handles; the last error.
#[inline(always)]
fn close_piece(caller: &Caller<'_>, values: &[HandleValue]) -> ZxResult {
    let mut outcome = Ok(());
    for value in values {
        if let Err(error) = sys_handle_close(caller, *value) {
            outcome = Err(error);
        }
    }
    outcome
}

/// Closes handles of a call that fails with `error`, as far as they are any.
#[cold]
pub(crate) fn lose_all(caller: &Caller<'_>, array: Array, count: usize, error: ZxError) {
    let mut closing = Closing {
        array,
        left: count,
        purpose: Purpose::Lost,
        outcome: Err(error),
    };
    // An array that has to be waited for is waited for with the rest.
    if matches!(
        closing.step(caller),
        Ok(Rest::More) | Err(ZxError::ShouldWait)
    ) {
        caller.leave_unfinished(Unfinished::Close(closing));
    }
}

impl Closing {
    /// Closes some.
    ///
    /// # Errors
    /// What the call returns; `ShouldWait` when a pager has to supply the array, see [`Caller::resolve`].
    #[cold]
    pub(crate) fn step(&mut self, caller: &Caller<'_>) -> ZxResult<Rest> {
        let mut values = [HANDLE_INVALID; PIECE];
        let piece = self.left.min(PIECE);
        let piece = match self.array.read(caller, &mut values[..piece]) {
            Ok(read) => read,
            Err(error) if self.purpose == Purpose::Asked || error == ZxError::ShouldWait => {
                return Err(error);
            }
            Err(_) => return self.outcome.map(|()| Rest::Nothing),
        };
        match self.purpose {
            Purpose::Asked => {
                if let Err(error) = close_piece(caller, &values[..piece]) {
                    self.outcome = Err(error);
                }
            }
            Purpose::Lost => {
                for value in &values[..piece] {
                    let handle = caller.process().handles().remove(*value);
                    drop(handle);
                }
            }
        }
        self.array.skip(piece);
        self.left -= piece;
        if self.left == 0 {
            self.outcome.map(|()| Rest::Nothing)
        } else {
            Ok(Rest::More)
        }
    }
}

impl Array {
    /// The first values, and how many could be read. An entry that is to stay is read as 0.
    fn read(self, caller: &Caller<'_>, values: &mut [HandleValue]) -> ZxResult<usize> {
        match self {
            Self::Values(there) => caller.read_slice(there, values).map(|()| values.len()),
            Self::Dispositions(entries) => read_moved(caller, entries, values),
        }
    }

    fn skip(&mut self, count: usize) {
        *self = match *self {
            Self::Values(values) => Self::Values(values.element(count)),
            Self::Dispositions(entries) => Self::Dispositions(entries.element(count)),
        };
    }
}

#[cold]
fn read_moved(
    caller: &Caller<'_>,
    entries: UserIn<HandleDisposition>,
    values: &mut [HandleValue],
) -> ZxResult<usize> {
    for (index, value) in values.iter_mut().enumerate() {
        match caller.read(entries.element(index)) {
            Ok(entry) if entry.operation == HandleOp::Duplicate.raw() => *value = HANDLE_INVALID,
            Ok(entry) => *value = entry.handle,
            Err(error) if index == 0 => return Err(error),
            // It comes first next time.
            Err(_) => return Ok(index),
        }
    }
    Ok(values.len())
}
