//! The EFI system partition: FAT32 with the given files.
use std::io::{self, Cursor, Write};

use fatfs::{Dir, FatType, FileSystem, FormatVolumeOptions, FsOptions};

use crate::disk::{DiskError, EspFile};

/// Volume label, padded to the eleven characters of FAT.
const LABEL: [u8; 11] = *b"ZCORE      ";

type Volume<'a, 'b> = Dir<'b, Cursor<&'a mut [u8]>>;

/// Formats `partition` and copies the files to it.
///
/// # Errors
/// `Format`, or `File` for the first file that does not get there.
pub(crate) fn write(partition: &mut [u8], files: &[EspFile]) -> Result<(), DiskError> {
    let id = files
        .iter()
        .fold(0, |id, file| id ^ crc32fast::hash(&file.content));
    let options = FormatVolumeOptions::new()
        .fat_type(FatType::Fat32)
        .bytes_per_cluster(512)
        .volume_id(id)
        .volume_label(LABEL);
    let mut cursor = Cursor::new(partition);
    fatfs::format_volume(&mut cursor, options).map_err(DiskError::Format)?;
    let volume = FileSystem::new(cursor, FsOptions::new()).map_err(DiskError::Format)?;
    let root = volume.root_dir();
    for file in files {
        copy(&root, file).map_err(|error| DiskError::File(file.path.clone(), error))?;
    }
    drop(root);
    volume.unmount().map_err(DiskError::Format)
}

/// Writes one file and the directories above it.
///
/// # Errors
/// Those of the file system: no room, bad name.
fn copy(root: &Volume<'_, '_>, file: &EspFile) -> io::Result<()> {
    let path = file.path.replace('\\', "/");
    let path = path.trim_start_matches('/');
    for (at, _) in path.match_indices('/') {
        root.create_dir(&path[..at])?;
    }
    let mut copy = root.create_file(path)?;
    copy.truncate()?;
    copy.write_all(&file.content)?;
    copy.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn files_read_back_in_directories_and_by_any_slash() {
        let files = [
            EspFile {
                path: "EFI/BOOT/BOOTX64.EFI".to_owned(),
                content: vec![1; 70_000],
            },
            EspFile {
                path: "\\EFI\\BOOT\\rboot.conf".to_owned(),
                content: b"kernel=/k".to_vec(),
            },
            EspFile {
                path: "/a-rather-long-file-name.elf".to_owned(),
                content: Vec::new(),
            },
        ];
        let mut partition = vec![0; 38 << 20];
        write(&mut partition, &files).unwrap();
        let volume = FileSystem::new(Cursor::new(partition), FsOptions::new()).unwrap();
        assert_eq!(volume.fat_type(), FatType::Fat32);
        for (path, content) in [
            ("efi/boot/bootx64.efi", &files[0].content),
            ("EFI/BOOT/rboot.conf", &files[1].content),
            ("a-rather-long-file-name.elf", &files[2].content),
        ] {
            let mut back = Vec::new();
            volume
                .root_dir()
                .open_file(path)
                .unwrap()
                .read_to_end(&mut back)
                .unwrap();
            assert_eq!(&back, content, "{path}");
        }
    }
}
