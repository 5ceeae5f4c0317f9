//! Files of the partition rboot was started from.
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use boot_info::layout::to_usize;
use uefi::proto::media::file::{Directory, File, FileAttribute, FileInfo, FileMode, RegularFile};
use uefi::{boot, CString16, Status};

use crate::failure::Failure;
use crate::pages;

/// Where the configuration is looked for, in this order.
const CONFIG_PATHS: [&str; 2] = ["/EFI/BOOT/rboot.conf", "/rboot.conf"];

/// The EFI system partition.
pub(crate) struct Esp {
    root: Directory,
}

impl Esp {
    /// Opens the partition.
    ///
    /// # Errors
    /// `NoFileSystem`.
    pub(crate) fn open() -> Result<Self, Failure> {
        let mut volume = boot::get_image_file_system(boot::image_handle())
            .map_err(|error| Failure::NoFileSystem(error.status()))?;
        let root = volume
            .open_volume()
            .map_err(|error| Failure::NoFileSystem(error.status()))?;
        Ok(Self { root })
    }

    /// Reads the configuration file.
    ///
    /// # Errors
    /// `ConfigMissing`, or what reading a file can give.
    pub(crate) fn config(&mut self) -> Result<Vec<u8>, Failure> {
        for path in CONFIG_PATHS {
            let mut file = match SizedFile::open(&mut self.root, "config", path) {
                Ok(file) => file,
                Err(Failure::FileNotFound(..)) => continue,
                Err(failure) => return Err(failure),
            };
            let mut bytes = vec![0; to_usize(file.bytes)];
            file.read(&mut bytes)?;
            return Ok(bytes);
        }
        Err(Failure::ConfigMissing)
    }

    /// Loads a file to pages of its own, the rest of the last one zero. `key` is the file's name in the configuration.
    ///
    /// # Errors
    /// `FileNotFound`, `NotAFile`, `BadPath`, `Unreadable`, `ShortRead`, `NoMemory`.
    pub(crate) fn load(&mut self, key: &'static str, path: &str) -> Result<&'static [u8], Failure> {
        let mut file = SizedFile::open(&mut self.root, key, path)?;
        let (bytes, rest) = pages::allocate(file.bytes, key)?.split_at_mut(to_usize(file.bytes));
        rest.fill(0);
        file.read(bytes)?;
        Ok(bytes)
    }
}

/// An open file with what messages need.
struct SizedFile {
    key: &'static str,
    path: String,
    bytes: u64,
    file: RegularFile,
}

impl SizedFile {
    /// Opens a plain file.
    ///
    /// # Errors
    /// `FileNotFound`, `NotAFile`, `BadPath`, `Unreadable`.
    fn open(root: &mut Directory, key: &'static str, path: &str) -> Result<Self, Failure> {
        let path = path.to_string();
        let uefi_path = path.replace('/', "\\");
        let Ok(uefi_path) = CString16::try_from(uefi_path.as_str()) else {
            return Err(Failure::BadPath(key, path));
        };
        let mut handle = match root.open(&uefi_path, FileMode::Read, FileAttribute::empty()) {
            Ok(handle) => handle,
            Err(error) if error.status() == Status::NOT_FOUND => {
                return Err(Failure::FileNotFound(key, path))
            }
            Err(error) => return Err(Failure::Unreadable(key, path, error.status())),
        };
        let info = match handle.get_boxed_info::<FileInfo>() {
            Ok(info) => info,
            Err(error) => return Err(Failure::Unreadable(key, path, error.status())),
        };
        match handle.into_regular_file() {
            Some(file) => Ok(Self {
                key,
                path,
                bytes: info.file_size(),
                file,
            }),
            None => Err(Failure::NotAFile(key, path)),
        }
    }

    /// Fills `buffer`, which is as long as the file.
    ///
    /// # Errors
    /// `Unreadable`, `ShortRead`.
    fn read(&mut self, buffer: &mut [u8]) -> Result<(), Failure> {
        // The crate reads in pieces of 1 MiB, the largest that all firmware can do.
        match self.file.read(buffer) {
            Ok(found) if found == buffer.len() => Ok(()),
            Ok(found) => Err(Failure::ShortRead(
                self.key,
                self.path.clone(),
                buffer.len() as u64,
                found as u64,
            )),
            Err(error) => Err(Failure::Unreadable(
                self.key,
                self.path.clone(),
                error.status(),
            )),
        }
    }
}
