//! `harness foreign` on the project's own parts: it must see what is new, fixed, broken and missing, and say clearly how a guest
//! went wrong.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::ledger::{Entry, Ledger, Verdict};
use crate::place::Place;
use crate::process;
use crate::report::Report;

/// The longest that one of these runs may take.
const LIMIT: Duration = Duration::from_secs(120);
/// A few quick cases that all pass.
const SELF_TEST: &str =
    "userboot=bin/core-tests core-tests.filter=Event,EventPair,Fifo userboot.shutdown";
/// What the shell makes of a program that there is, and of one that there is not.
const PROGRAMS: &str = "frobnicate FAIL there is no such program\nhello PASS\n";

/// The tool itself, as a person calls it; each call must end as it should.
pub(crate) fn check(place: &Place, report: &mut Report) {
    let tool = Tool { place };
    report.check("foreign: a ledger is written", tool.write());
    report.check("foreign: a console that agrees", tool.agree());
    report.check("foreign: a console that differs", tool.differ());
    report.check("foreign: programs from a shell", tool.programs());
    report.check("foreign: a guest that fails", tool.fails());
    report.check("foreign: a guest that does not end", tool.hangs());
    report.check("foreign: a part that is not there", tool.lacks());
}

struct Tool<'a> {
    place: &'a Place,
}

impl Tool<'_> {
    fn file(&self, name: &str) -> PathBuf {
        self.place.logs().join(name)
    }

    /// Runs it with these arguments; the exit code must be `code`, and its output hold `says`.
    fn call(&self, ledger: &Path, arguments: &[&str], code: i32, says: &str) -> Result<(), String> {
        let own = std::env::current_exe().map_err(|e| e.to_string())?;
        let mut command = Command::new(own);
        command
            .current_dir(&self.place.root)
            .env("TARGET", &self.place.target)
            .env("MODE", &self.place.mode)
            .args(["foreign", "--ledger"])
            .arg(ledger)
            .args(arguments);
        let finished = process::run(&mut command, &self.place.log("foreign-call"), LIMIT)?;
        if finished.code == Some(code) && finished.output.contains(says) {
            return Ok(());
        }
        Err(format!(
            "exit code {:?}, expected {code} and '{says}': {}",
            finished.code, finished.output
        ))
    }

    fn own(&self, file: &str) -> String {
        self.place.out().join(file).display().to_string()
    }

    fn write(&self) -> Result<(), String> {
        let ledger = self.file("foreign-self.txt");
        let parts = ["zcore.zbi", "userboot.so", "libzircon.so"].map(|file| self.own(file));
        let arguments = [
            "--write",
            "--zbi",
            &parts[0],
            "--userboot",
            &parts[1],
            "--vdso",
            &parts[2],
            "--cmdline",
            SELF_TEST,
        ];
        if ledger.exists() {
            std::fs::remove_file(&ledger).map_err(|e| e.to_string())?;
        }
        self.call(&ledger, &arguments, 0, "foreign-self.txt written")?;
        let entries = read(&ledger)?.entries;
        let passed = |entry: &Entry| entry.verdict == Verdict::Pass;
        match entries.len() > 10 && entries.values().all(passed) {
            true => Ok(()),
            false => Err(format!("it says {entries:?}")),
        }
    }

    /// The console of [`Self::write`]'s run.
    fn log(&self) -> String {
        let log = self.place.log("foreign-self");
        log.display().to_string()
    }

    fn agree(&self) -> Result<(), String> {
        let arguments = ["--log", &self.log(), "--expect", r"\d+ passed, 0 failed"];
        self.call(&self.file("foreign-self.txt"), &arguments, 0, "agrees with")
    }

    /// One case out, one in, and two turned round.
    fn differ(&self) -> Result<(), String> {
        let mut ledger = read(&self.file("foreign-self.txt"))?;
        let other = self.file("foreign-other.txt");
        let mut cases: Vec<String> = ledger.entries.keys().cloned().collect();
        let mut take = || cases.pop().ok_or("too few cases");
        let (out, turned) = (take()?, take()?);
        ledger.entries.remove(&out);
        let entry = Entry::new(Verdict::Fail, "said so");
        ledger.entries.insert(turned.clone(), entry);
        let entry = Entry::new(Verdict::Pass, "");
        ledger.entries.insert("Gone.away".to_owned(), entry);
        std::fs::write(&other, ledger.to_string()).map_err(|e| e.to_string())?;
        let log = self.log();
        let told = "1 new, 1 fixed, 0 broken, 1 missing";
        self.call(&other, &["--log", &log], 1, told)?;
        // The same console with a failure in it.
        let console = std::fs::read_to_string(&log).map_err(|e| e.to_string())?;
        let worse = self.file("foreign-worse.log");
        let failed = console.replace(&format!("[PASS] {turned}"), &format!("[FAIL] {turned}:"));
        std::fs::write(&worse, failed).map_err(|e| e.to_string())?;
        let worse = worse.display().to_string();
        let told = format!("broken: {turned}: FAIL");
        self.call(&self.file("foreign-self.txt"), &["--log", &worse], 1, &told)
    }

    fn programs(&self) -> Result<(), String> {
        let ledger = self.file("foreign-programs.txt");
        std::fs::write(&ledger, PROGRAMS).map_err(|e| e.to_string())?;
        let arguments = [
            "--programs",
            "bin/",
            "--only",
            "hello,frobnicate",
            "--shell",
            "zcore",
            "--cmdline",
            "userboot=bin/shell",
        ];
        let told = "2 cases: 1 passed, 1 failed, 0 skipped";
        self.call(&ledger, &arguments, 0, told)
    }

    fn fails(&self) -> Result<(), String> {
        let arguments = ["--cmdline", "userboot=bin/nothing userboot.shutdown"];
        let told = "it ended with exit code 1; its last line: ";
        self.call(&self.file("foreign-self.txt"), &arguments, 1, told)
    }

    fn hangs(&self) -> Result<(), String> {
        let arguments = ["--cmdline", "userboot=bin/shell", "--limit", "6"];
        let told = "the guest did not end within 6 s; its last line: ";
        self.call(&self.file("foreign-self.txt"), &arguments, 1, told)
    }

    fn lacks(&self) -> Result<(), String> {
        let arguments = ["--vdso", "/no/such/vdso.so"];
        let told = "/no/such/vdso.so: no such file";
        self.call(&self.file("foreign-self.txt"), &arguments, 1, told)
    }
}

fn read(ledger: &Path) -> Result<Ledger, String> {
    let text = std::fs::read_to_string(ledger).map_err(|e| e.to_string())?;
    Ledger::parse(&text)
}
