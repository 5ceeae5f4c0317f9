//! `harness`: runs what `make test` runs, and prints one summary at the end.
//!
//! Each step adds cases to a [`report::Report`]; a step that cannot run gives a failed case, never silence. What a step printed is
//! kept in `target/test-logs/`. Guests are started through `scripts/qemu` as a person would ([`guest`]), and talked to by
//! session files ([`session`]). Start reading at [`step`], which has one file per step.
#![forbid(unsafe_code)]

mod guest;
mod ledger;
mod place;
mod process;
mod provoked;
mod report;
mod results;
mod session;
mod step;
mod text;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::place::Place;
use crate::report::Report;

/// Runs the tests that need more than one process: guests, sessions, ledgers
#[derive(Parser, Debug)]
#[command(name = "harness")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Everything, with one summary at the end
    All,
    /// fmt, the size gate and the host tests: what to run on every save
    Fast,
    /// One scripted session with a guest
    Session {
        /// The session file
        file: PathBuf,
    },
    /// The kernels of zCore/tests, one guest each
    KernelTests,
    /// Guests with broken parts
    BadInput,
    /// Boots into core-tests and compares the results with conformance/core-tests.txt
    CoreTests {
        /// Write the ledger from this run and do not compare
        #[arg(long)]
        write: bool,
    },
    /// Boots a guest with little memory and lets core-tests take it all
    Exhaustion,
    /// Boots into microbenchmarks, counting guest instructions and then as time passes
    Bench,
    /// Counts instructions and holds them against conformance/bench.json
    BenchCheck,
    /// Counts instructions of the object layer on the host and holds them against conformance/native.txt
    NativeCheck,
    /// Counts instructions and writes conformance/bench.json anew
    BenchBaseline,
    /// Measures how costs grow, and writes the curves into docs/benchmarks.md
    BenchGrowth,
    /// Measures, and writes the comparison with the record BASE into docs/benchmarks.md
    BenchPage,
    /// Boots any kernel parts and image, and compares the tests that run in it with a ledger, in both directions
    Foreign(Box<step::Foreign>),
    /// `harness foreign` itself, on the project's own parts
    ForeignCheck,
    /// Compares a list of results with a ledger, in both directions
    Ledger {
        /// Lines `Suite.Case PASS|FAIL|SKIP`, as programs print them
        results: PathBuf,
        /// The ledger, such as conformance/core-tests.txt
        ledger: PathBuf,
    },
    /// Fails for source files of more than 600 lines that scripts/size-allow.txt does not excuse
    Sizes,
    /// Fails for documents that name files which do not exist
    Docs,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let place = match Place::find() {
        Ok(place) => place,
        Err(line) => {
            eprintln!("harness: {line}");
            return ExitCode::from(2);
        }
    };
    let mut report = Report::new();
    match arguments.verb {
        Verb::All => step::everything(&place, &mut report),
        Verb::Fast => step::fast(&place, &mut report),
        Verb::Session { file } => step::session(&place, &file, &mut report),
        Verb::KernelTests => step::kernel_tests(&place, &mut report),
        Verb::BadInput => step::bad_input(&place, &mut report),
        Verb::CoreTests { write: false } => step::core_tests(&place, &mut report),
        Verb::CoreTests { write: true } => step::write_core_tests_ledger(&place, &mut report),
        Verb::Exhaustion => step::exhaustion(&place, &mut report),
        Verb::Bench => step::bench(&place, &mut report),
        Verb::BenchCheck => step::bench_check(&place, &mut report),
        Verb::NativeCheck => step::native_check(&place, &mut report),
        Verb::BenchBaseline => step::bench_baseline(&place, &mut report),
        Verb::BenchGrowth => step::bench_growth(&place, &mut report),
        Verb::BenchPage => step::bench_page(&place, &mut report),
        Verb::Foreign(foreign) => foreign.run(&place, &mut report),
        Verb::ForeignCheck => step::foreign_check(&place, &mut report),
        Verb::Ledger { results, ledger } => step::ledger(&results, &ledger, &mut report),
        Verb::Sizes => step::sizes(&place, &mut report),
        Verb::Docs => step::docs(&place, &mut report),
    }
    report.finish(&place)
}
