//! Bootstrap messages: the processargs header and handle tags.

use crate::wire::records;

/// `protocol` of every processargs message.
#[doc(alias = "ZX_PROCARGS_PROTOCOL")]
pub const PROCARGS_PROTOCOL: u32 = 0x4150_585d;
/// `version` of every processargs message.
#[doc(alias = "ZX_PROCARGS_VERSION")]
pub const PROCARGS_VERSION: u32 = 0x1000;

records! {
    /// `zx_proc_args_t`. Offsets count from the start of the message; strings are NUL-terminated, back to back.
    ProcArgs: 36 {
        /// [`PROCARGS_PROTOCOL`].
        protocol: u32,
        /// [`PROCARGS_VERSION`].
        version: u32,
        /// One u32 tag per handle, see [`pa_hnd`].
        handle_info_off: u32,
        /// Argument strings.
        args_off: u32,
        /// How many.
        args_num: u32,
        /// Environment strings.
        environ_off: u32,
        /// How many.
        environ_num: u32,
        /// Namespace paths.
        names_off: u32,
        /// How many.
        names_num: u32,
    }
}

/// The tag of a handle: what it is, and which one of its kind.
#[must_use]
#[doc(alias = "PA_HND")]
pub const fn pa_hnd(kind: u8, arg: u16) -> u32 {
    kind as u32 | (arg as u32) << 16
}

/// The kind in a handle tag.
#[must_use]
pub const fn pa_hnd_type(tag: u32) -> u8 {
    tag.to_le_bytes()[0]
}

/// The number in a handle tag.
#[must_use]
pub const fn pa_hnd_arg(tag: u32) -> u16 {
    let [_, _, low, high] = tag.to_le_bytes();
    u16::from_le_bytes([low, high])
}

/// Writes the tag constants.
macro_rules! tags {
    ($($(#[$meta:meta])* $name:ident = $value:literal;)*) => {
        $($(#[$meta])* pub const $name: u8 = $value;)*
    };
}

tags! {
    /// The process itself.
    PA_PROC_SELF = 0x01;
    /// Its first thread.
    PA_THREAD_SELF = 0x02;
    /// The job it creates processes in.
    PA_JOB_DEFAULT = 0x03;
    /// Its root VMAR.
    PA_VMAR_ROOT = 0x04;
    /// The VMAR the program was loaded into.
    PA_VMAR_LOADED = 0x05;
    /// Loader service.
    PA_LDSVC_LOADER = 0x10;
    /// A vDSO variant.
    PA_VMO_VDSO = 0x11;
    /// Stack.
    PA_VMO_STACK = 0x13;
    /// The program's file.
    PA_VMO_EXECUTABLE = 0x14;
    /// The boot image.
    PA_VMO_BOOTDATA = 0x1a;
    /// The unpacked BOOTFS.
    PA_VMO_BOOTFS = 0x1b;
    /// A file the kernel exports.
    PA_VMO_KERNEL_FILE = 0x1c;
    /// A namespace directory.
    PA_NS_DIR = 0x20;
    /// A file descriptor.
    PA_FD = 0x30;
    /// Lifecycle events (2020).
    PA_LIFECYCLE = 0x3a;
    /// Outgoing directory.
    PA_DIRECTORY_REQUEST = 0x3b;
    /// A resource.
    PA_RESOURCE = 0x3f;
    /// The UTC clock (2020).
    PA_CLOCK_UTC = 0x40;
    /// For programs.
    PA_USER0 = 0xf0;
    /// For programs.
    PA_USER1 = 0xf1;
    /// For programs.
    PA_USER2 = 0xf2;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_come_apart_into_what_they_were_made_of() {
        let tag = pa_hnd(PA_VMO_VDSO, 2);
        assert_eq!(tag, 0x0002_0011);
        assert_eq!((pa_hnd_type(tag), pa_hnd_arg(tag)), (PA_VMO_VDSO, 2));
    }
}
