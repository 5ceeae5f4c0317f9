//! Debug registers: loaded with the vector state, so that a thread without breakpoints pays nothing for them.

use super::percpu::current;
use super::registers::{
    read_dr6, write_dr0, write_dr1, write_dr2, write_dr3, write_dr6, write_dr7,
};
use kernel_hal::context::{DebugState, UserContext};

/// No breakpoint; the bit that is always one.
const CONTROL_OFF: u64 = 1 << 10;
/// What happened: nothing.
const STATUS_RESET: u64 = 0xffff_0ff0;
/// Makes the CPU run one instruction in spite of a breakpoint on it.
const RESUME_FLAG: u64 = 1 << 16;

/// Loads the breakpoints of a context that is about to run, or those of nobody.
pub(super) fn load(state: &DebugState) {
    let cpu = current();
    if state.is_active() {
        let [a, b, c, d] = state.addresses;
        // SAFETY: the registers exist in every 64-bit CPU. The addresses are the user's (`DebugState` sees to it), so the
        // kernel does not stop on its own account; a hit while it copies for the user is ignored.
        unsafe { write_dr0(a) };
        // SAFETY: as above.
        unsafe { write_dr1(b) };
        // SAFETY: as above.
        unsafe { write_dr2(c) };
        // SAFETY: as above.
        unsafe { write_dr3(d) };
        // SAFETY: as above; reserved bits and general detection are masked out.
        unsafe { write_dr7(state.control & DebugState::CONTROL_USER | CONTROL_OFF) };
        cpu.breakpoints_loaded.set(true);
    } else if cpu.breakpoints_loaded.replace(false) {
        // SAFETY: nothing relies on breakpoints.
        unsafe { write_dr7(CONTROL_OFF) };
    }
}

/// A debug exception came from user mode: keeps what the CPU says about it. An instruction on which a breakpoint lies can
/// run when the thread goes on.
pub(crate) fn took_exception(context: &mut UserContext) {
    let status = read_dr6();
    context.debug.status = status | STATUS_RESET;
    clear_status();
    let on_execution =
        |i: usize| status >> i & 1 == 1 && context.debug.control >> (16 + 4 * i) & 3 == 0;
    if (0..context.debug.addresses.len()).any(on_execution) {
        context.regs.rflags |= RESUME_FLAG;
    }
}

/// Forgets what the CPU says: it adds to it and never clears it.
pub(crate) fn clear_status() {
    // SAFETY: the status steers nothing.
    unsafe { write_dr6(STATUS_RESET) };
}
