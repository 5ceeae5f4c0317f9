//! `kill`: ends a process or a job.

use libzx::{println, Job, Process};

use super::{wrong_use, Builtin, FAILED};
use crate::task_tree;
use crate::words::Place;
use crate::Shell;

pub(super) const KILL: Builtin = Builtin {
    name: "kill",
    usage: "KOID",
    summary: "ends a process, or a job with all that is in it",
    run,
};

fn run(shell: &mut Shell, args: &[&str], _: Place) -> i64 {
    let [koid] = args else {
        return wrong_use(&KILL);
    };
    let found = koid
        .parse()
        .ok()
        .and_then(|koid| task_tree::find(&shell.job, koid));
    let result = match found {
        Some(("process", handle)) => Process::from(handle).kill(),
        Some(("job", handle)) => Job::from(handle).kill(),
        Some((kind, _)) => {
            println!("kill: {koid} is a {kind}; only processes and jobs can be killed");
            return FAILED;
        }
        None => {
            println!("kill: no task has koid {koid}");
            return FAILED;
        }
    };
    match result {
        Ok(()) => 0,
        Err(error) => {
            println!("kill: {koid}: {error}");
            FAILED
        }
    }
}
