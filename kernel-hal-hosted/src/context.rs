//! Registers without a CPU: they can be made and changed, but user code does not run here

use kernel_hal::context::{Server, Trap, UserContext, VectorState};
use kernel_hal::xsave::{Header, Layout};
use kernel_hal::{hal_impl, VirtAddr};

/// Bytes of an XSAVE area with x87, SSE and AVX state.
const AREA_LEN: usize = 832;

hal_impl! {
    kernel_hal::context => fn hal_context_run(_context: &mut UserContext, _server: Server<'_>) -> Trap {
        panic!("user code cannot run in a host test; test this in QEMU")
    }
    // No run is ever in progress.
    kernel_hal::context => fn hal_context_leave() {}
    kernel_hal::context => fn hal_vector_new() -> Option<VectorState> {
        let mut state = VectorState::with_len(AREA_LEN)?;
        let line = &mut state.lines_mut()[0].0;
        line[..2].copy_from_slice(&0x37fu16.to_le_bytes());
        line[24..28].copy_from_slice(&0x1f80u32.to_le_bytes());
        Some(state)
    }
    kernel_hal::context => fn hal_vector_layout() -> Layout {
        Layout { header: Header::Present, avx: Some(576), ..Layout::default() }
    }
    // No CPU ever holds a context's registers: what is in memory is true.
    kernel_hal::context => fn hal_context_flush(_context: &mut UserContext) {}
    kernel_hal::context => fn hal_context_invalidate(_context: &mut UserContext) {}
    kernel_hal::context => fn hal_vector_forget(_state: &VectorState) {}
    kernel_hal::context => fn hal_context_set_fs_base(_base: VirtAddr) {
        panic!("no thread makes a syscall in a host test, so no CPU has an FS base")
    }
    kernel_hal::context => fn hal_context_set_gs_base(_base: VirtAddr) {
        panic!("no thread makes a syscall in a host test, so no CPU has a GS base")
    }
}
