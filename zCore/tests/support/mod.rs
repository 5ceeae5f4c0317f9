//! What the test kernels share: start, output, the end, and a small address space.
#![expect(dead_code, reason = "no test kernel needs all of it")]
#![expect(clippy::expect_used, reason = "a panic is how a case fails")]

use boot_info::BootInfo;
use core::fmt::Write;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicUsize, Ordering};
use kernel_hal::addr::PAGE_SIZE;
use kernel_hal::context::{self, GeneralRegs, Server, Syscalls, Trap, UserContext};
use kernel_hal::cpu::{power, End, PowerAction};
use kernel_hal::frame::{self, Fill, Frame};
use kernel_hal::paging::{CachePolicy, MmuFlags, PageTable};
use kernel_hal::sync::Mutex;
use kernel_hal::PhysAddr;

/// Pages that user code may do anything with.
pub(crate) const ALL: MmuFlags = MmuFlags {
    read: true,
    write: true,
    execute: true,
    cache: CachePolicy::Cached,
};
/// Pages of data.
pub(crate) const DATA: MmuFlags = MmuFlags {
    execute: false,
    ..ALL
};
/// Pages of code.
pub(crate) const CODE: MmuFlags = MmuFlags {
    write: false,
    ..ALL
};
/// Where [`Space::new`] maps the code.
pub(crate) const CODE_AT: usize = 0x200_0000;
/// Where [`Space::new`] maps the data.
pub(crate) const DATA_AT: usize = 0x300_0000;

/// Writes to the serial port.
pub(crate) struct Console;

impl Write for Console {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        kernel_hal_bare::early_console_write(text.as_bytes());
        Ok(())
    }
}

/// The kernel's name, which is the suite's.
const SUITE: &str = env!("CARGO_CRATE_NAME");
static ALL_CASES: AtomicUsize = AtomicUsize::new(0);
static PASSED: AtomicUsize = AtomicUsize::new(0);
static RUNNING: Mutex<&str> = Mutex::new("start");

/// Runs the cases by name, and ends the run. A panic is the end of the kernel: what follows it counts as skipped.
///
/// # Safety
/// 1. `boot_info` is what rboot passed to `kernel_main`, and this is the first call.
pub(crate) unsafe fn run(boot_info: *const BootInfo, cases: &[(&'static str, fn())]) -> ! {
    // SAFETY: rboot made the structure (caller duty 1) and nothing writes to it.
    kernel_hal_bare::init(unsafe { &*boot_info });
    ALL_CASES.store(cases.len(), Ordering::Relaxed);
    for (name, case) in cases {
        *RUNNING.lock() = name;
        case();
        let _ = writeln!(Console, "[ OK   ] {SUITE}.{name}");
        PASSED.fetch_add(1, Ordering::Relaxed);
    }
    finish(0)
}

/// Says how it went and ends the run.
fn finish(failed: usize) -> ! {
    let (all, passed) = (
        ALL_CASES.load(Ordering::Relaxed),
        PASSED.load(Ordering::Relaxed),
    );
    let skipped = all.saturating_sub(passed + failed);
    let _ = writeln!(
        Console,
        "{passed} passed, {failed} failed, {skipped} skipped"
    );
    power(
        PowerAction::Off,
        if failed == 0 { End::Good } else { End::Failed },
    )
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let running = *RUNNING.lock();
    let (file, line) = info
        .location()
        .map_or(("?", 0), |location| (location.file(), location.line()));
    let _ = writeln!(
        Console,
        "[ FAIL ] {SUITE}.{running}: {file}:{line}: {}",
        info.message()
    );
    finish(1)
}

/// An active address space with one page of code and some of data.
pub(crate) struct Space {
    /// Its table.
    pub(crate) table: PageTable,
    /// The frames of the data.
    pub(crate) data: alloc::vec::Vec<Frame>,
    code: Frame,
}

impl Space {
    /// Maps `code` at [`CODE_AT`] and `data_pages` zeroed pages at [`DATA_AT`].
    pub(crate) fn new(code: &[u8], data_pages: usize) -> Self {
        let table = PageTable::new().expect("no memory");
        let code_frame = Frame::zeroed().expect("no memory");
        code_frame.write(0, code);
        table
            .map(CODE_AT, &[code_frame.addr()], CODE)
            .expect("no memory");
        let data = frames(data_pages);
        table
            .map(DATA_AT, &addresses(&data), DATA)
            .expect("no memory");
        table.activate();
        Self {
            table,
            data,
            code: code_frame,
        }
    }

    /// A thread that starts at `offset` of the code, with its stack at the end of the data.
    pub(crate) fn thread(&self, offset: usize) -> UserContext {
        UserContext::new(CODE_AT + offset, self.end(), 0, 0).expect("no memory")
    }

    /// The first address behind the data.
    pub(crate) fn end(&self) -> usize {
        DATA_AT + self.data.len() * PAGE_SIZE
    }
}

/// Zeroed frames.
pub(crate) fn frames(count: usize) -> alloc::vec::Vec<Frame> {
    let mut taken = alloc::vec![PhysAddr(0); count];
    assert_eq!(frame::raw_alloc_many(&mut taken, Fill::Zero), count);
    taken.into_iter().filter_map(Frame::from_raw).collect()
}

/// Where frames are.
pub(crate) fn addresses(frames: &[Frame]) -> alloc::vec::Vec<PhysAddr> {
    frames.iter().map(Frame::addr).collect()
}

/// Serves no call: each ends the run.
pub(crate) struct Stop;

impl Syscalls for Stop {
    fn serve(&self, _regs: &GeneralRegs) -> u64 {
        context::leave();
        0
    }
}

/// Runs user code until it does something itself.
pub(crate) fn run_until_trap(thread: &mut UserContext) -> Trap {
    loop {
        let trap = context::run(thread, Server::new(&Stop));
        if trap != Trap::Interrupt {
            return trap;
        }
    }
}
