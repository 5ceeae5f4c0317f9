//! The task state: which stack the CPU takes when a trap changes the privilege level, and for the worst exceptions.

use core::cell::UnsafeCell;
use core::mem::{offset_of, size_of};
use core::sync::atomic::{AtomicU64, Ordering};
use kernel_hal::hal_impl;
use kernel_hal::ports::{PortSet, NOBODY};

/// Interrupt-stack-table slots (1-based, as in a gate). Each of these exceptions may strike anywhere, also between a
/// trap's first instructions, so none may use the stack that is current then.
pub(crate) mod ist {
    pub(crate) const DOUBLE_FAULT: u8 = 1;
    pub(crate) const NMI: u8 = 2;
    pub(crate) const MACHINE_CHECK: u8 = 3;
    pub(crate) const DEBUG: u8 = 4;
}

const STACK_WORDS: usize = 1024;

#[repr(C, align(16))]
struct Stack(UnsafeCell<[u64; STACK_WORDS]>);
// SAFETY: only the CPU writes here, through its stack pointer.
unsafe impl Sync for Stack {}

const fn stack() -> Stack {
    Stack(UnsafeCell::new([0; STACK_WORDS]))
}

/// For traps from user mode: holds one hardware frame for the few instructions that copy it into the context.
static FROM_USER: Stack = stack();
static IST_STACKS: [Stack; 4] = [stack(), stack(), stack(), stack()];

#[repr(C, packed(4))]
struct TaskState {
    reserved0: u32,
    rsp: [u64; 3],
    reserved1: u64,
    ist: [u64; 7],
    reserved2: u64,
    reserved3: u16,
    io_map_base: u16,
    io_map: [u64; IO_MAP_WORDS],
    /// The CPU reads two bytes at a time, and so one beyond the map.
    io_map_end: u8,
}

const IO_MAP_WORDS: usize = kernel_hal::ports::PORTS as usize / 64;
const IO_MAP_BASE: u16 = 104;
const _: () = assert!(offset_of!(TaskState, io_map) == IO_MAP_BASE as usize);
/// Beyond the limit: no map, user code may touch no port.
const NO_IO_MAP: u16 = u16::MAX;
/// The last byte of the structure, for its descriptor.
pub(crate) const LIMIT: u64 = size_of::<TaskState>() as u64 - 1;

/// The boot CPU's task state.
pub(crate) struct TaskStateCell(UnsafeCell<TaskState>);
// SAFETY: written at boot, and by `set_ports` with interrupts off; otherwise only the CPU reads it.
unsafe impl Sync for TaskStateCell {}

pub(crate) static TSS: TaskStateCell = TaskStateCell(UnsafeCell::new(TaskState {
    reserved0: 0,
    rsp: [0; 3],
    reserved1: 0,
    ist: [0; 7],
    reserved2: 0,
    reserved3: 0,
    io_map_base: NO_IO_MAP,
    io_map: [u64::MAX; IO_MAP_WORDS],
    io_map_end: 0xff,
}));

impl TaskStateCell {
    /// Where the structure is, for its descriptor.
    pub(crate) const fn address(&self) -> *mut u8 {
        self.0.get().cast()
    }

    /// Fills in the stacks; before the task register is loaded.
    pub(crate) fn prepare(&self) {
        let top =
            |stack: &'static Stack| stack.0.get() as u64 + (STACK_WORDS * size_of::<u64>()) as u64;
        let state = self.0.get();
        let mut ist = [0; 7];
        for (slot, stack) in ist.iter_mut().zip(&IST_STACKS) {
            *slot = top(stack);
        }
        // SAFETY: boot runs on one CPU and the task register does not point here yet.
        unsafe { (*state).ist = ist };
        // SAFETY: as above.
        unsafe { (*state).rsp = [top(&FROM_USER), 0, 0] };
    }

    /// Lets user code use these ports.
    fn set_ports(&self, ports: Option<&PortSet>) {
        let state = self.0.get();
        let mut base = NO_IO_MAP;
        if let Some(ports) = ports {
            let words: &[u64; IO_MAP_WORDS] = match ports.words().try_into() {
                Ok(words) => words,
                Err(_) => return,
            };
            // SAFETY: one CPU, in the kernel with interrupts off: nobody else reads or writes the map meanwhile.
            unsafe { (*state).io_map = *words };
            base = IO_MAP_BASE;
        }
        // SAFETY: as above.
        unsafe { (*state).io_map_base = base };
    }
}

/// Whose ports the map has.
static OWNER: AtomicU64 = AtomicU64::new(NOBODY);

hal_impl! {
    kernel_hal::ports => fn hal_ports_owner() -> u64 {
        OWNER.load(Ordering::Relaxed)
    }
    kernel_hal::ports => fn hal_ports_load(owner: u64, ports: Option<&PortSet>) {
        TSS.set_ports(ports);
        OWNER.store(owner, Ordering::Relaxed);
    }
}
