//! `abi-docs`: writes the syscall reference and the list of calls that work, and checks both against the code.
//!
//! What works is read from the code itself: a kernel call works when `zircon-syscall/src` defines `fn sys_<name>`, a
//! call that runs in the vDSO when `user/vdso/src` names it. `// PARTIAL: what is missing` above a definition says that
//! it works only in part.
#![forbid(unsafe_code)]

mod conformance;
mod readme;
mod reference;
mod scan;
mod state;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, io};

use clap::{Args, Parser};

use crate::state::States;

const LIST: &str = "conformance/syscalls.txt";
const REFERENCE: &str = "docs/syscalls.md";
const README: &str = "README.md";

/// Writes or checks the pages made from the syscall table and from what the code implements.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    mode: Mode,
    /// The repository
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))]
    root: PathBuf,
}

#[derive(Args)]
#[group(required = true, multiple = true)]
struct Mode {
    /// Write docs/syscalls.md and conformance/syscalls.txt
    #[arg(long)]
    write: bool,
    /// Rewrite the table of what works in README.md
    #[arg(long)]
    readme: bool,
    /// Compare all three with the code; exit 1 if one differs
    #[arg(long)]
    check: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(problems) if problems.is_empty() => ExitCode::SUCCESS,
        Ok(problems) => {
            for problem in &problems {
                eprintln!("abi-docs: {problem}");
            }
            eprintln!(
                "abi-docs: {} differences; `abi-docs --write --readme` brings the pages up to date",
                problems.len()
            );
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("abi-docs: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Does what was asked for and returns what is wrong.
///
/// # Errors
/// A file that cannot be read or written, named.
fn run(arguments: &Arguments) -> io::Result<Vec<String>> {
    let root = arguments.root.as_path();
    let (states, mut problems) = States::of_repository(root)?;
    if arguments.mode.write {
        write(root, LIST, &conformance::render(&states))?;
        write(root, REFERENCE, &reference::render())?;
    }
    if arguments.mode.readme {
        let old = read(root, README)?;
        match readme::with_table(&old, &states) {
            Ok(new) => write(root, README, &new)?,
            Err(problem) => problems.push(problem),
        }
    }
    if arguments.mode.check {
        let check = |name: &str, compare: &dyn Fn(&str) -> Vec<String>| match read(root, name) {
            Ok(text) => compare(&text),
            Err(error) => vec![error.to_string()],
        };
        problems.extend(check(LIST, &|text| conformance::compare(text, &states)));
        problems.extend(check(REFERENCE, &|text| {
            reference::compare(text).into_iter().collect()
        }));
        problems.extend(check(README, &|text| {
            readme::compare(text, &states).into_iter().collect()
        }));
    }
    Ok(problems)
}

/// # Errors
/// As `fs::read_to_string`, with the name.
fn read(root: &Path, name: &str) -> io::Result<String> {
    fs::read_to_string(root.join(name)).map_err(|error| named(name, &error))
}

/// # Errors
/// As `fs::write`, with the name.
fn write(root: &Path, name: &str, text: &str) -> io::Result<()> {
    let path = root.join(name);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|error| named(name, &error))?;
    }
    fs::write(path, text).map_err(|error| named(name, &error))
}

fn named(name: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{name}: {error}"))
}
