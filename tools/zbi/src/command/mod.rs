//! The verbs of the `zbi` program: one file each, and the command line they share.

mod create;
mod extract;
mod list;
mod verify;

use std::path::Path;

use clap::{Parser, Subcommand};

pub use create::Create;
pub use extract::Extract;
pub use list::List;
pub use verify::Verify;

/// Makes, lists, extracts and verifies Zircon boot images.
#[derive(Parser, Debug)]
#[command(name = "zbi", version)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    Create(Create),
    List(List),
    Extract(Extract),
    Verify(Verify),
}

impl Arguments {
    /// Does what the command line says.
    ///
    /// # Errors
    /// One line that names the file and what is wrong with it.
    pub fn run(self) -> Result<(), String> {
        match self.verb {
            Verb::Create(create) => create.run(),
            Verb::List(list) => list.run(),
            Verb::Extract(extract) => extract.run(),
            Verb::Verify(verify) => verify.run(),
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))
}

fn write(path: &Path, data: &[u8]) -> Result<(), String> {
    let failed = |e: std::io::Error| format!("{}: {e}", path.display());
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(failed)?;
    }
    std::fs::write(path, data).map_err(failed)
}

/// Puts a file's name before a fault in it.
fn in_file<'a, E: std::fmt::Display>(path: &'a Path) -> impl Fn(E) -> String + 'a {
    move |fault| format!("{}: {fault}", path.display())
}

/// A bar on standard error for work on more than a few megabytes; invisible where that is no terminal.
fn progress_bar(bytes: usize, verb: &'static str) -> indicatif::ProgressBar {
    const WORTH_A_BAR: usize = 8 << 20;
    if bytes < WORTH_A_BAR {
        return indicatif::ProgressBar::hidden();
    }
    let bar = indicatif::ProgressBar::new(u64::try_from(bytes).unwrap_or(u64::MAX));
    let style =
        indicatif::ProgressStyle::with_template("{msg:12} {bar:40} {bytes}/{total_bytes} {eta}");
    bar.set_style(style.unwrap_or_else(|_| indicatif::ProgressStyle::default_bar()));
    bar.set_message(verb);
    bar
}
