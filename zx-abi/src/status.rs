//! Status codes: `ZxError` inside the kernel, `Status` on the wire.
//!
//! ```
//! use zx_abi::{Status, ZxError, ZxResult};
//!
//! fn take(count: u32) -> ZxResult {
//!     if count > 64 { Err(ZxError::OutOfRange) } else { Ok(()) }
//! }
//! assert_eq!(Status::from(take(65)), Status(-14));
//! assert_eq!(Status(-11).into_result(), Err(ZxError::BadHandle));
//! ```

use core::fmt;

/// What a kernel function returns: a value, or the error the program will see.
pub type ZxResult<T = ()> = Result<T, ZxError>;

/// Writes the enum, its conversions and its names from one list.
macro_rules! errors {
    ($($variant:ident = $value:literal, $name:literal, $doc:literal;)*) => {
        /// Every way a call can fail; the discriminants are the wire values.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(i32)]
        pub enum ZxError {
            $(#[doc = $doc] #[doc(alias = $name)] $variant = $value,)*
        }

        impl ZxError {
            /// Every error, from the highest code (-1) down.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The C name, for example `ZX_ERR_BAD_HANDLE`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }

        impl TryFrom<i32> for ZxError {
            type Error = UnknownStatus;
            fn try_from(raw: i32) -> Result<Self, UnknownStatus> {
                match raw { $($value => Ok(Self::$variant),)* _ => Err(UnknownStatus(raw)) }
            }
        }
    };
}

errors! {
    Internal = -1, "ZX_ERR_INTERNAL", "The kernel found itself in a state it did not expect.";
    NotSupported = -2, "ZX_ERR_NOT_SUPPORTED", "The operation is not implemented or not possible for this object.";
    NoResources = -3, "ZX_ERR_NO_RESOURCES", "The system ran out of something other than memory.";
    NoMemory = -4, "ZX_ERR_NO_MEMORY", "Memory or address space ran out.";
    IntrRetry = -6, "ZX_ERR_INTERNAL_INTR_RETRY", "Left for a suspension; the vDSO repeats the call, programs never see it.";
    InvalidArgs = -10, "ZX_ERR_INVALID_ARGS", "An argument is malformed, or a user pointer is bad.";
    BadHandle = -11, "ZX_ERR_BAD_HANDLE", "The handle value names nothing in this process.";
    WrongType = -12, "ZX_ERR_WRONG_TYPE", "The object is of another type than the call needs.";
    BadSyscall = -13, "ZX_ERR_BAD_SYSCALL", "Unknown syscall number, or called from outside the vDSO.";
    OutOfRange = -14, "ZX_ERR_OUT_OF_RANGE", "A value is well formed but outside the allowed range.";
    BufferTooSmall = -15, "ZX_ERR_BUFFER_TOO_SMALL", "The caller's buffer cannot hold the result.";
    BadState = -20, "ZX_ERR_BAD_STATE", "The object's current state forbids the operation.";
    TimedOut = -21, "ZX_ERR_TIMED_OUT", "The deadline passed first.";
    ShouldWait = -22, "ZX_ERR_SHOULD_WAIT", "Nothing can be done right now; wait for a signal.";
    Canceled = -23, "ZX_ERR_CANCELED", "The operation was cancelled, for example by closing the handle.";
    PeerClosed = -24, "ZX_ERR_PEER_CLOSED", "The other end is gone.";
    NotFound = -25, "ZX_ERR_NOT_FOUND", "What was asked for does not exist.";
    AlreadyExists = -26, "ZX_ERR_ALREADY_EXISTS", "It exists already.";
    AlreadyBound = -27, "ZX_ERR_ALREADY_BOUND", "Something else is bound already.";
    Unavailable = -28, "ZX_ERR_UNAVAILABLE", "Not possible now and not by waiting either.";
    AccessDenied = -30, "ZX_ERR_ACCESS_DENIED", "The handle lacks a right, or policy forbids it.";
    Io = -40, "ZX_ERR_IO", "Unspecified I/O failure.";
    IoRefused = -41, "ZX_ERR_IO_REFUSED", "The device refused.";
    IoDataIntegrity = -42, "ZX_ERR_IO_DATA_INTEGRITY", "A data check failed.";
    IoDataLoss = -43, "ZX_ERR_IO_DATA_LOSS", "Data could not be recovered.";
    IoNotPresent = -44, "ZX_ERR_IO_NOT_PRESENT", "The device is not there (any more).";
    IoOverrun = -45, "ZX_ERR_IO_OVERRUN", "More data arrived than could be taken.";
    IoMissedDeadline = -46, "ZX_ERR_IO_MISSED_DEADLINE", "The device missed its deadline.";
    IoInvalid = -47, "ZX_ERR_IO_INVALID", "The device or driver gave an invalid answer.";
    BadPath = -50, "ZX_ERR_BAD_PATH", "The path is malformed.";
    NotDir = -51, "ZX_ERR_NOT_DIR", "Not a directory.";
    NotFile = -52, "ZX_ERR_NOT_FILE", "Not a file.";
    FileBig = -53, "ZX_ERR_FILE_BIG", "The file is too large.";
    NoSpace = -54, "ZX_ERR_NO_SPACE", "No space left.";
    NotEmpty = -55, "ZX_ERR_NOT_EMPTY", "The directory is not empty.";
    Stop = -60, "ZX_ERR_STOP", "Iteration: stop here, no error.";
    Next = -61, "ZX_ERR_NEXT", "Iteration: go on.";
    Async = -62, "ZX_ERR_ASYNC", "The answer will come later.";
    ProtocolNotSupported = -70, "ZX_ERR_PROTOCOL_NOT_SUPPORTED", "The network protocol is not supported.";
    AddressUnreachable = -71, "ZX_ERR_ADDRESS_UNREACHABLE", "The host is unreachable.";
    AddressInUse = -72, "ZX_ERR_ADDRESS_IN_USE", "The address is taken.";
    NotConnected = -73, "ZX_ERR_NOT_CONNECTED", "The socket is not connected.";
    ConnectionRefused = -74, "ZX_ERR_CONNECTION_REFUSED", "The remote host refused.";
    ConnectionReset = -75, "ZX_ERR_CONNECTION_RESET", "The connection was reset.";
    ConnectionAborted = -76, "ZX_ERR_CONNECTION_ABORTED", "The connection was aborted.";
}

impl fmt::Display for ZxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl core::error::Error for ZxError {}

/// A number that is no known error code (zero and positive numbers included).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UnknownStatus(pub i32);

impl fmt::Display for UnknownStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not a known error code", self.0)
    }
}

