//! Images of two segments, assembled by tests: ELF and program headers, dynamic symbols, code, and symbols if wanted.

use alloc::string::String;
use alloc::vec::Vec;

/// Offset of the executable segment.
pub(crate) const CODE: usize = 0x1000;
/// Offset of the constants.
pub(crate) const CONSTANTS: usize = 0x180;
/// `ret`
pub(crate) const RET: u8 = 0xc3;

const HEADER_SIZE: usize = 64;
const PROGRAM_HEADER_SIZE: usize = 56;
const SYMBOL_SIZE: usize = 24;
const PROGRAM_HEADERS: usize = HEADER_SIZE;
const DYNAMIC: usize = 0x100;
const TABLES: usize = 0x200;

/// How the number of dynamic symbols can be found out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hash {
    Sysv,
    Gnu,
    None,
}

/// Whether the image keeps its full symbol table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Symbols {
    Stripped,
    Kept,
}

struct Named {
    name: String,
    value: usize,
    size: usize,
}

/// An image in the making.
#[derive(Default)]
pub(crate) struct Sample {
    code: Vec<u8>,
    exports: Vec<Named>,
    locals: Vec<Named>,
}

impl Sample {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Appends code that no export names; returns its address.
    pub(crate) fn code(&mut self, code: &[u8]) -> usize {
        let at = CODE + self.code.len();
        self.code.extend_from_slice(code);
        at
    }

    /// Appends an exported function, under both of its names.
    pub(crate) fn function(&mut self, name: &str, code: &[u8]) -> usize {
        let at = self.code(code);
        self.export(name, at, code.len());
        self.export(&alloc::format!("_{name}"), at, code.len());
        at
    }

    /// Appends an exported function that calls the given ones in turn.
    pub(crate) fn caller(&mut self, name: &str, targets: &[usize]) -> usize {
        let mut code = Vec::new();
        for target in targets {
            let after = CODE + self.code.len() + code.len() + 5;
            code.push(0xe8);
            code.extend_from_slice(&distance(after, *target));
        }
        code.push(RET);
        self.function(name, &code)
    }

    /// Appends an exported function that starts with `opcode` and the distance to `target`.
    pub(crate) fn loader(&mut self, name: &str, opcode: &[u8], target: usize) -> usize {
        let after = CODE + self.code.len() + opcode.len() + 4;
        let code = [opcode, &distance(after, target), &[RET]].concat();
        self.function(name, &code)
    }

    pub(crate) fn export(&mut self, name: &str, value: usize, size: usize) {
        self.exports.push(Named {
            name: name.into(),
            value,
            size,
        });
    }

    /// A symbol of the full table.
    pub(crate) fn local(&mut self, name: &str, value: usize) {
        self.locals.push(Named {
            name: name.into(),
            value,
            size: 0,
        });
    }

    /// The file, stripped, with a SysV hash table.
    pub(crate) fn stripped(&self) -> Vec<u8> {
        self.build(Hash::Sysv, Symbols::Stripped)
    }

    pub(crate) fn build(&self, hash: Hash, symbols: Symbols) -> Vec<u8> {
        let code_size = self.code.len().next_multiple_of(0x1000).max(0x1000);
        let mut file = alloc::vec![0; CODE + code_size];
        file[CODE..CODE + self.code.len()].copy_from_slice(&self.code);
        // The first symbol of a table is always the empty one.
        let (table, strings) = table(&self.exports);
        let count = u32::try_from(table.len() / SYMBOL_SIZE).unwrap();
        let hash_words: &[u32] = match hash {
            Hash::Sysv => &[1, count],
            // One bucket that starts at symbol 1, one word of Bloom filter (two halves), and the chain's end marked by bit 0.
            Hash::Gnu => &[
                [1, 1, 1, 0, 0, 0, 1].as_slice(),
                &alloc::vec![0; count as usize - 2],
                &[1],
            ]
            .concat(),
            Hash::None => &[],
        };
        let strings_at = TABLES + table.len();
        let hash_at = (strings_at + strings.len()).next_multiple_of(8);
        put(&mut file, TABLES, &table);
        put(&mut file, strings_at, &strings);
        for (index, word) in hash_words.iter().enumerate() {
            put(&mut file, hash_at + 4 * index, &word.to_le_bytes());
        }
        let tag = if hash == Hash::Gnu { 0x6fff_fef5 } else { 4 };
        let dynamic = [(6, TABLES), (5, strings_at), (tag, hash_at), (0, 0)];
        let entries = if hash == Hash::None {
            &dynamic[..2]
        } else {
            &dynamic[..]
        };
        for (index, (tag, value)) in entries.iter().enumerate() {
            put(
                &mut file,
                DYNAMIC + 16 * index,
                &longs(&[*tag, *value as u64]),
            );
        }
        headers(
            &mut file,
            hash_at + 4 * hash_words.len(),
            code_size,
            16 * entries.len(),
        );
        if symbols == Symbols::Kept {
            self.sections(&mut file);
        }
        file
    }

