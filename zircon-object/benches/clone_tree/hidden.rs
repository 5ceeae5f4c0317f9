//! Hidden parents: a snapshot puts the pages into a node that nobody sees, above two empty ones.
//!
//! A node's page that both of its sides have replaced is seen by nobody and goes (the "split bits" of Zircon). When one side
//! closes, the hidden node's pages that the other one still sees move down, and the node goes.

use super::Pages;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};

type Link = Rc<RefCell<Node>>;

/// A VMO: the node at the bottom.
pub(crate) struct Tree(Link);

#[derive(Clone, Copy)]
struct Page {
    value: u64,
    /// Bit per side that has a page of its own instead.
    split: u8,
}

#[derive(Default)]
struct Node {
    /// Leaves of 16 pages by number, as Zircon's page lists have them.
    leaves: HashMap<u64, [Option<Page>; LEAF]>,
    parent: Option<Link>,
    /// Which side of the parent it is: 0 or 1.
    side: usize,
    sides: [Option<Weak<RefCell<Node>>>; 2],
}

const LEAF: usize = 16;

fn place(index: u64) -> (u64, usize) {
    let leaf = LEAF as u64;
    (index / leaf, usize::try_from(index % leaf).unwrap_or(0))
}

impl Node {
    fn page(&self, index: u64) -> Option<&Page> {
        let (leaf, at) = place(index);
        self.leaves.get(&leaf)?[at].as_ref()
    }
    fn slot(&mut self, index: u64) -> &mut Option<Page> {
        let (leaf, at) = place(index);
        &mut self.leaves.entry(leaf).or_default()[at]
    }
}

impl Pages for Tree {
    fn new() -> Self {
        Self(Link::default())
    }

    fn snapshot(&mut self) -> Self {
        let (left, right) = (Link::default(), Link::default());
        // What was the VMO's node becomes the hidden one; its place below its own parent it keeps.
        let hidden = core::mem::replace(&mut self.0, left.clone());
        hidden.borrow_mut().sides = [Some(Rc::downgrade(&left)), Some(Rc::downgrade(&right))];
        for (side, node) in [&left, &right].into_iter().enumerate() {
            let mut node = node.borrow_mut();
            (node.parent, node.side) = (Some(hidden.clone()), side);
        }
        Self(right)
    }

    fn get(&self, index: u64) -> Option<u64> {
        value_seen_by(&self.0, index)
    }

    fn write(&mut self, index: u64, value: u64) {
        if let Some(page) = self.0.borrow_mut().slot(index) {
            page.value = value;
            return;
        }
        // The page that was seen so far loses this side; with both sides lost it goes.
        let mut node = self.0.clone();
        loop {
            let (parent, side) = {
                let node = node.borrow();
                (node.parent.clone(), node.side)
            };
            let Some(parent) = parent else { break };
            {
                let mut above = parent.borrow_mut();
                if above.page(index).is_some() {
                    let slot = above.slot(index);
                    if let Some(page) = slot {
                        page.split |= 1 << side;
                        if page.split == 3 {
                            *slot = None;
                        }
                    }
                    break;
                }
            }
            // Between here and there somebody else may look through: he gets a copy to look at.
            let seen = value_seen_by(&parent, index);
            if let Some(seen) = seen {
                *parent.borrow_mut().slot(index) = Some(Page {
                    value: seen,
                    split: 1 << side,
                });
            }
            node = parent;
        }
        *self.0.borrow_mut().slot(index) = Some(Page { value, split: 0 });
    }
}

fn value_seen_by(node: &Link, index: u64) -> Option<u64> {
    let mut node = node.clone();
    loop {
        let parent = {
            let node = node.borrow();
            if let Some(page) = node.page(index) {
                return Some(page.value);
            }
            node.parent.clone()?
        };
        node = parent;
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let (parent, side) = {
            let mut node = self.0.borrow_mut();
            (node.parent.take(), node.side)
        };
        let Some(hidden) = parent else { return };
        let left = hidden.borrow().sides[1 - side]
            .as_ref()
            .and_then(Weak::upgrade);
        let Some(left) = left else { return };
        // The hidden node's pages that the other side still sees become its own.
        let mut hidden = hidden.borrow_mut();
        let mut other = left.borrow_mut();
        for (leaf, pages) in hidden.leaves.drain() {
            for (at, page) in pages.into_iter().enumerate() {
                let Some(page) = page else { continue };
                if page.split & (1 << (1 - side)) == 0 {
                    let slot = &mut other.leaves.entry(leaf).or_default()[at];
                    if slot.is_none() {
                        *slot = Some(Page {
                            value: page.value,
                            split: 0,
                        });
                    }
                }
            }
        }
        other.parent = hidden.parent.take();
        other.side = hidden.side;
        if let Some(above) = &other.parent {
            above.borrow_mut().sides[other.side] = Some(Rc::downgrade(&left));
        }
    }
}
