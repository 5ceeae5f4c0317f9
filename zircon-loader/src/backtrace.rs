//! Who called whom in a crashed program, and in which module: read from its memory, of which nothing can be believed.
//!
//! All reads go through a function that says `None` where there is nothing, every chain has an end however it is linked, and
//! what a name contains is printable before it is printed.

/// Frames that are followed at most.
const FRAMES_MAX: usize = 32;
/// Modules of a link map that are looked at, at most.
const MODULES_MAX: usize = 128;
/// Bytes of a module's name that are shown.
pub(crate) const NAME_LEN: usize = 32;

/// Reads a program's memory: the bytes at an address, if all of them are there.
pub(crate) trait Memory {
    /// Fills `into`; whether all of it could be.
    fn read(&self, addr: usize, into: &mut [u8]) -> Option<()>;

    /// A word.
    fn word(&self, addr: usize) -> Option<usize> {
        let mut bytes = [0; 8];
        self.read(addr, &mut bytes)?;
        usize::try_from(u64::from_le_bytes(bytes)).ok()
    }
}

/// The return addresses behind a frame pointer. Frames must lie ever higher, or the chain ends.
pub(crate) fn callers<M: Memory>(memory: &M, frame: usize) -> impl Iterator<Item = usize> + '_ {
    let mut frame = Some(frame);
    core::iter::from_fn(move || {
        let at = frame.filter(|at| *at != 0 && at.is_multiple_of(size_of::<usize>()))?;
        let back = memory.word(at.checked_add(size_of::<usize>())?)?;
        frame = memory.word(at).filter(|next| *next > at);
        Some(back).filter(|back| *back != 0)
    })
    .take(FRAMES_MAX)
}

/// A name that can be printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct ModuleName([u8; NAME_LEN]);

impl ModuleName {
    /// The bytes up to a NUL, with `?` for what cannot be printed.
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let mut name = [0; NAME_LEN];
        let text = bytes.iter().take_while(|byte| **byte != 0);
        for (to, byte) in name.iter_mut().zip(text) {
            *to = if byte.is_ascii_graphic() { *byte } else { b'?' };
        }
        Self(name)
    }

    /// As text.
    pub(crate) fn as_str(&self) -> &str {
        let len = self.0.iter().take_while(|byte| **byte != 0).count();
        core::str::from_utf8(self.0.get(..len).unwrap_or_default()).unwrap_or_default()
    }
}

/// A piece of code with a name, and where its file begins in memory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Module {
    pub(crate) name: ModuleName,
    pub(crate) base: usize,
}

