//! Commands with a time limit, whose output is kept in a file.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How a command ended, and all it printed.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Its exit code; `None` if it was stopped by a signal.
    pub(crate) code: Option<i32>,
    /// Standard output and standard error, in the order written.
    pub(crate) output: String,
}

/// Runs a command to its end, or kills it, with all its children, when the time is over.
pub(crate) fn run(command: &mut Command, log: &Path, limit: Duration) -> Result<Finished, String> {
    let failed = |e: std::io::Error| format!("{}: {e}", log.display());
    let file = File::create(log).map_err(failed)?;
    command
        .stdin(Stdio::null())
        .stdout(file.try_clone().map_err(failed)?)
        .stderr(file)
        .process_group(0);
    let mut child = command
        .spawn()
        .map_err(|e| format!("{:?}: {e}", command.get_program()))?;
    let status = wait(&mut child, limit)?;
    let bytes = std::fs::read(log).map_err(failed)?;
    let output = String::from_utf8_lossy(&bytes).into_owned();
    match status {
        Some(status) => Ok(Finished {
            code: status.code(),
            output,
        }),
        None => Err(format!(
            "still running after {} s; stopped (see {})",
            limit.as_secs(),
            log.display()
        )),
    }
}

/// Waits for a child at most so long; kills its process group after that and returns `None`.
pub(crate) fn wait(child: &mut Child, limit: Duration) -> Result<Option<ExitStatus>, String> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().map_err(|e| e.to_string())? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            kill_group(child);
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Ends a child that leads a process group, and everything it started.
pub(crate) fn kill_group(child: &mut Child) {
    let group = format!("-{}", child.id());
    // The kill program, so that no unsafe call is needed; a group that is gone already is no fault.
    let killed = Command::new("kill")
        .args(["-TERM", "--", &group])
        .stderr(Stdio::null())
        .status();
    if killed.is_err() {
        eprintln!("harness: cannot run kill");
    }
    std::thread::sleep(Duration::from_millis(300));
    if let Ok(None) = child.try_wait() {
        let _ = Command::new("kill")
            .args(["-KILL", "--", &group])
            .stderr(Stdio::null())
            .status();
    }
    if let Err(e) = child.wait() {
        eprintln!("harness: {e}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> std::path::PathBuf {
        std::env::temp_dir().join(format!(
            "harness-test-{}-{:?}.log",
            std::process::id(),
            std::thread::current().id()
        ))
    }

    #[test]
    fn output_and_code_of_a_command_come_back() {
        let finished = run(
            Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"]),
            &log(),
            Duration::from_secs(10),
        );
        let finished = finished.unwrap();
        assert_eq!(
            (finished.code, finished.output.as_str()),
            (Some(3), "out\nerr\n")
        );
    }

    #[test]
    fn a_command_that_takes_too_long_is_stopped_with_its_children() {
        let started = Instant::now();
        let result = run(
            Command::new("sh").args(["-c", "sleep 60 & sleep 60"]),
            &log(),
            Duration::from_millis(100),
        );
        assert!(result.unwrap_err().starts_with("still running after 0 s"));
        assert!(started.elapsed() < Duration::from_secs(10));
    }
}
