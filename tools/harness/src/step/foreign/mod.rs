//! Parts that others made, on this kernel: their tests against a ledger.
//!
//! Any of boot image, userboot, vDSO and decompressor may be foreign; what is not named is the project's own. There are three ways
//! to come to results: the image tests itself and its console tells ([`Foreign::log`] reads such a console from a file, of
//! another kernel too), or its shell starts one program after the other ([`programs`]). Then the run is compared with the
//! ledger, or the ledger written.

mod own_parts;
mod programs;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use regex::Regex;

use crate::guest::{Guest, Parts};
use crate::ledger::{tally, Entries, Ledger};
use crate::place::Place;
use crate::report::{Outcome, Report};
use crate::results;
use crate::text;

pub(crate) use own_parts::check;
use programs::{Shell, Start};

/// What `harness foreign` is asked to do
#[derive(Args, Clone, Debug)]
pub(crate) struct Foreign {
    /// The ledger to compare with
    #[arg(long)]
    ledger: PathBuf,
    /// Write the ledger from this run and do not compare
    #[arg(long)]
    write: bool,
    /// Boot image
    #[arg(long)]
    zbi: Option<PathBuf>,
    /// The first program, as the kernel starts it
    #[arg(long)]
    userboot: Option<PathBuf>,
    /// vDSO, with its symbols
    #[arg(long)]
    vdso: Option<PathBuf>,
    /// The program that unpacks the image for userboot
    #[arg(long)]
    decompress: Option<PathBuf>,
    /// Kernel command line
    #[arg(long, default_value = "")]
    cmdline: String,
    /// MiB of memory of the guest
    #[arg(long, default_value_t = 512)]
    memory: u32,
    /// Seconds that a run, or each program, may take
    #[arg(long, default_value_t = 300)]
    limit: u64,
    /// A pattern that the console must show
    #[arg(long)]
    expect: Option<Regex>,
    /// Boot nothing: read the console of a run from this file
    #[arg(long, conflicts_with_all = ["zbi", "programs"])]
    log: Option<PathBuf>,
    /// Start all files of this directory of the image from the image's shell, one after the other
    #[arg(long)]
    programs: Option<String>,
    /// Of these programs, only some, separated by commas
    #[arg(long, value_delimiter = ',', requires = "programs")]
    only: Vec<String>,
    /// How the image's shell prompts and tells exit codes
    #[arg(long, value_enum, default_value_t = Shell::Zircon)]
    shell: Shell,
}

impl Foreign {
    /// Runs, compares or writes, and reports.
    pub(crate) fn run(&self, place: &Place, report: &mut Report) {
        if let Err(what) = self.try_run(place, report) {
            report.add("foreign", Outcome::Failed(what));
        }
    }

    fn try_run(&self, place: &Place, report: &mut Report) -> Result<(), String> {
        let mut ledger = self.old_ledger()?;
        let run = match (&self.log, &self.programs) {
            (Some(log), _) => self.read_log(log, report)?,
            (None, Some(directory)) => self.run_programs(place, directory, &mut ledger, report)?,
            (None, None) => self.run_image(place, report)?,
        };
        report.note(&format!("{} cases: {}", run.len(), tally(&run)));
        let name = self.ledger.display();
        if run.is_empty() {
            return Err("the console shows no results of tests".to_owned());
        }
        if self.write {
            let written = std::fs::write(&self.ledger, ledger.renewed(&run).to_string());
            let written = written.map_err(|e| format!("{name}: {e}"));
            report.check(&format!("foreign: {name} written"), written);
        } else {
            let compared = ledger.differences(&run).check();
            report.check(&format!("foreign: agrees with {name}"), compared);
        }
        Ok(())
    }

    /// The ledger as it is; when it is to be written it need not be there.
    fn old_ledger(&self) -> Result<Ledger, String> {
        let name = self.ledger.display();
        if self.write && !self.ledger.exists() {
            return Ok(Ledger::default());
        }
        let text = std::fs::read_to_string(&self.ledger).map_err(|e| e.to_string());
        text.and_then(|text| Ledger::parse(&text))
            .map_err(|e| format!("{name}: {e}"))
    }

