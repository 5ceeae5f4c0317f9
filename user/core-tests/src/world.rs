//! What the cases have to work with: the handles this program got, and ways to start itself again.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use libzx::process::Options;
use libzx::{sys, time, AsHandle, Handle, Job, Process, Program, Resource, Rights, Signals};
use libzx::{Startup, Vmo};
use zx_abi::procargs::{pa_hnd, PA_JOB_DEFAULT, PA_RESOURCE, PA_USER0};

use crate::child::{Mode, FLAG};
use crate::provoked;

/// Where the boot image has this program.
const OWN_FILE: &str = "bin/core-tests";

/// Which kernel this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// 2019-07.
    July2019,
    /// 2020-06.
    Home,
}

/// Handles for the cases.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) level: Level,
    pub(crate) job: Option<Job>,
    pub(crate) resource: Option<Resource>,
    own_file: Result<Program, &'static str>,
    /// Further arguments for children.
    child_args: Vec<&'static str>,
}

impl World {
    pub(crate) fn new(startup: &mut Startup) -> Self {
        let level = match sys::has("system_get_version_string") {
            true => Level::Home,
            false => Level::July2019,
        };
        Self {
            level,
            job: startup.take(PA_JOB_DEFAULT, 0),
            resource: startup.take(PA_RESOURCE, 0),
            child_args: provoked::asked(startup)
                .then_some(provoked::WORD)
                .into_iter()
                .collect(),
            own_file: Program::take(startup, OWN_FILE),
        }
    }

    /// Starts this program again in `job`, to do as `mode` says.
    pub(crate) fn start_child(&self, job: &Job, mode: Mode) -> Result<Process, String> {
        self.start_child_with(job, mode, vec![])
    }

    /// As [`World::start_child`], and the child finds `handles` under PA_USER0.
    pub(crate) fn start_child_with(
        &self,
        job: &Job,
        mode: Mode,
        handles: Vec<Handle>,
    ) -> Result<Process, String> {
        let mut args = vec!["core-tests", FLAG, mode.name()];
        args.extend(&self.child_args);
        let options = Options {
            args: &args,
            env: &[],
            handles: (0..).map(|n| pa_hnd(PA_USER0, n)).zip(handles).collect(),
        };
        let own_file = self
            .own_file
            .as_ref()
            .map_err(|missing| String::from(*missing))?;
        own_file
            .spawn(job, "core-tests-child", options)
            .map_err(|error| format!("starting a child: {error}"))
    }

    /// Starts a child and gives the code it ends with.
    pub(crate) fn child_code(&self, job: &Job, mode: Mode) -> Result<i64, String> {
        let child = self.start_child(job, mode)?;
        let signals = child.wait_one(Signals::PROCESS_TERMINATED, soon());
        if let Err(error) = signals {
            let _ = child.kill();
            return Err(format!("waiting for the child to end: {error}"));
        }
        let info = child
            .info()
            .map_err(|error| format!("asking for its code: {error}"))?;
        Ok(info.return_code)
    }

    pub(crate) fn vdso(&self) -> Option<&Vmo> {
        self.own_file.as_ref().ok().map(Program::vdso)
    }
}

/// The rights of a handle, as the kernel tells them.
pub(crate) fn rights_of(handle: &impl AsHandle) -> libzx::ZxResult<Rights> {
    Ok(basic_info(handle)?.rights)
}

/// Koid, rights, type and related koid of a handle.
pub(crate) fn basic_info(handle: &impl AsHandle) -> libzx::ZxResult<zx_abi::info::HandleBasicInfo> {
    handle.get_info(zx_abi::InfoTopic::HandleBasic)
}

/// A deadline that a working kernel never reaches.
pub(crate) fn soon() -> i64 {
    time::after(10_000_000_000)
}

/// A deadline that passes while one waits.
pub(crate) fn in_ms(milliseconds: i64) -> i64 {
    time::after(milliseconds * 1_000_000)
}

/// Sleeps.
pub(crate) fn sleep_ms(milliseconds: i64) {
    time::sleep_until(in_ms(milliseconds));
}
