//! The size gate: source files of more than 600 lines need a line of excuse in `scripts/size-allow.txt`.

use std::path::{Path, PathBuf};

use crate::place::Place;
use crate::report::Report;

const MOST_LINES: usize = 600;
const EXCUSES: &str = "scripts/size-allow.txt";

/// Compares every source file with the limit, and every excuse with the files.
pub(crate) fn sizes(place: &Place, report: &mut Report) {
    let excuses = std::fs::read_to_string(place.root.join(EXCUSES)).unwrap_or_default();
    let mut files = Vec::new();
    collect(&place.root, &place.target, &mut files);
    let long: Vec<_> = files
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == "rs" || e == "S"))
        .filter_map(|path| {
            let lines = std::fs::read_to_string(&path).ok()?.lines().count();
            let name = path
                .strip_prefix(&place.root)
                .ok()?
                .to_string_lossy()
                .into_owned();
            (lines > MOST_LINES).then_some((name, lines))
        })
        .collect();
    report.check(
        "no file has more than 600 lines without an excuse",
        judge(&long, &excuses),
    );
}

/// `long` are the files over the limit; each excuse is `path: reason`.
fn judge(long: &[(String, usize)], excuses: &str) -> Result<(), String> {
    let excused: Vec<_> = excuses
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|line| {
            line.split_once(':')
                .map_or((line, ""), |(path, reason)| (path.trim(), reason.trim()))
        })
        .collect();
    let mut faults = Vec::new();
    for (name, lines) in long {
        match excused.iter().find(|(path, _)| path == name) {
            None => faults.push(format!("{name} has {lines} lines")),
            Some((_, "")) => faults.push(format!("{EXCUSES}: {name} has no reason")),
            Some(_) => {}
        }
    }
    for (path, _) in &excused {
        if !long.iter().any(|(name, _)| name == path) {
            faults.push(format!("{EXCUSES}: {path} needs no excuse"));
        }
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults.join("; "))
    }
}

/// All files below a directory but hidden and built ones.
pub(super) fn collect(directory: &Path, target: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return;
    };
    for path in entries.filter_map(|e| e.ok().map(|e| e.path())) {
        let hidden = path
            .file_name()
            .is_some_and(|n| n.to_string_lossy().starts_with('.'));
        if hidden || path == target || path.ends_with("target") {
            continue;
        }
        if path.is_dir() {
            collect(&path, target, files);
        } else {
            files.push(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_needs_an_excuse_and_an_excuse_needs_a_long_file() {
        let long = [("a.rs".to_owned(), 700)];
        assert_eq!(judge(&long, "# files\na.rs: one table\n"), Ok(()));
        assert_eq!(judge(&long, ""), Err("a.rs has 700 lines".to_owned()));
        assert_eq!(
            judge(&long, "a.rs:"),
            Err("scripts/size-allow.txt: a.rs has no reason".to_owned())
        );
        assert_eq!(
            judge(&[], "a.rs: one table"),
            Err("scripts/size-allow.txt: a.rs needs no excuse".to_owned())
        );
    }
}