    /// The name of the run's logs.
    fn name(&self) -> String {
        let ledger = self.ledger.file_stem().unwrap_or_default();
        let ledger = ledger.to_string_lossy();
        match ledger.strip_prefix("foreign-") {
            Some(_) => ledger.into_owned(),
            None => format!("foreign-{ledger}"),
        }
    }

    fn limit(&self) -> Duration {
        Duration::from_secs(self.limit)
    }

    fn parts(&self, place: &Place) -> Result<Parts, String> {
        let mut parts = Parts::own(place, &self.cmdline).memory_mib(self.memory);
        let there = |path: &PathBuf| match path.is_file() {
            true => Ok(path.clone()),
            false => Err(format!("{}: no such file", path.display())),
        };
        if let Some(path) = &self.zbi {
            parts = parts.zbi(there(path)?);
        }
        if let Some(path) = &self.userboot {
            parts = parts.userboot(there(path)?);
        }
        if let Some(path) = &self.vdso {
            parts = parts.vdso(there(path)?);
        }
        if let Some(path) = &self.decompress {
            parts = parts.decompress(there(path)?);
        }
        Ok(parts)
    }

    /// Boots an image that tests itself, and follows it to its end.
    fn run_image(&self, place: &Place, report: &mut Report) -> Result<Entries, String> {
        let mut guest = Guest::start(place, &self.name(), &self.parts(place)?)?;
        let ended = guest.end(self.limit()).and_then(|code| match code {
            0 => Ok(()),
            code => Err(format!("it ended with exit code {code}")),
        });
        let console = guest.console();
        let last = text::last_line(&console);
        let ended = ended.map_err(|what| format!("{what}; its last line: {last}"));
        report.check("foreign: the guest runs to its end", ended);
        self.check_expected(&console, report);
        Ok(results::read(&console))
    }

    fn read_log(&self, log: &Path, report: &mut Report) -> Result<Entries, String> {
        let bytes = std::fs::read(log).map_err(|e| format!("{}: {e}", log.display()))?;
        let console = text::plain(&bytes);
        self.check_expected(&console, report);
        Ok(results::read(&console))
    }

    fn check_expected(&self, console: &str, report: &mut Report) {
        let Some(pattern) = &self.expect else {
            return;
        };
        let shown = pattern.is_match(console).then_some(());
        report.check(
            &format!("foreign: the console shows /{pattern}/"),
            shown.ok_or_else(|| format!("last line: {}", text::last_line(console))),
        );
    }

    /// Starts the programs of a directory from the shell. The ledger is cut down to these; programs that it skips are not started.
    fn run_programs(
        &self,
        place: &Place,
        directory: &str,
        ledger: &mut Ledger,
        report: &mut Report,
    ) -> Result<Entries, String> {
        let image = self.zbi.clone();
        let image = image.unwrap_or_else(|| place.out().join("zcore.zbi"));
        let mut names = programs::of_image(&image, directory)?;
        if !self.only.is_empty() {
            names.clone_from(&self.only);
            if self.write {
                return Err("--only with --write would lose the rest of the ledger".to_owned());
            }
            let of_these = |case: &String| {
                let program = programs::program_of(case);
                self.only.iter().any(|name| name == program)
            };
            ledger.entries.retain(|case, _| of_these(case));
        }
        let start = |name: String| Start {
            command: self.shell.command(directory, &name),
            name,
        };
        let (starts, skipped) = programs::not_skipped(names, ledger);
        let starts: Vec<_> = starts.into_iter().map(start).collect();
        let parts = self.parts(place)?;
        let mut run = programs::run(
            place,
            &self.name(),
            &parts,
            self.shell,
            &starts,
            self.limit(),
            report,
        )?;
        run.extend(skipped);
        Ok(run)
    }
}
