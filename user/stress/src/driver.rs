//! One thread that does random things to processes of its own.

use alloc::vec::Vec;
use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use libzx::{println, time, AsHandle, Channel, Exception, Handle, Job, Rights, Signals, Thread};
use libzx::{Vmo, ZxError, ZxResult};
use mini_process::{MiniProcess, DATA};
use zx_abi::exception::ExceptionChannelOptions;
use zx_abi::info::InfoTopic;
use zx_abi::thread_state::{GeneralRegs, ThreadStateKind};

use crate::behaviour;
use crate::random::Random;

/// Processes that one driver has at a time.
const PROCESSES: usize = 6;
/// Suspensions, channels, exceptions and forgotten jobs, of each.
const KEPT: usize = 8;
/// Threads of one process, besides the first.
const THREADS: usize = 12;

/// What was done.
#[derive(Debug)]
pub(crate) struct Counts {
    processes: AtomicU64,
    threads: AtomicU64,
    suspensions: AtomicU64,
    exceptions: AtomicU64,
    kills: AtomicU64,
    broken: AtomicU64,
}

/// Of all drivers.
pub(crate) static COUNTS: Counts = Counts {
    processes: AtomicU64::new(0),
    threads: AtomicU64::new(0),
    suspensions: AtomicU64::new(0),
    exceptions: AtomicU64::new(0),
    kills: AtomicU64::new(0),
    broken: AtomicU64::new(0),
};

impl Counts {
    /// How many things were not as they must be.
    pub(crate) fn broken(&self) -> u64 {
        self.broken.load(Relaxed)
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} processes, {} threads, {} suspensions, {} exceptions, {} kills",
            self.processes.load(Relaxed),
            self.threads.load(Relaxed),
            self.suspensions.load(Relaxed),
            self.exceptions.load(Relaxed),
            self.kills.load(Relaxed)
        )
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

/// A process and what the driver has of it.
#[derive(Debug)]
struct Subject {
    mini: MiniProcess,
    job: Job,
    places: Vec<usize>,
    threads: Vec<Thread>,
}

/// The state of one driver.
#[derive(Debug)]
pub(crate) struct Driver {
    job: Job,
    /// Where faults come that no other handler takes.
    last_resort: Option<Channel>,
    vdso: Vmo,
    random: Random,
    subjects: Vec<Subject>,
    tokens: Vec<Handle>,
    channels: Vec<Channel>,
    exceptions: Vec<Exception>,
    /// Jobs whose processes nobody has a handle to any more.
    forgotten: Vec<Job>,
    /// Every koid that a process or thread of this driver had.
    koids: Vec<u64>,
}

/// One random thing to do.
type Step = fn(&mut Driver) -> ZxResult;

/// What there is to do, and how often of each.
const STEPS: &[(usize, Step)] = &[
    (24, Driver::begin),
    (16, Driver::add_thread),
    (14, Driver::suspend),
    (12, Driver::resume),
    (8, Driver::listen),
    (18, Driver::answer),
    (4, Driver::stop_listening),
    (10, Driver::kill),
    (4, Driver::forget),
    (6, Driver::examine),
    (8, Driver::pause),
    (12, Driver::clear_up),
];

impl Driver {
    pub(crate) fn new(job: Job, vdso: Vmo, random: Random) -> Self {
        Self {
            last_resort: Channel::of_exceptions(&job, ExceptionChannelOptions::empty()).ok(),
            job,
            vdso,
            random,
            subjects: Vec::new(),
            tokens: Vec::new(),
            channels: Vec::new(),
            exceptions: Vec::new(),
            forgotten: Vec::new(),
            koids: Vec::new(),
        }
    }

    /// Does one thing after the other until the time is over.
    pub(crate) fn run(&mut self, until: i64) {
        let total: usize = STEPS.iter().map(|(weight, _)| weight).sum();
        while time::now() < until {
            let mut choice = self.random.below(total);
            let step = STEPS.iter().find(|(weight, _)| {
                let is_this = choice < *weight;
                choice = choice.saturating_sub(*weight);
                is_this
            });
            let Some((_, step)) = step else { continue };
            match step(self) {
                // What was chosen may have ended in the meantime, and memory may be short for a moment.
                Ok(()) | Err(ZxError::BadState | ZxError::NotFound | ZxError::NoMemory) => {}
                Err(ZxError::AlreadyBound | ZxError::TimedOut | ZxError::ShouldWait) => {}
                Err(ZxError::PeerClosed | ZxError::NotSupported) => {}
                Err(error) => broken(format_args!("a step says {error}")),
            }
        }
    }

