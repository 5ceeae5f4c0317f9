//! Walks over the regions of an address space.

use super::children::At;
use super::region::{Mapping, Place, Region, RegionId, What};
use super::tree::RegionTree;
use core::ops::Range;
use kernel_hal::VirtAddr;
use zx_abi::{ZxError, ZxResult};

/// An item of a walk over the tree.
pub(in crate::vm) struct Item<'a> {
    pub(in crate::vm) base: VirtAddr,
    pub(in crate::vm) len: usize,
    pub(in crate::vm) depth: u64,
    pub(in crate::vm) what: Visit<'a>,
}

/// What an item of a walk is.
pub(in crate::vm) enum Visit<'a> {
    Region,
    Mapping(&'a Mapping),
}

impl RegionTree {
    /// The mappings of a range, which must have no holes and no regions.
    ///
    /// # Errors
    /// - `BadState`: it has.
    pub(super) fn mappings_in(
        &self,
        id: RegionId,
        range: &Range<VirtAddr>,
        visit: &mut dyn FnMut(Place<'_>) -> ZxResult,
    ) -> ZxResult {
        let mut next = range.start;
        for child in self.live(id)?.overlapping(range) {
            let What::Mapping(mapping) = &child.what else {
                return Err(ZxError::BadState);
            };
            if child.base > next {
                return Err(ZxError::BadState);
            }
            visit(Place {
                base: child.base,
                len: child.len,
                mapping,
            })?;
            next = child.end();
        }
        if next < range.end {
            return Err(ZxError::BadState);
        }
        Ok(())
    }

    /// How many items [`Self::for_each`] has at most.
    pub(in crate::vm) fn entries(&self) -> usize {
        let children = |region: &Region| region.children.len();
        1 + self.regions.iter().flatten().map(children).sum::<usize>()
    }

    /// Walks over everything, parents first.
    pub(in crate::vm) fn for_each(&self, visit: &mut dyn FnMut(Item<'_>)) {
        let Ok(root) = self.live(Self::ROOT) else {
            return;
        };
        visit(Item {
            base: root.base,
            len: root.len,
            depth: 1,
            what: Visit::Region,
        });
        let (mut region, mut depth, mut place) = (root, 2, At::default());
        loop {
            let Some(child) = region.children.get(place) else {
                // Up again: go on behind this region in its parent.
                let Some(parent) = region.parent().and_then(|parent| self.region(parent)) else {
                    return;
                };
                place = parent
                    .children
                    .after(parent.children.first_behind(region.base));
                region = parent;
                depth -= 1;
                continue;
            };
            match &child.what {
                What::Mapping(mapping) => {
                    visit(Item {
                        base: child.base,
                        len: child.len,
                        depth,
                        what: Visit::Mapping(mapping),
                    });
                    place = region.children.after(place);
                }
                What::Region(id) => {
                    visit(Item {
                        base: child.base,
                        len: child.len,
                        depth,
                        what: Visit::Region,
                    });
                    let Some(inner) = self.region(*id) else {
                        return;
                    };
                    (region, depth, place) = (inner, depth + 1, At::default());
                }
            }
        }
    }
}
