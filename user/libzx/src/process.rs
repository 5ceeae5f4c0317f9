//! Starting programs: a process is built step by step, then started with its bootstrap message.
//!
//! [`spawn`] is the short way for a program without interpreter; userboot uses the steps.

use alloc::vec;
use alloc::vec::Vec;

use zx_abi::procargs::{pa_hnd, PA_PROC_SELF, PA_THREAD_SELF, PA_VMAR_ROOT, PA_VMO_VDSO};
use zx_abi::{Rights, VmOptions, ZxError, ZxResult};

use crate::elf::{self, ElfError, Plan, Segment, PAGE};
use crate::{procargs, AsHandle, Channel, Handle, Job, Process, Thread, Vmar, Vmo};

/// Bytes of stack of a program that asks for none.
pub const DEFAULT_STACK_SIZE: u64 = 256 << 10;

/// Bytes at the start of a file that hold its headers.
const HEAD_SIZE: u64 = 4096;

/// A file: all or part of a VMO. It starts at a page.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    /// Where the bytes are; must be executable for program code to be mapped.
    pub vmo: &'a Vmo,
    /// Where in it the file starts.
    pub offset: u64,
    /// Bytes.
    pub len: u64,
}

impl<'a> File<'a> {
    /// The whole VMO.
    ///
    /// # Errors
    /// Those of `zx_vmo_get_size`.
    pub fn whole(vmo: &'a Vmo) -> ZxResult<Self> {
        Ok(Self {
            vmo,
            offset: 0,
            len: vmo.size()?,
        })
    }

    /// Reads up to `len` bytes at `offset`, fewer at the end of the file.
    ///
    /// # Errors
    /// Those of `zx_vmo_read`.
    pub fn read(&self, offset: u64, len: u64) -> ZxResult<Vec<u8>> {
        let len = len.min(self.len.saturating_sub(offset));
        let mut bytes = vec![0; usize::try_from(len).map_err(|_| ZxError::OutOfRange)?];
        self.vmo.read(&mut bytes, self.offset + offset)?;
        Ok(bytes)
    }
}

/// Why a program could not be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaunchError {
    /// The file is not what can be loaded.
    Elf(ElfError),
    /// The file wants an interpreter.
    NeedsInterpreter,
    /// A call failed.
    Call(&'static str, ZxError),
}

impl From<ElfError> for LaunchError {
    fn from(error: ElfError) -> Self {
        Self::Elf(error)
    }
}

impl core::fmt::Display for LaunchError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Elf(error) => error.fmt(f),
            Self::NeedsInterpreter => f.write_str("needs an interpreter"),
            Self::Call(call, error) => write!(f, "{call}: {error}"),
        }
    }
}

/// Names the call that failed.
trait During<T> {
    fn during(self, call: &'static str) -> Result<T, LaunchError>;
}

impl<T> During<T> for ZxResult<T> {
    fn during(self, call: &'static str) -> Result<T, LaunchError> {
        self.map_err(|error| LaunchError::Call(call, error))
    }
}

/// A process that does not run yet.
#[derive(Debug)]
pub struct Builder {
    /// The process.
    pub process: Process,
    /// Its root VMAR.
    pub root_vmar: Vmar,
    /// Its first thread.
    pub thread: Thread,
}

/// A file loaded into a process.
#[derive(Debug)]
pub struct Loaded {
    /// The region it lies in.
    pub vmar: Vmar,
    /// The region's address, where the file's first page is.
    pub base: usize,
    /// Its entry point.
    pub entry: usize,
}

/// Makes the plan for a file.
///
/// # Errors
/// What is wrong with the file, or reading it.
pub fn plan(file: &File<'_>) -> Result<Plan, LaunchError> {
    let head = file.read(0, HEAD_SIZE).during("vmo_read")?;
    Ok(elf::plan(&head, file.len)?)
}

impl Builder {
    /// A new process in `job` with a first thread, both called `name`.
    ///
    /// # Errors
    /// Those of `zx_process_create` and `zx_thread_create`.
    pub fn new(job: &Job, name: &str) -> Result<Self, LaunchError> {
        let (process, root_vmar) = Process::create(job, name).during("process_create")?;
        let thread = Thread::create(&process, name).during("thread_create")?;
        Ok(Self {
            process,
            root_vmar,
            thread,
        })
    }

    /// Maps a file as its plan says.
    ///
    /// # Errors
    /// Those of the VMAR and VMO calls it takes.
    pub fn load(&self, file: &File<'_>, plan: &Plan) -> Result<Loaded, LaunchError> {
        let mut flags = VmOptions::CAN_MAP_READ
            | VmOptions::CAN_MAP_WRITE
            | VmOptions::CAN_MAP_EXECUTE
            | VmOptions::CAN_MAP_SPECIFIC;
        let mut offset = 0;
        if let Some(address) = plan.fixed_address {
            let (base, _) = self.root_vmar.range().during("object_get_info")?;
            flags |= VmOptions::SPECIFIC;
            offset = to_usize(address)?
                .checked_sub(base)
                .ok_or(ElfError::BadSegments)?;
        }
        let (vmar, base) = self
            .root_vmar
            .allocate(flags, offset, to_usize(plan.span)?)
            .during("vmar_allocate")?;
        for segment in &plan.segments {
            load_segment(&vmar, file, segment)?;
        }
        Ok(Loaded {
            vmar,
            base,
            entry: base.wrapping_add(to_usize(plan.entry)?),
        })
    }

