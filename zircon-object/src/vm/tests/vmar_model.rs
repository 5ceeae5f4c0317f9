//! VMARs against a plain list of pages: random maps, unmaps and protects.

use super::user::{peek, poke, root, OVERWRITE, RW};
use super::{start, Random};
use crate::vm::{Perms, RegionKind, Resizable, VmOptions, Vmo, PAGE, PAGE_BYTES};
use kernel_hal::addr::USER_BASE;
use std::vec;
use std::vec::Vec;
use zx_abi::ZxError;

#[test]
fn random_maps_unmaps_and_protects_agree_with_a_list_of_pages() {
    const PAGES: usize = 64;
    let _balance = start();
    let root = root();
    let space = root.space();
    let mut random = Random(77);
    let vmo = Vmo::new(PAGES as u64 * PAGE_BYTES, Resizable::No).unwrap();
    for page in 0..PAGES {
        vmo.write((page * PAGE) as u64, &[u8::try_from(page).unwrap()])
            .unwrap();
    }
    // Page of the VMO that is shown, and whether it is writable.
    let mut model: Vec<Option<(u8, bool)>> = vec![None; PAGES];
    for _ in 0..4000 {
        let start = random.index(PAGES);
        let pages = random.index(PAGES - start) + 1;
        let (at, len) = (USER_BASE + start * PAGE, pages as u64 * PAGE_BYTES);
        let range = start..start + pages;
        match random.below(4) {
            0 => {
                let from = random.index(PAGES - pages + 1);
                let done = root.map(
                    RW | OVERWRITE,
                    (start * PAGE) as u64,
                    &vmo,
                    (from * PAGE) as u64,
                    len,
                    Perms::ALL,
                );
                assert_eq!(done, Ok(at));
                for (page, shown) in range.zip(from..) {
                    model[page] = Some((u8::try_from(shown).unwrap(), true));
                }
            }
            1 => {
                assert_eq!(root.unmap(at, len), Ok(()));
                model[range].fill(None);
            }
            choice => {
                let writable = choice == 2;
                let options = if writable { RW } else { VmOptions::PERM_READ };
                let whole = model[range.clone()].iter().all(Option::is_some);
                assert_eq!(
                    root.protect(options, at, len),
                    if whole {
                        Ok(())
                    } else {
                        Err(ZxError::NotFound)
                    }
                );
                if whole {
                    model[range]
                        .iter_mut()
                        .flatten()
                        .for_each(|page| page.1 = writable);
                }
            }
        }
        let page = random.index(PAGES);
        let at = USER_BASE + page * PAGE;
        assert_eq!(peek(space, at).ok(), model[page].map(|page| page.0));
        assert_eq!(
            poke(space, at + 1, 1).is_ok(),
            model[page].is_some_and(|page| page.1)
        );
    }
    let mut mapped = 0;
    space.for_each(&mut |region| {
        if let RegionKind::Mapping { .. } = region.kind {
            mapped += region.len / PAGE;
        }
    });
    assert_eq!(mapped, model.iter().flatten().count());
}
