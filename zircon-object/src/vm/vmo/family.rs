//! Who descends from whom: the number of children, `ZERO_CHILDREN`, and whose stamps on shared pages still count.
//!
//! A VMO that dies while it has children leaves a mark, so that its children go on counting for its nearest living ancestor. Where
//! there is but one child, its parent's parent becomes its parent instead: there are never more marks than living members.

use super::object::{Origin, Vmo};
use crate::alloc_try::try_arc;
use crate::object::{Koid, Wakes};
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use kernel_hal::sync::Mutex;
use zx_abi::{Signals, ZxError, ZxResult};

/// All VMOs that come from one.
pub(super) struct Family {
    /// Ordered by koid.
    members: Mutex<Vec<Member>>,
}

struct Member {
    koid: Koid,
    parent: Koid,
    origin: Origin,
    /// `None`: it is gone, and only a mark for its children.
    vmo: Option<Weak<Vmo>>,
    /// Children that users see: living ones, and living ones of dead ones.
    children: usize,
    /// Members whose `parent` this is, and the sum of their koids: of a single one, its koid.
    links: usize,
    link_sum: u64,
}

impl Family {
    /// A family of one.
    pub(super) fn found_by(vmo: &Arc<Vmo>) -> ZxResult<Arc<Self>> {
        let family = try_arc(Self {
            members: Mutex::new(Vec::new()),
        })?;
        insert(&mut family.members.lock(), Member::new(vmo))?;
        Ok(family)
    }

    /// Takes in a new child, whose parent is a member; the parent loses `ZERO_CHILDREN`.
    pub(super) fn join(&self, parent: &Vmo, child: &Arc<Vmo>) -> ZxResult {
        let wakes = {
            let mut members = self.members.lock();
            insert(&mut members, Member::new(child))?;
            let member = get_mut(&mut members, parent.base.koid()).ok_or(ZxError::Internal)?;
            member.children += 1;
            member.link(child.base.koid());
            parent
                .base
                .signals()
                .change(Signals::VMO_ZERO_CHILDREN, Signals::empty())
        };
        wakes.wake();
        Ok(())
    }

    /// A member is dropped.
    pub(super) fn leave(&self, koid: Koid) {
        let mut told = None;
        let mut wakes = Wakes::none();
        {
            let mut members = self.members.lock();
            let Some(member) = get_mut(&mut members, koid) else {
                return;
            };
            member.vmo = None;
            let (orphans, mut parent) = (member.children, member.parent);
            while let Some(ancestor) = get_mut(&mut members, parent) {
                if let Some(vmo) = &ancestor.vmo {
                    ancestor.children = ancestor.children + orphans - 1;
                    if ancestor.children == 0 {
                        told = vmo.upgrade();
                    }
                    break;
                }
                parent = ancestor.parent;
            }
            if let Some(vmo) = &told {
                wakes = vmo
                    .base
                    .signals()
                    .change(Signals::empty(), Signals::VMO_ZERO_CHILDREN);
            }
            remove_marks(&mut members, koid);
        }
        wakes.wake();
        // `told` may be the last reference; its drop comes here again, so it must not happen under the lock.
        drop(told);
    }

    pub(super) fn children_of(&self, koid: Koid) -> usize {
        get_mut(&mut self.members.lock(), koid).map_or(0, |member| member.children)
    }

    /// Whether the VMO with this koid is alive.
    pub(super) fn lives(&self, koid: u64) -> bool {
        get_mut(&mut self.members.lock(), Koid(koid)).is_some_and(|member| member.vmo.is_some())
    }

    /// Living members that have pages of their own, and so may share some of them.
    pub(super) fn sharers(&self) -> usize {
        self.members
            .lock()
            .iter()
            .filter(|member| {
                member.vmo.is_some() && matches!(member.origin, Origin::Root | Origin::Snapshot)
            })
            .count()
    }
}

