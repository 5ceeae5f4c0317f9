//! Stress for tasks: makes, suspends, faults, debugs and kills processes and threads at random, then counts what is left.
//!
//! ```text
//! stress [seed=N] [seconds=N]     60 seconds; the seed is printed, and the same seed chooses the same again
//! ```
//! As the kernel's first program it takes `stress.seed=N` and `stress.seconds=N` from the command line. It starts itself
//! again for each round of ten seconds. There three threads ([`driver`]) each own a job and do one random thing after the
//! other to processes of known code ([`behaviour`]), kill all of it at the end, and look that every koid is gone. When
//! the time is over, every page and handle must be accounted for ([`account`]). Each round but the first, in which caches
//! fill, must leave exactly as much as it found, to the byte. Exit code 0 means that nothing is missing.
#![cfg_attr(not(test), no_std, no_main)]
#![forbid(unsafe_code)]

extern crate alloc;

mod account;
mod behaviour;
mod driver;
mod random;

use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};

use libzx::process::Options;
use libzx::ZxError;
use libzx::{println, time, AsHandle, Job, Program, Resource, Rights, Signals, Startup, Vmo};
use zx_abi::procargs::{pa_hnd, PA_JOB_DEFAULT, PA_RESOURCE, PA_VMO_VDSO};

use account::Account;
use driver::{Driver, COUNTS};
use random::Random;

libzx::entry!(main);

const SECOND: i64 = 1_000_000_000;
/// How long it runs unless told otherwise, in seconds.
const DEFAULT_SECONDS: u64 = 60;
/// How long the first round is, in seconds: caches fill.
const FIRST_ROUND: u64 = 3;
/// How long the others are at most, in seconds.
const ROUND_SECONDS: u64 = 10;
/// The argument that makes an instance run one round.
const ROUND: &str = "round";
/// Where the boot image has this program.
const OWN_FILE: &str = "bin/stress";
/// Threads that do random things.
const DRIVERS: u64 = 3;

fn main(startup: Startup) -> i64 {
    match run(startup) {
        Ok(()) => 0,
        Err(what) => {
            println!("stress: {what}");
            1
        }
    }
}

/// The number of an argument `name=N`, or of a word `stress.name=N` of the command line.
fn number(startup: &Startup, name: &str) -> Result<Option<u64>, String> {
    let argument = startup
        .args
        .iter()
        .find_map(|arg| arg.strip_prefix(name)?.strip_prefix('='));
    let word = format!("stress.{name}");
    match argument.or_else(|| startup.env_value(&word)) {
        Some(text) => match text.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(format!("{name}={text}: not a number")),
        },
        None => Ok(None),
    }
}

/// What rounds are made of.
struct World {
    job: Job,
    resource: Resource,
    own_file: Program,
}

/// Names the step that failed.
fn during(step: &'static str) -> impl Fn(ZxError) -> String {
    move |error| format!("{step}: {error}")
}

impl World {
    fn new(startup: &mut Startup) -> Result<Self, String> {
        let missing = |what: &str| format!("the parent passed no {what}");
        Ok(Self {
            job: startup
                .take(PA_JOB_DEFAULT, 0)
                .ok_or_else(|| missing("job"))?,
            resource: startup
                .take(PA_RESOURCE, 0)
                .ok_or_else(|| missing("root resource"))?,
            own_file: Program::take(startup, OWN_FILE)?,
        })
    }

