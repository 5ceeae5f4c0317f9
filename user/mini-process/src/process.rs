//! A process that runs [`Code`].

use libzx::process::{Builder, LaunchError};
use libzx::{raw, time, Handle, Job, Process, Rights, Thread, VmOptions, Vmar, Vmo};
use libzx::{Unowned, ZxError, ZxResult};
use zx_abi::syscalls::SyscallId;

use crate::code::Code;

/// Bytes of a page.
pub const PAGE: usize = 4096;
/// Where the code is.
pub const CODE: usize = 0x0200_0000;
/// Where the words are that both sides share, 512 of 8 bytes.
pub const DATA: usize = 0x0210_0000;
/// Where the stacks begin.
pub const STACK: usize = 0x0220_0000;
/// Bytes of each stack; the stack of thread N (the first is 0) ends at `STACK + (N + 1) * STACK_SIZE`.
pub const STACK_SIZE: usize = PAGE;
/// Threads that have a stack.
const THREADS: usize = 16;

/// A process of its own with known code at known addresses. Killed when dropped.
#[derive(Debug)]
pub struct MiniProcess {
    /// The process.
    pub process: Process,
    /// Its root VMAR.
    pub vmar: Vmar,
    /// Its first thread.
    pub thread: Thread,
    code: Vmo,
    data: Vmo,
}

impl MiniProcess {
    /// A process in `job` that has not started, with this code.
    ///
    /// # Errors
    /// Those of `zx_process_create`, `zx_thread_create`, `zx_vmo_create`, `zx_vmo_replace_as_executable` and `zx_vmar_map`.
    pub fn new(job: &Job, code: &Code) -> ZxResult<Self> {
        let mini = Self::without_code(job)?;
        mini.set_code(code)?;
        Ok(mini)
    }

    /// The same, with the vDSO; `assemble` gets the function that finds a call's address there.
    ///
    /// # Errors
    /// As [`MiniProcess::new`], and what is wrong with the vDSO as `InvalidArgs`.
    pub fn with_vdso(
        job: &Job,
        vdso: &Vmo,
        assemble: impl FnOnce(&mut Code, &dyn Fn(SyscallId) -> usize),
    ) -> ZxResult<Self> {
        let mini = Self::without_code(job)?;
        let same = Rights::SAME_RIGHTS;
        let builder = Builder {
            process: mini.process.duplicate(same)?,
            root_vmar: mini.vmar.duplicate(same)?,
            thread: mini.thread.duplicate(same)?,
        };
        let base = builder.load_vdso(vdso).map_err(|error| match error {
            LaunchError::Call(_, error) => error,
            _ => ZxError::InvalidArgs,
        })?;
        let here = libzx::own_vdso_base();
        let function = |id| match raw::address(id) {
            0 => 0,
            address => address.wrapping_sub(here).wrapping_add(base),
        };
        let mut code = Code::new();
        assemble(&mut code, &function);
        mini.set_code(&code)?;
        Ok(mini)
    }

    fn without_code(job: &Job) -> ZxResult<Self> {
        let (process, vmar) = Process::create(job, "mini")?;
        let thread = Thread::create(&process, "mini-thread")?;
        let code = Vmo::create(PAGE as u64, 0)?;
        let executable = code.duplicate(Rights::SAME_RIGHTS)?;
        let executable = executable.replace_as_executable(&Unowned(0))?;
        let data = Vmo::create(PAGE as u64, 0)?;
        let stack = Vmo::create((THREADS * STACK_SIZE) as u64, 0)?;
        let (base, _) = vmar.range()?;
        let read_write = VmOptions::PERM_READ | VmOptions::PERM_WRITE;
        let map = |flags, address: usize, vmo: &Vmo, len| {
            let offset = address.checked_sub(base).ok_or(ZxError::OutOfRange)?;
            vmar.map(flags | VmOptions::SPECIFIC, offset, vmo, 0, len)
        };
        let execute = VmOptions::PERM_READ | VmOptions::PERM_EXECUTE;
        map(execute, CODE, &executable, PAGE)?;
        map(read_write, DATA, &data, PAGE)?;
        map(read_write, STACK, &stack, THREADS * STACK_SIZE)?;
        Ok(Self {
            process,
            vmar,
            thread,
            code,
            data,
        })
    }

    /// Replaces the code.
    ///
    /// # Errors
    /// Those of `zx_vmo_write`.
    pub fn set_code(&self, code: &Code) -> ZxResult {
        self.code.write(code.as_bytes(), 0)
    }

    /// Lets the first thread run from the start of the code.
    ///
    /// # Errors
    /// Those of `zx_process_start`.
    pub fn start(&self) -> ZxResult {
        self.start_with(Handle::from_raw(0))
    }

    /// The same with a handle for it in the first argument register.
    ///
    /// # Errors
    /// Those of `zx_process_start`.
    pub fn start_with(&self, arg: Handle) -> ZxResult {
        let stack = STACK + STACK_SIZE - 8;
        self.process.start(&self.thread, CODE, stack, arg, 0)
    }

    /// One more thread, which starts at `entry`; `number` from 1 on chooses its stack.
    ///
    /// # Errors
    /// `OutOfRange` without a stack of that number; those of `zx_thread_create` and `zx_thread_start`.
    pub fn add_thread(&self, entry: usize, number: usize) -> ZxResult<Thread> {
        if number == 0 || number >= THREADS {
            return Err(ZxError::OutOfRange);
        }
        let thread = Thread::create(&self.process, "mini-thread")?;
        let stack = STACK + (number + 1) * STACK_SIZE - 8;
        thread.start(entry, stack, number, 0)?;
        Ok(thread)
    }

    /// A shared word.
    ///
    /// # Errors
    /// Those of `zx_vmo_read`.
    pub fn word(&self, word: usize) -> ZxResult<u64> {
        let mut bytes = [0; 8];
        self.data.read(&mut bytes, word as u64 * 8)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Sets a shared word.
    ///
    /// # Errors
    /// Those of `zx_vmo_write`.
    pub fn set_word(&self, word: usize, value: u64) -> ZxResult {
        self.data.write(&value.to_le_bytes(), word as u64 * 8)
    }

    /// Waits until a shared word has a value.
    ///
    /// # Errors
    /// `TimedOut` after 10 s; those of `zx_vmo_read`.
    pub fn wait_for_word(&self, word: usize, value: u64) -> ZxResult {
        self.wait_until(word, |found| found == value)
    }

    /// Waits until a shared word is as it should be.
    ///
    /// # Errors
    /// `TimedOut` after 10 s; those of `zx_vmo_read`.
    pub fn wait_until(&self, word: usize, is_right: impl Fn(u64) -> bool) -> ZxResult {
        let deadline = time::after(10_000_000_000);
        while !is_right(self.word(word)?) {
            if time::now() > deadline {
                return Err(ZxError::TimedOut);
            }
            time::sleep_until(time::after(1_000_000));
        }
        Ok(())
    }
}

impl Drop for MiniProcess {
    fn drop(&mut self) {
        let _ = self.process.kill();
    }
}
