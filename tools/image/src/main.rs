//! Makes disk images that UEFI firmware boots: GPT, one FAT32 partition, the given files in it.
//!
//! The whole image is built in memory and written as a sparse file. Equal input gives an equal image: files carry no time,
//! and the identifiers come from the content. Start reading at [`disk::build`].
mod disk;
mod esp;
mod gpt;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, io};

use clap::{Parser, Subcommand};

use crate::disk::EspFile;

/// Makes bootable disk images.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write a GPT disk with one FAT32 EFI system partition that holds the files
    Disk {
        /// The image to write
        #[arg(long)]
        out: PathBuf,
        /// Size of the disk in MiB
        #[arg(long, default_value_t = 64)]
        size_mib: usize,
        /// Files as FILE=PATH-IN-ESP, such as rboot.efi=EFI/BOOT/BOOTX64.EFI
        #[arg(required = true, value_parser = file_argument)]
        files: Vec<(PathBuf, String)>,
    },
}

fn main() -> ExitCode {
    let Command::Disk {
        out,
        size_mib,
        files,
    } = Arguments::parse().command;
    match write_disk(&out, size_mib, &files) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("image-tool: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Reads the files, builds the disk, writes it.
///
/// # Errors
/// One line that names the file and the cause.
fn write_disk(out: &Path, size_mib: usize, files: &[(PathBuf, String)]) -> Result<(), String> {
    let files = files
        .iter()
        .map(|(path, path_in_esp)| read(path, path_in_esp))
        .collect::<Result<Vec<_>, _>>()?;
    let image =
        disk::build(size_mib, &files).map_err(|error| format!("{}: {error}", out.display()))?;
    disk::write_sparse(out, &image).map_err(|error| format!("{}: {error}", out.display()))
}

/// Reads one file.
///
/// # Errors
/// One line that names the file and the cause.
fn read(path: &Path, path_in_esp: &str) -> Result<EspFile, String> {
    let content =
        fs::read(path).map_err(|error: io::Error| format!("{}: {error}", path.display()))?;
    Ok(EspFile {
        path: path_in_esp.to_owned(),
        content,
    })
}

/// Splits `FILE=PATH-IN-ESP`.
///
/// # Errors
/// The argument has no `=`, or nothing on one side of it.
fn file_argument(argument: &str) -> Result<(PathBuf, String), String> {
    match argument.rsplit_once('=') {
        Some((file, path)) if !file.is_empty() && !path.is_empty() => {
            Ok((PathBuf::from(file), path.to_owned()))
        }
        _ => Err("not FILE=PATH-IN-ESP".to_owned()),
    }
}
