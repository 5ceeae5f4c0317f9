//! The task state: which stack the CPU takes when a trap changes the privilege level, and for the worst exceptions.

use core::cell::UnsafeCell;
use core::mem::size_of;

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
}

/// The boot CPU's task state.
pub(crate) struct TaskStateCell(UnsafeCell<TaskState>);
// SAFETY: written once at boot; afterwards only the CPU reads it.
unsafe impl Sync for TaskStateCell {}

pub(crate) static TSS: TaskStateCell = TaskStateCell(UnsafeCell::new(TaskState {
    reserved0: 0,
    rsp: [0; 3],
    reserved1: 0,
    ist: [0; 7],
    reserved2: 0,
    reserved3: 0,
    // Past the limit: no I/O bitmap, user code may touch no port.
    io_map_base: 104,
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
}
