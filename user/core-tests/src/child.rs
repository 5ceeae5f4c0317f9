//! What this program does when a case starts it as a child: things a process does not survive, mostly.

use libzx::{raw, Channel, Event, Mapping, Startup, Thread, VmOptions, Vmo, ZxError, ZxResult};
use zx_abi::procargs::PA_USER0;
use zx_abi::syscalls::SyscallId;

use crate::memory::{self, arg, PAGE};

/// The argument that makes an instance a child; the mode follows.
pub(crate) const FLAG: &str = "--child";

/// Code of a child that went on where it should have ended.
pub(crate) const SURVIVED: i64 = 77;
/// Code of a child whose preparations failed.
pub(crate) const FAILED: i64 = 78;

/// Writes the enum, its names and the list from one table.
macro_rules! modes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// What the child does.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Mode { $($(#[$doc])* $variant,)+ }

        impl Mode {
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

modes! {
    /// Ends with 0.
    ExitZero = "exit-zero",
    /// Ends with 42.
    Exit42 = "exit-42",
    /// Ends with -7.
    ExitNegative = "exit-negative",
    /// Sleeps for a long time.
    Sleep = "sleep",
    /// Computes for ever.
    Compute = "compute",
    /// Takes memory until there is none left, and keeps it.
    HogMemory = "hog-memory",
    /// Its first thread ends, and 5 is the code of its second.
    SecondThread = "second-thread",
    /// Its only thread ends.
    ThreadExit = "thread-exit",
    /// Writes to memory mapped for reading.
    WriteReadOnly = "write-read-only",
    /// Executes an instruction that does not exist.
    UndefinedInstruction = "undefined-instruction",
    /// Executes data.
    ExecuteData = "execute-data",
    /// Jumps to the null address.
    JumpToNull = "jump-to-null",
    /// Jumps into the kernel.
    JumpToKernel = "jump-to-kernel",
    /// Reads the null address.
    ReadNull = "read-null",
    /// Reads kernel memory.
    ReadKernel = "read-kernel",
    /// Executes `hlt`.
    Privileged = "privileged",
    /// Reads beyond the end of a VMO.
    BeyondVmo = "beyond-vmo",
    /// Makes a known call from outside the vDSO.
    SyscallOutside = "syscall-outside",
    /// Makes a call with a number that does not exist.
    UnknownSyscall = "unknown-syscall",
    /// Makes a known call with garbage in the upper half of the number.
    GarbageSyscall = "garbage-syscall",
    /// Says whether a channel could be created: 0, or the error negated.
    CreateChannel = "create-channel",
    /// Says whether an event could be created.
    CreateEvent = "create-event",
    /// Says whether memory could be made executable.
    MarkExecutable = "mark-executable",
    /// Tries everything that job policy can forbid to create: how many were not denied.
    CreateAll = "create-all",
    /// Uses a bad handle, and says what came out.
    BadHandle = "bad-handle",
    /// Writes messages that nobody reads.
    FloodChannel = "flood-channel",
    /// Has a thread in each blocking call.
    BlockEverywhere = "block-everywhere",
    /// Reads the first page of the VMO it was given.
    ReadGiven = "read-given",
    /// Maps the VMO it was given and loads from its first page.
    LoadGiven = "load-given",
    /// Commits the VMO it was given.
    CommitGiven = "commit-given",
}

/// Runs as a child if the arguments say so.
pub(crate) fn run_if_child(startup: &mut Startup) -> Option<i64> {
    let mut args = startup.args.iter();
    args.find(|arg| *arg == FLAG)?;
    let mode = args.next().and_then(|name| Mode::from_name(name));
    let given = startup.take(PA_USER0, 0);
    let done = mode.map_or(Err(ZxError::NotFound), |mode| run(mode, given));
    Some(done.unwrap_or(FAILED))
}

fn run(mode: Mode, given: Option<Vmo>) -> ZxResult<i64> {
    match mode {
        Mode::ExitZero => Ok(0),
        Mode::Exit42 => Ok(42),
        Mode::ExitNegative => Ok(-7),
        Mode::Sleep => {
            crate::world::sleep_ms(60_000);
            Ok(SURVIVED)
        }
        Mode::Compute => {
            let mut sum = 0_i64;
            loop {
                sum = core::hint::black_box(sum.wrapping_add(1));
            }
        }
        Mode::HogMemory => {
            const PIECE: u64 = 8 << 20;
            const COMMIT: u32 = 1;
            let mut all = alloc::vec![];
            loop {
                let vmo = Vmo::create(PIECE, 0)?;
                if vmo.op_range(COMMIT, 0, PIECE).is_err() {
                    crate::world::sleep_ms(60_000);
                    return Ok(SURVIVED);
                }
                all.push(vmo);
            }
        }
        Mode::SecondThread => {
            libzx::thread::spawn("second", || {
                crate::world::sleep_ms(5);
                libzx::exit(5)
            })?;
            libzx::thread::exit()
        }
        Mode::ThreadExit => libzx::thread::exit(),
        Mode::WriteReadOnly => {
            let mut mapping = Mapping::readable(&Vmo::create(PAGE as u64, 0)?)?;
            mapping.as_mut_slice()[0] = 1;
            Ok(i64::from(mapping.as_slice()[0]) + SURVIVED)
        }
        Mode::UndefinedInstruction => run_code(&[0x0f, 0x0b]),
        Mode::ExecuteData => {
            let vmo = Vmo::create(PAGE as u64, 0)?;
            let flags = VmOptions::PERM_READ | VmOptions::PERM_WRITE;
            let data = memory::root_vmar()?.map(flags, 0, &vmo, 0, PAGE)?;
            run_at(data)
        }
        Mode::JumpToNull => run_at(0),
        Mode::JumpToKernel => run_at(0xffff_ffff_8010_0000),
        // mov rax, [0]
        Mode::ReadNull => run_code(&[0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0]),
        // mov rax, [-0x7ff00000]
        Mode::ReadKernel => run_code(&[0x48, 0x8b, 0x04, 0x25, 0, 0, 0x10, 0x80]),
        Mode::Privileged => run_code(&[0xf4]),
        Mode::BeyondVmo => {
            let vmo = Vmo::create(PAGE as u64, 2)?;
            let mapping = Mapping::readable(&vmo)?;
            vmo.set_size(0)?;
            Ok(i64::from(core::hint::black_box(mapping.as_slice())[0]) + SURVIVED)
        }
        // mov eax, 43; syscall: handle_close in 2020, another known number in 2019.
        Mode::SyscallOutside => run_code(&[0xb8, 43, 0, 0, 0, 0x0f, 0x05]),
        // mov eax, 4000; syscall
        Mode::UnknownSyscall => run_code(&[0xb8, 0xa0, 0x0f, 0, 0, 0x0f, 0x05]),
        // movabs rax, 0x1_0000_002b; syscall
        Mode::GarbageSyscall => run_code(&[0x48, 0xb8, 43, 0, 0, 0, 1, 0, 0, 0, 0x0f, 0x05]),
        Mode::CreateChannel => Ok(negated(Channel::create().map(drop))),
        Mode::CreateEvent => Ok(negated(Event::create().map(drop))),
        Mode::MarkExecutable => {
            let vmo = Vmo::create(PAGE as u64, 0)?;
            let executable = vmo.replace_as_executable(&libzx::Unowned(0));
            Ok(negated(executable.map(drop)))
        }
        Mode::CreateAll => Ok(not_denied()?),
        Mode::FloodChannel => {
            let (left, _right) = Channel::create()?;
            for _ in 0..4000 {
                left.write(b"unread", alloc::vec![])?;
            }
            Ok(SURVIVED)
        }
        Mode::ReadGiven => {
            given.ok_or(ZxError::NotFound)?.read(&mut [0], 0)?;
            Ok(SURVIVED)
        }
        Mode::LoadGiven => {
            let view = crate::pages::View::new(&given.ok_or(ZxError::NotFound)?, 1)?;
            Ok(i64::from(view.load(0) == 0) + SURVIVED)
        }
        Mode::CommitGiven => {
            let vmo = given.ok_or(ZxError::NotFound)?;
            vmo.op_range(crate::pages::COMMIT, 0, vmo.size()?)?;
            Ok(SURVIVED)
        }
        Mode::BlockEverywhere => crate::blocking::block_everywhere(),
        Mode::BadHandle => Ok(negated(memory::call(
            SyscallId::ObjectSignal,
            &[0x7ff7, 0, 0],
        ))),
    }
}

/// Makes each call that job policy can forbid; counts those that did not fail with ACCESS_DENIED.
fn not_denied() -> ZxResult<i64> {
    let page = memory::Scratch::new()?;
    let (out, second) = (page.address(), page.address() + 8);
    let creators: [(SyscallId, &[usize]); 7] = [
        (SyscallId::ChannelCreate, &[0, out, second]),
        (SyscallId::SocketCreate, &[0, out, second]),
        (SyscallId::FifoCreate, &[4, 4, 0, out, second]),
        (SyscallId::EventCreate, &[0, out]),
        (SyscallId::EventpairCreate, &[0, out, second]),
        (SyscallId::PortCreate, &[0, out]),
        (SyscallId::TimerCreate, &[0, 0, out]),
    ];
    let mut count = 0;
    for (id, args) in creators {
        count += i64::from(memory::call(id, args) != Err(ZxError::AccessDenied));
    }
    Ok(count)
}

fn negated(result: ZxResult) -> i64 {
    result.map_or_else(|error| -i64::from(error as i32), |()| 0)
}

/// Runs machine code in a thread of its own, which is expected to end the process.
fn run_code(code: &[u8]) -> ZxResult<i64> {
    let vmo = Vmo::create(PAGE as u64, 0)?;
    vmo.write(code, 0)?;
    let vmo = vmo.replace_as_executable(&libzx::Unowned(0))?;
    let flags = VmOptions::PERM_READ | VmOptions::PERM_EXECUTE;
    let address = memory::root_vmar()?.map(flags, 0, &vmo, 0, PAGE)?;
    run_at(address)
}

/// Lets a new thread start at an address.
fn run_at(address: usize) -> ZxResult<i64> {
    let stack = Vmo::create(PAGE as u64, 0)?;
    let flags = VmOptions::PERM_READ | VmOptions::PERM_WRITE;
    let stack = memory::root_vmar()?.map(flags, 0, &stack, 0, PAGE)?;
    let thread = Thread::create(&libzx::own_process(), "code")?;
    let args = [arg(&thread), address, stack + PAGE - 8, 0, 0];
    raw::status(SyscallId::ThreadStart, &args).into_result()?;
    crate::world::sleep_ms(5_000);
    Ok(SURVIVED)
}
