//! Radix trees of three levels whose nodes are shared by counted references.

use super::Pages;
use std::sync::Arc;

/// `N` entries per node.
pub(crate) struct Tree<const N: usize> {
    root: Option<Arc<Inner<N>>>,
}

#[derive(Clone)]
struct Inner<const N: usize>([Option<Arc<Middle<N>>>; N]);
#[derive(Clone)]
struct Middle<const N: usize>([Option<Arc<Leaf<N>>>; N]);
/// A page is a token that is counted, as a frame in a shared leaf is.
#[derive(Clone)]
struct Leaf<const N: usize>([Option<Arc<u64>>; N]);

fn places<const N: usize>(index: u64) -> [usize; 3] {
    let bits = N.trailing_zeros();
    let place = |level: u32| usize::try_from(index >> (level * bits)).unwrap_or(0) & (N - 1);
    [place(2), place(1), place(0)]
}

/// The node behind a link, made if absent, copied if others have it.
fn own<T: Clone>(link: &mut Option<Arc<T>>, empty: impl FnOnce() -> T) -> &mut T {
    Arc::make_mut(link.get_or_insert_with(|| Arc::new(empty())))
}

impl<const N: usize> Pages for Tree<N> {
    fn new() -> Self {
        Self { root: None }
    }
    fn snapshot(&mut self) -> Self {
        Self {
            root: self.root.clone(),
        }
    }
    fn get(&self, index: u64) -> Option<u64> {
        let [first, second, third] = places::<N>(index);
        let middle = self.root.as_ref()?.0[first].as_ref()?;
        middle.0[second].as_ref()?.0[third].as_deref().copied()
    }
    fn write(&mut self, index: u64, value: u64) {
        let [first, second, third] = places::<N>(index);
        let inner = own(&mut self.root, || Inner([const { None }; N]));
        let middle = own(&mut inner.0[first], || Middle([const { None }; N]));
        let leaf = own(&mut middle.0[second], || Leaf([const { None }; N]));
        match leaf.0[third].as_mut().and_then(Arc::get_mut) {
            Some(page) => *page = value,
            None => leaf.0[third] = Some(Arc::new(value)),
        }
    }
}