/// The module with the highest base that is not above `pc`, from the link map of a dynamic linker's `r_debug`.
pub(crate) fn module_in_link_map<M: Memory>(
    memory: &M,
    r_debug: usize,
    pc: usize,
) -> Option<Module> {
    // struct r_debug { int version; struct link_map* map; ... }
    // struct link_map { uintptr_t addr; char* name; void* dynamic; struct link_map* next; ... }
    let mut at = memory.word(r_debug.checked_add(8)?)?;
    let mut best: Option<(usize, usize)> = None;
    for _ in 0..MODULES_MAX {
        if at == 0 {
            break;
        }
        let Some(base) = memory.word(at) else { break };
        if base <= pc && best.is_none_or(|(other, _)| other < base) {
            best = Some((base, at));
        }
        let next = at.checked_add(24).and_then(|at| memory.word(at));
        let Some(next) = next else { break };
        at = next;
    }
    let (base, at) = best?;
    let name = memory.word(at.checked_add(8)?)?;
    let mut bytes = [0; NAME_LEN];
    // It may end just before memory does.
    for (offset, byte) in bytes.iter_mut().enumerate() {
        let read = memory.read(name.checked_add(offset)?, core::slice::from_mut(byte));
        if read.is_none() || *byte == 0 {
            *byte = 0;
            break;
        }
    }
    Some(Module {
        name: ModuleName::new(&bytes),
        base,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use alloc::string::String;
    use alloc::vec::Vec;

    /// Memory by words.
    struct Words(BTreeMap<usize, u64>);

    impl Memory for Words {
        fn read(&self, addr: usize, into: &mut [u8]) -> Option<()> {
            for (offset, byte) in into.iter_mut().enumerate() {
                let at = addr.checked_add(offset)?;
                let word = self.0.get(&(at & !7))?;
                *byte = word.to_le_bytes()[at & 7];
            }
            Some(())
        }
    }

    fn words(all: &[(usize, u64)]) -> Words {
        Words(all.iter().copied().collect())
    }

    fn chain(memory: &Words, frame: usize) -> Vec<usize> {
        callers(memory, frame).collect()
    }

    #[test]
    fn the_chain_of_frames_gives_the_callers() {
        let memory = words(&[(0x1000, 0x1040), (0x1008, 0xa), (0x1040, 0), (0x1048, 0xb)]);
        assert_eq!(chain(&memory, 0x1000), [0xa, 0xb]);
    }

    #[test]
    fn chains_that_loop_lead_nowhere_or_are_endless_end() {
        let looping = words(&[(0x1000, 0x1000), (0x1008, 0xa)]);
        assert_eq!(chain(&looping, 0x1000), [0xa]);
        let back = words(&[
            (0x1000, 0x800),
            (0x1008, 0xa),
            (0x800, 0x1000),
            (0x808, 0xb),
        ]);
        assert_eq!(chain(&back, 0x1000), [0xa]);
        assert_eq!(chain(&back, 0x1004), []);
        assert_eq!(chain(&back, 0), []);
        assert_eq!(chain(&back, usize::MAX - 7), []);
        assert_eq!(chain(&words(&[(0x1000, 0x2000)]), 0x1000), []);
        let endless: Vec<_> = (0..1000)
            .flat_map(|n| [(n * 16, (n * 16 + 16) as u64), (n * 16 + 8, 7)])
            .collect();
        assert_eq!(chain(&words(&endless), 16).len(), FRAMES_MAX);
    }

    /// `r_debug` at 0x100, and modules (base, name) from 0x1000.
    fn link_map(modules: &[(u64, u64)]) -> Words {
        let mut all = alloc::vec![(0x100, 1), (0x108, 0x1000)];
        for (n, (base, name)) in modules.iter().enumerate() {
            let at = 0x1000 + n * 0x40;
            let next = if n + 1 < modules.len() { at + 0x40 } else { 0 };
            all.extend([
                (at, *base),
                (at + 8, 0x8000 + n as u64 * 8),
                (at + 24, next as u64),
            ]);
            all.push((0x8000 + n * 8, *name));
        }
        words(&all)
    }

    #[test]
    fn the_module_is_the_highest_at_or_below_the_address() {
        let name = |text: &[u8; 8]| u64::from_le_bytes(*text);
        let memory = link_map(&[
            (0x50_0000, name(b"app\0\0\0\0\0")),
            (0x70_0000, name(b"li\x07.so\0\0")),
            (0x60_0000, name(b"ld\0\0\0\0\0\0")),
        ]);
        let found = |pc| {
            module_in_link_map(&memory, 0x100, pc)
                .map(|module| (String::from(module.name.as_str()), module.base))
        };
        assert_eq!(found(0x50_0010), Some(("app".into(), 0x50_0000)));
        assert_eq!(found(0x7f_0000), Some(("li?.so".into(), 0x70_0000)));
        assert_eq!(found(0x60_0000), Some(("ld".into(), 0x60_0000)));
        assert_eq!(found(0x4f_ffff), None);
    }

    #[test]
    fn a_link_map_that_loops_or_points_nowhere_is_given_up() {
        let mut looping = link_map(&[(0x50_0000, 0)]);
        looping.0.insert(0x1018, 0x1000);
        assert!(module_in_link_map(&looping, 0x100, 0x60_0000).is_some());
        looping.0.insert(0x1018, u64::MAX);
        assert!(module_in_link_map(&looping, 0x100, 0x60_0000).is_some());
        looping.0.insert(0x108, 0x13);
        assert!(module_in_link_map(&looping, 0x100, 0x60_0000).is_none());
        assert!(module_in_link_map(&looping, usize::MAX - 3, 0x60_0000).is_none());
        assert!(module_in_link_map(&looping, 1, 0x60_0000).is_none());
    }
}
