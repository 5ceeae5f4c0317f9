//! A handle: one reference to an object, with rights.

use super::{KernelObject, TypedObject};
use crate::diag::counter::Counter;
use alloc::sync::Arc;
use zx_abi::limits::HANDLE_MAX;
use zx_abi::{Rights, ZxError, ZxResult};

/// Identity of a handle, the same while it travels through channels; never used twice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub struct HandleKey(usize);

impl HandleKey {
    /// A number that no other handle has.
    #[must_use]
    pub const fn number(self) -> usize {
        self.0
    }
}

/// One reference to an object, with rights. It lives in a table, in a message, or in the kernel's hands; dropping it closes
/// it: waits through it are cancelled, and the object hears of it when it was the last.
pub struct Handle {
    object: Arc<dyn KernelObject>,
    rights: Rights,
    key: HandleKey,
}

impl Handle {
    /// A handle with the default rights of the type.
    ///
    /// # Errors
    /// - `NoMemory`: the system has as many handles as it may have.
    pub fn new<T: TypedObject>(object: Arc<T>) -> ZxResult<Self> {
        Self::with_rights(object, T::DEFAULT_RIGHTS)
    }

    /// A handle with these rights.
    ///
    /// # Errors
    /// - `NoMemory`: the system has as many handles as it may have.
    pub fn with_rights(object: Arc<dyn KernelObject>, rights: Rights) -> ZxResult<Self> {
        if Counter::HandlesLive.increment() >= HANDLE_MAX {
            Counter::HandlesLive.decrement();
            return Err(ZxError::NoMemory);
        }
        object.base().handle_added();
        Ok(Self {
            object,
            rights,
            key: HandleKey(Counter::HandlesMade.increment()),
        })
    }

    /// The first handle of an object that takes something when it is made and gives it back with its last handle: when there can
    /// be none, it gives it back now.
    ///
    /// # Errors
    /// - `NoMemory`: the system has as many handles as it may have.
    pub fn first<T: TypedObject>(object: Arc<T>, rights: Rights) -> ZxResult<Self> {
        Self::with_rights(object.clone(), rights).inspect_err(|_| object.on_zero_handles())
    }

    /// The object.
    pub fn object(&self) -> &Arc<dyn KernelObject> {
        &self.object
    }
    /// What the holder may do.
    pub fn rights(&self) -> Rights {
        self.rights
    }
    /// Its identity for waits.
    pub fn key(&self) -> HandleKey {
        self.key
    }
    /// Handles in the whole system.
    pub fn total_in_use() -> usize {
        Counter::HandlesLive.get()
    }

    /// Another handle to the object with `rights`, or the same rights for `SAME_RIGHTS`.
    ///
    /// # Errors
    /// - `InvalidArgs`: `rights` is not a subset of this handle's.
    /// - `NoMemory`: the system has as many handles as it may have.
    pub fn duplicate(&self, rights: Rights) -> ZxResult<Self> {
        let rights = self.reduced(rights)?;
        let handle = Self::with_rights(self.object.clone(), rights)?;
        Counter::HandlesDuped.increment();
        Ok(handle)
    }

    /// The rights that a copy with `rights` would have.
    ///
    /// # Errors
    /// - `InvalidArgs`: `rights` is not a subset of this handle's.
    pub fn reduced(&self, rights: Rights) -> ZxResult<Rights> {
        if rights == Rights::SAME_RIGHTS {
            Ok(self.rights)
        } else if self.rights.contains(rights) {
            Ok(rights)
        } else {
            Err(ZxError::InvalidArgs)
        }
    }

    /// Takes rights away, in place: the handle keeps its identity.
    ///
    /// # Errors
    /// - `InvalidArgs`: `rights` is not a subset of this handle's; nothing changes.
    pub fn reduce(&mut self, rights: Rights) -> ZxResult {
        self.rights = self.reduced(rights)?;
        Ok(())
    }

    /// The object as `T`, when the handle has `rights`. Type is checked before rights, as in Zircon of 2019 and 2020.
    ///
    /// # Errors
    /// - `WrongType`: the object is not a `T`.
    /// - `AccessDenied`: a right is missing.
    #[inline(always)]
    pub fn get<T: TypedObject>(&self, rights: Rights) -> ZxResult<Arc<T>> {
        let object = super::downcast::<T>(self.object.clone())?;
        self.require(rights)?;
        Ok(object)
    }

    /// Whether the handle has all of `rights`.
    ///
    /// # Errors
    /// - `AccessDenied`: a right is missing.
    #[inline(always)]
    pub fn require(&self, rights: Rights) -> ZxResult {
        if self.rights.contains(rights) {
            Ok(())
        } else {
            Err(ZxError::AccessDenied)
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        Counter::HandlesLive.decrement();
        let base = self.object.base();
        base.signals().cancel_handle(self.key).wake();
        if base.handle_removed() {
            self.object.on_zero_handles();
        }
    }
}

impl core::fmt::Debug for Handle {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "Handle({:?} {}, {:#x})",
            self.object.object_type(),
            self.object.base().koid().0,
            self.rights.bits()
        )
    }
}
