//! The files of the boot image.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use libzx::process::File;
use libzx::Vmo;

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) offset: u64,
    pub(crate) len: u64,
}

/// The files, and their paths in order.
#[derive(Debug)]
pub(crate) struct BootFiles {
    files: libzx::BootFiles,
    entries: Vec<Entry>,
}

impl BootFiles {
    /// Reads the directory.
    ///
    /// # Errors
    /// What is wrong, as a sentence.
    pub(crate) fn open(vmo: Vmo) -> Result<Self, String> {
        let files = libzx::BootFiles::open(vmo).map_err(|error| error.to_string())?;
        let entry = |(name, file): (&str, File<'_>)| Entry {
            name: String::from(name),
            offset: file.offset,
            len: file.len,
        };
        let mut entries: Vec<Entry> = files.iter().map(entry).collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { files, entries })
    }

    pub(crate) const fn vmo(&self) -> &Vmo {
        self.files.vmo()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = String> + '_ {
        self.entries.iter().map(|entry| entry.name.clone())
    }

    /// Names of the files in `bin/`, without it.
    pub(crate) fn programs(&self) -> impl Iterator<Item = String> + '_ {
        self.entries
            .iter()
            .filter_map(|entry| entry.name.strip_prefix("bin/").map(String::from))
    }

    /// The file of this path.
    pub(crate) fn find(&self, path: &str) -> Option<&Entry> {
        let path = relative(path);
        self.entries.iter().find(|entry| entry.name == path)
    }

    /// The program of this name: a path, or a file in `bin/`.
    pub(crate) fn find_program(&self, name: &str) -> Option<&Entry> {
        let in_bin = || self.find(&format!("bin/{name}"));
        self.find(name).or_else(in_bin)
    }

    pub(crate) const fn file(&self, entry: &Entry) -> File<'_> {
        File {
            vmo: self.files.vmo(),
            offset: entry.offset,
            len: entry.len,
        }
    }

    /// What a directory holds, see [`list`].
    pub(crate) fn list(&self, directory: &str) -> Vec<Item<'_>> {
        list(&self.entries, directory)
    }
}

/// One line of a listing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Item<'a> {
    Directory(&'a str),
    File(&'a str, u64),
}

/// The path inside BOOTFS that a user's path means: `/boot` is where Fuchsia mounts it.
fn relative(path: &str) -> &str {
    let path = path.strip_prefix("/boot").unwrap_or(path);
    path.trim_matches('/')
}

/// The files and directories directly inside a directory (or the file itself), by name; nothing when there is no such
/// directory.
fn list<'a>(entries: &'a [Entry], directory: &str) -> Vec<Item<'a>> {
    let directory = relative(directory);
    let mut items = Vec::new();
    for entry in entries {
        if entry.name == directory {
            items.push(Item::File(&entry.name, entry.len));
            continue;
        }
        let inside = match directory {
            "" => Some(entry.name.as_str()),
            _ => entry
                .name
                .strip_prefix(directory)
                .and_then(|rest| rest.strip_prefix('/')),
        };
        let Some(inside) = inside else { continue };
        let item = match inside.split_once('/') {
            Some((first, _)) => Item::Directory(first),
            None => Item::File(inside, entry.len),
        };
        // Entries are sorted, so the files of a directory follow each other.
        if items.last() != Some(&item) {
            items.push(item);
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> Vec<Entry> {
        let entry = |name: &str, len| Entry {
            name: String::from(name),
            offset: 0,
            len,
        };
        vec![
            entry("bin/hello", 10),
            entry("bin/shell", 20),
            entry("config", 3),
            entry("lib/x/a", 4),
        ]
    }

    #[test]
    fn the_root_shows_directories_once() {
        let entries = entries();
        let root = [
            Item::Directory("bin"),
            Item::File("config", 3),
            Item::Directory("lib"),
        ];
        for path in ["", "/", "/boot", "/boot/"] {
            assert_eq!(list(&entries, path), root, "{path}");
        }
    }

    #[test]
    fn directories_and_single_files_can_be_listed() {
        let entries = entries();
        let bin = [Item::File("hello", 10), Item::File("shell", 20)];
        assert_eq!(list(&entries, "/boot/bin/"), bin);
        assert_eq!(list(&entries, "lib"), [Item::Directory("x")]);
        assert_eq!(list(&entries, "bin/shell"), [Item::File("bin/shell", 20)]);
        assert!(list(&entries, "bi").is_empty());
    }
}
