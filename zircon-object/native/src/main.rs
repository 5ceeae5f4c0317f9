//! `object-bench GROUP/NAME COUNT`: runs an operation so many times, for callgrind; without arguments it lists the names.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(name) = arguments.next() else {
        for (group, name, _) in object_bench::OPERATIONS {
            println!("{group}/{name}");
        }
        return ExitCode::SUCCESS;
    };
    let Some(count) = arguments.next().and_then(|text| text.parse::<u32>().ok()) else {
        eprintln!("object-bench: say how many times");
        return ExitCode::from(2);
    };
    let run = object_bench::prepare(&name)
        .and_then(|mut operation| (0..count).try_for_each(|_| operation()));
    match run {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("object-bench: {name}: {error}");
            ExitCode::FAILURE
        }
    }
}
