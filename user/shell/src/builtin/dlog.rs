//! `dlog`: the kernel's log.

use alloc::string::String;

use libzx::{println, Debuglog, ZxError};
use zerocopy::FromBytes;
use zx_abi::debuglog::{DebuglogHeader, DebuglogOptions};
use zx_abi::limits::LOG_RECORD_MAX;

use super::{Builtin, FAILED};
use crate::words::Place;
use crate::Shell;

pub(super) const DLOG: Builtin = Builtin {
    name: "dlog",
    usage: "",
    summary: "the kernel's log",
    run,
};

fn run(shell: &mut Shell, _: &[&str], _: Place) -> i64 {
    match show(shell) {
        Ok(()) => 0,
        Err(error) => {
            println!("dlog: {error}");
            FAILED
        }
    }
}

fn show(shell: &Shell) -> libzx::ZxResult {
    let log = Debuglog::create(&shell.resource, DebuglogOptions::READABLE.bits())?;
    let mut record = [0; LOG_RECORD_MAX];
    loop {
        match log.read(&mut record) {
            Ok(len) => print_record(record.get(..len).unwrap_or_default()),
            Err(ZxError::ShouldWait) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

fn print_record(record: &[u8]) {
    let Ok((header, text)) = DebuglogHeader::read_from_prefix(record) else {
        return;
    };
    let text = text.get(..usize::from(header.datalen)).unwrap_or(text);
    let text = String::from_utf8_lossy(text);
    let microseconds = header.timestamp / 1000;
    println!(
        "[{:05}.{:06}] {:05}.{:05}> {}",
        microseconds / 1_000_000,
        microseconds % 1_000_000,
        header.pid,
        header.tid,
        text.trim_end()
    );
}
