//! Kernel log lines: to the debuglog, which shows them on the console too.

use core::fmt::Write as _;
use log::{LevelFilter, Log, Metadata, Record};
use zircon_object::diag::debuglog;

struct KernelLog;

/// One line being put together without the heap, so that it can be logged that memory is gone.
struct Line {
    bytes: [u8; 200],
    len: usize,
}

impl core::fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        let room = &mut self.bytes[self.len..];
        let take = text.len().min(room.len());
        room[..take].copy_from_slice(&text.as_bytes()[..take]);
        self.len += take;
        Ok(())
    }
}

impl Log for KernelLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }
    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let mut line = Line {
                bytes: [0; 200],
                len: 0,
            };
            let _ = write!(line, "{}", record.args());
            debuglog::write_kernel(&line.bytes[..line.len]);
        }
    }
    fn flush(&self) {}
}

/// From here on `log` works.
pub(crate) fn init() {
    if log::set_logger(&KernelLog).is_ok() {
        log::set_max_level(LevelFilter::Info);
    }
}

/// Sets how much is logged from the word `LOG=error|warn|info|debug|trace|off` of the command line.
pub(crate) fn set_level(cmdline: &str) {
    let word = cmdline
        .split_ascii_whitespace()
        .find_map(|word| word.strip_prefix("LOG="));
    match word.map(str::parse) {
        Some(Ok(level)) => log::set_max_level(level),
        Some(Err(_)) => log::warn!("LOG= takes off, error, warn, info, debug or trace"),
        None => {}
    }
}
