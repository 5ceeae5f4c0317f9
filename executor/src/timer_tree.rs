//! The order of a timer queue: an AVL tree over slot indices
//!
//! AVL, because its depth has a hard bound (1.44 log2 n) whatever user programs arm and in whatever order. Slots know their
//! parents: a timer is taken out where it is, without a search from the root, and after a change the way up ends where the heights
//! are as they were, mostly after a step or two.
use crate::timer_slots::{Slots, NIL};

impl<T> Slots<T> {
    /// Inserts `node`, whose deadline is set, after all with the same deadline; gives the new root.
    #[inline]
    pub(crate) fn insert(&mut self, root: u32, node: u32) -> u32 {
        let deadline = self.at(node).deadline;
        let mut parent = NIL;
        let mut is_left = false;
        let mut next = root;
        while next != NIL {
            parent = next;
            let slot = self.at(next);
            is_left = deadline < slot.deadline;
            next = if is_left { slot.left } else { slot.right };
        }
        let slot = self.at_mut(node);
        (slot.left, slot.right, slot.parent, slot.height) = (NIL, NIL, parent, 1);
        if parent == NIL {
            return node;
        }
        let above = self.at_mut(parent);
        if is_left {
            above.left = node;
        } else {
            above.right = node;
        }
        self.mend(root, parent)
    }

    /// Removes `node`, which is in the tree; gives the new root.
    #[inline]
    pub(crate) fn remove(&mut self, root: u32, node: u32) -> u32 {
        let slot = self.at_mut(node);
        let (left, right, parent) = (slot.left, slot.right, slot.parent);
        let height = core::mem::take(&mut slot.height);
        if left != NIL && right != NIL {
            return self.remove_between(root, node, height);
        }
        let child = if left == NIL { right } else { left };
        if child != NIL {
            self.at_mut(child).parent = parent;
        }
        let root = self.replace_below(root, parent, node, child);
        self.mend(root, parent)
    }

    /// Removes a node with two children: the next one in order takes its place, and for the time being its height.
    fn remove_between(&mut self, root: u32, node: u32, height: u8) -> u32 {
        let slot = self.at(node);
        let (left, right, parent) = (slot.left, slot.right, slot.parent);
        let heir = self.first(right);
        let mut lowest = heir;
        if heir != right {
            let slot = self.at(heir);
            let (orphan, above) = (slot.right, slot.parent);
            lowest = above;
            self.at_mut(above).left = orphan;
            if orphan != NIL {
                self.at_mut(orphan).parent = above;
            }
            self.at_mut(heir).right = right;
            self.at_mut(right).parent = heir;
        }
        self.at_mut(left).parent = heir;
        let slot = self.at_mut(heir);
        (slot.left, slot.parent, slot.height) = (left, parent, height);
        let root = self.replace_below(root, parent, node, heir);
        self.mend(root, lowest)
    }

    /// Puts `new` where `old` was below `parent`; gives the new root.
    #[inline(always)]
    fn replace_below(&mut self, root: u32, parent: u32, old: u32, new: u32) -> u32 {
        if parent == NIL {
            return new;
        }
        let above = self.at_mut(parent);
        if above.left == old {
            above.left = new;
        } else {
            above.right = new;
        }
        root
    }

    /// Makes heights and balance right from `node` upwards, as far as they change; gives the new root.
    #[inline]
    fn mend(&mut self, mut root: u32, mut node: u32) -> u32 {
        while node != NIL {
            let slot = self.at(node);
            let (parent, before) = (slot.parent, slot.height);
            let (left, right) = (self.height(slot.left), self.height(slot.right));
            let after = if left.abs_diff(right) > 1 {
                let lifted = self.rotate(node);
                root = self.replace_below(root, parent, node, lifted);
                self.at_mut(lifted).parent = parent;
                self.at(lifted).height
            } else {
                let after = left.max(right) + 1;
                self.at_mut(node).height = after;
                after
            };
            if after == before {
                break;
            }
            node = parent;
        }
        root
    }

