//! The story: attach, break, step, read, change, watch, mend, let go.

use alloc::format;
use alloc::string::String;

use libzx::{println, time, AsHandle, Channel, Exception, Job, Signals, Startup, Vmo, ZxError};
use mini_process::{MiniProcess, DATA};
use zx_abi::exception::{ExceptionChannelOptions, ExceptionReport, ExceptionType};
use zx_abi::info::InfoTopic;
use zx_abi::procargs::{PA_JOB_DEFAULT, PA_VMO_VDSO};
use zx_abi::thread_state::{DebugRegs, GeneralRegs, ThreadStateKind};

use crate::subject::{self, Listing, COUNT, GOOD, NUMBERS, SUM};
use crate::view;

const GENERAL: ThreadStateKind = ThreadStateKind::GeneralRegs;
const DEBUG: ThreadStateKind = ThreadStateKind::DebugRegs;
const STEP: ThreadStateKind = ThreadStateKind::SingleStep;

/// Turns breakpoint 0 on in DR7: it stops before the instruction at DR0.
const BREAK_ON_EXECUTION: u64 = 1;
/// Turns it on for writes to the 8 bytes at DR0.
const BREAK_ON_WRITE: u64 = 0b1101 << 16 | 1;
/// What the subject adds up: 10 + 20 + 30 + 40, before the debugger changes things.
const LIST: [u64; 4] = [10, 20, 30, 40];

/// Names the step that failed.
fn during(step: &'static str) -> impl Fn(ZxError) -> String {
    move |error| format!("{step}: {error}")
}

/// The process under the debugger.
struct Session {
    mini: MiniProcess,
    channel: Channel,
    listing: Listing,
}

pub(crate) fn run(mut startup: Startup) -> Result<(), String> {
    let job: Job = startup
        .take(PA_JOB_DEFAULT, 0)
        .ok_or("the parent passed no job")?;
    let vdso: Vmo = startup
        .take(PA_VMO_VDSO, 0)
        .ok_or("the parent passed no vDSO")?;
    let session = Session::attach(&job, &vdso)?;
    session.begin()?;
    session.break_at_the_addition()?;
    session.step_and_change()?;
    session.watch_the_sum()?;
    session.mend_the_fault()?;
    session.end()
}

impl Session {
    fn attach(job: &Job, vdso: &Vmo) -> Result<Self, String> {
        let mut listing = Listing::default();
        let mini = MiniProcess::with_vdso(job, vdso, |code, function| {
            subject::assemble(code, function, &mut listing);
        })
        .map_err(during("making the subject"))?;
        let words = (NUMBERS..).zip(LIST).chain([(COUNT, 4), (GOOD, 7)]);
        for (word, value) in words {
            mini.set_word(word, value).map_err(during("vmo_write"))?;
        }
        let options = ExceptionChannelOptions::DEBUGGER;
        let channel = Channel::of_exceptions(&mini.process, options)
            .map_err(during("task_create_exception_channel"))?;
        let koid = mini.process.koid().map_err(during("object_get_info"))?;
        println!("debugger: attached to process {koid}, which is:");
        for line in listing.lines() {
            println!("  {:x}: {}", line.address, line.text);
        }
        Ok(Self {
            mini,
            channel,
            listing,
        })
    }

    /// Waits for the next exception, which must be of this kind, and says where the thread stands.
    fn wait_for(&self, kind: ExceptionType) -> Result<(Exception, GeneralRegs), String> {
        let (info, exception) = self
            .channel
            .exception_by(time::after(10_000_000_000))
            .map_err(during("waiting for an exception"))?;
        if info.kind != kind.raw() {
            return Err(format!("exception {:#x} instead of {kind:?}", info.kind));
        }
        let regs: GeneralRegs = self
            .mini
            .thread
            .read_state(GENERAL)
            .map_err(during("thread_read_state"))?;
        let rip = usize::try_from(regs.rip).unwrap_or(0);
        let what = match kind {
            ExceptionType::ThreadStarting => "the thread starts",
            ExceptionType::HwBreakpoint => "stopped",
            ExceptionType::FatalPageFault => "page fault",
            _ => "exception",
        };
        let text = self.listing.text(rip);
        println!("debugger: {what} at {rip:x}: {text}");
        Ok((exception, regs))
    }

    fn resume(exception: Exception) -> Result<(), String> {
        exception.resume().map_err(during("setting the state"))
    }

    /// Sets DR0 and what it does, or turns it off.
    fn set_breakpoint(&self, address: usize, control: u64) -> Result<(), String> {
        let mut regs: DebugRegs = self
            .mini
            .thread
            .read_state(DEBUG)
            .map_err(during("thread_read_state"))?;
        regs.dr[0] = address as u64;
        regs.dr7 = control;
        self.mini
            .thread
            .write_state(DEBUG, &regs)
            .map_err(during("thread_write_state"))
    }

