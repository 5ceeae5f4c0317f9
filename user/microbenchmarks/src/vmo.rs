//! `Vmo/`: memory objects.

use libzx::{Mapping, Vmo};

use crate::measure::Bench;

/// - `Vmo/CreateClose/4KiB`: a memory object of one page that is never touched; two calls.
/// - `Vmo/Write/4KiB`: a page written that is there already.
/// - `Vmo/MapUnmap/4KiB`: a page that is there mapped and unmapped; three calls with its size.
pub(crate) fn run(bench: &mut Bench) {
    bench.run("Vmo/CreateClose/4KiB", || Vmo::create(4096, 0).map(drop));
    let Ok(vmo) = Vmo::create(4096, 0) else {
        return bench.missing("Vmo/Write/4KiB");
    };
    let page = [1; 4096];
    bench.run("Vmo/Write/4KiB", || vmo.write(&page, 0));
    bench.run("Vmo/MapUnmap/4KiB", || Mapping::writable(&vmo).map(drop));
}
