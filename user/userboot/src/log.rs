//! Lines of text without `core::fmt`, and where they go: the debug log, else the console.

use alloc::vec::Vec;

use libzx::{console, Debuglog, Resource};
use zx_abi::ZxError;

/// What every line starts with.
const PREFIX: &[u8] = b"userboot: ";
/// Bytes of a line; the debug log takes no more.
const LINE_MAX: usize = 216;

/// One line under construction; what does not fit is cut.
#[derive(Clone, Debug)]
pub(crate) struct Line(Vec<u8>);

impl Line {
    pub(crate) fn new() -> Self {
        Self(Vec::with_capacity(LINE_MAX)).raw(PREFIX)
    }

    #[must_use]
    pub(crate) fn text(self, text: &str) -> Self {
        self.raw(text.as_bytes())
    }

    #[must_use]
    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        let room = LINE_MAX.saturating_sub(self.0.len());
        self.0.extend(bytes.iter().take(room));
        self
    }

    #[must_use]
    pub(crate) fn number(self, value: i64) -> Self {
        let signed = if value < 0 { self.raw(b"-") } else { self };
        signed.digits(value.unsigned_abs(), 10)
    }

    #[must_use]
    pub(crate) fn hex(self, value: u64) -> Self {
        self.raw(b"0x").digits(value, 16)
    }

    fn digits(self, mut value: u64, base: u64) -> Self {
        let mut digits = [0; 20];
        let mut start = digits.len();
        loop {
            let digit = u8::try_from(value % base).unwrap_or(0);
            value /= base;
            start -= 1;
            if let Some(place) = digits.get_mut(start) {
                *place = if digit < 10 {
                    b'0' + digit
                } else {
                    b'a' + digit - 10
                };
            }
            if value == 0 || start == 0 {
                break;
            }
        }
        self.raw(digits.get(start..).unwrap_or_default())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Where lines go.
#[derive(Debug)]
pub(crate) struct Log(Option<Debuglog>);

impl Log {
    pub(crate) const fn without_debuglog() -> Self {
        Self(None)
    }

    /// Goes over to the debug log if the kernel lets us.
    pub(crate) fn open(&mut self, resource: &Resource) {
        match Debuglog::create(resource, 0) {
            Ok(debuglog) => self.0 = Some(debuglog),
            Err(error) => {
                let line = Line::new()
                    .text("debuglog_create failed: ")
                    .text(error.name());
                self.write(&line.text(", using debug_write instead"));
            }
        }
    }

    pub(crate) const fn debuglog(&self) -> Option<&Debuglog> {
        self.0.as_ref()
    }

    pub(crate) fn write(&self, line: &Line) {
        let written = self
            .0
            .as_ref()
            .is_some_and(|log| log.write(line.bytes()).is_ok());
        if !written {
            console::write(line.clone().raw(b"\n").bytes());
        }
    }
}

/// Why the boot ends here.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) line: Line,
}

/// A step of the boot.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    pub(crate) fn text(text: &str) -> Self {
        Self {
            line: Line::new().text(text),
        }
    }

    pub(crate) fn about(name: &str, text: &str) -> Self {
        Self {
            line: Line::new().text("'").text(name).text("' ").text(text),
        }
    }

    pub(crate) fn call(call: &str, error: ZxError) -> Self {
        Self {
            line: Line::new().text(call).text(" failed: ").text(error.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_both_bases() {
        let line = Line::new()
            .number(-1028)
            .text(" ")
            .number(0)
            .text(" ")
            .hex(0xdead_beef);
        assert_eq!(line.bytes(), b"userboot: -1028 0 0xdeadbeef");
        assert_eq!(
            Line::new().number(i64::MIN).bytes(),
            b"userboot: -9223372036854775808"
        );
    }

    #[test]
    fn a_line_too_long_is_cut() {
        let line = Line::new().raw(&[b'x'; 500]);
        assert_eq!(line.bytes().len(), LINE_MAX);
    }
}
