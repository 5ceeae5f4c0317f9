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
        let result = boot(place, &test, kernel);
        report.check(&format!("kernel test {test}"), result);
    }
}

fn boot(place: &Place, test: &str, kernel: PathBuf) -> Result<(), String> {
    let parts = Parts::own(place, "").kernel(kernel);
    let mut guest = Guest::start(place, &format!("kernel-test-{test}"), &parts)?;
    match guest.end(LIMIT)? {
        0 => Ok(()),
        code => {
            let console = guest.console();
            let last = console
                .lines()
                .rev()
                .find(|l| !l.trim().is_empty())
                .unwrap_or("no output");
            Err(format!("exit code {code}: {}", last.trim()))
        }
    }
}
