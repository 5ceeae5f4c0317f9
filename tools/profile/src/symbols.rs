//! The functions of a kernel by address.

use std::ops::Range;
use std::path::Path;

use xmas_elf::sections::SectionData;
use xmas_elf::symbol_table::{Entry, Type};
use xmas_elf::ElfFile;

/// Functions in order of their addresses.
#[derive(Debug)]
pub(crate) struct Symbols {
    functions: Vec<(u64, String)>,
    code: Range<u64>,
}

impl Symbols {
    /// Reads the symbol table of an ELF file.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let bad = |what: &str| format!("{}: {what}", path.display());
        let bytes = std::fs::read(path).map_err(|e| bad(&e.to_string()))?;
        let elf = ElfFile::new(&bytes).map_err(bad)?;
        let text = elf
            .find_section_by_name(".text")
            .ok_or_else(|| bad("it has no section .text"))?;
        let code = text.address()..text.address() + text.size();
        let table = elf
            .find_section_by_name(".symtab")
            .ok_or_else(|| bad("it has no symbols"))?;
        let SectionData::SymbolTable64(entries) = table.get_data(&elf).map_err(bad)? else {
            return Err(bad("its symbols are not those of a 64-bit file"));
        };
        let mut functions: Vec<(u64, String)> = entries
            .iter()
            .filter(|entry| code.contains(&entry.value()))
            .filter(|entry| matches!(entry.get_type(), Ok(Type::Func | Type::NoType)))
            .filter_map(|entry| {
                let name = entry.get_name(&elf).ok()?;
                Some((
                    entry.value(),
                    format!("{:#}", rustc_demangle::demangle(name)),
                ))
            })
            .collect();
        functions.sort();
        functions.dedup_by_key(|(address, _)| *address);
        Ok(Self { functions, code })
    }

    /// Where the kernel's code lies.
    pub(crate) fn code(&self) -> Range<u64> {
        self.code.clone()
    }

    /// The function that an address belongs to.
    pub(crate) fn find(&self, address: u64) -> Option<&str> {
        let after = self
            .functions
            .partition_point(|(start, _)| *start <= address);
        let (_, name) = self.functions.get(after.checked_sub(1)?)?;
        self.code.contains(&address).then_some(name)
    }
}

#[cfg(test)]
impl Symbols {
    /// Two functions of 16 bytes.
    pub(crate) fn of_two() -> Self {
        Self {
            functions: vec![(0x1000, "first".to_owned()), (0x1010, "second".to_owned())],
            code: 0x1000..0x1020,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_belongs_to_the_function_before_it() {
        let symbols = Symbols::of_two();
        assert_eq!(symbols.find(0x100f), Some("first"));
        assert_eq!(symbols.find(0x1010), Some("second"));
        assert_eq!([symbols.find(0xfff), symbols.find(0x1020)], [None, None]);
    }
}
