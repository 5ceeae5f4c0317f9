//! The message that userboot finds in its channel: which handle stands where, and the command line.
//!
//! Both levels take a raw message: command-line words, each ended by NUL, and a fixed row of handles without type
//! information (`facts/boot.md`, sections 2 and 13). Wrong order would be wrong meaning, so the rows are enums.

use crate::vdso::Level;
use alloc::string::String;
use alloc::vec::Vec;
use zx_abi::limits::CMDLINE_MAX;
use zx_abi::zbi::{ZbiItems, ZbiType};

/// One handle of the message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Slot {
    /// userboot's own process.
    ProcSelf,
    /// Its root VMAR.
    VmarRootSelf,
    /// The root job.
    RootJob,
    /// The root resource.
    RootResource,
    /// The boot image.
    Zbi,
    /// The vDSO.
    VdsoFull,
    /// The vDSO without the calls of test category 1.
    VdsoTest1,
    /// The vDSO without the calls of test category 2.
    VdsoTest2,
    /// The image that decompresses BOOTFS for userboots of 2019.
    Decompressor,
    /// What the last kernel left of its crash.
    Crashlog,
    /// Names of the kernel counters.
    CounterNames,
    /// Values of the kernel counters.
    Counters,
    /// Data of an instrumented kernel; always empty here.
    Instrumentation,
}

/// The handles of a level, in their order.
pub(crate) const fn slots(level: Level) -> &'static [Slot] {
    use Slot::{
        CounterNames, Counters, Crashlog, Decompressor, Instrumentation, ProcSelf, RootJob,
        RootResource, VdsoFull, VdsoTest1, VdsoTest2, VmarRootSelf, Zbi,
    };
    match level {
        Level::Home => &[
            ProcSelf,
            VmarRootSelf,
            RootJob,
            RootResource,
            Zbi,
            VdsoFull,
            VdsoTest1,
            VdsoTest2,
            Crashlog,
            CounterNames,
            Counters,
            Instrumentation,
            Instrumentation,
            Instrumentation,
            Instrumentation,
        ],
        Level::Zircon2019 => &[
            ProcSelf,
            VmarRootSelf,
            RootJob,
            RootResource,
            Zbi,
            VdsoFull,
            VdsoTest1,
            VdsoTest2,
            Decompressor,
            Crashlog,
            CounterNames,
            Counters,
            Instrumentation,
        ],
    }
}

/// The words of the boot image's own CMDLINE items, then those of the loader: of a word that is there twice, the last counts.
pub(crate) fn all_words(zbi: &[u8], loader: &str) -> String {
    let items = ZbiItems::new(zbi).into_iter().flatten();
    let mut words = String::new();
    for item in items.map_while(Result::ok) {
        if item.kind() == Some(ZbiType::Cmdline) {
            let text = String::from_utf8_lossy(item.payload);
            words.push_str(text.trim_end_matches('\0'));
            words.push(' ');
        }
    }
    words.push_str(loader);
    words
}

/// The bytes of the message: the words of the command line, each ended by NUL. As the real kernel does, a word without a
/// value gets a `=`, and what is no printable ASCII becomes a dot.
pub(crate) fn command_line(cmdline: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in cmdline.split_ascii_whitespace() {
        let mut clean: Vec<u8> = word
            .bytes()
            .map(|byte| if byte.is_ascii_graphic() { byte } else { b'.' })
            .collect();
        if !clean.contains(&b'=') {
            clean.push(b'=');
        }
        clean.push(0);
        if bytes.len() + clean.len() > CMDLINE_MAX {
            log::warn!("the command line is cut before '{word}': {CMDLINE_MAX} bytes is all that userboot takes");
            break;
        }
        bytes.extend_from_slice(&clean);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerocopy::IntoBytes;
    use zx_abi::zbi::{ZbiHeader, ZBI_CONTAINER_MAGIC};

    #[test]
    fn each_level_has_its_number_of_handles() {
        assert_eq!(slots(Level::Home).len(), 15);
        assert_eq!(slots(Level::Zircon2019).len(), 13);
    }

    /// `facts/boot.md`, sections 2 and 13: 2019 has the decompressor, before what the last crash left.
    #[test]
    fn the_levels_differ_in_the_decompressor_and_in_the_tail() {
        let (home, older) = (slots(Level::Home), slots(Level::Zircon2019));
        assert_eq!(home[..8], older[..8]);
        assert_eq!(
            (home[8], older[8], older[9]),
            (Slot::Crashlog, Slot::Decompressor, Slot::Crashlog)
        );
        assert!(home[11..].iter().all(|slot| *slot == Slot::Instrumentation));
        assert_eq!(
            older[10..],
            [Slot::CounterNames, Slot::Counters, Slot::Instrumentation]
        );
    }

    #[test]
    fn what_is_no_printable_ascii_becomes_a_dot() {
        assert_eq!(command_line("name=\u{e4}\u{1}"), b"name=...\0");
    }

    #[test]
    fn words_are_ended_by_nul_and_get_a_value() {
        assert_eq!(
            command_line("userboot=bin/shell  userboot.shutdown"),
            b"userboot=bin/shell\0userboot.shutdown=\0"
        );
    }

    #[test]
    fn the_words_of_the_boot_image_come_before_the_loaders() {
        let item = |kind, extra, payload: &[u8]| {
            let len = u32::try_from(payload.len()).unwrap();
            let mut bytes = ZbiHeader::new(kind, len, extra, 0).as_bytes().to_vec();
            bytes.extend(payload);
            bytes.resize(bytes.len().next_multiple_of(8), 0);
            bytes
        };
        let items = [
            item(ZbiType::KernelX64, 0, b"no kernel at all"),
            item(ZbiType::Cmdline, 0, b"userboot=a b.c\0"),
            item(ZbiType::Cmdline, 0, b"d\0"),
        ];
        let image = item(ZbiType::Container, ZBI_CONTAINER_MAGIC, &items.concat());
        assert_eq!(
            all_words(&image, "userboot=x"),
            "userboot=a b.c d userboot=x"
        );
        assert_eq!(all_words(b"no image", "userboot=x"), "userboot=x");
    }

    #[test]
    fn a_word_that_does_not_fit_is_left_out_whole() {
        let long = alloc::format!("a=1 b={}", "x".repeat(CMDLINE_MAX));
        assert_eq!(command_line(&long), b"a=1\0");
    }
}
