//! From bytes to keys: control characters and the escape sequences of terminals.

/// What was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Char(u8),
    Enter,
    Tab,
    Backspace,
    Delete,
    Left,
    Right,
    Up,
    Down,
    Home,
    End,
    /// ^K
    CutToEnd,
    /// ^U
    CutToStart,
    /// ^W
    CutWord,
    /// ^C
    Abandon,
    /// ^L
    Redraw,
}

/// Where in an escape sequence the bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Plain,
    /// After ESC.
    Escape,
    /// After ESC O: one more byte.
    Single,
    /// After ESC [, with the number read so far.
    Sequence(u8),
}

/// Turns bytes into keys; bytes that mean nothing disappear.
#[derive(Debug)]
pub(crate) struct Decoder(State);

impl Decoder {
    pub(crate) const fn new() -> Self {
        Self(State::Plain)
    }

    pub(crate) fn feed(&mut self, byte: u8) -> Option<Key> {
        match self.0 {
            State::Plain => self.plain(byte),
            State::Escape => {
                self.0 = match byte {
                    b'[' => State::Sequence(0),
                    b'O' => State::Single,
                    _ => State::Plain,
                };
                // Escape followed by a key that starts no sequence is that key.
                match self.0 {
                    State::Plain => self.plain(byte),
                    _ => None,
                }
            }
            State::Single => {
                self.0 = State::Plain;
                final_byte(byte, 0)
            }
            State::Sequence(number) => match byte {
                b'0'..=b'9' => {
                    let number = number.wrapping_mul(10).wrapping_add(byte - b'0');
                    self.0 = State::Sequence(number);
                    None
                }
                // Further parameters are modifiers.
                b';' => None,
                0x40..=0x7e => {
                    self.0 = State::Plain;
                    final_byte(byte, number)
                }
                0x20..=0x3f => None,
                _ => {
                    self.0 = State::Plain;
                    self.plain(byte)
                }
            },
        }
    }

    fn plain(&mut self, byte: u8) -> Option<Key> {
        Some(match byte {
            b'\r' | b'\n' => Key::Enter,
            b'\t' => Key::Tab,
            0x01 => Key::Home,
            0x02 => Key::Left,
            0x03 => Key::Abandon,
            0x04 => Key::Delete,
            0x05 => Key::End,
            0x06 => Key::Right,
            0x08 | 0x7f => Key::Backspace,
            0x0b => Key::CutToEnd,
            0x0c => Key::Redraw,
            0x0e => Key::Down,
            0x10 => Key::Up,
            0x15 => Key::CutToStart,
            0x17 => Key::CutWord,
            0x1b => {
                self.0 = State::Escape;
                return None;
            }
            b' '..=b'~' => Key::Char(byte),
            _ => return None,
        })
    }
}

/// The last byte of a sequence and the number before it.
const fn final_byte(byte: u8, number: u8) -> Option<Key> {
    Some(match (byte, number) {
        (b'A', _) => Key::Up,
        (b'B', _) => Key::Down,
        (b'C', _) => Key::Right,
        (b'D', _) => Key::Left,
        (b'H', _) | (b'~', 1 | 7) => Key::Home,
        (b'F', _) | (b'~', 4 | 8) => Key::End,
        (b'~', 3) => Key::Delete,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut decoder = Decoder::new();
        bytes
            .iter()
            .filter_map(|&byte| decoder.feed(byte))
            .collect()
    }

    #[test]
    fn terminals_send_the_same_key_in_several_ways() {
        assert_eq!(keys(b"\x1b[H\x1bOH\x1b[1~\x01"), [Key::Home; 4]);
        assert_eq!(keys(b"\x1b[F\x1bOF\x1b[4~\x05"), [Key::End; 4]);
        assert_eq!(keys(b"\x08\x7f"), [Key::Backspace; 2]);
        let arrows = [Key::Up, Key::Down, Key::Right, Key::Left];
        assert_eq!(keys(b"\x1b[A\x1b[B\x1b[C\x1b[D"), arrows);
        assert_eq!(keys(b"\x1bOA\x1bOB\x1bOC\x1bOD"), arrows);
    }

    #[test]
    fn unknown_sequences_and_bytes_disappear() {
        assert_eq!(
            keys(b"a\x1b[99~\x1b[1;5Xb\x00\xff\x1ac"),
            [Key::Char(b'a'), Key::Char(b'b'), Key::Char(b'c')]
        );
    }

    #[test]
    fn enter_ends_a_broken_sequence() {
        assert_eq!(
            keys(b"\x1b[1\n\x1b\nx"),
            [Key::Enter, Key::Enter, Key::Char(b'x')]
        );
    }
}