impl Member {
    fn new(vmo: &Arc<Vmo>) -> Self {
        let (koid, parent, origin) = (vmo.base.koid(), vmo.parent, vmo.origin);
        Self {
            koid,
            parent,
            origin,
            vmo: Some(Arc::downgrade(vmo)),
            children: 0,
            links: 0,
            link_sum: 0,
        }
    }

    fn link(&mut self, koid: Koid) {
        self.links += 1;
        self.link_sum = self.link_sum.wrapping_add(koid.0);
    }

    fn unlink(&mut self, koid: Koid) {
        self.links -= 1;
        self.link_sum = self.link_sum.wrapping_sub(koid.0);
    }
}

fn insert(members: &mut Vec<Member>, member: Member) -> ZxResult {
    members.try_reserve(1).map_err(|_| ZxError::NoMemory)?;
    let at = members.partition_point(|other| other.koid < member.koid);
    members.insert(at, member);
    Ok(())
}

fn get_mut(members: &mut [Member], koid: Koid) -> Option<&mut Member> {
    let at = members
        .binary_search_by_key(&koid, |member| member.koid)
        .ok()?;
    members.get_mut(at)
}

/// Removes the dead member and dead ancestors, as far as no more than one links to each.
fn remove_marks(members: &mut Vec<Member>, mut koid: Koid) {
    while let Ok(at) = members.binary_search_by_key(&koid, |member| member.koid) {
        if members[at].vmo.is_some() || members[at].links > 1 {
            return;
        }
        let mark = members.remove(at);
        let only = (mark.links == 1).then_some(Koid(mark.link_sum));
        if let Some(child) = only.and_then(|only| get_mut(members, only)) {
            child.parent = mark.parent;
        }
        if let Some(parent) = get_mut(members, mark.parent) {
            parent.unlink(koid);
            if let Some(only) = only {
                parent.link(only);
            }
        }
        koid = mark.parent;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vm::vmo::{ChildKind, Resizable};

    fn snapshot(of: &Arc<Vmo>) -> Arc<Vmo> {
        of.create_child(ChildKind::Snapshot, Resizable::No, 0, 4096)
            .unwrap()
    }

    fn members(vmo: &Vmo) -> usize {
        let family = vmo.family.lock().clone().unwrap();
        let members = family.members.lock();
        members.len()
    }

    fn children<const N: usize>(of: [&Arc<Vmo>; N]) -> [usize; N] {
        of.map(|vmo| {
            vmo.family
                .lock()
                .clone()
                .unwrap()
                .children_of(vmo.base.koid())
        })
    }

    #[test]
    fn generations_that_are_gone_leave_no_marks() {
        kernel_hal_hosted::init();
        let first = Vmo::new(4096, Resizable::No).unwrap();
        let mut last = snapshot(&first);
        for _ in 0..1000 {
            last = snapshot(&last);
        }
        assert_eq!((members(&first), children([&first, &last])), (2, [1, 0]));
        drop(first);
        assert_eq!(members(&last), 1);
        for _ in 0..1000 {
            last = snapshot(&last);
        }
        assert_eq!((members(&last), children([&last])), (1, [0]));
    }

    #[test]
    fn whoever_goes_first_children_count_for_the_nearest_one_that_lives() {
        kernel_hal_hosted::init();
        let root = Vmo::new(4096, Resizable::No).unwrap();
        let branch = snapshot(&root);
        let (left, right) = (snapshot(&branch), snapshot(&branch));
        let (low, lower) = (snapshot(&right), snapshot(&right));
        assert_eq!(children([&root, &branch, &right]), [1, 2, 2]);
        drop(right);
        assert_eq!(children([&root, &branch]), [1, 3]);
        drop(branch);
        assert_eq!(children([&root]), [3]);
        drop(low);
        assert_eq!((members(&root), children([&root])), (4, [2]));
        drop(left);
        assert_eq!((members(&root), children([&root])), (2, [1]));
        let lowest = snapshot(&lower);
        drop(lower);
        assert_eq!((members(&root), children([&root, &lowest])), (2, [1, 0]));
        drop(lowest);
        assert_eq!((members(&root), children([&root])), (1, [0]));
    }
}
