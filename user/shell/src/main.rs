//! The shell: lines from the serial console, builtins, programs from BOOTFS.
//!
//! It reads with `zx_debug_read` and writes with `zx_debug_write`, so it needs no driver. Start reading at [`Shell`]
//! (what a command can use), then [`builtin`] (one command per file), [`keyboard`] and [`line`] (editing).
#![cfg_attr(not(test), no_std, no_main)]
#![forbid(unsafe_code)]

extern crate alloc;

mod boot_files;
mod boot_stages;
mod builtin;
mod keyboard;
mod launch;
mod line;
mod task_tree;
mod units;
mod words;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use libzx::{console, println, Job, Resource, Startup, Vmo};
use zx_abi::procargs::{PA_JOB_DEFAULT, PA_RESOURCE, PA_VMO_BOOTFS, PA_VMO_VDSO};

use boot_files::BootFiles;
use keyboard::Keyboard;
use launch::Background;
use line::{Edit, Editor};

libzx::entry!(main);

/// Exit code of a command that was used wrongly or is not there.
const NO_SUCH_COMMAND: i64 = 127;

/// What commands work with.
#[derive(Debug)]
struct Shell {
    resource: Resource,
    job: Job,
    vdso: Vmo,
    files: BootFiles,
    env: Vec<String>,
    keyboard: Keyboard,
    background: Vec<Background>,
    /// Exit code of the last command.
    status: i64,
}

fn main(startup: Startup) -> i64 {
    match Shell::new(startup) {
        Ok(shell) => shell.run(),
        Err(what) => {
            println!("shell: {what}");
            1
        }
    }
}

impl Shell {
    fn new(mut startup: Startup) -> Result<Self, String> {
        let missing = |what: &str| format!("the parent passed no {what}");
        let bootfs = startup
            .take::<Vmo>(PA_VMO_BOOTFS, 0)
            .ok_or_else(|| missing("BOOTFS"))?;
        let resource: Resource = startup
            .take(PA_RESOURCE, 0)
            .ok_or_else(|| missing("root resource, so there is no console"))?;
        let keyboard = Keyboard::start(&resource)
            .map_err(|error| format!("starting the keyboard's thread: {error}"))?;
        Ok(Self {
            resource,
            job: startup
                .take(PA_JOB_DEFAULT, 0)
                .ok_or_else(|| missing("job"))?,
            vdso: startup
                .take(PA_VMO_VDSO, 0)
                .ok_or_else(|| missing("vDSO"))?,
            files: BootFiles::open(bootfs)?,
            env: startup.env,
            keyboard,
            background: Vec::new(),
            status: 0,
        })
    }

    fn run(mut self) -> i64 {
        println!("zCore shell. Type help for the list of commands, Tab to complete a name.");
        boot_stages::print(&self.env);
        let mut editor = Editor::new();
        loop {
            launch::report_finished(&mut self.background);
            match self.read_line(&mut editor) {
                Ok(Some(line)) => self.execute(&line),
                Ok(None) => {}
                Err(error) => {
                    println!("shell: reading the console: {error}");
                    return 1;
                }
            }
        }
    }

    /// A line, or None when it was given up with ^C.
    fn read_line(&mut self, editor: &mut Editor) -> libzx::ZxResult<Option<String>> {
        let mut out = Vec::new();
        editor.begin(&prompt(self.status), &mut out);
        loop {
            console::write(&out);
            out.clear();
            let byte = self.keyboard.next()?;
            let candidates = |line: &str| self.candidates(line);
            match editor.feed(byte, &candidates, &mut out) {
                Edit::Continue => continue,
                Edit::Line(line) => {
                    console::write(&out);
                    return Ok(Some(line));
                }
                Edit::Abandoned => {
                    console::write(&out);
                    return Ok(None);
                }
            }
        }
    }

    /// Names that could stand where `line` ends.
    fn candidates(&self, line: &str) -> Vec<String> {
        let word = line.rsplit(' ').next().unwrap_or("");
        let before = line[..line.len() - word.len()].trim();
        let is_command = before.is_empty() || before == "time" || before == "run";
        let mut names = Vec::new();
        if is_command {
            names.extend(
                builtin::ALL
                    .iter()
                    .map(|builtin| String::from(builtin.name)),
            );
            names.extend(self.files.programs());
        } else {
            names.extend(self.files.names());
        }
        names.retain(|name| name.starts_with(word));
        names.sort();
        names.dedup();
        names
    }

    fn execute(&mut self, line: &str) {
        match words::split(line) {
            Ok(command) if command.words.is_empty() => {}
            Ok(command) => {
                let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
                self.status = self.command(&words, command.place);
            }
            Err(what) => {
                println!("shell: {what}");
                self.status = NO_SUCH_COMMAND;
            }
        }
    }

    /// Runs a builtin or a program and gives its exit code.
    fn command(&mut self, words: &[&str], place: words::Place) -> i64 {
        let Some((&name, args)) = words.split_first() else {
            return 0;
        };
        match builtin::find(name) {
            Some(builtin) => (builtin.run)(self, args, place),
            None => self.run_program(words, place),
        }
    }
}

fn prompt(status: i64) -> String {
    match status {
        0 => String::from("zcore$ "),
        code => format!("zcore [{code}]$ "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prompt_shows_an_exit_code_that_is_not_zero() {
        assert_eq!(prompt(0), "zcore$ ");
        assert_eq!(prompt(-1028), "zcore [-1028]$ ");
    }
}
