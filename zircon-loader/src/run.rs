//! The life of a user thread, as one future: enter user mode, serve what brought it back, again.

use crate::exception::{self, Cause};
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::future::poll_fn;
use core::task::Poll;
use kernel_hal::context::{self, Server, Trap, UserContext};
use kernel_hal::user::Access;
use zircon_object::runtime::{self, EXECUTOR};
use zircon_object::task::exception::raise;
use zircon_object::task::thread::{Attention, Last, Suspended, Waited};
use zircon_object::task::{BlockedOn, Deadline, Thread};
use zircon_object::vm::Fault;
use zircon_syscall::{Caller, Delivery, Further, Left, NeededFor, VdsoAbi};
use zx_abi::{Status, ZxError, ZxResult};

/// What all threads need to know of the vDSO; set once, before the first thread starts.
static ABI: spin::Once<VdsoAbi> = spin::Once::new();

/// Says which numbers mean which calls, and makes started threads run here.
pub(crate) fn init(abi: VdsoAbi) {
    abi.level().set();
    ABI.call_once(|| abi);
    runtime::set_thread_runner(spawn);
}

fn spawn(thread: Arc<Thread>, context: Box<UserContext>) -> ZxResult {
    let abi = ABI.get().ok_or(ZxError::BadState)?;
    let task = EXECUTOR
        .spawn_with(|| live(thread.clone(), context, abi))
        .map_err(|_| ZxError::NoMemory)?;
    thread.set_task(task);
    Ok(())
}

async fn live(thread: Arc<Thread>, context: Box<UserContext>, abi: &'static VdsoAbi) {
    thread.enter_cpu();
    let context = exception::announce_start(&thread, context).await;
    run(&thread, context, abi).await;
    if thread.process().debugger_channel().is_bound() {
        raise::announce_exit(&thread).await;
    }
    if thread.ended() == Last::Yes {
        let process = thread.process().clone();
        drop(thread);
        process.teardown().await;
    }
}

/// Runs user code until the thread is to die.
async fn run(thread: &Arc<Thread>, mut context: Box<UserContext>, abi: &'static VdsoAbi) {
    let caller = Caller::new(thread, abi);
    loop {
        if thread.needs_attention() {
            match thread.attention() {
                Attention::None => {
                    if thread.keep_to_budget().await == Waited::Yes {
                        continue;
                    }
                }
                Attention::Suspend => {
                    context = suspended(thread, context).await;
                    continue;
                }
                Attention::Kill => return,
            }
        }
        if EXECUTOR.has_watched() && thread.must_give_way() {
            thread.yield_now().await;
            continue;
        }
        // Calls that do not block, nearly all, are served by the caller within this.
        let trap = context::run(&mut context, Server::new(&caller));
        match trap {
            Trap::Syscall => {
                runtime::serve_timers();
                let value = match caller.take_left(context.answer) {
                    Left::Done(value) => value,
                    Left::Wait => zircon_syscall::complete(&caller, &context.regs).await,
                    Left::Bad => {
                        context.regs.rax = raw(ZxError::BadSyscall);
                        context = exception::raise(thread, context, Cause::BadSyscall).await;
                        continue;
                    }
                };
                if caller.has_attention() {
                    context = finish(&caller, context, value).await;
                } else {
                    context.regs.rax = value;
                }
            }
            // It may have readied others, or have ended the slice: the next round looks.
            Trap::Interrupt => runtime::serve_timers(),
            Trap::PageFault { addr, code } => {
                match thread.process().space().fault(addr, access_of(code)) {
                    Ok(()) => {}
                    Err(Fault::Pager) => {
                        let can_be_had = match thread.process().space().ask_for(addr) {
                            Ok(None) => true,
                            // Unless the pager says that it failed, the access is tried again and shows what became of the
                            // page.
                            Ok(Some(page)) => {
                                let wait = thread.block(BlockedOn::Pager, Deadline::NEVER, page);
                                !matches!(wait.await, Ok(Err(_)))
                            }
                            Err(_) => false,
                        };
                        if !can_be_had {
                            let cause = Cause::PageFault { addr, code };
                            context = exception::raise(thread, context, cause).await;
                        }
                    }
                    Err(_) => {
                        context =
                            exception::raise(thread, context, Cause::PageFault { addr, code }).await
                    }
                }
            }
            Trap::Exception { vector, code } => {
                context = exception::raise(thread, context, Cause::Hardware { vector, code }).await;
            }
        }
    }
}

