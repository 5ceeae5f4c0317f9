//! Where the repository, the build output and the logs are.

use std::path::{Path, PathBuf};

/// The directories a run works in.
#[derive(Debug)]
pub(crate) struct Place {
    /// The repository.
    pub(crate) root: PathBuf,
    /// `target`, or what the variable TARGET says.
    pub(crate) target: PathBuf,
    /// `release` or `debug`.
    pub(crate) mode: String,
}

impl Place {
    /// From the working directory upwards to the Makefile; TARGET and MODE from the environment, as make gives them.
    pub(crate) fn find() -> Result<Self, String> {
        let here = std::env::current_dir().map_err(|e| e.to_string())?;
        let is_root = |directory: &&Path| {
            directory.join("Makefile").is_file() && directory.join("zCore").is_dir()
        };
        let root = here
            .ancestors()
            .find(is_root)
            .ok_or("no Makefile above the working directory")?
            .to_owned();
        let target = std::env::var_os("TARGET").map_or_else(|| root.join("target"), PathBuf::from);
        let mode = std::env::var("MODE").unwrap_or_else(|_| "release".to_owned());
        let place = Self { root, target, mode };
        std::fs::create_dir_all(place.logs())
            .map_err(|e| format!("{}: {e}", place.logs().display()))?;
        Ok(place)
    }

    /// Where make puts the finished parts.
    pub(crate) fn out(&self) -> PathBuf {
        self.target.join(&self.mode)
    }

    /// Where every step's output is kept.
    pub(crate) fn logs(&self) -> PathBuf {
        self.target.join("test-logs")
    }

    /// The log of one step.
    pub(crate) fn log(&self, step: &str) -> PathBuf {
        self.logs().join(format!(
            "{}.log",
            step.replace(|c: char| !c.is_ascii_alphanumeric(), "-")
        ))
    }
}
