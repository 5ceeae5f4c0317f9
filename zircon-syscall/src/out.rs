//! New handles on their way out: the value is written to user memory, and whatever fails takes everything back.

use crate::Caller;
use kernel_hal::user::UserOut;
use zircon_object::object::Handle;
use zx_abi::{HandleValue, ZxError, ZxResult};

impl Caller<'_> {
    /// Gives a new handle to the process and its value to the program.
    ///
    /// # Errors
    /// - `NoMemory`: the table cannot grow.
    /// - `InvalidArgs`: the value cannot be written. The handle is closed in either case.
    #[inline(always)]
    pub(crate) fn give(&self, handle: Handle, out: UserOut<HandleValue>) -> ZxResult {
        let value = self.process().add_handle(handle)?;
        match self.tell(out, value) {
            Ok(()) => Ok(()),
            Err(error) => self.take_back(value, error),
        }
    }

    /// Gives two new handles. Both values are written, or neither handle stays.
    ///
    /// # Errors
    /// - `NoMemory`: the table cannot grow.
    /// - `InvalidArgs`: a value cannot be written.
    pub(crate) fn give_two(
        &self,
        handles: (Handle, Handle),
        outs: (UserOut<HandleValue>, UserOut<HandleValue>),
    ) -> ZxResult {
        let first = self.process().add_handle(handles.0)?;
        let second = self
            .process()
            .add_handle(handles.1)
            .or_else(|error| self.take_back(first, error))?;
        let written = self
            .tell(outs.0, first)
            .and_then(|()| self.tell(outs.1, second));
        written.or_else(|error| {
            let _ = self.take_back::<()>(second, error);
            self.take_back(first, error)
        })
    }

    /// Writes the value of a new handle, which is closed when the memory turns out never to be there.
    #[inline(always)]
    fn tell(&self, out: UserOut<HandleValue>, value: HandleValue) -> ZxResult {
        match self.with_faults(|| out.write(&value)) {
            Ok(()) => Ok(()),
            Err(error) => self.defer(error, out.addr(), &value.to_ne_bytes(), &[value]),
        }
    }

    #[cold]
    fn take_back<T>(&self, value: HandleValue, error: ZxError) -> ZxResult<T> {
        let handle = self.process().handles().remove(value);
        drop(handle);
        Err(error)
    }
}
