//! What the documents name must exist: targets of links, and files in code spans.

use std::path::{Path, PathBuf};

use regex::Regex;

use crate::place::Place;
use crate::report::Report;
use crate::step::sizes::collect;

/// How names of files end that are in the repository.
const ENDINGS: &str = "rs|S|md|txt|toml|ld|session";

/// Looks up everything that every document names.
pub(crate) fn docs(place: &Place, report: &mut Report) {
    let mut files = Vec::new();
    collect(&place.root, &place.target, &mut files);
    let name = |path: &PathBuf| {
        let relative = path.strip_prefix(&place.root).unwrap_or(path);
        relative.to_string_lossy().into_owned()
    };
    let names: Vec<String> = files.iter().map(name).collect();
    let mut faults = Vec::new();
    for (path, document) in files.iter().zip(&names) {
        if !document.ends_with(".md") {
            continue;
        }
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let exists = |link: &str| path.parent().is_some_and(|at| at.join(link).exists());
        for missing in missing(&text, &names, exists) {
            faults.push(format!("{document}: {missing}"));
        }
    }
    let found = match faults.is_empty() {
        true => Ok(()),
        false => Err(faults.join("; ")),
    };
    report.check("what the documents name exists", found);
}

/// The links and files of a document that lead nowhere. A file may be named by the end of its path.
fn missing(text: &str, files: &[String], exists: impl Fn(&str) -> bool) -> Vec<String> {
    let link = Regex::new(r"\]\(([^)#\s]+)");
    let file = Regex::new(&format!(r"`([\w./-]+\.(?:{ENDINGS}))`"));
    let (Ok(link), Ok(file)) = (link, file) else {
        return vec!["the patterns are wrong".to_owned()];
    };
    let links = link.captures_iter(text).map(|found| found[1].to_owned());
    let links = links.filter(|target| !target.contains(':') && !exists(target));
    let named = file.captures_iter(text).map(|found| found[1].to_owned());
    let named = named.filter(|name| !is_elsewhere(name));
    let is_there = |name: &str| {
        let is_it = |file: &String| Path::new(file).ends_with(name);
        files.iter().any(is_it)
    };
    links.chain(named.filter(|name| !is_there(name))).collect()
}

/// What is built, or kept by those who write, and not in the repository (docs/conformance.md says what the facts are).
fn is_elsewhere(name: &str) -> bool {
    name.starts_with("target/") || name.starts_with("facts/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing_of(text: &str) -> Vec<String> {
        let files = ["docs/a.md", "zircon-object/src/vm/fault.rs"].map(str::to_owned);
        missing(text, &files, |link| link == "a.md")
    }

    #[test]
    fn a_file_may_be_named_by_the_end_of_its_path() {
        let text =
            "`zircon-object/src/vm/fault.rs`, `vm/fault.rs` and `fault.rs`, [there](a.md#part)";
        assert_eq!(missing_of(text), [""; 0]);
    }

    #[test]
    fn what_is_not_there_is_told() {
        let text = "`vm/default.rs` `ault.rs` `object/fault.rs` [gone](b.md)";
        assert_eq!(
            missing_of(text),
            ["b.md", "vm/default.rs", "ault.rs", "object/fault.rs"]
        );
    }

    #[test]
    fn addresses_programs_and_what_is_built_are_not_looked_for() {
        let text = "[web](https://example.org/x.md) `bin/shell` `target/made.txt` `facts/calls.md` `a b.rs`";
        assert_eq!(missing_of(text), [""; 0]);
    }
}
