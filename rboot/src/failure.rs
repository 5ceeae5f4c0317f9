//! Everything that ends a boot, each with its one line.
use alloc::string::String;
use core::fmt;

use rboot::config::ConfigError;
use rboot::elf::ElfError;
use rboot::zbi::ZbiError;
use uefi::Status;

/// Why there is no boot.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The partition rboot was started from cannot be read.
    NoFileSystem(Status),
    /// There is no configuration file in either place.
    ConfigMissing,
    /// The configuration file makes no sense.
    Config(ConfigError),
    /// A file that the configuration names does not exist: its key and path.
    FileNotFound(&'static str, String),
    /// A file exists but is not a plain file: its key and path.
    NotAFile(&'static str, String),
    /// A path with characters that UEFI cannot express: its key and path.
    BadPath(&'static str, String),
    /// A file cannot be read.
    Unreadable(&'static str, String, Status),
    /// A file ended early: its key and path, bytes wanted and found.
    ShortRead(&'static str, String, u64, u64),
    /// The kernel file is none that can be started.
    Kernel(String, ElfError),
    /// The boot image is damaged.
    Zbi(String, ZbiError),
    /// No memory: for what, and how many bytes.
    NoMemory(&'static str, u64),
    /// The firmware's memory map cannot be read.
    NoMemoryMap(Status),
    /// The CPU cannot run the kernel.
    Cpu(&'static str),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFileSystem(status) => write!(f, "cannot read the boot partition: {status}"),
            Self::ConfigMissing => write!(
                f,
                "\\EFI\\BOOT\\rboot.conf: file not found (nor \\rboot.conf)"
            ),
            Self::Config(error) => write!(f, "rboot.conf: {error}"),
            Self::FileNotFound(key, path) => write!(f, "{key} {path}: file not found"),
            Self::NotAFile(key, path) => write!(f, "{key} {path}: not a plain file"),
            Self::BadPath(key, path) => write!(
                f,
                "{key} {path}: path with characters that FAT does not have"
            ),
            Self::Unreadable(key, path, status) => {
                write!(f, "{key} {path}: cannot be read: {status}")
            }
            Self::ShortRead(key, path, wanted, found) => {
                write!(
                    f,
                    "{key} {path}: truncated: {found} of {wanted} bytes could be read"
                )
            }
            Self::Kernel(path, error) => write!(f, "kernel {path}: {error}"),
            Self::Zbi(path, error) => write!(f, "zbi {path}: {error}"),
            Self::NoMemory(what, bytes) => {
                write!(
                    f,
                    "not enough memory: no {} KiB for {what}",
                    bytes.div_ceil(1024)
                )
            }
            Self::NoMemoryMap(status) => write!(f, "cannot get the memory map: {status}"),
            Self::Cpu(what) => write!(f, "this CPU {what}"),
        }
    }
}
