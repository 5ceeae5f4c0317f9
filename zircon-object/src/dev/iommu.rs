//! IOMMUs. Only the kind that does not exist is built: devices see physical addresses.

use crate::alloc_try::try_arc;
use crate::object::{KernelObject, ObjectBase, TypedObject};
use alloc::sync::Arc;
use zx_abi::{ObjectType, Signals, ZxResult};

/// An IOMMU that translates nothing.
#[derive(Debug)]
pub struct Iommu {
    base: ObjectBase,
}

impl Iommu {
    /// The IOMMU of a machine that has none.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted.
    pub fn create_dummy() -> ZxResult<Arc<Self>> {
        try_arc(Self {
            base: ObjectBase::new(Signals::empty()),
        })
    }
}

impl KernelObject for Iommu {
    fn base(&self) -> &ObjectBase {
        &self.base
    }
    fn object_type(&self) -> ObjectType {
        Self::TYPE
    }
}

impl TypedObject for Iommu {
    const TYPE: ObjectType = ObjectType::Iommu;
}