/// `zx_status_t` as it crosses the boundary: 0 is success, negative is an error, positive is a call's own meaning.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(transparent)]
#[must_use]
pub struct Status(pub i32);

impl Status {
    /// Success.
    #[doc(alias = "ZX_OK")]
    pub const OK: Self = Self(0);

    /// The status as a result. Codes of other programs that are not in [`ZxError`] become `Internal`;
    /// positive numbers count as success.
    ///
    /// # Errors
    /// The error this status stands for.
    pub fn into_result(self) -> ZxResult {
        if self.0 >= 0 {
            return Ok(());
        }
        Err(ZxError::try_from(self.0).unwrap_or(ZxError::Internal))
    }

    /// The C name for `zx_status_get_string`; unknown numbers are `(UNKNOWN)`.
    #[must_use]
    pub fn name(self) -> &'static str {
        if self.0 == 0 {
            return "ZX_OK";
        }
        ZxError::try_from(self.0).map_or("(UNKNOWN)", ZxError::name)
    }
}

impl From<ZxError> for Status {
    fn from(error: ZxError) -> Self {
        Self(error as i32)
    }
}

impl From<ZxResult> for Status {
    fn from(result: ZxResult) -> Self {
        match result {
            Ok(()) => Self::OK,
            Err(error) => error.into(),
        }
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name(), self.0)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_survives_the_wire() {
        assert_eq!(ZxError::ALL.len(), 45);
        for &error in ZxError::ALL {
            assert_eq!(Status::from(error).into_result(), Err(error));
            assert_eq!(Status::from(error).name(), error.name());
        }
    }

    #[test]
    fn success_is_zero_and_unknown_codes_have_no_name() {
        assert_eq!(Status::from(Ok(())), Status::OK);
        assert_eq!(Status::OK.name(), "ZX_OK");
        assert_eq!(Status(-5).name(), "(UNKNOWN)");
        assert_eq!(Status(-5).into_result(), Err(ZxError::Internal));
    }
}