/// Does what a call that returned `value` left to do.
#[cold]
async fn finish(
    caller: &Caller<'_>,
    mut context: Box<UserContext>,
    value: u64,
) -> Box<UserContext> {
    /// Bytes of the `syscall` instruction.
    const SYSCALL_LEN: u64 = 2;
    if let Some(page) = caller.take_wanted_page(value) {
        let wait = caller
            .thread()
            .block(BlockedOn::Pager, Deadline::NEVER, page.request);
        if let Ok(Err(error)) = wait.await {
            context.regs.rax = raw(page.needed_for.error(error));
        } else {
            // The program makes the call again (its number is still in rax) and sees what became of the page.
            context.regs.rip -= SYSCALL_LEN;
        }
        if caller.take_deferred() {
            caller.forget_deferred();
        }
        return context;
    }
    context.regs.rax = value;
    if caller.take_unfinished() {
        context = go_on(caller, context).await;
    }
    if caller.take_deferred() {
        context = deliver(caller, context).await;
    }
    if caller.take_policy_exception() {
        return exception::raise(caller.thread(), context, Cause::Policy).await;
    }
    context
}

/// Does the rest of a call in steps, between which others run. What it returns instead of success goes to the registers.
async fn go_on(caller: &Caller<'_>, mut context: Box<UserContext>) -> Box<UserContext> {
    let thread = caller.thread();
    loop {
        if thread.needs_attention() && caller.may_stop() {
            match thread.attention() {
                Attention::None => {}
                Attention::Suspend => {
                    context = suspended(thread, context).await;
                    continue;
                }
                Attention::Kill => {
                    caller.forget_unfinished();
                    return context;
                }
            }
        }
        let failure = match caller.go_on() {
            Ok(Further::Nothing) => return context,
            Ok(Further::More) => {
                thread.yield_now().await;
                continue;
            }
            Ok(Further::Waits(page)) => {
                let wait = thread.block(BlockedOn::Pager, Deadline::NEVER, page.request);
                match wait.await {
                    Ok(Err(error)) => page.needed_for.error(error),
                    Ok(Ok(())) | Err(_) => continue,
                }
            }
            Err(error) => error,
        };
        caller.forget_unfinished();
        context.regs.rax = raw(failure);
        return context;
    }
}

/// Writes the results of a call that wait for a pager. The thread can be suspended and killed meanwhile.
async fn deliver(caller: &Caller<'_>, mut context: Box<UserContext>) -> Box<UserContext> {
    let thread = caller.thread();
    loop {
        let failure = match caller.deliver() {
            Delivery::Done => return context,
            Delivery::Failed(error) => error,
            Delivery::Waits(page) => {
                match thread.block(BlockedOn::Pager, Deadline::NEVER, page).await {
                    Ok(Ok(())) => continue,
                    Ok(Err(error)) => NeededFor::Buffer.error(error),
                    Err(_) => match thread.attention() {
                        Attention::None => continue,
                        Attention::Suspend => {
                            context = suspended(thread, context).await;
                            continue;
                        }
                        Attention::Kill => {
                            caller.forget_deferred();
                            return context;
                        }
                    },
                }
            }
        };
        caller.forget_deferred();
        context.regs.rax = raw(failure);
        return context;
    }
}

/// An error as a call returns it.
fn raw(error: ZxError) -> u64 {
    i64::cast_unsigned(i64::from(Status::from(error).0))
}

/// Stops until the last suspension is taken back or the thread is killed. Its registers can be read and written meanwhile.
async fn suspended(thread: &Arc<Thread>, mut context: Box<UserContext>) -> Box<UserContext> {
    context::flush(&mut context);
    thread.show_suspended(Suspended::Yes);
    thread.park(context);
    thread.step_off_cpu();
    let context = poll_fn(|_| match thread.attention() {
        Attention::Suspend => Poll::Pending,
        Attention::None | Attention::Kill => thread.unpark().map_or(Poll::Pending, Poll::Ready),
    });
    let mut context = context.await;
    context::invalidate(&mut context);
    // Who dies does not seem to run before.
    if thread.attention() != Attention::Kill {
        thread.show_suspended(Suspended::No);
    }
    thread.enter_cpu();
    context
}

/// What the program tried, from the page-fault error code (SDM volume 3, 4.7).
const fn access_of(code: u64) -> Access {
    const WRITE: u64 = 1 << 1;
    const FETCH: u64 = 1 << 4;
    if code & FETCH != 0 {
        Access::Execute
    } else if code & WRITE != 0 {
        Access::Write
    } else {
        Access::Read
    }
}
