//! Programs: finding them, starting them, waiting for them, telling how they ended.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use libzx::process::{spawn, LaunchError, Options};
use libzx::{println, AsHandle, Job, Process, Rights, Signals, ZxResult};
use zx_abi::info::{
    RETCODE_CRITICAL_PROCESS_KILL, RETCODE_EXCEPTION_KILL, RETCODE_OOM_KILL, RETCODE_POLICY_KILL,
    RETCODE_SYSCALL_KILL, RETCODE_VDSO_KILL,
};
use zx_abi::procargs::{pa_hnd, PA_JOB_DEFAULT, PA_RESOURCE, PA_VMO_BOOTFS};

use crate::keyboard::Heard;
use crate::words::Place;
use crate::{Shell, NO_SUCH_COMMAND};

/// A program the shell does not wait for.
#[derive(Debug)]
pub(crate) struct Background {
    name: String,
    koid: u64,
    process: Process,
}

/// A program that was started.
struct Started {
    path: String,
    process: Process,
    /// What it is in, with all that it starts.
    job: Job,
}

impl Shell {
    /// Runs the program that the first word names, and gives its exit code.
    pub(crate) fn run_program(&mut self, words: &[&str], place: Place) -> i64 {
        let Some(&name) = words.first() else {
            println!("usage: run PROGRAM [ARGUMENT...]");
            return NO_SUCH_COMMAND;
        };
        let Started { path, process, job } = match self.start_program(name, words) {
            Ok(started) => started,
            Err(what) => {
                println!("{name}: {what}");
                return NO_SUCH_COMMAND;
            }
        };
        match place {
            Place::Foreground => match self.wait_for(&process, &job) {
                Ok(code) => {
                    print_end(&path, code);
                    code
                }
                Err(error) => {
                    println!("{name}: waiting: {error}");
                    1
                }
            },
            Place::Background => {
                let koid = process.koid().unwrap_or(0);
                println!("[{koid}] {path}");
                self.background.push(Background {
                    name: path,
                    koid,
                    process,
                });
                0
            }
        }
    }

    /// Waits for a program and gives its exit code. ^C kills it, with all that it has started.
    fn wait_for(&mut self, process: &Process, job: &Job) -> ZxResult<i64> {
        if self.keyboard.listen_during(process)? == Heard::Interrupt {
            println!("^C");
            job.kill()?;
            process.wait_one(Signals::PROCESS_TERMINATED, libzx::time::INFINITE)?;
        }
        Ok(process.info()?.return_code)
    }

    /// Starts a program in a job of its own.
    fn start_program(&self, name: &str, words: &[&str]) -> Result<Started, String> {
        let entry = self
            .files
            .find_program(name)
            .ok_or("not found: no command and no program of this name")?;
        let during = |call: &'static str| move |error| format!("{call}: {error}");
        let job = self.job.create_child().map_err(during("job_create"))?;
        // A name is for people; a job without one does its work.
        let _ = job.set_name(name);
        let copy = |object: &dyn AsHandle| {
            object
                .duplicate_handle(Rights::SAME_RIGHTS)
                .map_err(during("handle_duplicate"))
        };
        let handles = [
            (PA_JOB_DEFAULT, copy(&job)?),
            (PA_RESOURCE, copy(&self.resource)?),
            (PA_VMO_BOOTFS, copy(self.files.vmo())?),
        ];
        let env: Vec<&str> = self.env.iter().map(String::as_str).collect();
        let options = Options {
            args: words,
            env: &env,
            handles: handles
                .into_iter()
                .map(|(kind, handle)| (pa_hnd(kind, 0), handle))
                .collect(),
        };
        let file = self.files.file(entry);
        let process = spawn(&job, &entry.name, &file, &self.vdso, options).map_err(|error| {
            match error {
                LaunchError::NeedsInterpreter => String::from(
                    "is dynamically linked; this shell starts static programs only (userboot= starts it)",
                ),
                other => format!("{other}"),
            }
        })?;
        let path = entry.name.clone();
        Ok(Started { path, process, job })
    }
}

/// Says how a program ended, unless it ended well.
fn print_end(name: &str, code: i64) {
    if code != 0 {
        println!("{name}: {}", ending(code));
    }
}

fn ending(code: i64) -> String {
    let reason = match code {
        RETCODE_SYSCALL_KILL => "killed",
        RETCODE_OOM_KILL => "killed for lack of memory",
        RETCODE_POLICY_KILL => "killed by job policy",
        RETCODE_VDSO_KILL => "killed by the vDSO",
        RETCODE_EXCEPTION_KILL => "killed by an exception",
        RETCODE_CRITICAL_PROCESS_KILL => "killed with its critical process",
        _ => return format!("exit code {code}"),
    };
    format!("exit code {code}: {reason}")
}

/// Tells which background programs have ended, and forgets them.
pub(crate) fn report_finished(background: &mut Vec<Background>) {
    background.retain(|program| {
        let signals = program
            .process
            .signals_now(Signals::PROCESS_TERMINATED)
            .unwrap_or_default();
        let ended = signals.contains(Signals::PROCESS_TERMINATED);
        if ended {
            let code = program.process.info().map_or(0, |info| info.return_code);
            println!("[{}] {}: {}", program.koid, program.name, ending(code));
        }
        !ended
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_name_the_kernels_return_codes() {
        assert_eq!(ending(3), "exit code 3");
        assert_eq!(ending(-1028), "exit code -1028: killed by an exception");
    }
}
