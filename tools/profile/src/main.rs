//! `profile`: which kernel functions the instructions of one operation are spent in.
//!
//! QEMU writes a line for each instruction that it executes in the kernel's code. `count` adds them up by function; two
//! such counts of runs that differ only in how often the operation was repeated give, by `difference`, what one operation
//! takes. `scripts/profile` does it all.
#![forbid(unsafe_code)]

mod counts;
mod symbols;

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::counts::Counts;
use crate::symbols::Symbols;

/// Shows which kernel functions the instructions of one operation are spent in
#[derive(Parser, Debug)]
#[command(name = "profile")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Prints the addresses of the kernel's code as QEMU's -dfilter takes them
    Range {
        /// The kernel with its symbols
        kernel: PathBuf,
    },
    /// Adds up the instructions of a trace by function
    Count {
        /// The kernel with its symbols
        kernel: PathBuf,
        /// What QEMU wrote with -d exec,nochain, one instruction per line
        trace: PathBuf,
    },
    /// Prints what one operation takes, from the counts of two runs
    Difference {
        /// Counts of the run with fewer operations
        few: PathBuf,
        /// Counts of the run with more operations
        many: PathBuf,
        /// How many operations more
        operations: u32,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("profile: {what}");
            ExitCode::from(2)
        }
    }
}

fn run(verb: Verb) -> Result<(), String> {
    match verb {
        Verb::Range { kernel } => {
            let range = Symbols::read(&kernel)?.code();
            println!("{:#x}..{:#x}", range.start, range.end);
        }
        Verb::Count { kernel, trace } => {
            let symbols = Symbols::read(&kernel)?;
            let file = File::open(&trace).map_err(|e| named(&trace, &e))?;
            let counts = Counts::of_trace(BufReader::new(file), &symbols);
            print!("{}", counts.map_err(|e| named(&trace, &e))?.to_text());
        }
        Verb::Difference {
            few,
            many,
            operations,
        } => {
            let read = |path: &Path| {
                let text = std::fs::read_to_string(path).map_err(|e| named(path, &e))?;
                Counts::parse(&text).map_err(|what| format!("{}: {what}", path.display()))
            };
            print!(
                "{}",
                read(&many)?.table_beyond(&read(&few)?, operations.max(1))
            );
        }
    }
    Ok(())
}

fn named(path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("{}: {error}", path.display())
}
