//! Who descends from whom: the number of children, `ZERO_CHILDREN`, and whose stamps on shared pages still count.
//!
//! A VMO that dies while it has children leaves a mark, so that its children go on counting for its nearest living ancestor.

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
    /// Members whose `parent` this is.
    links: usize,
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
            member.links += 1;
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
        }
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

/// Removes the dead member, and dead ancestors to which nobody links any more.
fn remove_marks(members: &mut Vec<Member>, mut koid: Koid) {
    while let Ok(at) = members.binary_search_by_key(&koid, |member| member.koid) {
        if members[at].vmo.is_some() || members[at].links != 0 {
            return;
        }
        koid = members.remove(at).parent;
        if let Some(parent) = get_mut(members, koid) {
            parent.links -= 1;
        }
    }
}