    /// The leftmost node below `root`, or `NIL`.
    pub(crate) fn first(&self, root: u32) -> u32 {
        let mut node = root;
        while node != NIL && self.at(node).left != NIL {
            node = self.at(node).left;
        }
        node
    }

    /// The node after the leftmost one of a tree, or `NIL`.
    #[inline]
    pub(crate) fn second(&self, first: u32) -> u32 {
        let slot = self.at(first);
        // Below the leftmost node there is at most one.
        if slot.right == NIL {
            slot.parent
        } else {
            slot.right
        }
    }

    /// The latest deadline that is not after `limit`.
    pub(crate) fn at_or_before(&self, root: u32, limit: i64) -> Option<i64> {
        let mut node = root;
        let mut found = None;
        while node != NIL {
            let slot = self.at(node);
            node = if slot.deadline <= limit {
                found = Some(slot.deadline);
                slot.right
            } else {
                slot.left
            };
        }
        found
    }

    /// The earliest deadline that is not before `limit`.
    pub(crate) fn at_or_after(&self, root: u32, limit: i64) -> Option<i64> {
        let mut node = root;
        let mut found = None;
        while node != NIL {
            let slot = self.at(node);
            node = if slot.deadline >= limit {
                found = Some(slot.deadline);
                slot.left
            } else {
                slot.right
            };
        }
        found
    }

    #[inline(always)]
    fn height(&self, node: u32) -> u8 {
        if node == NIL {
            0
        } else {
            self.at(node).height
        }
    }

    /// Balances `node`, whose children's heights differ by two; gives the node that takes its place, without a parent.
    #[cold]
    #[inline(never)]
    fn rotate(&mut self, node: u32) -> u32 {
        let slot = self.at(node);
        let (left, right) = (slot.left, slot.right);
        if self.height(left) > self.height(right) {
            let child = self.at(left);
            if self.height(child.left) < self.height(child.right) {
                let left = self.rotate_left(left);
                self.hang_left(node, left);
            }
            self.rotate_right(node)
        } else {
            let child = self.at(right);
            if self.height(child.right) < self.height(child.left) {
                let right = self.rotate_right(right);
                self.hang_right(node, right);
            }
            self.rotate_left(node)
        }
    }

    /// Lifts the right child of `node` above it.
    fn rotate_left(&mut self, node: u32) -> u32 {
        let child = self.at(node).right;
        self.hang_right(node, self.at(child).left);
        self.hang_left(child, node);
        self.update_height(node);
        self.update_height(child);
        child
    }

    /// Lifts the left child of `node` above it.
    fn rotate_right(&mut self, node: u32) -> u32 {
        let child = self.at(node).left;
        self.hang_left(node, self.at(child).right);
        self.hang_right(child, node);
        self.update_height(node);
        self.update_height(child);
        child
    }

    fn hang_left(&mut self, node: u32, child: u32) {
        self.at_mut(node).left = child;
        if child != NIL {
            self.at_mut(child).parent = node;
        }
    }

    fn hang_right(&mut self, node: u32, child: u32) {
        self.at_mut(node).right = child;
        if child != NIL {
            self.at_mut(child).parent = node;
        }
    }

    fn update_height(&mut self, node: u32) {
        let slot = self.at(node);
        let height = self.height(slot.left).max(self.height(slot.right)) + 1;
        self.at_mut(node).height = height;
    }

    /// Panics unless order, parents, heights and balance hold below `root`, which hangs below `parent`; gives its height, and
    /// collects the deadlines.
    #[cfg(test)]
    pub(crate) fn check(&self, parent: u32, root: u32, deadlines: &mut Vec<i64>) -> u8 {
        if root == NIL {
            return 0;
        }
        let slot = self.at(root);
        assert_eq!(slot.parent, parent, "wrong parent");
        let left = self.check(root, slot.left, deadlines);
        assert!(
            deadlines.last().is_none_or(|last| *last <= slot.deadline),
            "deadlines out of order"
        );
        deadlines.push(slot.deadline);
        let right = self.check(root, slot.right, deadlines);
        assert!(left.abs_diff(right) <= 1, "out of balance");
        assert_eq!(slot.height, left.max(right) + 1, "wrong height");
        slot.height
    }
}
