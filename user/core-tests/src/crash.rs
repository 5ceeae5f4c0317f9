//! Code that is expected to fault: run in a thread of its own, its exception read, the thread ended, the program lives on.

use alloc::sync::Arc;
use core::mem::ManuallyDrop;
use core::sync::atomic::{AtomicBool, Ordering};

use libzx::{AsHandle, Channel, Handle, Signals, ZxError, ZxResult};
use zerocopy::{FromBytes, FromZeros, IntoBytes};
use zx_abi::exception::{ExceptionInfo, ExceptionReport, ExceptionType};
use zx_abi::info::InfoTopic;
use zx_abi::property::Property;
use zx_abi::syscalls::SyscallId;
use zx_abi::thread_state::GeneralRegs;

use crate::memory::{arg, call, Scratch};
use crate::world::soon;

/// How the work of a thread ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It returned.
    Well,
    /// By an exception of this kind, at this address if it was a page fault.
    Crash(Option<ExceptionType>, u64),
}

impl Ending {
    /// A page fault that nobody could resolve.
    pub(crate) const fn fault_at(address: usize) -> Self {
        Self::Crash(Some(ExceptionType::FatalPageFault), address as u64)
    }
}

/// A thread that may fault.
#[derive(Debug)]
pub(crate) struct Risky {
    thread: libzx::thread::JoinHandle,
    /// Stays open when a case gives up on the thread: its exception then ends nobody.
    exceptions: ManuallyDrop<Channel>,
}

impl Risky {
    /// Starts the work.
    pub(crate) fn start(work: impl FnOnce() + Send + 'static) -> ZxResult<Self> {
        let gate = Arc::new(AtomicBool::new(false));
        let opened = Arc::clone(&gate);
        let thread = libzx::thread::spawn("risky", move || {
            while !opened.load(Ordering::SeqCst) {
                libzx::time::sleep_until(0);
            }
            work();
        })?;
        let out = Scratch::new()?;
        call(
            SyscallId::TaskCreateExceptionChannel,
            &[arg(thread.thread()), 0, out.address()],
        )?;
        let exceptions = ManuallyDrop::new(Channel::from(Handle::from_raw(out.u32(0))));
        gate.store(true, Ordering::SeqCst);
        Ok(Self { thread, exceptions })
    }

    pub(crate) const fn thread(&self) -> &libzx::Thread {
        self.thread.thread()
    }

    /// Waits for the end of the work, and ends the thread if it faulted.
    pub(crate) fn ending(self) -> ZxResult<Ending> {
        self.ending_with(|| ())
    }

    /// As [`Risky::ending`]; `first` happens when the work has ended, before anything else.
    pub(crate) fn ending_with(self, first: impl FnOnce()) -> ZxResult<Ending> {
        let signals = Signals::READABLE | Signals::PEER_CLOSED;
        let seen = self.exceptions.wait_one(signals, soon())?;
        first();
        if !seen.contains(Signals::READABLE) {
            drop(ManuallyDrop::into_inner(self.exceptions));
            self.thread.join()?;
            return Ok(Ending::Well);
        }
        let message = self.exceptions.read()?;
        let (info, _) =
            ExceptionInfo::read_from_prefix(&message.bytes).map_err(|_| ZxError::Internal)?;
        let report: ExceptionReport = self
            .thread
            .thread()
            .get_info(InfoTopic::ThreadExceptionReport)?;
        self.send_to_exit()?;
        for exception in message.handles {
            exception.set_property(Property::ExceptionState, &1u32.to_le_bytes())?;
        }
        drop(ManuallyDrop::into_inner(self.exceptions));
        self.thread.join()?;
        Ok(Ending::Crash(
            ExceptionType::from_raw(info.kind),
            report.cr2,
        ))
    }

    /// Lets the thread go on in the function that ends it.
    fn send_to_exit(&self) -> ZxResult {
        let mut page = Scratch::new()?;
        let mut regs = GeneralRegs::new_zeroed();
        let thread = arg(self.thread.thread());
        let len = regs.as_bytes().len();
        let state = [thread, 0, page.address(), len];
        call(SyscallId::ThreadReadState, &state)?;
        regs.as_mut_bytes()
            .copy_from_slice(&page.get::<[u8; size_of::<GeneralRegs>()]>(0));
        regs.rip = (libzx::thread::exit as *const ()).expose_provenance() as u64;
        regs.rsp = (regs.rsp & !0xf) - 8;
        page.put(0, &regs);
        call(SyscallId::ThreadWriteState, &state)
    }
}

/// Runs work that may fault.
pub(crate) fn ending_of(work: impl FnOnce() + Send + 'static) -> ZxResult<Ending> {
    Risky::start(work)?.ending()
}

/// Whether a program can load from an address, and store there.
pub(crate) fn access(address: usize) -> ZxResult<(bool, bool)> {
    let load = ending_of(move || {
        let _ = libzx::raw::peek(address);
    })?;
    let store = ending_of(move || libzx::raw::poke(address, 1))?;
    let well = |ending| ending == Ending::Well;
    Ok((well(load), well(store)))
}
