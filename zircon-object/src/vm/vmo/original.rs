//! What a contiguous VMO and its copies know of each other.
//!
//! A contiguous VMO keeps its pages where they are. So when it writes a page that copies still see, not the writer gets a
//! new page but the others do, and the old one has to leave their page tables first. They enter their views here.

use super::memory::Memory;
use crate::alloc_try::{try_arc, TryPush};
use crate::vm::registry::{MapToken, Registry, View};
use alloc::sync::Arc;
use alloc::vec::Vec;
use kernel_hal::sync::{Mutex, MutexGuard};
use kernel_hal::PhysAddr;
use zx_abi::{ZxError, ZxResult};

/// The views of all copies of one contiguous VMO, in its own page numbers, which are those of its tree. The lock nests inside
/// that of a VMO; while it is held no page of the VMO changes its place.
#[derive(Default)]
pub(in crate::vm) struct Original(Mutex<Registry>);

/// A copy's side.
pub(super) struct Copied {
    original: Arc<Original>,
    /// Its own views beside those in the original's list.
    views: Vec<(MapToken, MapToken)>,
}

impl Original {
    pub(super) fn try_new() -> ZxResult<Arc<Self>> {
        try_arc(Self::default())
    }

    /// Keeps every page of the contiguous VMO in its place while the result lives.
    pub(in crate::vm) fn hold(&self) -> OriginalHeld<'_> {
        OriginalHeld {
            _views: self.0.lock(),
        }
    }
}

/// See [`Original::hold`].
pub(in crate::vm) struct OriginalHeld<'a> {
    _views: MutexGuard<'a, Registry>,
}

impl Copied {
    pub(super) fn of(original: Arc<Original>) -> Self {
        Self {
            original,
            views: Vec::new(),
        }
    }

    pub(super) fn original(&self) -> &Arc<Original> {
        &self.original
    }
}

impl Memory {
    /// For a copy of contiguous memory: that memory.
    #[inline(always)]
    pub(in crate::vm) fn original(&self) -> Option<Arc<Original>> {
        self.rare
            .as_ref()
            .and_then(|rare| rare.copied.as_ref())
            .map(|copied| copied.original().clone())
    }

    /// Makes a page of contiguous memory private where it is.
    ///
    /// # Errors
    /// - `NoMemory`: no frame for the copy that the others get.
    pub(super) fn keep_private(&mut self, index: u64) -> ZxResult<PhysAddr> {
        let original = self.rare.as_ref().and_then(|rare| rare.copies.clone());
        let views = original.as_ref().map(|original| original.0.lock());
        self.tree_mut()?.keep_private(index, || {
            if let Some(views) = &views {
                views.unmap(index..index + 1, None);
            }
        })
    }

    /// Enters a view of a copy in the original's list.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted.
    pub(super) fn enter_in_original(&mut self, token: MapToken, view: &View) -> ZxResult {
        let bias = self.bias;
        let Some(copied) = self.rare.as_mut().and_then(|rare| rare.copied.as_mut()) else {
            return Ok(());
        };
        copied.views.try_reserve(1).map_err(|_| ZxError::NoMemory)?;
        let theirs = copied.original.0.lock().add(View {
            first: view.first + bias,
            ..view.clone()
        })?;
        copied.views.try_push((token, theirs))
    }

    /// Changes the original's list as a view has changed.
    pub(super) fn change_in_original(&mut self, token: MapToken) {
        let bias = self.bias;
        let Some(view) = self.views.get_mut(token).cloned() else {
            return;
        };
        let Some(copied) = self.rare.as_mut().and_then(|rare| rare.copied.as_mut()) else {
            return;
        };
        let theirs = copied.views.iter().find(|(own, _)| *own == token);
        let mut views = copied.original.0.lock();
        if let Some(known) = theirs.and_then(|(_, theirs)| views.get_mut(*theirs)) {
            *known = View {
                first: view.first + bias,
                ..view
            };
        }
    }

    /// Takes a view of a copy out of the original's list.
    pub(super) fn leave_original(&mut self, token: MapToken) {
        let Some(copied) = self.rare.as_mut().and_then(|rare| rare.copied.as_mut()) else {
            return;
        };
        if let Some(at) = copied.views.iter().position(|(own, _)| *own == token) {
            let (_, theirs) = copied.views.swap_remove(at);
            copied.original.0.lock().remove(theirs);
        }
    }
}
