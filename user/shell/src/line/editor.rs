//! The line being edited.

use alloc::string::String;
use alloc::vec::Vec;

use super::history::History;
use super::keys::{Decoder, Key};

/// Characters a line can have; more are not taken.
const MAX_LEN: usize = 1000;

/// What a byte led to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Edit {
    /// The line goes on.
    Continue,
    /// The line was entered.
    Line(String),
    /// The line was given up.
    Abandoned,
}

/// Keeps the line, the cursor and the history. The line holds ASCII only, so that columns are bytes.
#[derive(Debug)]
pub(crate) struct Editor {
    line: String,
    cursor: usize,
    prompt: String,
    history: History,
    decoder: Decoder,
}

impl Editor {
    pub(crate) fn new() -> Self {
        Self {
            line: String::new(),
            cursor: 0,
            prompt: String::new(),
            history: History::default(),
            decoder: Decoder::new(),
        }
    }

    /// Starts a line with its prompt.
    pub(crate) fn begin(&mut self, prompt: &str, out: &mut Vec<u8>) {
        self.line.clear();
        self.cursor = 0;
        self.prompt = String::from(prompt);
        out.extend_from_slice(prompt.as_bytes());
    }

    /// Takes one typed byte and adds what is to be shown to `out`. `candidates` gives the words that could stand at the
    /// end of a line.
    pub(crate) fn feed(
        &mut self,
        byte: u8,
        candidates: &dyn Fn(&str) -> Vec<String>,
        out: &mut Vec<u8>,
    ) -> Edit {
        let Some(key) = self.decoder.feed(byte) else {
            return Edit::Continue;
        };
        match key {
            Key::Char(byte) => self.insert(char::from(byte), out),
            Key::Enter => {
                out.push(b'\n');
                let line = core::mem::take(&mut self.line);
                self.cursor = 0;
                self.history.push(&line);
                return Edit::Line(line);
            }
            Key::Abandon => {
                out.extend_from_slice(b"^C\n");
                self.line.clear();
                self.cursor = 0;
                self.history.leave();
                return Edit::Abandoned;
            }
            Key::Tab => self.complete(candidates, out),
            Key::Backspace => self.cut(self.cursor.saturating_sub(1), self.cursor, out),
            Key::Delete => self.cut(self.cursor, self.cursor + 1, out),
            Key::CutToEnd => self.cut(self.cursor, self.line.len(), out),
            Key::CutToStart => self.cut(0, self.cursor, out),
            Key::CutWord => self.cut(self.word_start(), self.cursor, out),
            Key::Left => self.move_to(self.cursor.saturating_sub(1), out),
            Key::Right => self.move_to(self.cursor + 1, out),
            Key::Home => self.move_to(0, out),
            Key::End => self.move_to(self.line.len(), out),
            Key::Up => {
                if let Some(line) = self.history.older(&self.line) {
                    let line = String::from(line);
                    self.replace(line, out);
                }
            }
            Key::Down => {
                if let Some(line) = self.history.newer() {
                    let line = String::from(line);
                    self.replace(line, out);
                }
            }
            Key::Redraw => {
                out.extend_from_slice(b"\x1b[H\x1b[2J");
                self.show_all(out);
            }
        }
        Edit::Continue
    }

    fn insert(&mut self, character: char, out: &mut Vec<u8>) {
        if self.line.len() >= MAX_LEN {
            return;
        }
        self.line.insert(self.cursor, character);
        self.show_tail(self.cursor, out);
        let end = self.cursor + 1;
        self.cursor = self.line.len();
        self.move_to(end, out);
    }

    fn cut(&mut self, start: usize, end: usize, out: &mut Vec<u8>) {
        let end = end.min(self.line.len());
        if start >= end {
            return;
        }
        self.move_to(start, out);
        self.line.replace_range(start..end, "");
        self.show_tail(start, out);
        out.extend_from_slice(b"\x1b[K");
        self.cursor = self.line.len();
        self.move_to(start, out);
    }

    fn replace(&mut self, line: String, out: &mut Vec<u8>) {
        self.move_to(0, out);
        self.line = line;
        self.show_tail(0, out);
        out.extend_from_slice(b"\x1b[K");
        self.cursor = self.line.len();
    }

    /// Moves the cursor, on the terminal too.
    fn move_to(&mut self, target: usize, out: &mut Vec<u8>) {
        let target = target.min(self.line.len());
        let (distance, direction) = match target < self.cursor {
            true => (self.cursor - target, b'D'),
            false => (target - self.cursor, b'C'),
        };
        if distance > 0 {
            out.extend_from_slice(alloc::format!("\x1b[{distance}").as_bytes());
            out.push(direction);
        }
        self.cursor = target;
    }

