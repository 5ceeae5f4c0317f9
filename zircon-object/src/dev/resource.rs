//! Resources: the right to use a range of hardware, or to make a privileged call.
//!
//! A resource of kind ROOT passes every check. Ranges are kept in one registry while a handle to their resource exists, so
//! that an exclusive resource shares its range with nobody.

use crate::alloc_try::{try_arc, TryPush};
use crate::object::{KernelObject, Koid, Name, ObjectBase, TypedObject};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;
use kernel_hal::sync::Mutex;
use zx_abi::device::ResourceKind;
use zx_abi::limits::PAGE_SIZE;
use zx_abi::{ObjectType, Signals, ZxError, ZxResult};

/// Whether a resource shares its range with others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sharing {
    /// Others may have it too.
    Shared,
    /// Nobody else may (ZX_RSRC_FLAG_EXCLUSIVE).
    Exclusive,
}

/// A range of addresses, vectors or ports; empty for kinds without one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Extent {
    /// The first.
    pub base: u64,
    /// How many.
    pub size: u64,
}

impl Extent {
    /// Nothing.
    pub const NONE: Self = Self { base: 0, size: 0 };

    /// The last number of the range, when it has one and does not wrap.
    fn last(self) -> Option<u64> {
        self.base.checked_add(self.size.checked_sub(1)?)
    }

    /// Whether all of `other` lies inside. An empty range lies inside when its start does.
    fn contains(self, other: Self) -> bool {
        let Some(last) = self.last() else {
            return self == other;
        };
        other.base >= self.base
            && other
                .base
                .checked_add(other.size.saturating_sub(1))
                .is_some_and(|end| end <= last)
    }

    fn overlaps(self, other: Self) -> bool {
        match (self.last(), other.last()) {
            (Some(last), Some(other_last)) => self.base <= other_last && other.base <= last,
            _ => false,
        }
    }

    /// The whole pages that the range touches.
    fn to_pages(self) -> Option<Self> {
        let page = PAGE_SIZE as u64;
        let base = self.base / page * page;
        let size = (self.base - base)
            .checked_add(self.size)?
            .checked_next_multiple_of(page)?;
        Some(Self { base, size })
    }
}

/// The right to use something.
pub struct Resource {
    base: ObjectBase,
    name: Name,
    kind: ResourceKind,
    sharing: Sharing,
    extent: Extent,
}

impl Resource {
    /// The resource that passes every check; made once, at boot.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted.
    pub fn root() -> ZxResult<Arc<Self>> {
        try_arc(Self {
            base: ObjectBase::new(Signals::empty()),
            name: Name::new(b"root"),
            kind: ResourceKind::Root,
            sharing: Sharing::Shared,
            extent: Extent::NONE,
        })
    }

    /// A resource of any kind, checked against the platform and the ranges that are taken.
    ///
    /// # Errors
    /// - `InvalidArgs`: a kind without range was given one, or the range wraps.
    /// - `NotFound`: the platform does not have the range, or somebody has it for himself, or `sharing` asks for that and
    ///   somebody has it.
    /// - `NoMemory`: the kernel heap is exhausted.
    pub fn create(
        kind: ResourceKind,
        sharing: Sharing,
        extent: Extent,
        name: &[u8],
    ) -> ZxResult<Arc<Self>> {
        let extent = placed(kind, extent)?;
        let base = ObjectBase::new(Signals::empty());
        let owner = base.koid();
        let resource = try_arc(Self {
            base,
            name: Name::new(name),
            kind,
            sharing,
            extent,
        })?;
        if extent != Extent::NONE {
            REGISTRY.lock().claim(Claim {
                owner,
                kind,
                sharing,
                extent,
            })?;
        }
        Ok(resource)
    }

    /// Whether `resource_create` may make a resource like this under this one.
    ///
    /// # Errors
    /// - `AccessDenied`: this resource is neither ROOT nor of the same kind with the range inside.
    /// - `InvalidArgs`: a slice of a range can neither be exclusive nor come from an exclusive one.
    pub fn check_child(&self, kind: ResourceKind, sharing: Sharing, extent: Extent) -> ZxResult {
        if self.kind == ResourceKind::Root {
            return Ok(());
        }
        self.check_range(kind, extent)
            .map_err(|_| ZxError::AccessDenied)?;
        if sharing == Sharing::Exclusive || self.sharing == Sharing::Exclusive {
            return Err(ZxError::InvalidArgs);
        }
        Ok(())
    }

    /// Whether it is of this kind, or ROOT.
    ///
    /// # Errors
    /// - `WrongType`: it is of another kind.
    pub fn check(&self, kind: ResourceKind) -> ZxResult {
        if self.kind == kind || self.kind == ResourceKind::Root {
            Ok(())
        } else {
            Err(ZxError::WrongType)
        }
    }

    /// Whether it gives the right to this range.
    ///
    /// # Errors
    /// - `WrongType`: it is of another kind and not ROOT.
    /// - `OutOfRange`: the range is not inside.
    pub fn check_range(&self, kind: ResourceKind, extent: Extent) -> ZxResult {
        self.check(kind)?;
        if self.kind == ResourceKind::Root {
            return Ok(());
        }
        let wanted = if kind == ResourceKind::Mmio {
            extent.to_pages()
        } else {
            Some(extent)
        };
        match wanted {
            Some(wanted) if self.extent.contains(wanted) => Ok(()),
            _ => Err(ZxError::OutOfRange),
        }
    }

