//! The files of the boot image, as programs are passed them: a BOOTFS in a VMO, and the program that is in it.

use alloc::vec;
use alloc::vec::Vec;

use zerocopy::FromBytes;
use zx_abi::bootfs::{Bootfs, BootfsError, BootfsHeader, BOOTFS_MAGIC};
use zx_abi::procargs::{PA_VMO_BOOTFS, PA_VMO_VDSO};
use zx_abi::ZxError;

use crate::process::{self, File, LaunchError, Options};
use crate::{Job, Process, Startup, Vmo};

/// More than any directory takes, in bytes; a size beyond it is damage.
const DIRECTORY_MAX: usize = 16 << 20;

/// Why the files cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootFilesError {
    /// A call failed.
    Call(&'static str, ZxError),
    /// The BOOTFS is damaged.
    Damaged(BootfsError),
}

impl core::fmt::Display for BootFilesError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Call(call, error) => write!(f, "reading BOOTFS: {call}: {error}"),
            Self::Damaged(error) => error.fmt(f),
        }
    }
}

/// A BOOTFS whose directory has been read and is sound.
#[derive(Debug)]
pub struct BootFiles {
    vmo: Vmo,
    directory: Vec<u8>,
    size: usize,
}

impl BootFiles {
    /// Reads the directory.
    ///
    /// # Errors
    /// - `Call`: the VMO cannot be read.
    /// - `Damaged`: the header or an entry of the directory is not as it must be.
    pub fn open(vmo: Vmo) -> Result<Self, BootFilesError> {
        let call = |name| move |error| BootFilesError::Call(name, error);
        let size = vmo.size().map_err(call("vmo_get_size"))?;
        let mut start = [0; size_of::<BootfsHeader>()];
        vmo.read(&mut start, 0).map_err(call("vmo_read"))?;
        let header = BootfsHeader::read_from_bytes(&start).unwrap_or_default();
        if header.magic != BOOTFS_MAGIC {
            return Err(BootFilesError::Damaged(BootfsError::BadMagic));
        }
        let len = start.len() + header.dirsize as usize;
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if len > size || len > DIRECTORY_MAX {
            return Err(BootFilesError::Damaged(BootfsError::TruncatedDirectory));
        }
        let mut directory = vec![0; len];
        vmo.read(&mut directory, 0).map_err(call("vmo_read"))?;
        let bootfs = Bootfs::with_total(&directory, size).map_err(BootFilesError::Damaged)?;
        if let Some(error) = bootfs.files().find_map(Result::err) {
            return Err(BootFilesError::Damaged(error));
        }
        Ok(Self {
            vmo,
            directory,
            size,
        })
    }

    /// Every file with its path, in the order of the directory.
    pub fn iter(&self) -> impl Iterator<Item = (&str, File<'_>)> {
        let bootfs = Bootfs::with_total(&self.directory, self.size);
        let files = bootfs.into_iter().flat_map(|bootfs| bootfs.files());
        files.map_while(Result::ok).map(|file| {
            let (offset, len) = (file.offset as u64, file.len as u64);
            let vmo = &self.vmo;
            (file.name, File { vmo, offset, len })
        })
    }

    /// The file of this path, which has no slash in front.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<File<'_>> {
        self.iter()
            .find(|(name, _)| *name == path)
            .map(|found| found.1)
    }

    /// The whole BOOTFS.
    #[must_use]
    pub const fn vmo(&self) -> &Vmo {
        &self.vmo
    }
}

/// A program of the boot image, and all it takes to start it. Most often it is the program that asks: to do a part of its
/// work in another process it starts itself again.
#[derive(Debug)]
pub struct Program {
    files: BootFiles,
    path: &'static str,
    vdso: Vmo,
}

impl Program {
    /// Takes BOOTFS and the vDSO from what the parent has passed, and looks that `path` is there.
    ///
    /// # Errors
    /// What is missing or damaged, as a sentence.
    pub fn take(startup: &mut Startup, path: &'static str) -> Result<Self, &'static str> {
        let bootfs = startup.take(PA_VMO_BOOTFS, 0);
        let bootfs = bootfs.ok_or("the parent passed no BOOTFS")?;
        let vdso = startup.take(PA_VMO_VDSO, 0);
        let vdso = vdso.ok_or("the parent passed no vDSO")?;
        let files = BootFiles::open(bootfs).map_err(|_| "BOOTFS cannot be read")?;
        files.find(path).ok_or("the program is not in BOOTFS")?;
        Ok(Self { files, path, vdso })
    }

    /// Starts it in `job`, with `name` as the name of its process.
    ///
    /// # Errors
    /// As [`process::spawn`].
    pub fn spawn(
        &self,
        job: &Job,
        name: &str,
        options: Options<'_>,
    ) -> Result<Process, LaunchError> {
        let file = self.files.find(self.path);
        let file = file.ok_or(LaunchError::Call("finding the file", ZxError::NotFound))?;
        process::spawn(job, name, &file, &self.vdso, options)
    }

    /// The vDSO that it will have.
    #[must_use]
    pub const fn vdso(&self) -> &Vmo {
        &self.vdso
    }
}
