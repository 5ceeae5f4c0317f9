//! Owned handles and what every object can do through one.

use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use zerocopy::{FromBytes, IntoBytes};
use zx_abi::info::InfoTopic;
use zx_abi::property::Property;
use zx_abi::{HandleValue, Rights, Signals, ZxResult};

use crate::{sys, Port};

/// A handle this program owns; closed when dropped.
#[derive(Debug, PartialEq, Eq)]
pub struct Handle(HandleValue);

impl Handle {
    /// Takes over a handle value. 0 stands for "no handle" and is never closed.
    #[must_use]
    pub const fn from_raw(value: HandleValue) -> Self {
        Self(value)
    }

    /// Gives the value away; the handle stays open.
    #[must_use = "the handle leaks unless someone owns the value"]
    pub const fn into_raw(self) -> HandleValue {
        let value = self.0;
        mem::forget(self);
        value
    }

    /// Whether there is a handle at all.
    #[must_use]
    pub const fn is_valid(&self) -> bool {
        self.0 != 0
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.0 != 0 {
            // SAFETY: the call touches no memory of the program; nobody else owns the handle.
            let _ = unsafe { sys::zx_handle_close(self.0) };
        }
    }
}

/// A handle value that someone else owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unowned(pub HandleValue);

/// Anything that is one handle.
pub trait AsHandle {
    /// The handle's value.
    fn raw(&self) -> HandleValue;

    /// Another handle to the same object.
    ///
    /// # Errors
    /// Those of `zx_handle_duplicate`.
    fn duplicate_handle(&self, rights: Rights) -> ZxResult<Handle> {
        let mut out = 0;
        // SAFETY: `out` is this frame's.
        unsafe { sys::zx_handle_duplicate(self.raw(), rights, &mut out) }.into_result()?;
        Ok(Handle(out))
    }

    /// Waits until one of `signals` is there or the deadline passes, and gives what was there.
    ///
    /// # Errors
    /// Those of `zx_object_wait_one`; `TimedOut` when the deadline passed first.
    fn wait_one(&self, signals: Signals, deadline: i64) -> ZxResult<Signals> {
        let mut observed = Signals::empty();
        // SAFETY: `observed` is this frame's.
        unsafe { sys::zx_object_wait_one(self.raw(), signals, deadline, &mut observed) }
            .into_result()?;
        Ok(observed)
    }

    /// The signals right now, without an error when none of `signals` is there.
    ///
    /// # Errors
    /// Those of `zx_object_wait_one` but `TimedOut`.
    fn signals_now(&self, signals: Signals) -> ZxResult<Signals> {
        let mut observed = Signals::empty();
        // SAFETY: `observed` is this frame's.
        match unsafe { sys::zx_object_wait_one(self.raw(), signals, 0, &mut observed) }
            .into_result()
        {
            Ok(()) | Err(zx_abi::ZxError::TimedOut) => Ok(observed),
            Err(error) => Err(error),
        }
    }

    /// Makes `port` receive a packet once one of `signals` is there.
    ///
    /// # Errors
    /// Those of `zx_object_wait_async`.
    fn wait_async(&self, port: &Port, key: u64, signals: Signals, options: u32) -> ZxResult {
        // SAFETY: the call touches no memory of the program.
        unsafe { sys::zx_object_wait_async(self.raw(), port.raw(), key, signals, options) }
            .into_result()
    }

    /// Clears, then sets signals.
    ///
    /// # Errors
    /// Those of `zx_object_signal`.
    fn signal(&self, clear: Signals, set: Signals) -> ZxResult {
        // SAFETY: the call touches no memory of the program.
        unsafe { sys::zx_object_signal(self.raw(), clear.bits(), set.bits()) }.into_result()
    }

    /// Clears, then sets the peer's signals.
    ///
    /// # Errors
    /// Those of `zx_object_signal_peer`.
    fn signal_peer(&self, clear: Signals, set: Signals) -> ZxResult {
        // SAFETY: the call touches no memory of the program.
        unsafe { sys::zx_object_signal_peer(self.raw(), clear.bits(), set.bits()) }.into_result()
    }

    /// `zx_object_get_info` into bytes: how many records were written, and how many there are.
    ///
    /// # Errors
    /// Those of `zx_object_get_info`.
    fn get_info_bytes(&self, topic: InfoTopic, buffer: &mut [u8]) -> ZxResult<(usize, usize)> {
        let (mut actual, mut avail) = (0, 0);
        let (pointer, size) = (buffer.as_mut_ptr(), buffer.len());
        // SAFETY: the buffer is borrowed for the call; the counts are this frame's.
        unsafe {
            sys::zx_object_get_info(
                self.raw(),
                topic.raw(),
                pointer,
                size,
                &mut actual,
                &mut avail,
            )
        }
        .into_result()?;
        Ok((actual, avail))
    }

