//! Copies between user memory and memory that an object lends while it is locked.
//!
//! The copy routine never waits: at a page that is not there it gives up. The fault leaves the object, which has changed nothing,
//! and is resolved with no lock held; then the whole transfer is made again.

use crate::Caller;
use kernel_hal::user::{UserFault, UserIn, UserOut};
use kernel_hal::{VirtAddr, PAGE_SIZE};
use zircon_object::ipc::Failed;
use zx_abi::ZxResult;

/// A copy that stopped, and where it would have ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopped {
    fault: UserFault,
    end: VirtAddr,
}

/// Fills a part of an object's memory.
///
/// # Errors
/// Where the user memory cannot be read.
#[inline(always)]
pub(crate) fn copy_in(from: UserIn<u8>, part: &mut [u8]) -> Result<(), Stopped> {
    let end = from.element(part.len()).addr();
    from.read_slice(part)
        .map_err(|fault| Stopped { fault, end })
}

/// Copies a part of an object's memory out.
///
/// # Errors
/// Where the user memory cannot be written.
#[inline(always)]
pub(crate) fn copy_out(to: UserOut<u8>, part: &[u8]) -> Result<(), Stopped> {
    let end = to.element(part.len()).addr();
    to.write_slice(part).map_err(|fault| Stopped { fault, end })
}

impl Caller<'_> {
    /// Makes a transfer, and makes it again as long as the faults of its copies can be resolved.
    ///
    /// # Errors
    /// - The object's own.
    /// - `InvalidArgs`: the user memory is not there or does not permit it; nothing was transferred.
    #[inline(always)]
    pub(crate) fn with_copies<R>(
        &self,
        mut transfer: impl FnMut() -> Result<R, Failed<Stopped>>,
    ) -> ZxResult<R> {
        loop {
            match transfer() {
                Ok(value) => return Ok(value),
                Err(Failed::Object(error)) => return Err(error),
                Err(Failed::Copy(stopped)) => self.resolve_rest(stopped)?,
            }
        }
    }

    /// Resolves a fault and, so that a long copy is not begun once for each page, those that the rest of it would meet.
    #[cold]
    fn resolve_rest(&self, Stopped { fault, end }: Stopped) -> ZxResult {
        self.resolve(fault)?;
        let mut page = fault.addr - fault.addr % PAGE_SIZE;
        while end - page > PAGE_SIZE {
            page += PAGE_SIZE;
            self.resolve(UserFault {
                addr: page,
                ..fault
            })?;
        }
        Ok(())
    }
}