    /// Kills all, and makes sure that all is gone.
    pub(crate) fn end(&mut self) {
        // In any order but the one of making.
        self.exceptions.clear();
        self.tokens.clear();
        if self.job.kill().is_err() {
            broken(format_args!("the job cannot be killed"));
        }
        self.subjects.clear();
        self.channels.clear();
        self.last_resort = None;
        self.forgotten.clear();
        let deadline = time::after(20_000_000_000);
        if let Err(error) = self.job.wait_one(Signals::JOB_TERMINATED, deadline) {
            broken(format_args!("waiting for the end of the job: {error}"));
        }
        for topic in [InfoTopic::JobChildren, InfoTopic::JobProcesses] {
            let left = self.job.get_info_list::<u64>(topic);
            if left.as_ref().map(Vec::len) != Ok(0) {
                broken(format_args!("the killed job has {left:?}"));
            }
        }
        let made = self.koids.len();
        self.koids.sort_unstable();
        self.koids.dedup();
        if self.koids.len() != made {
            broken(format_args!("a koid was given twice"));
        }
        for koid in &self.koids {
            if self.job.child(*koid, Rights::SAME_RIGHTS).is_ok() {
                broken(format_args!("koid {koid} still names something"));
            }
        }
    }

    fn begin(&mut self) -> ZxResult {
        if self.subjects.len() >= PROCESSES {
            return Ok(());
        }
        let job = self.job.create_child()?;
        let (mini, places) = behaviour::process(&job, &self.vdso)?;
        self.koids.push(mini.process.koid()?);
        self.koids.push(mini.thread.koid()?);
        let place = self.random.pick(&places).copied().unwrap_or(DATA);
        mini.set_word(0, place as u64)?;
        if self.random.below(4) == 0 {
            let channel = Channel::of_exceptions(&mini.process, ExceptionChannelOptions::DEBUGGER)?;
            self.channels.push(channel);
        }
        if self.random.below(4) == 0 {
            self.tokens.push(mini.process.suspend()?);
            count(&COUNTS.suspensions);
        }
        // Some never start.
        if self.random.below(16) > 0 {
            mini.start()?;
        }
        count(&COUNTS.processes);
        self.subjects.push(Subject {
            mini,
            job,
            places,
            threads: Vec::new(),
        });
        Ok(())
    }

    fn add_thread(&mut self) -> ZxResult {
        let index = self.random.below(self.subjects.len());
        let Some(subject) = self.subjects.get_mut(index) else {
            return Ok(());
        };
        if subject.threads.len() >= THREADS {
            subject.threads.swap_remove(self.random.below(THREADS));
            return Ok(());
        }
        let place = self.random.pick(&subject.places).copied().unwrap_or(DATA);
        let number = 1 + self.random.below(THREADS);
        let thread = subject.mini.add_thread(place, number)?;
        self.koids.push(thread.koid()?);
        subject.threads.push(thread);
        count(&COUNTS.threads);
        Ok(())
    }

    fn suspend(&mut self) -> ZxResult {
        let index = self.random.below(self.subjects.len());
        let Some(subject) = self.subjects.get(index) else {
            return Ok(());
        };
        let token = match self.random.below(3) {
            0 => subject.mini.process.suspend()?,
            1 => subject.mini.thread.suspend()?,
            _ => match self.random.pick(&subject.threads) {
                Some(thread) => thread.suspend()?,
                None => return Ok(()),
            },
        };
        self.tokens.push(token);
        count(&COUNTS.suspensions);
        self.drop_if_many();
        Ok(())
    }

    fn resume(&mut self) -> ZxResult {
        let index = self.random.below(self.tokens.len());
        if index < self.tokens.len() {
            self.tokens.swap_remove(index);
        }
        Ok(())
    }

    fn listen(&mut self) -> ZxResult {
        let index = self.random.below(self.subjects.len());
        let Some(subject) = self.subjects.get(index) else {
            return Ok(());
        };
        let plain = ExceptionChannelOptions::empty();
        let debugger = ExceptionChannelOptions::DEBUGGER;
        let channel = match self.random.below(5) {
            0 => Channel::of_exceptions(&subject.mini.thread, plain)?,
            1 => Channel::of_exceptions(&subject.mini.process, debugger)?,
            2 => Channel::of_exceptions(&subject.job, plain)?,
            3 => Channel::of_exceptions(&subject.job, debugger)?,
            _ => Channel::of_exceptions(&subject.mini.process, plain)?,
        };
        self.channels.push(channel);
        self.drop_if_many();
        Ok(())
    }

