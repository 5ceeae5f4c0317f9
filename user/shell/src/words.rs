//! Taking a line apart: words, quotes, and `&`.

use alloc::string::String;
use alloc::vec::Vec;

/// Where a program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The shell waits for it.
    Foreground,
    /// The shell goes on at once.
    Background,
}

/// A line taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) words: Vec<String>,
    pub(crate) place: Place,
}

/// Splits at spaces. Single and double quotes keep spaces, a backslash keeps the next character, `&` at the end means
/// background.
///
/// # Errors
/// What is wrong with the line.
pub(crate) fn split(line: &str) -> Result<Command, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut place = Place::Foreground;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if place == Place::Background && !character.is_whitespace() {
            return Err("& can only be the last thing on a line");
        }
        match character {
            '&' => place = Place::Background,
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next() {
                        Some(next) if next == character => break,
                        Some(next) => word.push(next),
                        None => return Err("a quote is not closed"),
                    }
                }
            }
            '\\' => {
                let next = characters.next().ok_or("nothing follows the backslash")?;
                word.get_or_insert_default().push(next);
            }
            _ if character.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    if words.is_empty() && place == Place::Background {
        return Err("nothing stands before &");
    }
    Ok(Command { words, place })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        split(line).unwrap().words
    }

    #[test]
    fn words_are_separated_by_any_number_of_spaces() {
        assert_eq!(words("  ls   bin "), ["ls", "bin"]);
        assert!(words("   ").is_empty());
    }

    #[test]
    fn quotes_and_backslashes_keep_characters() {
        assert_eq!(words("a 'b \"c' d\\ e \"\""), ["a", "b \"c", "d e", ""]);
    }

    #[test]
    fn an_ampersand_at_the_end_means_background() {
        let command = split("hello x&  ").unwrap();
        assert_eq!(command.words, ["hello", "x"]);
        assert_eq!(command.place, Place::Background);
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        assert_eq!(split("a 'b"), Err("a quote is not closed"));
        assert_eq!(split("a \\"), Err("nothing follows the backslash"));
        assert_eq!(
            split("a & b"),
            Err("& can only be the last thing on a line")
        );
        assert_eq!(split(" & "), Err("nothing stands before &"));
    }
}