    /// Appends full symbols, their strings and three section headers.
    fn sections(&self, file: &mut Vec<u8>) {
        let (table, strings) = table(&self.locals);
        let table_at = file.len();
        file.extend_from_slice(&table);
        let strings_at = file.len();
        file.extend_from_slice(&strings);
        file.resize(file.len().next_multiple_of(8), 0);
        let sections_at = file.len();
        let mut section = |kind: u32, at: usize, size: usize, link: u32| {
            let mut header = alloc::vec![0; 64];
            put(&mut header, 4, &kind.to_le_bytes());
            put(&mut header, 24, &longs(&[at as u64, size as u64]));
            put(&mut header, 40, &link.to_le_bytes());
            file.extend_from_slice(&header);
        };
        section(0, 0, 0, 0);
        section(2, table_at, table.len(), 2);
        section(3, strings_at, strings.len(), 0);
        put(file, 40, &longs(&[sections_at as u64]));
        put(file, 58, &[64, 0, 3, 0]);
    }
}

/// `mov %rcx,%r10; mov $number,%eax; syscall; ret`
pub(crate) fn stub(number: u32) -> Vec<u8> {
    [
        &[0x49, 0x89, 0xca, 0xb8],
        number.to_le_bytes().as_slice(),
        &[0x0f, 0x05, RET],
    ]
    .concat()
}

/// Where a [`stub`] at `at` returns to after its `syscall`.
pub(crate) const fn return_of_stub(at: usize) -> usize {
    at + 10
}

/// Offset in the file of the program header with this index.
pub(crate) const fn program_header(index: usize) -> usize {
    PROGRAM_HEADERS + PROGRAM_HEADER_SIZE * index
}

fn headers(file: &mut [u8], data_size: usize, code_size: usize, dynamic_size: usize) {
    const READ: u32 = 4;
    const EXECUTE: u32 = 1;
    put(file, 0, &[0x7f, b'E', b'L', b'F', 2, 1, 1]);
    put(file, 16, &[3, 0, 62, 0, 1, 0, 0, 0]);
    put(file, 24, &longs(&[CODE as u64, PROGRAM_HEADERS as u64]));
    put(file, 52, &[64, 0, 56, 0, 3, 0]);
    let segments = [
        (1, READ, 0, data_size),
        (1, READ | EXECUTE, CODE, code_size),
        (2, READ, DYNAMIC, dynamic_size),
    ];
    for (index, (kind, flags, at, size)) in segments.into_iter().enumerate() {
        let header = program_header(index);
        put(file, header, &u32::to_le_bytes(kind));
        put(file, header + 4, &u32::to_le_bytes(flags));
        put(
            file,
            header + 8,
            &longs(&[
                at as u64,
                at as u64,
                at as u64,
                size as u64,
                size as u64,
                0x1000,
            ]),
        );
    }
}

fn table(symbols: &[Named]) -> (Vec<u8>, Vec<u8>) {
    const GLOBAL_FUNCTION: u8 = 0x12;
    let (mut table, mut strings) = (alloc::vec![0; SYMBOL_SIZE], alloc::vec![0]);
    for symbol in symbols {
        table.extend_from_slice(&u32::try_from(strings.len()).unwrap().to_le_bytes());
        table.extend_from_slice(&[GLOBAL_FUNCTION, 0, 1, 0]);
        table.extend_from_slice(&longs(&[symbol.value as u64, symbol.size as u64]));
        strings.extend_from_slice(symbol.name.as_bytes());
        strings.push(0);
    }
    (table, strings)
}

fn distance(after: usize, target: usize) -> [u8; 4] {
    i32::try_from(target.cast_signed() - after.cast_signed())
        .unwrap()
        .to_le_bytes()
}

fn longs(values: &[u64]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

fn put(file: &mut [u8], at: usize, bytes: &[u8]) {
    file[at..at + bytes.len()].copy_from_slice(bytes);
}
