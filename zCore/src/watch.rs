//! Watching userboot: when it fails, the boot has failed, and whoever started the machine should know.

use crate::fail;
use alloc::sync::Arc;
use alloc::vec;
use zircon_object::object::wait::{Wait, WaitTarget};
use zircon_object::object::Handle;
use zircon_object::runtime::EXECUTOR;
use zircon_object::task::{Process, ProcessStatus};
use zx_abi::Signals;

/// Spawns a task that ends the run when userboot ends with another code than 0.
pub(crate) fn userboot(process: Arc<Process>) {
    let task = async move {
        let Ok(handle) = Handle::new(process.clone()) else {
            return;
        };
        let target = WaitTarget {
            object: handle.object().clone(),
            handle: handle.key(),
            signals: Signals::TASK_TERMINATED,
        };
        if let Ok(wait) = Wait::start(vec![target]) {
            let _ = wait.await;
        }
        if let ProcessStatus::Dead(code @ (i64::MIN..=-1 | 1..)) = process.status() {
            fail(format_args!("userboot ended with code {code}"));
        }
    };
    if EXECUTOR.spawn(task).is_err() {
        fail(format_args!("no memory to watch userboot"));
    }
}
