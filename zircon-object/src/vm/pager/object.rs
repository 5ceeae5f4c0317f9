//! The pager object.

use super::source::{Farewell, PageSource};
use crate::alloc_try::{try_arc, TryPush};
use crate::object::{KernelObject, ObjectBase, TypedObject, Wakes};
use crate::signal::Port;
use crate::vm::{Resizable, Vmo, PAGE_BYTES};
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use kernel_hal::sync::Mutex;
use zx_abi::{ObjectType, Signals, ZxError, ZxResult};

/// A pager.
pub struct Pager {
    base: ObjectBase,
    sources: Mutex<Vec<Weak<PageSource>>>,
}

impl Pager {
    /// A pager without VMOs.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted.
    pub fn create() -> ZxResult<Arc<Self>> {
        try_arc(Self {
            base: ObjectBase::new(Signals::empty()),
            sources: Mutex::new(Vec::new()),
        })
    }

    /// A VMO whose missing pages are asked for by packets with `key` in `port`. `gone` is what accesses to missing pages get
    /// once nobody supplies them any more.
    ///
    /// # Errors
    /// - `OutOfRange`: the size is beyond the limit.
    /// - `NoMemory`: the kernel heap is exhausted.
    pub fn create_vmo(
        &self,
        port: Arc<Port>,
        key: u64,
        size: u64,
        resizable: Resizable,
        gone: ZxError,
    ) -> ZxResult<Arc<Vmo>> {
        let source = PageSource::new(self.base.koid(), port, key, gone)?;
        let vmo = Vmo::with_source(size, resizable, source.clone())?;
        let mut sources = self.sources.lock();
        if sources.len() == sources.capacity() {
            sources.retain(|source| source.strong_count() != 0);
        }
        sources.try_push(Arc::downgrade(&source))?;
        Ok(vmo)
    }

    /// Asks for no more pages of a VMO.
    ///
    /// # Errors
    /// - `InvalidArgs`: the VMO is not one of this pager.
    pub fn detach(&self, vmo: &Vmo) -> ZxResult {
        let mut wakes = Wakes::none();
        self.source_of(vmo)?.detach(Farewell::Packet, &mut wakes);
        wakes.wake();
        Ok(())
    }

    /// Whether the VMO is one of this pager.
    ///
    /// # Errors
    /// - `InvalidArgs`: it is not.
    pub fn check(&self, vmo: &Vmo) -> ZxResult {
        self.source_of(vmo).map(drop)
    }

    /// Moves pages of `aux` into a VMO of this pager. Pages that the VMO has already stay, and those of `aux` are freed.
    ///
    /// # Errors
    /// - `InvalidArgs`: the VMO is not one of this pager; not whole pages.
    /// - `NotSupported`: `aux` is physical memory.
    /// - `OutOfRange`: not wholly inside `aux`; or not wholly inside the VMO, and the pages of `aux` are gone.
    /// - `BadState`: a page of `aux` is missing or pinned, or others see its pages too.
    /// - `NoMemory`: the kernel heap is exhausted.
    pub fn supply(&self, vmo: &Vmo, offset: u64, len: u64, aux: &Vmo, aux_offset: u64) -> ZxResult {
        let source = self.source_of(vmo)?;
        if [offset, len, aux_offset]
            .iter()
            .any(|bytes| !bytes.is_multiple_of(PAGE_BYTES))
        {
            return Err(ZxError::InvalidArgs);
        }
        if len == 0 {
            return Ok(());
        }
        let frames = aux.take_pages(aux_offset, len)?;
        let mut wakes = Wakes::none();
        let supplied = vmo.put_pages(offset, frames, &source, &mut wakes);
        wakes.wake();
        supplied
    }

    /// Ends the requests that have a page of the range: those who wait for it get `error`.
    ///
    /// # Errors
    /// - `InvalidArgs`: the VMO is not one of this pager; `error` is none that a pager may say.
    /// - `OutOfRange`: not wholly inside.
    pub fn fail(&self, vmo: &Vmo, offset: u64, len: u64, error: ZxError) -> ZxResult {
        let source = self.source_of(vmo)?;
        if !matches!(
            error,
            ZxError::Io | ZxError::IoDataIntegrity | ZxError::BadState
        ) {
            return Err(ZxError::InvalidArgs);
        }
        let mut wakes = Wakes::none();
        vmo.fail_pages(offset, len, error, &source, &mut wakes)?;
        wakes.wake();
        Ok(())
    }

    fn source_of(&self, vmo: &Vmo) -> ZxResult<Arc<PageSource>> {
        vmo.source()
            .filter(|source| source.pager() == self.base.koid())
            .ok_or(ZxError::InvalidArgs)
    }
}

impl KernelObject for Pager {
    fn base(&self) -> &ObjectBase {
        &self.base
    }
    fn object_type(&self) -> ObjectType {
        Self::TYPE
    }
    /// Nobody supplies pages any more.
    fn on_zero_handles(&self) {
        let sources = core::mem::take(&mut *self.sources.lock());
        let mut wakes = Wakes::none();
        for source in sources.iter().filter_map(Weak::upgrade) {
            source.detach(Farewell::None, &mut wakes);
        }
        wakes.wake();
    }
}

impl TypedObject for Pager {
    const TYPE: ObjectType = ObjectType::Pager;
}
