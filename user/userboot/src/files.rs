//! Files in the unpacked BOOTFS.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use libzx::process::File;
use libzx::{AsHandle, Rights, Vmo};
use zerocopy::FromBytes;
use zx_abi::bootfs::{Bootfs, BootfsHeader, BOOTFS_MAGIC};
use zx_abi::{ZxError, ZxResult};

use crate::log::{Failure, Line, Outcome};

/// More than any directory takes; a size beyond it is damage.
const DIRECTORY_MAX: usize = 16 << 20;

/// The files below the prefix given by `userboot.root`.
#[derive(Debug)]
pub(crate) struct Files {
    vmo: Vmo,
    directory: Vec<u8>,
    size: usize,
    prefix: String,
}

impl Files {
    /// Reads the directory.
    pub(crate) fn open(vmo: Vmo, prefix: &str) -> Outcome<Self> {
        let size = vmo
            .size()
            .map_err(|error| Failure::call("vmo_get_size", error))?;
        let mut start = [0; size_of::<BootfsHeader>()];
        vmo.read(&mut start, 0)
            .map_err(|error| Failure::call("vmo_read", error))?;
        let header = BootfsHeader::read_from_bytes(&start).unwrap_or_default();
        if header.magic != BOOTFS_MAGIC {
            return Err(Failure::text("BOOTFS has a wrong magic number"));
        }
        let (len, size) = (
            start.len() + header.dirsize as usize,
            usize::try_from(size).unwrap_or(0),
        );
        if len > size || len > DIRECTORY_MAX {
            return Err(Failure::text("BOOTFS ends inside its directory"));
        }
        let mut directory = vec![0; len];
        vmo.read(&mut directory, 0)
            .map_err(|error| Failure::call("vmo_read", error))?;
        let bootfs = Bootfs::with_total(&directory, size)
            .map_err(|_| Failure::text("BOOTFS has a bad header"))?;
        if bootfs.files().any(|file| file.is_err()) {
            return Err(Failure::text("BOOTFS has a corrupt directory"));
        }
        Ok(Self {
            vmo,
            directory,
            size,
            prefix: String::from(prefix),
        })
    }

    /// The file of this name below the prefix.
    pub(crate) fn find(&self, name: &str) -> Option<File<'_>> {
        let bootfs = Bootfs::with_total(&self.directory, self.size).ok()?;
        let found = bootfs
            .files()
            .map_while(Result::ok)
            .find(|file| self.is_below_prefix(file.name, name))?;
        Some(File {
            vmo: &self.vmo,
            offset: found.offset as u64,
            len: found.len as u64,
        })
    }

    /// The failure to find a file, which names the whole path.
    pub(crate) fn not_found(&self, name: &str) -> Failure {
        let line = Line::new().text("'").text(&self.prefix).text(name);
        Failure {
            line: line.text("' is not in BOOTFS"),
        }
    }

    fn is_below_prefix(&self, path: &str, name: &str) -> bool {
        path.strip_prefix(self.prefix.as_str()) == Some(name)
    }

    /// A VMO with the content of one file, as programs get it: executable, not writable.
    pub(crate) fn vmo_of(&self, file: &File<'_>, name: &str) -> ZxResult<Vmo> {
        let (offset, len) = (file.offset, file.len);
        // Kernels of 2019 know only the plain copy, which this bit means in every level.
        let child = match self
            .vmo
            .create_child(Vmo::CHILD_SNAPSHOT_AT_LEAST_ON_WRITE, offset, len)
        {
            Err(ZxError::InvalidArgs) => self.vmo.create_child(Vmo::CHILD_SNAPSHOT, offset, len)?,
            child => child?,
        };
        let _ = child.set_name(name);
        let rights = Rights::DUPLICATE
            | Rights::TRANSFER
            | Rights::WAIT
            | Rights::INSPECT
            | Rights::READ
            | Rights::MAP
            | Rights::SIGNAL
            | Rights::GET_PROPERTY
            | Rights::SET_PROPERTY;
        child
            .replace(rights)?
            .replace_as_executable(&libzx::Unowned(0))
    }

    /// Another handle to the whole BOOTFS.
    pub(crate) fn duplicate(&self) -> ZxResult<Vmo> {
        self.vmo.duplicate(Rights::SAME_RIGHTS)
    }
}
