//! VMOs against plain byte vectors: random writes, commits, decommits, zeroing, resizes, snapshots of snapshots and closes,
//! of ordinary and of contiguous memory.

use super::{frames_used, start, Random};
use crate::vm::{ChildKind, Resizable, Vmo, PAGE, PAGE_BYTES};
use alloc::sync::Arc;
use std::vec;
use std::vec::Vec;
use zx_abi::ZxError;

const MAX_PAGES: u64 = 150;

struct Pair {
    vmo: Arc<Vmo>,
    bytes: Vec<u8>,
}

fn run(seed: u64, steps: usize) {
    let mut random = Random(seed);
    let before = frames_used();
    let mut pairs: Vec<Pair> = Vec::new();
    for step in 0..steps {
        let choice = random.below(100);
        if pairs.is_empty() || (choice < 4 && pairs.len() < 9) {
            let contiguous = random.below(3) == 0;
            let pages = if contiguous {
                random.below(20) + 1
            } else {
                random.below(MAX_PAGES)
            };
            let size = pages * PAGE_BYTES;
            let vmo = if contiguous {
                Vmo::new_contiguous(size, 12).unwrap()
            } else {
                Vmo::new(size, Resizable::Yes).unwrap()
            };
            pairs.push(Pair {
                vmo,
                bytes: vec![0; usize::try_from(pages).unwrap() * PAGE],
            });
            continue;
        }
        let at = random.index(pairs.len());
        if choice < 12 {
            pairs.swap_remove(at);
            continue;
        }
        if choice < 24 && pairs.len() < 9 {
            let (offset, size) = (
                random.below(MAX_PAGES) * PAGE_BYTES,
                random.below(MAX_PAGES) * PAGE_BYTES,
            );
            let vmo = pairs[at]
                .vmo
                .create_child(ChildKind::Snapshot, Resizable::Yes, offset, size)
                .unwrap();
            let mut bytes = vec![0; usize::try_from(size).unwrap()];
            let from = usize::try_from(offset).unwrap().min(pairs[at].bytes.len());
            let count = bytes.len().min(pairs[at].bytes.len() - from);
            bytes[..count].copy_from_slice(&pairs[at].bytes[from..from + count]);
            pairs.push(Pair { vmo, bytes });
            continue;
        }
        let Pair { vmo, bytes } = &mut pairs[at];
        if choice < 30 {
            let size = random.below(MAX_PAGES) * PAGE_BYTES;
            if vmo.resizable() == Resizable::No {
                assert_eq!(vmo.set_size(size), Err(ZxError::Unavailable));
                continue;
            }
            vmo.set_size(size).unwrap();
            bytes.resize(usize::try_from(size).unwrap(), 0);
            continue;
        }
        if bytes.is_empty() {
            continue;
        }
        let offset = random.index(bytes.len());
        let len = random.index((bytes.len() - offset).min(5 * PAGE) + 1);
        match choice {
            30..65 => {
                let value = u8::try_from(random.below(256)).unwrap();
                vmo.write(offset as u64, &vec![value; len]).unwrap();
                bytes[offset..offset + len].fill(value);
            }
            65..75 => {
                vmo.zero(offset as u64, len as u64).unwrap();
                bytes[offset..offset + len].fill(0);
            }
            75..80 => vmo.commit(offset as u64, len as u64).unwrap(),
            80..86 => {
                let (start, end) = (offset / PAGE * PAGE, (offset + len).next_multiple_of(PAGE));
                match vmo.decommit(start as u64, (end - start) as u64) {
                    Ok(()) => bytes[start..end].fill(0),
                    Err(error) => {
                        let alone = vmo.children() == 0 && !vmo.is_child();
                        assert_eq!(error, ZxError::NotSupported);
                        assert!(!alone || vmo.is_contiguous(), "seed {seed} step {step}");
                    }
                }
            }
            _ => {
                let mut read = vec![1; len];
                vmo.read(offset as u64, &mut read).unwrap();
                assert!(
                    read == bytes[offset..offset + len],
                    "seed {seed} step {step}: contents differ"
                );
            }
        }
        if step % 16 == 0 {
            let committed: u64 = pairs.iter().map(|pair| pair.vmo.committed_bytes()).sum();
            assert_eq!(
                committed / PAGE_BYTES,
                (frames_used() - before) as u64,
                "seed {seed} step {step}: a page counts not once"
            );
        }
    }
    for pair in &pairs {
        let mut read = vec![1; pair.bytes.len()];
        pair.vmo.read(0, &mut read).unwrap();
        assert!(
            read == pair.bytes,
            "seed {seed}: contents differ at the end"
        );
    }
    drop(pairs);
    assert_eq!(frames_used(), before, "seed {seed}: frames leaked");
}

#[test]
fn random_vmos_and_snapshots_behave_as_byte_vectors_and_every_page_counts_once() {
    let _balance = start();
    for seed in 1..=40 {
        run(seed * 0x9e37_79b9, 1500);
    }
}
