//! The table of what works in README.md, between two markers.

use std::fmt::Write as _;

use zx_abi::syscalls::{Category, Levels};

use crate::state::{State, States};

const BEGIN: &str = "<!-- works:begin -->";
const END: &str = "<!-- works:end -->";

/// The same text with a fresh table between the markers.
///
/// # Errors
/// The markers are missing.
pub(crate) fn with_table(readme: &str, states: &States) -> Result<String, String> {
    let missing = || format!("{}: lacks {BEGIN} followed by {END}", crate::README);
    let (before, rest) = readme.split_once(BEGIN).ok_or_else(missing)?;
    let (_, after) = rest.split_once(END).ok_or_else(missing)?;
    Ok(format!("{before}{BEGIN}\n{}{END}{after}", table(states)))
}

pub(crate) fn compare(readme: &str, states: &States) -> Option<String> {
    match with_table(readme, states) {
        Ok(fresh) if fresh == readme => None,
        Ok(_) => Some(format!(
            "{}: the table of what works differs from the code",
            crate::README
        )),
        Err(problem) => Some(problem),
    }
}

#[derive(Default)]
struct Counts {
    done: usize,
    partial: usize,
    missing: usize,
}

impl Counts {
    fn of(states: impl Iterator<Item = State>) -> Self {
        let mut counts = Self::default();
        for state in states {
            match state {
                State::Done => counts.done += 1,
                State::Partial(_) => counts.partial += 1,
                State::Missing => counts.missing += 1,
            }
        }
        counts
    }

    fn row(&self, title: &str) -> String {
        let total = self.done + self.partial + self.missing;
        format!(
            "| {title} | {} | {} | {} | {total} |\n",
            self.done, self.partial, self.missing
        )
    }
}

fn table(states: &States) -> String {
    let mut text =
        "| calls about | done | partial | missing | of |\n|---|---|---|---|---|\n".to_owned();
    let home = || {
        states
            .all()
            .filter(|(call, _)| call.levels.contains(Levels::A2020))
    };
    for &category in Category::ALL {
        let of_category = home()
            .filter(|(call, _)| call.category == category)
            .map(|(_, state)| state);
        text.push_str(&Counts::of(of_category).row(category.title()));
    }
    text.push_str(&Counts::of(home().map(|(_, state)| state)).row("**all of the home ABI**"));
    let older = states
        .all()
        .filter(|(call, _)| !call.levels.contains(Levels::A2020))
        .map(|(_, state)| state);
    let _ = write!(
        text,
        "{}",
        Counts::of(older).row("calls only older levels have")
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_stands_between_the_markers_and_the_rest_stays() {
        let states = States::default();
        let readme = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        let fresh = with_table(&readme, &states).unwrap();
        assert!(fresh.starts_with(&format!("a\n{BEGIN}\n| calls about")));
        assert!(fresh.ends_with(&format!("{END}\nb\n")));
        assert!(fresh.contains("| **all of the home ABI** | 0 | 0 | 181 | 181 |"));
        assert!(fresh.contains("| calls only older levels have | 0 | 0 | 17 | 17 |"));
        assert_eq!(compare(&fresh, &states), None);
        assert!(compare(&readme, &states).is_some());
    }

    #[test]
    fn missing_markers_are_named() {
        assert!(with_table("text", &States::default())
            .unwrap_err()
            .contains(BEGIN));
    }
}
