//! Calls as a program makes them, on the hosted HAL: results, order of errors, what becomes of handles.

mod allocation;
mod channel;
mod deferred;
mod futex;
mod remade;
mod signalling;
mod socket2019;
mod straddling;
mod transfer;
mod unfinished;

use crate::{Caller, Level, VdsoAbi};
use core::cell::Cell;
use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use kernel_hal::addr::{USER_BASE, USER_SIZE};
use kernel_hal::user::{UserIn, UserInOut, UserOut};
use std::sync::Arc;
use zerocopy::{FromBytes, Immutable, IntoBytes};
use zircon_object::object::{Handle, TypedObject};
use zircon_object::task::{Job, Process, Thread};
use zircon_object::vm::{Perms, Resizable, VmOptions, Vmo};
use zx_abi::{HandleValue, Rights, ZxResult};

/// An address in user space where nothing is mapped.
const NOWHERE: usize = USER_BASE + USER_SIZE - 0x1_0000;
const MEMORY: u64 = 0x4_0000;

/// A program: a process with one thread and some memory. It never runs; tests make its calls.
struct Program {
    thread: Arc<Thread>,
    abi: VdsoAbi,
    job: Arc<Job>,
    next: Cell<usize>,
}

fn made<T>(result: ZxResult<T>) -> T {
    result.unwrap_or_else(|error| panic!("{error:?}"))
}

impl Program {
    fn new() -> Self {
        kernel_hal_hosted::init();
        let job = made(Job::new_root());
        let process = made(Process::create(&job, b"test"));
        let thread = made(Thread::new(process.clone(), b"test"));
        let memory = made(Vmo::new(MEMORY, Resizable::No));
        let options = VmOptions::PERM_READ | VmOptions::PERM_WRITE;
        let base = made(
            process
                .root_vmar()
                .map(options, 0, &memory, 0, MEMORY, Perms::ALL),
        );
        process.space().activate();
        Self {
            thread,
            abi: made(VdsoAbi::new(Level::Home, &[])),
            job,
            next: Cell::new(base),
        }
    }

    fn caller(&self) -> Caller<'_> {
        Caller::new(&self.thread, &self.abi)
    }

    /// Room for `len` bytes in the program's memory.
    fn room(&self, len: usize) -> usize {
        let at = self.next.get().next_multiple_of(16);
        self.next.set(at + len);
        at
    }

    /// The address of a value in the program's memory.
    fn put<T: IntoBytes + Immutable + ?Sized>(&self, value: &T) -> usize {
        let at = self.room(size_of_val(value));
        made(
            self.caller()
                .write_slice(UserOut::<u8>::new(at), value.as_bytes()),
        );
        at
    }

    /// What is at an address.
    fn get<T: FromBytes + IntoBytes>(&self, at: usize) -> T {
        made(self.caller().read(UserIn::new(at)))
    }

    fn bytes(&self, at: usize, len: usize) -> std::vec::Vec<u8> {
        made(self.caller().read_vec(UserIn::new(at), len))
    }

    /// The values that a call stored through two pointers for handles.
    fn two(
        &self,
        create: impl FnOnce(UserOut<HandleValue>, UserOut<HandleValue>) -> ZxResult,
    ) -> (HandleValue, HandleValue) {
        let (first, second) = (self.room(4), self.room(4));
        made(create(UserOut::new(first), UserOut::new(second)));
        (self.get(first), self.get(second))
    }

    fn one(&self, create: impl FnOnce(UserOut<HandleValue>) -> ZxResult) -> HandleValue {
        let at = self.room(4);
        made(create(UserOut::new(at)));
        self.get(at)
    }

    fn event(&self) -> HandleValue {
        self.one(|out| crate::event::sys_event_create(&self.caller(), 0, out))
    }

    fn channel(&self) -> (HandleValue, HandleValue) {
        self.two(|a, b| crate::channel::sys_channel_create(&self.caller(), 0, a, b))
    }

    /// A handle to an object that a call cannot make.
    fn give<T: TypedObject>(&self, object: Arc<T>) -> HandleValue {
        made(self.thread.process().add_handle(made(Handle::new(object))))
    }

    /// Another handle with these rights.
    fn with_rights(&self, handle: HandleValue, rights: Rights) -> HandleValue {
        let copy = made(
            self.thread
                .process()
                .handles()
                .find(handle)
                .and_then(|handle| handle.duplicate(rights)),
        );
        made(self.thread.process().add_handle(copy))
    }

    fn has(&self, handle: HandleValue) -> bool {
        self.thread.process().handles().find(handle).is_ok()
    }

    fn handle_count(&self) -> usize {
        self.thread.process().handles().len()
    }

    fn close(&self, handle: HandleValue) {
        let closed = self.thread.process().handles().remove(handle);
        drop(made(closed));
    }
}

/// The result of a call that must not block.
fn now<T>(call: impl Future<Output = T>) -> T {
    match pin!(call).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("the call blocks"),
    }
}

fn input<T>(at: usize) -> UserIn<T> {
    UserIn::new(at)
}
fn output<T>(at: usize) -> UserOut<T> {
    UserOut::new(at)
}
fn both<T>(at: usize) -> UserInOut<T> {
    UserInOut::new(at)
}
