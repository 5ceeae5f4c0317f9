//! Who serves the syscalls of a thread that runs: a function and what it works on, as the trap path wants them.
//!
//! The trap path calls through two words that it has at hand, from assembly. A trait object would need the layout of its
//! table of functions, which the language does not promise; so the two words are made here, as a waker's are.

use crate::context::GeneralRegs;
use core::marker::PhantomData;

/// Serves syscalls for [`run`](crate::context::run), while that is in progress.
pub trait Syscalls {
    /// Serves one call; the value for rax.
    ///
    /// Of `regs` are true: rax (the number), the arguments, rip (behind the instruction), rflags and rsp; the others may be
    /// those of an earlier moment. Called with interrupts off, on the stack of the caller of `run`, and without the right to
    /// touch user memory but by the copy functions. A call that must wait, or whose thread has something to do before it
    /// goes on, calls [`leave`](crate::context::leave).
    fn serve(&self, regs: &GeneralRegs) -> u64;
}

/// What the trap path calls, with its first argument.
pub type ServeFn = unsafe extern "C" fn(*const (), &GeneralRegs) -> u64;

/// A borrowed [`Syscalls`] of any type.
#[derive(Clone, Copy, Debug)]
pub struct Server<'a> {
    state: *const (),
    serve: ServeFn,
    borrowed: PhantomData<&'a ()>,
}

impl<'a> Server<'a> {
    /// The server that `syscalls` is.
    #[inline(always)]
    #[must_use]
    pub fn new<S: Syscalls>(syscalls: &'a S) -> Self {
        Self {
            state: (&raw const *syscalls).cast(),
            serve: serve::<S>,
            borrowed: PhantomData,
        }
    }

    /// The two words, for a backend: the function may be called with the pointer as long as the server is borrowed.
    #[inline(always)]
    #[must_use]
    pub const fn parts(self) -> (ServeFn, *const ()) {
        (self.serve, self.state)
    }

    /// Serves one call; what a backend without assembly does.
    #[must_use]
    pub fn serve(self, regs: &GeneralRegs) -> u64 {
        // SAFETY: the pointer and the function were made for the same type, and the borrow lasts.
        unsafe { (self.serve)(self.state, regs) }
    }
}

/// # Safety
/// 1. `state` came from a reference to an `S` that is still borrowed.
unsafe extern "C" fn serve<S: Syscalls>(state: *const (), regs: &GeneralRegs) -> u64 {
    // SAFETY: the caller's duty 1.
    let syscalls = unsafe { &*state.cast::<S>() };
    syscalls.serve(regs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::Cell;

    struct Sum(Cell<u64>);

    impl Syscalls for Sum {
        fn serve(&self, regs: &GeneralRegs) -> u64 {
            self.0.set(self.0.get() + regs.rdi);
            self.0.get()
        }
    }

    #[test]
    fn a_server_gets_its_own_state_and_the_registers() {
        let sum = Sum(Cell::new(1));
        let server = Server::new(&sum);
        let regs = GeneralRegs {
            rdi: 5,
            ..GeneralRegs::default()
        };
        assert_eq!([server.serve(&regs), server.serve(&regs)], [6, 11]);
        assert_eq!(sum.0.get(), 11);
    }
}
