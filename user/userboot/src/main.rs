//! userboot: the first program. Unpacks BOOTFS, starts the program the command line names, and hands everything on.
//!
//! The kernel maps this image without writable memory right before the vDSO and sends one message: the command line and
//! fifteen handles ([`handoff`]). Order of work: options, BOOTFS out of the boot image ([`storage`]), the program or its
//! interpreter ([`launch`]), the loader service while the program wants it ([`loader_service`]), and at last, if asked to,
//! wait for the program and switch the machine off.
//!
//! Any failure before the program runs is one line that starts with `userboot: ` and exit code 1; the kernel takes that
//! for a failed boot.
//!
//! The image may hold no addresses (there is nobody to relocate it): no `dyn`, no `core::fmt`, no statics with pointers.
//! The linker script refuses an image that has any.
#![cfg_attr(not(test), no_std, no_main)]
#![forbid(unsafe_code)]

extern crate alloc;

mod files;
mod handoff;
mod launch;
mod loader_service;
mod log;
mod lz4;
mod options;
mod storage;

#[cfg(test)]
use alloc::vec::Vec;

use libzx::{AsHandle, KernelMessage, Process, Resource, Rights, Signals};
use zx_abi::power::PowerCommand;

use files::Files;
use handoff::Handoff;
use log::{Failure, Line, Log, Outcome};
use options::{Options, WhenDone};

libzx::userboot_entry!(main);

/// What the test runners look for on the console.
const SUCCESS: &str = "***Boot-test-successful!***";

fn main(message: KernelMessage) -> i64 {
    let mut log = Log::without_debuglog();
    match boot(message, &mut log) {
        Ok(()) => 0,
        Err(failure) => {
            log.write(&failure.line);
            1
        }
    }
}

fn boot(message: KernelMessage, log: &mut Log) -> Outcome {
    let KernelMessage { cmdline, handles } = message;
    let mut handoff = Handoff::new(handles)?;
    log.open(handoff.root_resource());
    let root_resource = handoff.root_resource().duplicate(Rights::SAME_RIGHTS);
    let root_resource = root_resource.map_err(|error| Failure::call("handle_duplicate", error))?;
    let words = options::words(&cmdline);
    let options = Options::parse(&words)?;

    let bootfs = storage::unpack_bootfs(handoff.zbi())?;
    let files = Files::open(bootfs, &options.root)?;
    // Before it starts: the program may own the console from its first instruction on.
    log.write(&Line::new().text("starting ").text(options.program));
    let started = launch::start(&files, &mut handoff, log, options.program, &words)?;
    if let Some(channel) = started.loader {
        loader_service::serve(&channel, &files, log)?;
    }
    drop(files);
    wait_if_asked(&options, &started.process, &root_resource, log)
}

fn wait_if_asked(
    options: &Options<'_>,
    process: &Process,
    root_resource: &Resource,
    log: &Log,
) -> Outcome {
    let command = match options.when_done {
        WhenDone::Leave => return Ok(()),
        WhenDone::Shutdown => PowerCommand::Shutdown,
        WhenDone::Reboot => PowerCommand::Reboot,
    };
    log.write(
        &Line::new()
            .text("Waiting for ")
            .text(options.program)
            .text(" to exit..."),
    );
    let signals = process.wait_one(Signals::PROCESS_TERMINATED, libzx::time::INFINITE);
    signals.map_err(|error| Failure::call("object_wait_one", error))?;
    let info = process
        .info()
        .map_err(|error| Failure::call("object_get_info", error))?;
    log.write(
        &Line::new()
            .text("*** Exit status ")
            .number(info.return_code)
            .text(" ***"),
    );
    if info.return_code == 0 {
        log.write(&Line::new().text(SUCCESS));
    }
    if command == PowerCommand::Reboot {
        log.write(&Line::new().text("Waiting 3 seconds..."));
        libzx::time::sleep_until(libzx::time::after(3_000_000_000));
    }
    let verb = if command == PowerCommand::Reboot {
        "reboot"
    } else {
        "poweroff"
    };
    log.write(
        &Line::new()
            .text("Process exited.  Executing \"")
            .text(verb)
            .text("\"."),
    );
    root_resource
        .powerctl(command)
        .map_err(|error| Failure::call("system_powerctl", error))?;
    Err(Failure::text("still here after system_powerctl"))
}

/// A line's bytes, for tests.
#[cfg(test)]
fn text_of(line: &Line) -> Vec<u8> {
    line.bytes().to_vec()
}