    /// Starts this program again for one round in a job of its own, and waits for its end and for the job's.
    fn round(&self, seed: u64, seconds: u64) -> Result<(), String> {
        let job = self.job.create_child().map_err(during("job_create"))?;
        let copy = job.duplicate(Rights::SAME_RIGHTS);
        let copy = copy.map_err(during("handle_duplicate"))?;
        let (seed, seconds) = (format!("seed={seed}"), format!("seconds={seconds}"));
        let options = Options {
            args: &["stress", ROUND, &seed, &seconds],
            env: &[],
            handles: vec![(pa_hnd(PA_JOB_DEFAULT, 0), copy.into())],
        };
        let process = self
            .own_file
            .spawn(&job, "stress-round", options)
            .map_err(|error| format!("starting a round: {error}"))?;
        process
            .wait_one(Signals::PROCESS_TERMINATED, time::INFINITE)
            .map_err(during("object_wait_one"))?;
        let info = process.info().map_err(during("object_get_info"))?;
        job.wait_one(Signals::JOB_NO_PROCESSES, time::after(5 * SECOND))
            .map_err(during("waiting for the end of the round's job"))?;
        match info.return_code {
            0 => Ok(()),
            code => Err(format!("the round with {seed} ended with {code}")),
        }
    }
}

fn run(mut startup: Startup) -> Result<(), String> {
    let seed = number(&startup, "seed")?.unwrap_or_else(|| time::ticks().cast_unsigned());
    let seconds = number(&startup, "seconds")?.unwrap_or(DEFAULT_SECONDS);
    if startup.args.iter().any(|arg| arg == ROUND) {
        return one_round(&mut startup, seed, seconds);
    }
    let world = World::new(&mut startup)?;
    println!("stress: seed={seed} seconds={seconds}");
    world.round(seed, FIRST_ROUND)?;
    let start = time::now();
    let (mut part, mut left) = (0, seconds);
    let before = Account::take(&world.resource)?;
    println!("stress: at first: {before}");
    while left > 0 {
        part += 1;
        let now = left.clamp(1, ROUND_SECONDS);
        world.round(seed.wrapping_add(part), now)?;
        left -= now.min(left);
        let (after, difference) = settle(&world, &before)?;
        println!(
            "stress: after {} s: {after}",
            (time::now() - start) / SECOND
        );
        if !difference.is_empty() {
            return Err(format!("not accounted for: {}", difference.join("; ")));
        }
    }
    println!("stress: all frames, handles and koids are accounted for");
    Ok(())
}

/// Waits until everything is as before, for a while; what is there then, and how it differs.
fn settle(world: &World, before: &Account) -> Result<(Account, Vec<String>), String> {
    // The kernel finishes some ends after it has told of them.
    let deadline = time::after(10 * SECOND);
    loop {
        let after = Account::take(&world.resource)?;
        let difference = after.differences(before);
        if difference.is_empty() || time::now() > deadline {
            return Ok((after, difference));
        }
        time::sleep_until(time::after(SECOND / 100));
    }
}

/// Runs all drivers for some seconds, and waits until nothing of theirs is left.
fn one_round(startup: &mut Startup, seed: u64, seconds: u64) -> Result<(), String> {
    let job: Job = startup
        .take(PA_JOB_DEFAULT, 0)
        .ok_or("the parent passed no job")?;
    let vdso: Vmo = startup
        .take(PA_VMO_VDSO, 0)
        .ok_or("the parent passed no vDSO")?;
    let until = time::after(i64::try_from(seconds).unwrap_or(1) * SECOND);
    let mut threads = Vec::new();
    for number in 0..DRIVERS {
        let job = job.create_child().map_err(during("job_create"))?;
        let vdso = vdso.duplicate(Rights::SAME_RIGHTS);
        let vdso = vdso.map_err(during("handle_duplicate"))?;
        let random = Random::new(seed.wrapping_mul(DRIVERS).wrapping_add(number));
        let spawned = libzx::thread::spawn("driver", move || {
            let mut driver = Driver::new(job, vdso, random);
            driver.run(until);
            driver.end();
        });
        threads.push(spawned.map_err(during("thread_create"))?);
    }
    for thread in threads {
        thread.join().map_err(during("object_wait_one"))?;
    }
    println!("stress: {COUNTS}");
    match COUNTS.broken() {
        0 => Ok(()),
        broken => Err(format!(
            "{broken} things were not as they must be, see above"
        )),
    }
}