    /// One fixed record.
    ///
    /// # Errors
    /// Those of `zx_object_get_info`.
    fn get_info<T: FromBytes + IntoBytes>(&self, topic: InfoTopic) -> ZxResult<T>
    where
        Self: Sized,
    {
        let mut record = T::new_zeroed();
        self.get_info_bytes(topic, record.as_mut_bytes())?;
        Ok(record)
    }

    /// A whole list of records; what appears while it is read may be missing.
    ///
    /// # Errors
    /// Those of `zx_object_get_info`.
    fn get_info_list<T: FromBytes + IntoBytes + Clone>(&self, topic: InfoTopic) -> ZxResult<Vec<T>>
    where
        Self: Sized,
    {
        let mut room = 16;
        loop {
            let mut records: Vec<T> = (0..room).map(|_| T::new_zeroed()).collect();
            let (actual, avail) =
                self.get_info_bytes(topic, records.as_mut_slice().as_mut_bytes())?;
            if avail <= room {
                records.truncate(actual);
                return Ok(records);
            }
            room = avail + 8;
        }
    }

    /// Reads a property into `value`, which must have the property's size.
    ///
    /// # Errors
    /// Those of `zx_object_get_property`.
    fn get_property(&self, property: Property, value: &mut [u8]) -> ZxResult {
        // SAFETY: `value` is borrowed for the call.
        unsafe {
            sys::zx_object_get_property(self.raw(), property.raw(), value.as_mut_ptr(), value.len())
        }
        .into_result()
    }

    /// Sets a property.
    ///
    /// # Errors
    /// Those of `zx_object_set_property`.
    fn set_property(&self, property: Property, value: &[u8]) -> ZxResult {
        // SAFETY: `value` is borrowed for the call.
        unsafe {
            sys::zx_object_set_property(self.raw(), property.raw(), value.as_ptr(), value.len())
        }
        .into_result()
    }

    /// The object's name.
    ///
    /// # Errors
    /// Those of `zx_object_get_property`.
    fn name(&self) -> ZxResult<String> {
        let mut bytes = [0; 32];
        self.get_property(Property::Name, &mut bytes)?;
        let len = bytes
            .iter()
            .position(|&byte| byte == 0)
            .unwrap_or(bytes.len());
        Ok(String::from_utf8_lossy(&bytes[..len]).into_owned())
    }

    /// Names the object; 31 bytes are kept.
    ///
    /// # Errors
    /// Those of `zx_object_set_property`.
    fn set_name(&self, name: &str) -> ZxResult {
        self.set_property(Property::Name, name.as_bytes())
    }

    /// The object's koid.
    ///
    /// # Errors
    /// Those of `zx_object_get_info`.
    fn koid(&self) -> ZxResult<u64> {
        let mut record = [0u64; 4];
        self.get_info_bytes(InfoTopic::HandleBasic, record.as_mut_bytes())?;
        Ok(record[0])
    }
}

impl AsHandle for Handle {
    fn raw(&self) -> HandleValue {
        self.0
    }
}

impl AsHandle for Unowned {
    fn raw(&self) -> HandleValue {
        self.0
    }
}

/// Declares the owned handle of one object type.
macro_rules! object {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, PartialEq, Eq)]
        pub struct $name(crate::Handle);

        impl crate::AsHandle for $name {
            fn raw(&self) -> zx_abi::HandleValue {
                crate::AsHandle::raw(&self.0)
            }
        }

        impl From<crate::Handle> for $name {
            fn from(handle: crate::Handle) -> Self {
                Self(handle)
            }
        }

        impl From<$name> for crate::Handle {
            fn from(object: $name) -> Self {
                object.0
            }
        }

        impl $name {
            /// Another handle to the same object.
            ///
            /// # Errors
            /// Those of `zx_handle_duplicate`.
            pub fn duplicate(&self, rights: zx_abi::Rights) -> zx_abi::ZxResult<Self> {
                crate::AsHandle::duplicate_handle(self, rights).map(Self)
            }

            /// The same handle with other rights; it is gone even on failure.
            ///
            /// # Errors
            /// Those of `zx_handle_replace`.
            pub fn replace(self, rights: zx_abi::Rights) -> zx_abi::ZxResult<Self> {
                let mut out = 0;
                // SAFETY: `out` is this frame's; the old value is given up.
                unsafe { crate::sys::zx_handle_replace(self.0.into_raw(), rights, &mut out) }.into_result()?;
                Ok(Self(crate::Handle::from_raw(out)))
            }
        }
    };
}

pub(crate) use object;
