//! What the rows have to work with: the handles this program got, memory with known addresses, and itself as a file.

use libzx::process::Options;
use libzx::ZxResult;
use libzx::{
    sys, AsHandle, Handle, Job, Process, Program, Resource, Rights, Startup, VmOptions, Vmar, Vmo,
};
use zx_abi::procargs::{pa_hnd, PA_JOB_DEFAULT, PA_RESOURCE, PA_USER0};

use crate::bench::Stop;
use crate::child;

pub(crate) const PAGE: usize = 4096;
/// Where the boot image has this program.
const OWN_FILE: &str = "bin/microbenchmarks";
/// Readable and writable.
pub(crate) const READ_WRITE: VmOptions = VmOptions::PERM_READ.union(VmOptions::PERM_WRITE);

/// Which kernel this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// 2019-07.
    July2019,
    /// 2020-06.
    Home,
}

impl Level {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::July2019 => "2019-07",
            Self::Home => "2020-06",
        }
    }
}

/// Handles and memory for the rows.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) level: Level,
    job: Option<Job>,
    own_file: Option<Program>,
    root_vmar: Option<Vmar>,
    resource: Option<Resource>,
}

impl World {
    pub(crate) fn new(startup: &mut Startup) -> Self {
        let level = match sys::has("system_get_version_string") {
            true => Level::Home,
            false => Level::July2019,
        };
        let root_vmar = libzx::own_root_vmar().duplicate_handle(Rights::SAME_RIGHTS);
        Self {
            level,
            job: startup.take(PA_JOB_DEFAULT, 0),
            own_file: Program::take(startup, OWN_FILE).ok(),
            root_vmar: root_vmar.ok().map(Vmar::from),
            resource: startup.take(PA_RESOURCE, 0),
        }
    }

    /// Stops a row that only later kernels allow.
    pub(crate) fn since(&self, level: Level) -> Result<(), Stop> {
        let enough = self.level >= level;
        enough.then_some(()).ok_or(Stop::Needs("a later kernel"))
    }

    pub(crate) fn job(&self) -> Result<&Job, Stop> {
        self.job.as_ref().ok_or(Stop::Needs("a job"))
    }

    pub(crate) fn root_vmar(&self) -> Result<&Vmar, Stop> {
        self.root_vmar.as_ref().ok_or(Stop::Needs("the root VMAR"))
    }

    /// What lets ask for the kernel's memory, if this program was given it.
    pub(crate) fn resource(&self) -> Option<&Resource> {
        self.resource.as_ref()
    }

    /// Starts this program again, to do as `mode` says on the other end of `handle`.
    pub(crate) fn start_child(
        &self,
        mode: child::Mode,
        handle: Option<Handle>,
    ) -> Result<Process, Stop> {
        let own_file = self.own_file.as_ref();
        let own_file = own_file.ok_or(Stop::Needs("BOOTFS and the vDSO"))?;
        let options = Options {
            args: &["microbenchmarks", child::FLAG, mode.name()],
            env: &[],
            handles: handle
                .into_iter()
                .map(|handle| (pa_hnd(PA_USER0, 0), handle))
                .collect(),
        };
        let child = own_file.spawn(self.job()?, "microbenchmarks-child", options);
        child.map_err(|_| Stop::Needs("a child process"))
    }
}

/// A VMO of `len` bytes whose pages are all there.
pub(crate) fn committed_vmo(len: usize) -> ZxResult<Vmo> {
    let vmo = Vmo::create(len as u64, 0)?;
    vmo.op_range(COMMIT, 0, len as u64)?;
    Ok(vmo)
}

/// `ZX_VMO_OP_COMMIT`.
pub(crate) const COMMIT: u32 = 1;

/// A handle value as an argument.
#[inline(always)]
pub(crate) fn arg(handle: &impl AsHandle) -> usize {
    handle.raw() as usize
}
