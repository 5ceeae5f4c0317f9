//! The order of a timer queue: an AVL tree over slot indices
//!
//! AVL, because its depth has a hard bound (1.44 log2 n) whatever user programs arm and in whatever order; a tree
//! balanced by chance would let them build a long path, and the kernel's stack is small.
use core::cmp::Ordering;

use crate::timer_slots::{Key, Slots, NIL};

impl<T> Slots<T> {
    /// Inserts `node`, whose key is `key`, below `root`; gives the new root.
    pub(crate) fn insert(&mut self, root: u32, node: u32, key: Key) -> u32 {
        if root == NIL {
            let slot = self.at_mut(node);
            slot.left = NIL;
            slot.right = NIL;
            slot.height = 1;
            return node;
        }
        let slot = self.at(root);
        if key < slot.key {
            let left = self.insert(slot.left, node, key);
            self.at_mut(root).left = left;
        } else {
            let right = self.insert(slot.right, node, key);
            self.at_mut(root).right = right;
        }
        self.balance(root)
    }

    /// Removes the node with `key` from below `root`; gives the new root.
    pub(crate) fn remove(&mut self, root: u32, key: Key) -> u32 {
        if root == NIL {
            return NIL;
        }
        let slot = self.at(root);
        let (left, right) = (slot.left, slot.right);
        match key.cmp(&slot.key) {
            Ordering::Less => {
                let left = self.remove(left, key);
                self.at_mut(root).left = left;
            }
            Ordering::Greater => {
                let right = self.remove(right, key);
                self.at_mut(root).right = right;
            }
            Ordering::Equal if right == NIL => return left,
            Ordering::Equal => {
                let heir = self.first(right);
                let right = self.remove_first(right);
                let slot = self.at_mut(heir);
                slot.left = left;
                slot.right = right;
                return self.balance(heir);
            }
        }
        self.balance(root)
    }

    /// Removes the leftmost node below `root`, which is not empty; gives the new root.
    pub(crate) fn remove_first(&mut self, root: u32) -> u32 {
        let slot = self.at(root);
        let (left, right) = (slot.left, slot.right);
        if left == NIL {
            return right;
        }
        let left = self.remove_first(left);
        self.at_mut(root).left = left;
        self.balance(root)
    }

    /// The leftmost node below `root`, or `NIL`.
    pub(crate) fn first(&self, root: u32) -> u32 {
        let mut node = root;
        while node != NIL && self.at(node).left != NIL {
            node = self.at(node).left;
        }
        node
    }

    /// The latest deadline that is not after `limit`.
    pub(crate) fn at_or_before(&self, root: u32, limit: i64) -> Option<i64> {
        let mut node = root;
        let mut found = None;
        while node != NIL {
            let slot = self.at(node);
            node = if slot.key.deadline <= limit {
                found = Some(slot.key.deadline);
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
            node = if slot.key.deadline >= limit {
                found = Some(slot.key.deadline);
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

    /// Makes the heights of `root`'s children differ by one at most; gives the new root.
    #[inline(always)]
    fn balance(&mut self, root: u32) -> u32 {
        let slot = self.at(root);
        let (left, right) = (self.height(slot.left), self.height(slot.right));
        if left.abs_diff(right) > 1 {
            return self.rotate(root);
        }
        self.at_mut(root).height = left.max(right) + 1;
        root
    }

    /// Balances `root`, whose children's heights differ by two.
    #[cold]
    #[inline(never)]
    fn rotate(&mut self, root: u32) -> u32 {
        let slot = self.at(root);
        let (left, right) = (slot.left, slot.right);
        if self.height(left) > self.height(right) {
            let child = self.at(left);
            if self.height(child.left) < self.height(child.right) {
                let left = self.rotate_left(left);
                self.at_mut(root).left = left;
            }
            self.rotate_right(root)
        } else {
            let child = self.at(right);
            if self.height(child.right) < self.height(child.left) {
                let right = self.rotate_right(right);
                self.at_mut(root).right = right;
            }
            self.rotate_left(root)
        }
    }

    /// Lifts the right child of `root` above it.
    fn rotate_left(&mut self, root: u32) -> u32 {
        let child = self.at(root).right;
        self.at_mut(root).right = self.at(child).left;
        self.at_mut(child).left = root;
        self.update_height(root);
        self.update_height(child);
        child
    }

    /// Lifts the left child of `root` above it.
    fn rotate_right(&mut self, root: u32) -> u32 {
        let child = self.at(root).left;
        self.at_mut(root).left = self.at(child).right;
        self.at_mut(child).right = root;
        self.update_height(root);
        self.update_height(child);
        child
    }

    fn update_height(&mut self, node: u32) {
        let slot = self.at(node);
        let height = self.height(slot.left).max(self.height(slot.right)) + 1;
        self.at_mut(node).height = height;
    }

    /// Panics unless order, heights and balance hold below `root`; gives the number of nodes.
    #[cfg(test)]
    pub(crate) fn check(&self, root: u32, keys: &mut Vec<Key>) -> u8 {
        if root == NIL {
            return 0;
        }
        let slot = self.at(root);
        let left = self.check(slot.left, keys);
        assert!(
            keys.last().is_none_or(|last| *last < slot.key),
            "keys out of order"
        );
        keys.push(slot.key);
        let right = self.check(slot.right, keys);
        assert!(left.abs_diff(right) <= 1, "out of balance");
        assert_eq!(slot.height, left.max(right) + 1, "wrong height");
        slot.height
    }
}
