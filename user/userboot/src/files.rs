//! Files in the unpacked BOOTFS.

use alloc::string::String;

use libzx::process::File;
use libzx::{AsHandle, BootFiles, BootFilesError, Rights, Vmo};
use zx_abi::bootfs::BootfsError;
use zx_abi::{ZxError, ZxResult};

use crate::log::{Failure, Line, Outcome};

/// The files below the prefix given by `userboot.root`.
#[derive(Debug)]
pub(crate) struct Files {
    files: BootFiles,
    prefix: String,
}

impl Files {
    /// Reads the directory.
    pub(crate) fn open(vmo: Vmo, prefix: &str) -> Outcome<Self> {
        let files = BootFiles::open(vmo).map_err(|error| match error {
            BootFilesError::Call(call, error) => Failure::call(call, error),
            BootFilesError::Damaged(BootfsError::BadMagic) => {
                Failure::text("BOOTFS has a wrong magic number")
            }
            BootFilesError::Damaged(BootfsError::TruncatedDirectory) => {
                Failure::text("BOOTFS ends inside its directory")
            }
            BootFilesError::Damaged(_) => Failure::text("BOOTFS has a corrupt directory"),
        })?;
        let prefix = String::from(prefix);
        Ok(Self { files, prefix })
    }

    /// The file of this name below the prefix.
    pub(crate) fn find(&self, name: &str) -> Option<File<'_>> {
        let mut files = self.files.iter();
        let found = files.find(|(path, _)| self.is_below_prefix(path, name))?;
        Some(found.1)
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
        let vmo = self.files.vmo();
        let child = match vmo.create_child(Vmo::CHILD_SNAPSHOT_AT_LEAST_ON_WRITE, offset, len) {
            Err(ZxError::InvalidArgs) => vmo.create_child(Vmo::CHILD_SNAPSHOT, offset, len)?,
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
        self.files.vmo().duplicate(Rights::SAME_RIGHTS)
    }
}
