//! A look at a vDSO from elsewhere: `ZCORE_VDSO=libzircon.so cargo test -p zircon-loader -- --ignored --nocapture`.

extern crate std;

use crate::vdso::{fill_constants, level_of, scan, Image};
use kernel_hal::cpu::CpuInfo;
use kernel_hal::time::TickRatio;
use zircon_syscall::VdsoAbi;

/// Prints a line per site: number, call, offset of the instruction after the `syscall`.
#[test]
#[ignore = "needs the path of a vDSO in ZCORE_VDSO"]
fn the_sites_of_a_given_vdso_are_listed() {
    let path = std::env::var("ZCORE_VDSO").expect("ZCORE_VDSO names a file");
    let file = std::fs::read(path).unwrap();
    let image = Image::parse(&file).unwrap();
    let sites = scan(&image).unwrap();
    let abi = VdsoAbi::new(level_of(&image), &sites).unwrap();
    for site in &sites {
        std::println!(
            "{} {} {:#x}",
            site.number,
            site.call.info().name,
            site.return_offset
        );
    }
    let ticks = TickRatio {
        ticks_per_second: 1,
        numerator: 1,
        denominator: 1,
    };
    let constants = fill_constants(&image, level_of(&image), CpuInfo::default(), ticks, 0).unwrap();
    std::println!(
        "# {} calls, {} sites, level {:?}",
        abi.len(),
        sites.len(),
        level_of(&image)
    );
    std::println!(
        "# {} bytes of constants at {:#x}",
        constants.bytes.len(),
        constants.at
    );
}