    /// Maps the vDSO and gives its base.
    ///
    /// # Errors
    /// As [`Builder::load`].
    pub fn load_vdso(&self, vdso: &Vmo) -> Result<usize, LaunchError> {
        let file = File::whole(vdso).during("vmo_get_size")?;
        let loaded = self.load(&file, &plan(&file)?)?;
        Ok(loaded.base)
    }

    /// Maps a stack and gives the stack pointer to start with.
    ///
    /// # Errors
    /// Those of `zx_vmo_create` and `zx_vmar_map`.
    pub fn map_stack(&self, size: u64, name: &str) -> Result<usize, LaunchError> {
        let size = size
            .checked_next_multiple_of(PAGE)
            .ok_or(ElfError::BadSegments)?;
        let vmo = Vmo::create(size, 0).during("vmo_create")?;
        // A name is for people; a stack without one does its work.
        let _ = vmo.set_name(name);
        let flags = VmOptions::PERM_READ | VmOptions::PERM_WRITE;
        let base = self
            .root_vmar
            .map(flags, 0, &vmo, 0, to_usize(size)?)
            .during("vmar_map")?;
        // As if a call had just pushed its return address.
        Ok(base + to_usize(size)? - 8)
    }

    /// Starts the process; `bootstrap` becomes its first argument, the vDSO's base the second.
    ///
    /// # Errors
    /// Those of `zx_process_start`.
    pub fn start(
        self,
        entry: usize,
        stack: usize,
        bootstrap: Channel,
        vdso: usize,
    ) -> Result<Process, LaunchError> {
        self.process
            .start(&self.thread, entry, stack, bootstrap.into(), vdso)
            .during("process_start")?;
        Ok(self.process)
    }
}

fn load_segment(vmar: &Vmar, file: &File<'_>, segment: &Segment) -> Result<(), LaunchError> {
    let mut flags = VmOptions::SPECIFIC;
    flags.set(VmOptions::PERM_READ, segment.readable);
    flags.set(VmOptions::PERM_WRITE, segment.writable);
    flags.set(VmOptions::PERM_EXECUTE, segment.executable);
    let file_pages = segment.file_len.next_multiple_of(PAGE).min(segment.len);
    let start = to_usize(segment.start)?;
    if segment.writable {
        // Own pages, filled from the file; what follows the file's bytes stays zero.
        let vmo = Vmo::create(segment.len, 0).during("vmo_create")?;
        let bytes = file
            .read(segment.file_offset, segment.file_len)
            .during("vmo_read")?;
        vmo.write(&bytes, 0).during("vmo_write")?;
        return vmar
            .map(flags, start, &vmo, 0, to_usize(segment.len)?)
            .during("vmar_map")
            .map(drop);
    }
    if file_pages > 0 {
        let from = file.offset + segment.file_offset;
        vmar.map(flags, start, file.vmo, from, to_usize(file_pages)?)
            .during("vmar_map")?;
    }
    if segment.len > file_pages {
        let vmo = Vmo::create(segment.len - file_pages, 0).during("vmo_create")?;
        let rest = to_usize(segment.len - file_pages)?;
        vmar.map(flags, start + to_usize(file_pages)?, &vmo, 0, rest)
            .during("vmar_map")?;
    }
    Ok(())
}

fn to_usize(value: u64) -> Result<usize, LaunchError> {
    usize::try_from(value).map_err(|_| LaunchError::Elf(ElfError::BadSegments))
}

/// What a program is started with.
#[derive(Debug, Default)]
pub struct Options<'a> {
    /// Arguments; the first is the name by custom.
    pub args: &'a [&'a str],
    /// Environment.
    pub env: &'a [&'a str],
    /// Handles to pass on, with their tags; the process's own are added.
    pub handles: Vec<(u32, Handle)>,
}

/// Starts a program without interpreter in `job`. `vdso` is the vDSO it shall have; a duplicate is passed on to it.
///
/// # Errors
/// What is wrong with the file, or the call that failed.
pub fn spawn(
    job: &Job,
    name: &str,
    file: &File<'_>,
    vdso: &Vmo,
    options: Options<'_>,
) -> Result<Process, LaunchError> {
    let plan = plan(file)?;
    if plan.interpreter.is_some() {
        return Err(LaunchError::NeedsInterpreter);
    }
    let builder = Builder::new(job, name)?;
    let loaded = builder.load(file, &plan)?;
    let vdso_base = builder.load_vdso(vdso)?;
    let stack = builder.map_stack(
        plan.stack_size.unwrap_or(DEFAULT_STACK_SIZE),
        "initial-stack",
    )?;

    let mut handles = options.handles;
    let same = Rights::SAME_RIGHTS;
    let copy = |object: &dyn AsHandle| object.duplicate_handle(same).during("handle_duplicate");
    handles.push((pa_hnd(PA_PROC_SELF, 0), copy(&builder.process)?));
    handles.push((pa_hnd(PA_THREAD_SELF, 0), copy(&builder.thread)?));
    handles.push((pa_hnd(PA_VMAR_ROOT, 0), copy(&builder.root_vmar)?));
    let has_vdso = handles
        .iter()
        .any(|(tag, _)| *tag == pa_hnd(PA_VMO_VDSO, 0));
    if !has_vdso {
        handles.push((pa_hnd(PA_VMO_VDSO, 0), copy(vdso)?));
    }
    let (tags, handles): (Vec<u32>, Vec<Handle>) = handles.into_iter().unzip();
    let (to_child, bootstrap) = Channel::create().during("channel_create")?;
    to_child
        .write(&procargs::build(&tags, options.args, options.env), handles)
        .during("channel_write")?;
    builder.start(loaded.entry, stack, bootstrap, vdso_base)
}
