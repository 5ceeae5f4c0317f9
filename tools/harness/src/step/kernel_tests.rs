//! Kernel tests: each file of zCore/tests is a kernel of its own, which says by its exit code how it went.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::guest::{Guest, Parts};
use crate::place::Place;
use crate::process;
use crate::report::{Outcome, Report};
use crate::text;

const LIMIT: Duration = Duration::from_secs(60);
/// As little as the default image has to boot with.
const MEMORY_MIB: u32 = 64;
/// With and without the younger features: SMAP, SMEP, UMIP, XSAVE, AVX, FSGSBASE, 1 GiB pages, RDRAND.
const CPUS: [&str; 2] = ["max", "qemu64"];
/// The kernel that ends in the way that its command line names.
const ENDS: &str = "ends";
/// What scripts/qemu says.
const BOOT_FAILED: &str = "the guest says that its boot failed";
const WAS_RESET: &str = "the guest was reset";

/// How a run has to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum How {
    /// With the exit code of a good end.
    Well,
    /// With the exit code of a failed boot or a panic.
    Failing,
    /// By a reset.
    Reset,
}

/// A case of zCore/tests/ends.rs.
struct Death {
    name: &'static str,
    how: How,
    /// What it says on the console.
    says: &'static str,
}

const fn death(name: &'static str, how: How, says: &'static str) -> Death {
    Death { name, how, says }
}

const DEATHS: [Death; 13] = [
    death("good", How::Well, ""),
    death("failed", How::Failing, ""),
    death("reboot", How::Reset, ""),
    death(
        "panic",
        How::Failing,
        "kernel panic: panicked at zCore/tests/ends.rs",
    ),
    death(
        "null",
        How::Failing,
        "page fault in the kernel at address 0x0\n",
    ),
    death(
        "write-text",
        How::Failing,
        "page fault in the kernel at address 0xffffffff8",
    ),
    death(
        "write-constant",
        How::Failing,
        "page fault in the kernel at address 0xffffffff8",
    ),
    death(
        "execute-data",
        How::Failing,
        "page fault in the kernel at address 0xffffffff8",
    ),
    death(
        "touch-user-page",
        How::Failing,
        "page fault in the kernel at address 0x2000000\n",
    ),
    death(
        "execute-user-page",
        How::Failing,
        "page fault in the kernel at address 0x2000000\n",
    ),
    death(
        "stack-overflow",
        How::Failing,
        "kernel panic: panicked at kernel-hal-bare/src/trap/",
    ),
    death(
        "out-of-memory",
        How::Failing,
        "memory allocation of 1099511627776 bytes failed",
    ),
    death(
        "undefined-instruction",
        How::Failing,
        "exception 6 in the kernel",
    ),
];

/// Builds and boots them all.
pub(crate) fn kernel_tests(place: &Place, report: &mut Report) {
    let name = "kernel tests";
    let make = std::env::var_os("MAKE").unwrap_or_else(|| "make".into());
    let mut command = Command::new(make);
    command
        .current_dir(&place.root)
        .args(["--no-print-directory", "kernel-test-kernels"])
        .env_remove("MAKEFLAGS");
    let built = process::run(&mut command, &place.log(name), Duration::from_secs(600));
    match built {
        Ok(finished) if finished.code == Some(0) => {}
        Ok(finished) => {
            return report.add(name, Outcome::Failed(text::first_errors(&finished.output)))
        }
        Err(what) => return report.add(name, Outcome::Failed(what)),
    }
    let mut kernels: Vec<PathBuf> = std::fs::read_dir(place.out().join("kernel-tests"))
        .map(|entries| entries.filter_map(|e| e.ok().map(|e| e.path())).collect())
        .unwrap_or_default();
    kernels.sort();
    if kernels.is_empty() {
        report.add(
            name,
            Outcome::Failed("zCore/tests holds no tests".to_owned()),
        );
    }
    for kernel in kernels {
        let test = kernel
            .file_stem()
            .map(|s| s.to_string_lossy().into_owned())
            .unwrap_or_default();
        if test == ENDS {
            for end in &DEATHS {
                let result = die(place, end, kernel.clone());
                report.check(&format!("kernel test {test}: {}", end.name), result);
            }
            continue;
        }
        for cpu in CPUS {
            let result = boot(place, &test, cpu, kernel.clone());
            report.check(&format!("kernel test {test} on {cpu}"), result);
        }
    }
}

/// Boots one that has to end well.
fn boot(place: &Place, test: &str, cpu: &str, kernel: PathBuf) -> Result<(), String> {
    let parts = Parts::own(place, "")
        .kernel(kernel)
        .memory_mib(MEMORY_MIB)
        .qemu(&["-cpu", cpu]);
    let mut guest = Guest::start(place, &format!("kernel-test-{test}-{cpu}"), &parts)?;
    match guest.end(LIMIT)? {
        0 => Ok(()),
        code => Err(format!("exit code {code}: {}", verdict(&guest.console()))),
    }
}

/// The failed case, or the last thing that was said.
fn verdict(console: &str) -> &str {
    let failed = console.find("[ FAIL ]").map(|at| &console[at..]);
    let last = console.lines().rev().find(|l| !l.trim().is_empty());
    failed.or(last).unwrap_or("no output").trim()
}

/// Boots [`ENDS`] for one case: it must end as the case says, after the words that the case says.
fn die(place: &Place, end: &Death, kernel: PathBuf) -> Result<(), String> {
    let name = format!("kernel-test-{ENDS}-{}", end.name);
    let parts = Parts::own(place, &format!("end={}", end.name))
        .kernel(kernel)
        .memory_mib(MEMORY_MIB);
    let mut guest = Guest::start(place, &name, &parts)?;
    let code = guest.end(LIMIT)?;
    let console = guest.console();
    let started = format!("end: {}\n", end.name);
    let Some((_, after)) = console.split_once(&started) else {
        return Err(format!("exit code {code}, never started"));
    };
    // What QEMU's wrapper says of the exit code is in the log only.
    let log = std::fs::read_to_string(place.log(&name)).unwrap_or_default();
    let ended = match end.how {
        How::Well => code == 0,
        How::Failing => code == 1 && log.contains(BOOT_FAILED),
        How::Reset => code == 1 && log.contains(WAS_RESET),
    };
    if ended && after.contains(end.says) {
        return Ok(());
    }
    Err(format!(
        "exit code {code}, expected {:?} after '{}': {}",
        end.how,
        end.says,
        after.trim()
    ))
}
