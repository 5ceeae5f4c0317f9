//! Two ways to keep the pages of VMOs and their snapshots, in miniature, against each other (docs/adr/0003).
//!
//! `shared` is the kernel's: radix trees whose nodes snapshots share by counted references, here with 32, 64 or 128 entries per
//! node. `hidden` is Zircon's: pages stay where they are, a snapshot puts an invisible parent above both sides, a lookup
//! climbs, and the parent is merged into the side that is left when the other one closes. Both hold tokens in place of frames,
//! have no locks and know nothing of user memory, so that only the structure is compared.
//!
//! `cargo bench -p zircon-object --bench clone_tree` prints nanoseconds per operation, the least of many runs.

use std::hint::black_box;
use std::time::Instant;

mod hidden;
mod shared;

/// What both can do.
trait Pages: Sized {
    /// Nothing yet.
    fn new() -> Self;
    /// Both sides keep what is there now.
    fn snapshot(&mut self) -> Self;
    /// What is at an index.
    fn get(&self, index: u64) -> Option<u64>;
    /// Makes the page at an index this side's own.
    fn write(&mut self, index: u64, value: u64);
}

const PAGES: u64 = 512;
const RUNS: usize = 200;

fn main() {
    agree();
    println!(
        "{:<44}{:>10}{:>10}{:>10}{:>10}",
        "ns, of 512 pages unless said otherwise", "shared 32", "shared 64", "shared128", "hidden"
    );
    for (name, measure) in rows() {
        print!("{name:<44}");
        for structure in measure {
            print!("{:>10}", structure());
        }
        println!();
    }
}

type Row = (&'static str, [fn() -> u128; 4]);

macro_rules! row {
    ($name:literal, $measure:ident) => {
        (
            $name,
            [
                $measure::<shared::Tree<32>>,
                $measure::<shared::Tree<64>>,
                $measure::<shared::Tree<128>>,
                $measure::<hidden::Tree>,
            ],
        )
    };
}

fn rows() -> [Row; 8] {
    [
        row!("fill", fill),
        row!("look every page up", look_up),
        row!("snapshot, and close it", snapshot_close),
        row!("snapshot, and close it, of 16384 pages", large_snapshot),
        row!("write every page after a snapshot", write_after),
        row!("close a snapshot that wrote every page", close_written),
        row!("look every page up after 32 snapshots", look_up_deep),
        row!("close a chain of 32 snapshots, oldest first", close_chain),
    ]
}

fn filled<T: Pages>(pages: u64) -> T {
    let mut tree = T::new();
    for index in 0..pages {
        tree.write(index, index);
    }
    tree
}

/// The least time of many runs of `work` on what `make` makes; what is left over is dropped outside of it.
fn least<A, B>(mut make: impl FnMut() -> A, mut work: impl FnMut(&mut A) -> B) -> u128 {
    let time = (0..RUNS).map(|_| {
        let mut subject = make();
        let start = Instant::now();
        let rest = black_box(work(&mut subject));
        let time = start.elapsed().as_nanos();
        drop((rest, subject));
        time
    });
    time.min().unwrap_or(0)
}

fn fill<T: Pages>() -> u128 {
    least(T::new, |tree| (0..PAGES).for_each(|at| tree.write(at, at)))
}

fn look_up<T: Pages>() -> u128 {
    least(|| filled::<T>(PAGES), sum)
}

fn sum<T: Pages>(tree: &mut T) -> u64 {
    (0..PAGES).filter_map(|at| tree.get(at)).sum()
}

fn snapshot_close<T: Pages>() -> u128 {
    least(|| filled::<T>(PAGES), |tree| drop(tree.snapshot()))
}

fn large_snapshot<T: Pages>() -> u128 {
    least(|| filled::<T>(1 << 14), |tree| drop(tree.snapshot()))
}

fn snapshotted<T: Pages>(times: usize) -> (T, Vec<T>) {
    let mut tree = filled::<T>(PAGES);
    let copies = (0..times)
        .map(|copy| {
            let other = tree.snapshot();
            tree.write(copy as u64, 1 << 20);
            other
        })
        .collect();
    (tree, copies)
}

fn write_after<T: Pages>() -> u128 {
    least(
        || snapshotted::<T>(1),
        |(tree, _)| (0..PAGES).for_each(|at| tree.write(at, 7)),
    )
}

fn close_written<T: Pages>() -> u128 {
    least(
        || {
            let (tree, mut copies) = snapshotted::<T>(1);
            if let Some(copy) = copies.first_mut() {
                (0..PAGES).for_each(|at| copy.write(at, 7));
            }
            (tree, copies)
        },
        |(_, copies)| copies.clear(),
    )
}

fn look_up_deep<T: Pages>() -> u128 {
    least(|| snapshotted::<T>(32), |(tree, _)| sum(tree))
}

fn close_chain<T: Pages>() -> u128 {
    least(
        || snapshotted::<T>(32),
        |(_, copies)| copies.drain(..).for_each(drop),
    )
}

/// Both give the same answers; a benchmark of something wrong would be worth nothing.
fn agree() {
    let mut random = 0x9e37_79b9_u64;
    let mut below = |bound: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % bound
    };
    let mut pairs = vec![(hidden::Tree::new(), shared::Tree::<64>::new())];
    for step in 0..20_000 {
        let at = usize::try_from(below(pairs.len() as u64)).unwrap_or(0);
        match below(20) {
            0 if pairs.len() < 8 => {
                let (first, second) = &mut pairs[at];
                let copies = (first.snapshot(), second.snapshot());
                pairs.push(copies);
            }
            1 if pairs.len() > 1 => drop(pairs.swap_remove(at)),
            2..10 => {
                let (index, (first, second)) = (below(200), &mut pairs[at]);
                first.write(index, step);
                second.write(index, step);
            }
            _ => {
                let (index, (first, second)) = (below(200), &pairs[at]);
                assert_eq!(first.get(index), second.get(index), "step {step}");
            }
        }
    }
}
