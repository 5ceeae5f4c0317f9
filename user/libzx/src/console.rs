//! The console: `zx_debug_write`, one call per line, so that lines of several programs do not mix; `zx_debug_read`.

use core::fmt::{self, Write};

use zx_abi::ZxResult;

use crate::{sys, AsHandle, Resource};

/// Bytes that one call takes at most.
const LINE_MAX: usize = 256;

/// Prints to the kernel's console.
#[macro_export]
macro_rules! print {
    ($($arg:tt)*) => { $crate::console::print(core::format_args!($($arg)*)) };
}

/// Prints a line to the kernel's console.
#[macro_export]
macro_rules! println {
    () => { $crate::print!("\n") };
    ($($arg:tt)*) => { $crate::console::print_line(core::format_args!($($arg)*)) };
}

/// Prints formatted text; see [`print!`].
pub fn print(text: fmt::Arguments<'_>) {
    let mut line = Line {
        bytes: [0; LINE_MAX],
        len: 0,
    };
    let _ = line.write_fmt(text);
    line.flush();
}

/// Prints formatted text and a newline in one piece; see [`println!`].
pub fn print_line(text: fmt::Arguments<'_>) {
    let mut line = Line {
        bytes: [0; LINE_MAX],
        len: 0,
    };
    let _ = line.write_fmt(text);
    let _ = line.write_str("\n");
    line.flush();
}

/// Writes bytes to the kernel's console.
pub fn write(bytes: &[u8]) {
    for piece in bytes.chunks(LINE_MAX) {
        // SAFETY: `piece` lives through the call.
        let _ = unsafe { sys::zx_debug_write(piece.as_ptr(), piece.len()) };
    }
}

/// Reads typed bytes, waiting until `buffer` is full (callers that edit lines ask for one byte); a carriage return
/// comes as a newline. Gives the number of bytes.
///
/// # Errors
/// Those of `zx_debug_read`; the resource must be the root resource.
pub fn read(resource: &Resource, buffer: &mut [u8]) -> ZxResult<usize> {
    let mut actual = 0;
    let (pointer, len) = (buffer.as_mut_ptr(), buffer.len());
    // SAFETY: `buffer` is borrowed for the call, `actual` is this frame's.
    unsafe { sys::zx_debug_read(resource.raw(), pointer, len, &mut actual) }.into_result()?;
    Ok(actual)
}

/// Collects text until it fills a call.
struct Line {
    bytes: [u8; LINE_MAX],
    len: usize,
}

impl Line {
    fn flush(&mut self) {
        write(self.bytes.get(..self.len).unwrap_or_default());
        self.len = 0;
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let room = self.bytes.get_mut(self.len..).unwrap_or_default();
            let (now, later) = rest.split_at(rest.len().min(room.len()));
            for (to, from) in room.iter_mut().zip(now) {
                *to = *from;
            }
            self.len += now.len();
            rest = later;
            if self.len == LINE_MAX {
                self.flush();
            }
        }
        Ok(())
    }
}
