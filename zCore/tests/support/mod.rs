//! What the test kernels share: start, output, the end, and a small address space.
#![expect(dead_code, reason = "no test kernel needs all of it")]

use boot_info::BootInfo;
use core::fmt::Write;
use core::panic::PanicInfo;
use kernel_hal::addr::PAGE_SIZE;
use kernel_hal::context::{self, Trap, UserContext};
use kernel_hal::cpu::{power, End, PowerAction};
use kernel_hal::frame::{self, Fill, Frame};
use kernel_hal::paging::{CachePolicy, MmuFlags, PageTable};
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

/// Runs the tests by name; a panic fails the whole kernel.
///
/// # Safety
/// 1. `boot_info` is what rboot passed to `kernel_main`, and this is the first call.
pub(crate) unsafe fn run(boot_info: *const BootInfo, tests: &[(&str, fn())]) -> ! {
    // SAFETY: rboot made the structure (caller duty 1) and nothing writes to it.
    kernel_hal_bare::init(unsafe { &*boot_info });
    for (name, test) in tests {
        let _ = write!(Console, "{name} ... ");
        test();
        let _ = writeln!(Console, "ok");
    }
    power(PowerAction::Off, End::Good)
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let _ = writeln!(Console, "\nFAILED: {info}");
    power(PowerAction::Off, End::Failed)
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

/// Runs user code until it does something itself.
pub(crate) fn run_until_trap(thread: &mut UserContext) -> Trap {
    loop {
        let trap = context::run(thread);
        if trap != Trap::Interrupt {
            return trap;
        }
    }
}
