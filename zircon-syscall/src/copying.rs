//! Copies between VMOs and memory of the program, in steps, and what a long one leaves to its thread.

use crate::unfinished::Unfinished;
use crate::vmo::ask_for;
use crate::Caller;
use alloc::sync::Arc;
use kernel_hal::VirtAddr;
use zircon_object::runtime::{self, EXECUTOR};
use zircon_object::vm::{Progress, Rest, Vmo, PAGE_SIZE};
use zx_abi::{ZxError, ZxResult};

/// Bytes that are copied into missing pages between two looks at who waits.
const TURN: usize = 64 * PAGE_SIZE;

/// Copies between a VMO, from an offset on, and so many bytes of the program.
#[inline(always)]
pub(crate) fn copy(
    caller: &Caller<'_>,
    vmo: Arc<Vmo>,
    direction: Direction,
    (offset, user, len): (u64, VirtAddr, usize),
) -> ZxResult {
    // Most copies are over in one step.
    let done = match direction.step(&vmo, offset, user, len) {
        Ok(progress) if progress.done == len => return Ok(()),
        Ok(Progress { done, fault: None }) => done,
        Ok(Progress {
            done,
            fault: Some(fault),
        }) => {
            caller.resolve(fault)?;
            done
        }
        Err(ZxError::ShouldWait) => 0,
        Err(error) => return Err(error),
    };
    copy_rest(caller, vmo, direction, (offset, user, len), done)
}

/// Copies in bounded pieces; faults are resolved between them. How many bytes are done: not all when others are to run first.
#[inline(always)]
fn transfer(
    caller: &Caller<'_>,
    vmo: &Vmo,
    offset: u64,
    user: VirtAddr,
    len: usize,
    step: impl Fn(u64, VirtAddr, usize) -> ZxResult<Progress>,
) -> ZxResult<usize> {
    let mut done = 0;
    loop {
        let progress = match step(
            offset.wrapping_add(done as u64),
            user.wrapping_add(done),
            len - done,
        ) {
            Ok(progress) => progress,
            Err(ZxError::ShouldWait) => {
                ask_for(caller, vmo, offset, len as u64, 1)?;
                continue;
            }
            Err(error) => return Err(error),
        };
        let before = done;
        done += progress.done;
        match progress.fault {
            Some(fault) => {
                caller.resolve(fault)?;
                // Memory that is touched for the first time faults before a piece is over.
                if before / TURN != done / TURN && others_are_to_run(caller) {
                    return Ok(done);
                }
            }
            None if done == len => return Ok(len),
            None if others_are_to_run(caller) => return Ok(done),
            None => {}
        }
    }
}

/// As [`transfer`], to the end, for calls that cannot leave anything to their thread.
#[inline(always)]
pub(crate) fn transfer_all(
    caller: &Caller<'_>,
    vmo: &Vmo,
    offset: u64,
    user: VirtAddr,
    len: usize,
    step: impl Fn(u64, VirtAddr, usize) -> ZxResult<Progress>,
) -> ZxResult {
    let mut done = 0;
    while done < len {
        let (offset, user) = (offset.wrapping_add(done as u64), user.wrapping_add(done));
        done += transfer(caller, vmo, offset, user, len - done, &step)?;
    }
    Ok(())
}

/// Lets interrupts in, and looks whether the thread must give way or stop.
#[cold]
fn others_are_to_run(caller: &Caller<'_>) -> bool {
    kernel_hal::cpu::interrupt_window();
    runtime::serve_timers();
    let thread = caller.thread();
    thread.needs_attention() || EXECUTOR.has_watched() && thread.must_give_way()
}

/// The rest of a long `vmo_read` or `vmo_write`.
pub(crate) struct Copying {
    vmo: Arc<Vmo>,
    direction: Direction,
    offset: u64,
    user: VirtAddr,
    len: usize,
}

/// Which way bytes go, as the VMO sees it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Out,
    In,
}

impl Direction {
    #[inline(always)]
    fn step(self, vmo: &Vmo, offset: u64, user: VirtAddr, len: usize) -> ZxResult<Progress> {
        match self {
            Self::Out => vmo.read_to_user(offset, user, len),
            Self::In => vmo.write_from_user(offset, user, len),
        }
    }
}

/// Copies what is left when `done` bytes are; what is left when others are to run becomes the thread's.
#[inline(never)]
fn copy_rest(
    caller: &Caller<'_>,
    vmo: Arc<Vmo>,
    direction: Direction,
    (offset, user, len): (u64, VirtAddr, usize),
    done: usize,
) -> ZxResult {
    let mut rest = Copying {
        vmo,
        direction,
        offset,
        user,
        len,
    };
    rest.skip(done);
    if rest.step(caller)? == Rest::More {
        caller.leave_unfinished(Unfinished::Copy(rest));
    }
    Ok(())
}

impl Copying {
    /// Copies until others are to run.
    ///
    /// # Errors
    /// What the call returns; `ShouldWait` when a pager has to supply a page.
    pub(crate) fn step(&mut self, caller: &Caller<'_>) -> ZxResult<Rest> {
        let (vmo, direction) = (&self.vmo, self.direction);
        let done = transfer(
            caller,
            vmo,
            self.offset,
            self.user,
            self.len,
            |at, user, len| direction.step(vmo, at, user, len),
        )?;
        self.skip(done);
        Ok(if self.len == 0 {
            Rest::Nothing
        } else {
            Rest::More
        })
    }

    fn skip(&mut self, done: usize) {
        self.offset = self.offset.wrapping_add(done as u64);
        self.user = self.user.wrapping_add(done);
        self.len -= done;
    }
}
