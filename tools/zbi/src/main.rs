//! `zbi`: makes, lists, extracts and verifies Zircon boot images.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use zbi_tool::command::Arguments;

fn main() -> ExitCode {
    match Arguments::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(lines) => {
            for line in lines.lines() {
                eprintln!("zbi: {line}");
            }
            ExitCode::FAILURE
        }
    }
}