    /// A word of the subject's memory, by its address.
    fn read_word(&self, word: usize) -> Result<u64, String> {
        let mut bytes = [0; 8];
        let read = self.mini.process.read_memory(DATA + word * 8, &mut bytes);
        read.map_err(during("process_read_memory"))?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn begin(&self) -> Result<(), String> {
        self.mini.start().map_err(during("process_start"))?;
        let (exception, _) = self.wait_for(ExceptionType::ThreadStarting)?;
        self.set_breakpoint(self.listing.add, BREAK_ON_EXECUTION)?;
        println!("debugger: hardware breakpoint at {:x}", self.listing.add);
        Self::resume(exception)
    }

    fn break_at_the_addition(&self) -> Result<(), String> {
        let (exception, regs) = self.wait_for(ExceptionType::HwBreakpoint)?;
        expect(
            "the breakpoint's address",
            regs.rip,
            self.listing.add as u64,
        )?;
        expect("rcx", regs.rcx, LIST.len() as u64)?;
        view::print_registers(&regs);
        let mut bytes = [0; 8 * LIST.len()];
        let address = DATA + NUMBERS * 8;
        self.mini
            .process
            .read_memory(address, &mut bytes)
            .map_err(during("process_read_memory"))?;
        println!("debugger: its numbers");
        view::print_memory(address, &bytes);
        self.set_breakpoint(0, 0)?;
        self.mini
            .thread
            .write_state(STEP, &1u32)
            .map_err(during("thread_write_state"))?;
        println!("debugger: breakpoint off, single steps on");
        Self::resume(exception)
    }

    /// Four steps: once round the loop. Then what is added is changed: rax, and the last number.
    fn step_and_change(&self) -> Result<(), String> {
        for step in 1..=4 {
            let (exception, mut regs) = self.wait_for(ExceptionType::HwBreakpoint)?;
            println!(
                "  rax {:x}  rbx {:x}  rcx {:x}",
                regs.rax, regs.rbx, regs.rcx
            );
            if step < 4 {
                self.mini
                    .thread
                    .write_state(STEP, &1u32)
                    .map_err(during("thread_write_state"))?;
            } else {
                expect(
                    "the address after one round",
                    regs.rip,
                    self.listing.add as u64,
                )?;
                expect("the sum so far", regs.rax, LIST[0])?;
                regs.rax = 1000;
                self.mini
                    .thread
                    .write_state(GENERAL, &regs)
                    .map_err(during("thread_write_state"))?;
                let last = DATA + (NUMBERS + LIST.len() - 1) * 8;
                self.mini
                    .process
                    .write_memory(last, &400u64.to_le_bytes())
                    .map_err(during("process_write_memory"))?;
                println!("debugger: rax changed to 1000, and the word at {last:x} to 400");
                self.mini
                    .thread
                    .write_state(STEP, &0u32)
                    .map_err(during("thread_write_state"))?;
                self.set_breakpoint(DATA + SUM * 8, BREAK_ON_WRITE)?;
                println!("debugger: watching the sum at {:x}", DATA + SUM * 8);
            }
            Self::resume(exception)?;
        }
        Ok(())
    }

    fn watch_the_sum(&self) -> Result<(), String> {
        let (exception, regs) = self.wait_for(ExceptionType::HwBreakpoint)?;
        expect(
            "the address after the store",
            regs.rip,
            self.listing.stored as u64,
        )?;
        let sum = self.read_word(SUM)?;
        println!("debugger: the sum was written: {sum}");
        // What was in rax, then the second, the third, and the changed last number.
        expect("the sum", sum, 1000 + 20 + 30 + 400)?;
        self.set_breakpoint(0, 0)?;
        Self::resume(exception)
    }

    fn mend_the_fault(&self) -> Result<(), String> {
        let (exception, mut regs) = self.wait_for(ExceptionType::FatalPageFault)?;
        let report: ExceptionReport = self
            .mini
            .thread
            .get_info(InfoTopic::ThreadExceptionReport)
            .map_err(during("object_get_info"))?;
        println!(
            "debugger: vector {}, error code {:x}, address {:x}",
            report.vector, report.err_code, report.cr2
        );
        expect(
            "the faulting instruction",
            regs.rip,
            self.listing.bad_read as u64,
        )?;
        expect("the faulting address", report.cr2, subject::BAD_ADDRESS)?;
        regs.rdx = (DATA + GOOD * 8) as u64;
        self.mini
            .thread
            .write_state(GENERAL, &regs)
            .map_err(during("thread_write_state"))?;
        println!("debugger: rdx changed to {:x}, which holds 7", regs.rdx);
        Self::resume(exception)
    }

    fn end(&self) -> Result<(), String> {
        let deadline = time::after(10_000_000_000);
        // The thread's end is told as well, but nobody waits for the answer when the process exits.
        self.mini
            .process
            .wait_one(Signals::PROCESS_TERMINATED, deadline)
            .map_err(during("waiting for the end"))?;
        let info = self
            .mini
            .process
            .info()
            .map_err(during("object_get_info"))?;
        println!("debugger: the process ended with {}", info.return_code);
        expect("its code", info.return_code.cast_unsigned(), 7)
    }
}

fn expect(what: &str, found: u64, expected: u64) -> Result<(), String> {
    if found == expected {
        Ok(())
    } else {
        Err(format!("{what} is {found:#x} and should be {expected:#x}"))
    }
}
