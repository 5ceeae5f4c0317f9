//! The parent: shares the numbers, starts the workers, waits for all of them at once.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use libzx::process::Options;
use libzx::{println, AsHandle, Channel, Job, Mapping, Port, Process, Program, Rights, Signals};
use libzx::{Startup, Vmo, ZxError};
use zx_abi::procargs::{pa_hnd, PA_JOB_DEFAULT, PA_USER0};

use crate::message::{self, Request};
use crate::WORKER;

/// Where the boot image has this program.
const OWN_FILE: &str = "bin/demo";
/// How many workers there are.
const WORKERS: u64 = 3;
/// How many numbers each adds up.
const SHARE: u64 = 1_000_000;
/// Bytes of a number.
const NUMBER_SIZE: u64 = 4;

/// Names the step that failed.
fn during(step: &'static str) -> impl Fn(ZxError) -> String {
    move |error| format!("{step}: {error}")
}

pub(crate) fn run(mut startup: Startup) -> Result<(), String> {
    let numbers = make_numbers().map_err(during("making the numbers"))?;
    println!(
        "demo: {} numbers in a VMO of {} KiB",
        WORKERS * SHARE,
        WORKERS * SHARE * NUMBER_SIZE / 1024
    );

    // One port for everything that can happen. Packets say what happened by the key chosen when the wait was set up.
    let port = Port::create().map_err(during("port_create"))?;
    // Whoever started this program passed a job for new processes, the boot image's files and the vDSO.
    let job: Job = startup
        .take(PA_JOB_DEFAULT, 0)
        .ok_or("the parent passed no job")?;
    let program = Program::take(&mut startup, OWN_FILE)?;
    let mut workers = Vec::new();
    for index in 0..WORKERS {
        let worker = Worker::start(&job, &program)?;
        worker.ask(&port, &numbers, index)?;
        workers.push(worker);
    }
    let total = collect(&port, &workers)?;

    // The sum of 0 to n - 1 is known without adding.
    let expected = (WORKERS * SHARE) * (WORKERS * SHARE - 1) / 2;
    if total != expected {
        return Err(format!("the total is {total} and should be {expected}"));
    }
    println!("demo: the total is {total}, as it should be");
    Ok(())
}

/// A VMO with the numbers 0, 1, 2...
fn make_numbers() -> Result<Vmo, ZxError> {
    // A VMO is memory with a handle. It is mapped here to fill it; the mapping goes when `mapping` is dropped, the memory
    // stays as long as somebody has a handle to the VMO or a mapping of it.
    let vmo = Vmo::create(WORKERS * SHARE * NUMBER_SIZE, 0)?;
    let mut mapping = Mapping::writable(&vmo)?;
    for (word, number) in mapping.as_mut_slice().chunks_exact_mut(4).zip(0u32..) {
        word.copy_from_slice(&number.to_le_bytes());
    }
    Ok(vmo)
}

struct Worker {
    process: Process,
    channel: Channel,
}

/// Keys: the number of the worker, and what is waited for.
const ANSWER: u64 = 0;
const ENDED: u64 = 100;

impl Worker {
    fn start(job: &Job, program: &Program) -> Result<Self, String> {
        // What is written to one end of a channel is read from the other. The worker gets one end, this process keeps the
        // other.
        let (channel, theirs) = Channel::create().map_err(during("channel_create"))?;
        let options = Options {
            args: &["demo", WORKER],
            env: &[],
            handles: vec![(pa_hnd(PA_USER0, 0), theirs.into())],
        };
        // A process is an address space and handles: `spawn` creates it in the job, maps program, vDSO and stack into it,
        // sends the bootstrap message, and starts its first thread.
        let process = program
            .spawn(job, "demo-worker", options)
            .map_err(|error| format!("starting a worker: {error}"))?;
        Ok(Self { process, channel })
    }

    /// Sends the worker its part of the numbers, as the one with this index, and lets the port tell what comes of it.
    fn ask(&self, port: &Port, numbers: &Vmo, index: u64) -> Result<(), String> {
        // "Put a packet with this key on the port once one of these signals is there", one time each.
        let answered = Signals::CHANNEL_READABLE | Signals::CHANNEL_PEER_CLOSED;
        self.channel
            .wait_async(port, ANSWER + index, answered, 0)
            .map_err(during("object_wait_async"))?;
        self.process
            .wait_async(port, ENDED + index, Signals::PROCESS_TERMINATED, 0)
            .map_err(during("object_wait_async"))?;

        // A duplicate with fewer rights: the worker may map the numbers to read them, and nothing else. Sending a handle
        // moves it, so this process keeps only its own.
        let rights = Rights::TRANSFER | Rights::READ | Rights::MAP | Rights::GET_PROPERTY;
        let lent = numbers
            .duplicate(rights)
            .map_err(during("handle_duplicate"))?;
        let request = Request {
            first: index * SHARE,
            count: SHARE,
        };
        self.channel
            .write(&request.to_bytes(), vec![lent.into()])
            .map_err(during("channel_write"))
    }
}

/// Takes packets until every worker has ended; gives the sum of the answers.
fn collect(port: &Port, workers: &[Worker]) -> Result<u64, String> {
    let (mut total, mut running) = (0, workers.len());
    while running > 0 {
        let packet = port
            .wait(libzx::time::INFINITE)
            .map_err(during("port_wait"))?;
        let number = packet.key % ENDED;
        let worker = usize::try_from(number)
            .ok()
            .and_then(|index| workers.get(index))
            .ok_or("a packet with an unknown key")?;
        if packet.key >= ENDED {
            let info = worker.process.info().map_err(during("object_get_info"))?;
            if info.return_code != 0 {
                return Err(format!("worker {number} ended with {}", info.return_code));
            }
            println!("demo: worker {number} has ended");
            running -= 1;
        } else {
            let answer = worker.channel.read().map_err(during("reading an answer"))?;
            let sum = message::number(&answer.bytes).ok_or("an answer makes no sense")?;
            println!("demo: worker {number} says {sum}");
            total += sum;
        }
    }
    Ok(total)
}