    /// Reads a message, and does something with the exception.
    fn answer(&mut self) -> ZxResult {
        // A held one is let go now and then.
        if self.random.below(3) == 0 {
            let index = self.random.below(self.exceptions.len());
            if index < self.exceptions.len() {
                drop(self.exceptions.swap_remove(index));
            }
            return Ok(());
        }
        let Some(channel) = self.random.pick(&self.channels) else {
            return Ok(());
        };
        let (_info, exception) = channel.exception_by(0)?;
        count(&COUNTS.exceptions);
        match self.random.below(5) {
            // The next handler, or the end.
            0 => drop(exception),
            1 => exception.resume()?,
            // Past the fault, whatever its length: what comes next may fault again.
            2 => {
                let thread = exception.thread()?;
                let kind = ThreadStateKind::GeneralRegs;
                let mut regs: GeneralRegs = thread.read_state(kind)?;
                regs.rip += 2;
                thread.write_state(kind, &regs)?;
                exception.resume()?;
            }
            3 => {
                let thread = exception.thread()?;
                thread.write_state(ThreadStateKind::SingleStep, &1u32)?;
                exception.resume()?;
            }
            _ => {
                self.exceptions.push(exception);
                self.drop_if_many();
            }
        }
        Ok(())
    }

    fn stop_listening(&mut self) -> ZxResult {
        let index = self.random.below(self.channels.len());
        if index < self.channels.len() {
            self.channels.swap_remove(index);
        }
        Ok(())
    }

    fn kill(&mut self) -> ZxResult {
        let index = self.random.below(self.subjects.len());
        if index >= self.subjects.len() {
            return Ok(());
        }
        let subject = self.subjects.swap_remove(index);
        count(&COUNTS.kills);
        match self.random.below(3) {
            0 => subject.job.kill(),
            1 => subject.mini.process.kill(),
            _ => {
                subject.mini.process.kill()?;
                let deadline = time::after(20_000_000_000);
                let ended = subject
                    .mini
                    .process
                    .wait_one(Signals::PROCESS_TERMINATED, deadline);
                if let Err(error) = ended {
                    broken(format_args!("a killed process does not end: {error}"));
                }
                Ok(())
            }
        }
    }

    /// Closes all handles to the threads of a process, and sees to it later through its job.
    fn forget(&mut self) -> ZxResult {
        let index = self.random.below(self.subjects.len());
        let Some(subject) = self.subjects.get_mut(index) else {
            return Ok(());
        };
        subject.threads.clear();
        let job = subject.job.duplicate(Rights::SAME_RIGHTS)?;
        self.forgotten.push(job);
        if self.forgotten.len() > KEPT {
            let index = self.random.below(KEPT);
            count(&COUNTS.kills);
            self.forgotten.swap_remove(index).kill()?;
        }
        Ok(())
    }

    /// Looks at registers and lists, as a debugger does.
    fn examine(&mut self) -> ZxResult {
        let index = self.random.below(self.subjects.len());
        let Some(subject) = self.subjects.get(index) else {
            return Ok(());
        };
        let process = &subject.mini.process;
        let threads: Vec<u64> = process.get_info_list(InfoTopic::ProcessThreads)?;
        if let Some(koid) = self.random.pick(&threads) {
            let thread = process.thread(*koid, Rights::SAME_RIGHTS)?;
            let regs: GeneralRegs = thread.read_state(ThreadStateKind::GeneralRegs)?;
            if regs.rflags & 0x200 == 0 {
                broken(format_args!("a thread has interrupts off: {regs:x?}"));
            }
        }
        Ok(())
    }

    /// Ends the processes whose faults nobody handled. One in sixteen is left to the kernel, which reports it in its log.
    fn clear_up(&mut self) -> ZxResult {
        let Some(channel) = &self.last_resort else {
            return Ok(());
        };
        loop {
            let (_info, exception) = channel.exception_by(0)?;
            count(&COUNTS.exceptions);
            if self.random.below(16) > 0 {
                exception.process()?.kill()?;
                exception.resume()?;
            }
        }
    }

    fn pause(&mut self) -> ZxResult {
        let microseconds = i64::try_from(self.random.below(500)).unwrap_or(0);
        time::sleep_until(time::after(microseconds * 1000));
        Ok(())
    }

    fn drop_if_many(&mut self) {
        if self.tokens.len() > KEPT {
            self.tokens.swap_remove(self.random.below(KEPT));
        }
        if self.channels.len() > KEPT {
            self.channels.swap_remove(self.random.below(KEPT));
        }
        if self.exceptions.len() > KEPT {
            drop(self.exceptions.swap_remove(self.random.below(KEPT)));
        }
    }
}

/// Says what is not as it must be, and counts it.
fn broken(what: fmt::Arguments<'_>) {
    count(&COUNTS.broken);
    println!("stress: {what}");
}
