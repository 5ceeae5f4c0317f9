//! Which type an object is of: an enumeration of all types, so that a handle gives back the concrete one.
//!
//! Comparing a 128-bit type identity costs some 25 instructions. Here one virtual call gives a number and the pointer,
//! and the comparison is one of the number with a constant.

use crate::dev::{Bti, Interrupt, Iommu, Pmt, Resource};
use crate::diag::DebugLog;
use crate::ipc::{Channel, Fifo, Socket};
use crate::signal::{Clock, Event, EventPair, Port, Timer};
use crate::task::{Exception, Job, Process, Profile, SuspendToken, Thread};
use crate::vm::{Pager, Stream, Vmar, Vmo};
use alloc::sync::Arc;
use zx_abi::{ZxError, ZxResult};

macro_rules! types {
    ($($ty:ident),* $(,)?) => {
        /// An object by its type.
        #[expect(missing_docs, reason = "each variant is named after its type")]
        pub enum Typed {
            $($ty(Arc<$ty>),)*
        }

        $(
            impl IntoTyped for $ty {
                #[inline(always)]
                fn into_typed(self: Arc<Self>) -> Typed {
                    Typed::$ty(self)
                }
            }
            impl FromTyped for $ty {
                #[inline(always)]
                fn from_typed(typed: Typed) -> ZxResult<Arc<Self>> {
                    match typed {
                        Typed::$ty(object) => Ok(object),
                        other => Err(wrong(other)),
                    }
                }
            }
        )*
    };
}

types!(
    Bti,
    Channel,
    Clock,
    DebugLog,
    Event,
    EventPair,
    Exception,
    Fifo,
    Interrupt,
    Iommu,
    Job,
    Pager,
    Pmt,
    Port,
    Process,
    Profile,
    Resource,
    Socket,
    Stream,
    SuspendToken,
    Thread,
    Timer,
    Vmar,
    Vmo,
);

/// What an object of any type can say of its type.
pub trait IntoTyped {
    /// The object as what it is.
    fn into_typed(self: Arc<Self>) -> Typed;
}

/// A type that [`Typed`] has.
pub trait FromTyped: Sized {
    /// The object, if it is of this type.
    ///
    /// # Errors
    /// - `WrongType`: it is something else.
    fn from_typed(typed: Typed) -> ZxResult<Arc<Self>>;
}

/// Lets go of an object of a type that was not asked for.
#[cold]
#[inline(never)]
fn wrong(object: Typed) -> ZxError {
    drop(object);
    ZxError::WrongType
}