    /// Its kind.
    pub fn kind(&self) -> ResourceKind {
        self.kind
    }
    /// Whether others may have the range too.
    pub fn sharing(&self) -> Sharing {
        self.sharing
    }
    /// Its range.
    pub fn extent(&self) -> Extent {
        self.extent
    }
}

/// The range as the registry keeps it, once the platform is found to have it.
fn placed(kind: ResourceKind, extent: Extent) -> ZxResult<Extent> {
    let region: Range<u64> = match kind {
        ResourceKind::Hypervisor | ResourceKind::Root | ResourceKind::Vmex => {
            return if extent == Extent::NONE {
                Ok(extent)
            } else {
                Err(ZxError::InvalidArgs)
            };
        }
        ResourceKind::Mmio => {
            let pages = extent.to_pages().ok_or(ZxError::InvalidArgs)?;
            pages
                .base
                .checked_add(pages.size)
                .ok_or(ZxError::InvalidArgs)?;
            return Ok(pages);
        }
        // Counted in vectors, and one port less than there are: so does the real kernel (seen in 2019). The root resource
        // passes for the lines and the port that are missing here.
        ResourceKind::Irq => 32..287,
        ResourceKind::Ioport => 0..0xffff,
        ResourceKind::Smc => 0..0,
    };
    let end = extent.base.checked_add(extent.size);
    if extent.base >= region.start && end.is_some_and(|end| end <= region.end) {
        Ok(extent)
    } else {
        Err(ZxError::NotFound)
    }
}

static REGISTRY: Mutex<Registry> = Mutex::new(Registry { claims: Vec::new() });

/// Ranges of living resources. Resources with ranges are few, so the list is searched from end to end.
struct Registry {
    claims: Vec<Claim>,
}

struct Claim {
    owner: Koid,
    kind: ResourceKind,
    sharing: Sharing,
    extent: Extent,
}

impl Registry {
    fn claim(&mut self, new: Claim) -> ZxResult {
        let taken = self.claims.iter().any(|old| {
            let exclusive = old.sharing == Sharing::Exclusive || new.sharing == Sharing::Exclusive;
            exclusive && old.kind == new.kind && old.extent.overlaps(new.extent)
        });
        if taken {
            return Err(ZxError::NotFound);
        }
        self.claims.try_push(new)
    }
}

impl KernelObject for Resource {
    fn base(&self) -> &ObjectBase {
        &self.base
    }
    fn object_type(&self) -> ObjectType {
        ObjectType::Resource
    }
    fn name(&self) -> Option<&Name> {
        Some(&self.name)
    }
    fn on_zero_handles(&self) {
        REGISTRY
            .lock()
            .claims
            .retain(|claim| claim.owner != self.base.koid());
    }
}

impl TypedObject for Resource {
    const TYPE: ObjectType = ObjectType::Resource;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(owner: u64, sharing: Sharing, base: u64, size: u64) -> Claim {
        Claim {
            owner: Koid(owner),
            kind: ResourceKind::Ioport,
            sharing,
            extent: Extent { base, size },
        }
    }

    #[test]
    fn an_exclusive_range_overlaps_nothing_but_shared_ones_overlap_each_other() {
        let mut registry = Registry { claims: Vec::new() };
        registry.claim(claim(1, Sharing::Shared, 0, 16)).unwrap();
        registry.claim(claim(2, Sharing::Shared, 8, 16)).unwrap();
        assert_eq!(
            registry.claim(claim(3, Sharing::Exclusive, 23, 4)),
            Err(ZxError::NotFound)
        );
        registry.claim(claim(3, Sharing::Exclusive, 24, 4)).unwrap();
        assert_eq!(
            registry.claim(claim(4, Sharing::Shared, 27, 1)),
            Err(ZxError::NotFound)
        );
    }

    #[test]
    fn a_range_outside_the_platform_is_not_found_and_one_that_wraps_is_invalid() {
        assert_eq!(
            placed(
                ResourceKind::Ioport,
                Extent {
                    base: 0xffff,
                    size: 2
                }
            ),
            Err(ZxError::NotFound)
        );
        assert_eq!(
            placed(
                ResourceKind::Mmio,
                Extent {
                    base: u64::MAX - 4,
                    size: 8
                }
            ),
            Err(ZxError::InvalidArgs)
        );
        assert_eq!(
            placed(ResourceKind::Root, Extent { base: 0, size: 1 }),
            Err(ZxError::InvalidArgs)
        );
        assert_eq!(
            placed(
                ResourceKind::Mmio,
                Extent {
                    base: 0x1800,
                    size: 0x100
                }
            ),
            Ok(Extent {
                base: 0x1000,
                size: 0x1000
            })
        );
    }

    #[test]
    fn a_range_contains_what_lies_inside_and_nothing_that_wraps() {
        let range = Extent { base: 16, size: 16 };
        assert!(range.contains(Extent { base: 16, size: 16 }));
        assert!(range.contains(Extent { base: 31, size: 0 }));
        assert!(!range.contains(Extent { base: 24, size: 9 }));
        assert!(!range.contains(Extent {
            base: 20,
            size: u64::MAX
        }));
    }
}
