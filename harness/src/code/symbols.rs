//! What the symbol tables say: functions and data, by address.

use super::data::DataObject;
use super::demangle::demangle;
use object::elf::{self, FileHeader64};
use object::read::elf::{ElfFile64, FileHeader, Sym};
use object::{LittleEndian, SymbolIndex};

/// A function that has code of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Function {
    /// Its name as a person reads it.
    pub name: String,
    /// Its name as the linker knows it.
    pub symbol: String,
    /// The address of its first instruction.
    pub start: u64,
    /// How many bytes of code it has.
    pub size: u64,
}

impl Function {
    /// The address after its last instruction.
    pub fn end(&self) -> u64 {
        self.start.saturating_add(self.size)
    }

    /// True if the address is within its code.
    pub fn contains(&self, address: u64) -> bool {
        (self.start..self.end()).contains(&address)
    }
}

/// One name for one piece of code. Several may name the same.
#[derive(Debug)]
pub(super) struct FunctionSymbol {
    pub(super) symbol: String,
    pub(super) start: u64,
    pub(super) size: u64,
    /// How good a name it is among several for one address; less is better.
    rank: u8,
}

impl FunctionSymbol {
    pub(super) fn function(&self) -> Function {
        Function {
            name: demangle(&self.symbol),
            symbol: self.symbol.clone(),
            start: self.start,
            size: self.size,
        }
    }
}

/// The functions and data of one file.
#[derive(Debug, Default)]
pub(super) struct Symbols {
    /// By address; among several names for one the best first.
    pub(super) functions: Vec<FunctionSymbol>,
    /// By address.
    pub(super) data: Vec<DataObject>,
}

/// How many functions that overlap are looked through to find the one with an address.
const OVERLAPS: usize = 64;

impl Symbols {
    /// Reads a symbol table. `end_of_code` gives the end of the executable bytes around an address, and `None` for other
    /// addresses.
    pub(super) fn read(
        file: &ElfFile64<'_, LittleEndian>,
        dynamic: bool,
        end_of_code: impl Fn(u64) -> Option<u64>,
    ) -> Symbols {
        let table = if dynamic { file.elf_dynamic_symbol_table() } else { file.elf_symbol_table() };
        let mut symbols = Symbols::default();
        for index in 1..table.len() {
            let Ok(entry) = table.symbol(SymbolIndex(index)) else { continue };
            symbols.add(table.strings(), entry, &end_of_code);
        }
        let key = |function: &FunctionSymbol| (function.start, function.rank, function.symbol.len());
        symbols.functions.sort_by(|a, b| key(a).cmp(&key(b)).then_with(|| a.symbol.cmp(&b.symbol)));
        symbols.data.sort_by(|a, b| (a.address, &a.name).cmp(&(b.address, &b.name)));
        symbols.data.dedup_by(|a, b| (a.address, a.size) == (b.address, b.size));
        symbols.fill_sizes(end_of_code);
        symbols
    }

    fn add(
        &mut self,
        strings: object::StringTable<'_>,
        entry: &<FileHeader64<LittleEndian> as FileHeader>::Sym,
        end_of_code: impl Fn(u64) -> Option<u64>,
    ) {
        let (start, size) = (entry.st_value(LittleEndian), entry.st_size(LittleEndian));
        if start == 0 || entry.st_shndx(LittleEndian) == elf::SHN_UNDEF {
            return;
        }
        let Ok(name) = entry.name(LittleEndian, strings) else { return };
        if name.is_empty() {
            return;
        }
        // Symbol tables of libraries have `name@VERSION`, and `name@@VERSION` for what new programs are linked to.
        let end = name.iter().position(|byte| *byte == b'@').filter(|end| *end > 0).unwrap_or(name.len());
        let (name, version) = name.split_at(end);
        let symbol = || String::from_utf8_lossy(name).into_owned();
        match entry.st_type() {
            elf::STT_FUNC | elf::STT_GNU_IFUNC => {
                let Some(end) = end_of_code(start) else { return };
                let underscores = name.iter().take(2).take_while(|byte| **byte == b'_').count() as u8;
                let local = u8::from(entry.st_bind() == elf::STB_LOCAL);
                let old = u8::from(!version.is_empty() && !version.starts_with(b"@@"));
                let rank = old * 8 + underscores * 2 + local;
                let size = size.min(end - start);
                self.functions.push(FunctionSymbol { symbol: symbol(), start, size, rank });
            }
            elf::STT_OBJECT | elf::STT_COMMON if size > 0 && start.checked_add(size).is_some() => {
                self.data.push(DataObject::of_symbol(symbol(), start, size));
            }
            _ => {}
        }
    }

    /// Code written in assembler may have no size: it goes up to the next function.
    fn fill_sizes(&mut self, end_of_code: impl Fn(u64) -> Option<u64>) {
        let mut next = None;
        for index in (0..self.functions.len()).rev() {
            let after = self.functions.get(index + 1).map(|function| function.start);
            let function = &mut self.functions[index];
            if after.is_some_and(|after| after > function.start) {
                next = after;
            }
            if function.size == 0 {
                let end = end_of_code(function.start).unwrap_or(function.start);
                function.size = next.unwrap_or(end).min(end) - function.start;
            }
        }
    }

    /// The function whose code has this address, by its best name.
    pub(super) fn function_at(&self, address: u64) -> Option<&FunctionSymbol> {
        let after = self.functions.partition_point(|function| function.start <= address);
        let candidates = self.functions[..after].iter().rev().take(OVERLAPS);
        let found = candidates.into_iter().find(|function| address - function.start < function.size)?;
        let first = self.functions.partition_point(|function| function.start < found.start);
        let same = self.functions[first..after].iter().take_while(|function| function.start == found.start);
        same.into_iter().find(|function| address - function.start < function.size)
    }

    /// The data that has this address.
    pub(super) fn data_at(&self, address: u64) -> Option<&DataObject> {
        let after = self.data.partition_point(|data| data.address <= address);
        let candidates = self.data[..after].iter().rev().take(OVERLAPS);
        candidates.into_iter().find(|data| address - data.address < data.size)
    }
}