    fn show_tail(&self, from: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.line.as_bytes()[from..]);
    }

    fn show_all(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.prompt.as_bytes());
        self.show_tail(0, out);
        let cursor = self.cursor;
        self.cursor = self.line.len();
        self.move_to(cursor, out);
    }

    /// Where the word before the cursor starts.
    fn word_start(&self) -> usize {
        let before = self.line[..self.cursor].trim_end();
        before.rfind(' ').map_or(0, |space| space + 1)
    }

    fn complete(&mut self, candidates: &dyn Fn(&str) -> Vec<String>, out: &mut Vec<u8>) {
        let before = String::from(&self.line[..self.cursor]);
        let word_start = before.rfind(' ').map_or(0, |space| space + 1);
        let typed = before.len() - word_start;
        let names = candidates(&before);
        let Some(first) = names.first() else { return };
        let common = names
            .iter()
            .fold(first.as_str(), |common, name| common_start(common, name));
        let rest = String::from(common.get(typed..).unwrap_or(""));
        for character in rest.chars().filter(char::is_ascii) {
            self.insert(character, out);
        }
        if names.len() == 1 {
            self.insert(' ', out);
        } else if rest.is_empty() {
            out.push(b'\n');
            out.extend_from_slice(names.join("  ").as_bytes());
            out.push(b'\n');
            self.show_all(out);
        }
    }
}

/// The longest start that both names have.
fn common_start<'a>(left: &'a str, right: &str) -> &'a str {
    let differs = |(l, r): &((usize, char), char)| l.1 != *r;
    let end = left.char_indices().zip(right.chars()).find(differs);
    let end = end.map_or(left.len().min(right.len()), |((index, _), _)| index);
    left.get(..end).unwrap_or(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(line: &str) -> Vec<String> {
        let word = line.rsplit(' ').next().unwrap_or("");
        let all = ["hello", "help", "hexdump", "poweroff"];
        let fitting = all.into_iter().filter(|name| name.starts_with(word));
        fitting.map(String::from).collect()
    }

    /// Types bytes; gives the lines entered and what the terminal was sent.
    fn type_in(editor: &mut Editor, bytes: &[u8]) -> (Vec<Edit>, String) {
        let (mut edits, mut out) = (Vec::new(), Vec::new());
        for &byte in bytes {
            match editor.feed(byte, &names, &mut out) {
                Edit::Continue => {}
                edit => edits.push(edit),
            }
        }
        (edits, String::from_utf8(out).unwrap())
    }

    fn entered(bytes: &[u8]) -> String {
        let mut editor = Editor::new();
        match type_in(&mut editor, bytes).0.remove(0) {
            Edit::Line(line) => line,
            other => alloc::format!("{other:?}"),
        }
    }

    #[test]
    fn a_plain_line_is_echoed_without_escapes() {
        let mut editor = Editor::new();
        let (edits, out) = type_in(&mut editor, b"ls bin\n");
        assert_eq!(edits, [Edit::Line(String::from("ls bin"))]);
        assert_eq!(out, "ls bin\n");
    }

    #[test]
    fn keys_edit_where_the_cursor_is() {
        assert_eq!(entered(b"bc\x01a\x05d\n"), "abcd");
        assert_eq!(entered(b"abc\x1b[D\x7fX\n"), "aXc");
        assert_eq!(entered(b"abc\x1b[D\x1b[D\x1b[3~\n"), "ac");
        assert_eq!(entered(b"one two\x17three\n"), "one three");
        assert_eq!(entered(b"one two\x1b[D\x0b\n"), "one tw");
        assert_eq!(entered(b"one two\x1b[D\x15\n"), "o");
        assert_eq!(entered(b"\x7f\x7fa\n"), "a");
    }

    #[test]
    fn insertion_shows_the_tail_and_goes_back() {
        let mut editor = Editor::new();
        let (_, out) = type_in(&mut editor, b"ac\x1b[Db");
        assert_eq!(out, "ac\x1b[1Dbc\x1b[1D");
    }

    #[test]
    fn tab_completes_as_far_as_it_is_clear_and_then_lists() {
        let mut editor = Editor::new();
        let (_, out) = type_in(&mut editor, b"p\t");
        assert_eq!(out, "poweroff ");
        let mut editor = Editor::new();
        editor.begin("$ ", &mut Vec::new());
        let (_, out) = type_in(&mut editor, b"h\t\tl\t");
        assert_eq!(out, "he\nhello  help  hexdump\n$ hel\nhello  help\n$ hel");
        assert_eq!(entered(b"nothing\t\n"), "nothing");
    }

    #[test]
    fn history_comes_back_with_the_arrows() {
        let mut editor = Editor::new();
        let (edits, _) = type_in(&mut editor, b"one\ntwo\n\x1b[A\x1b[A\n\x1b[A\x1b[Bx\n");
        let lines = ["one", "two", "one", "x"].map(|line| Edit::Line(String::from(line)));
        assert_eq!(edits, lines);
    }

    #[test]
    fn an_abandoned_line_is_gone() {
        let mut editor = Editor::new();
        let (edits, out) = type_in(&mut editor, b"rm\x03");
        assert_eq!(edits, [Edit::Abandoned]);
        assert_eq!(out, "rm^C\n");
    }

    #[test]
    fn garbage_and_endless_lines_do_no_harm() {
        let mut editor = Editor::new();
        let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
        let mut out = Vec::new();
        for byte in bytes {
            let _ = editor.feed(byte, &names, &mut out);
        }
        let mut editor = Editor::new();
        type_in(&mut editor, &[b'x'; 5000]);
        assert_eq!(editor.line.len(), MAX_LEN);
    }
}
