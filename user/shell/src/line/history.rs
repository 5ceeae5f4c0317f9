//! Lines entered before.

use alloc::string::String;
use alloc::vec::Vec;

/// Lines kept.
const CAPACITY: usize = 200;

/// The lines, and which of them is shown.
#[derive(Debug, Default)]
pub(crate) struct History {
    lines: Vec<String>,
    /// How far back; 0 is the line being typed.
    back: usize,
    /// The line being typed, while an older one is shown.
    draft: String,
}

impl History {
    /// Keeps a line that was entered; empty ones and repetitions are not worth it.
    pub(crate) fn push(&mut self, line: &str) {
        self.back = 0;
        self.draft.clear();
        if line.trim().is_empty() || self.lines.last().is_some_and(|last| last == line) {
            return;
        }
        if self.lines.len() == CAPACITY {
            self.lines.remove(0);
        }
        self.lines.push(String::from(line));
    }

    /// The line before the shown one; `shown` is what the user made of that.
    pub(crate) fn older(&mut self, shown: &str) -> Option<&str> {
        let index = self.lines.len().checked_sub(self.back + 1)?;
        if self.back == 0 {
            self.draft = String::from(shown);
        }
        self.back += 1;
        self.lines.get(index).map(String::as_str)
    }

    /// The line after the shown one.
    pub(crate) fn newer(&mut self) -> Option<&str> {
        self.back = self.back.checked_sub(1)?;
        if self.back == 0 {
            return Some(&self.draft);
        }
        self.lines
            .get(self.lines.len() - self.back)
            .map(String::as_str)
    }

    /// Forgets the place in the list.
    pub(crate) fn leave(&mut self) {
        self.back = 0;
        self.draft.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn going_back_and_forth_ends_at_the_draft() {
        let mut history = History::default();
        for line in ["one", "two", "two", "  "] {
            history.push(line);
        }
        assert_eq!(history.older("draft"), Some("two"));
        assert_eq!(history.older("two"), Some("one"));
        assert_eq!(history.older("one"), None);
        assert_eq!(history.newer(), Some("two"));
        assert_eq!(history.newer(), Some("draft"));
        assert_eq!(history.newer(), None);
    }

    #[test]
    fn the_oldest_lines_are_forgotten() {
        let mut history = History::default();
        for number in 0..CAPACITY + 5 {
            history.push(&alloc::format!("{number}"));
        }
        assert_eq!(history.lines.len(), CAPACITY);
        assert_eq!(history.lines[0], "5");
    }
}
