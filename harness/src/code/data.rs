//! Global and static data, and the functions that were inlined: what the entries of the debug information say.

use super::debug::{Bytes, Entries};
use super::lines::file_path;
use super::location::SourceLine;
use gimli::{AttributeValue, DebuggingInformationEntry, Dwarf, Operation, Reader, Unit, UnitOffset};
use std::collections::HashMap;

/// Data with a fixed address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataObject {
    /// Its name in the source where that is known, otherwise the linker's.
    pub name: String,
    /// Its name as the linker knows it; a static variable of a function has a number after its name there.
    pub symbol: Option<String>,
    /// Its first byte.
    pub address: u64,
    /// How many bytes it has.
    pub size: u64,
    /// What the debug information says of its type; `None` without any.
    pub facts: Option<TypeFacts>,
}

/// What is known of a variable's type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TypeFacts {
    /// The variable, or each element of the array, is `volatile`.
    pub volatile: bool,
    /// The variable, or each element of the array, is `_Atomic`. C++'s and Rust's atomics are structures: see the type's name.
    pub atomic: bool,
    /// The first name that the type has, such as `sig_atomic_t`; the name of the element of an array.
    pub name: Option<String>,
    /// How many bytes a value has, or an element of the array; zero if that is not known.
    pub size: u64,
    /// Where the variable is declared.
    pub declared: Option<SourceLine>,
}

impl DataObject {
    pub(super) fn of_symbol(symbol: String, address: u64, size: u64) -> DataObject {
        let name = super::demangle::demangle(&symbol);
        DataObject { name, symbol: Some(symbol), address, size, facts: None }
    }
}

/// The symbols' data with what the debug information adds, and what only that knows, by address.
pub(super) fn joined(symbols: &[DataObject], variables: &[DataObject]) -> Vec<DataObject> {
    let mut objects = symbols.to_vec();
    let mut others = Vec::new();
    for variable in variables {
        let first = symbols.partition_point(|object| object.address < variable.address);
        match objects.get_mut(first) {
            Some(object) if object.address == variable.address => {
                object.name.clone_from(&variable.name);
                object.facts.clone_from(&variable.facts);
            }
            _ if variable.size > 0 => others.push(variable.clone()),
            _ => {}
        }
    }
    objects.extend(others);
    objects.sort_by_key(|object| object.address);
    objects
}

/// How many links from one entry to another are followed.
const LINKS: usize = 32;

/// Reads the entries of all units. A unit that is corrupt counts up to where it is.
pub(super) fn read_entries(dwarf: &Dwarf<Bytes>) -> Entries {
    let mut entries = Entries::default();
    let mut units = dwarf.units();
    while let Ok(Some(header)) = units.next() {
        if let Ok(unit) = dwarf.unit(header) {
            let mut reading = OneUnit { dwarf, unit: &unit, names: HashMap::new() };
            // An error ends this unit only.
            let _ = reading.read(&mut entries);
        }
    }
    entries.variables.sort_by(|a, b| (a.address, &a.name).cmp(&(b.address, &b.name)));
    entries.variables.dedup_by_key(|variable| variable.address);
    entries.inlined.sort();
    entries.inlined.dedup();
    entries
}

type Entry = DebuggingInformationEntry<Bytes>;

struct OneUnit<'a> {
    dwarf: &'a Dwarf<Bytes>,
    unit: &'a Unit<Bytes>,
    /// Names of functions that were inlined, by their entry.
    names: HashMap<UnitOffset, Option<String>>,
}

impl OneUnit<'_> {
    fn read(&mut self, entries: &mut Entries) -> Result<(), gimli::Error> {
        let mut cursor = self.unit.entries();
        while let Some(entry) = cursor.next_dfs()? {
            match entry.tag() {
                gimli::DW_TAG_variable => entries.variables.extend(self.variable(entry)),
                gimli::DW_TAG_inlined_subroutine => entries.inlined.extend(self.inlined(entry)),
                _ => {}
            }
        }
        Ok(())
    }

    fn variable(&self, entry: &Entry) -> Option<DataObject> {
        let Some(AttributeValue::Exprloc(location)) = entry.attr_value(gimli::DW_AT_location) else {
            return None;
        };
        let mut operations = location.operations(self.unit.encoding());
        let address = match operations.next().ok()?? {
            Operation::Address { address } => address,
            Operation::AddressIndex { index } => self.dwarf.address(self.unit, index).ok()?,
            _ => return None,
        };
        if address == 0 || !matches!(operations.next(), Ok(None)) {
            return None;
        }
        // A definition may leave what it shares with its declaration to that.
        let declaration = self.linked(entry);
        let both = |name| {
            let of = |entry: &Entry| entry.attr_value(name);
            of(entry).or_else(|| declaration.as_ref().and_then(of))
        };
        let name = self.text(both(gimli::DW_AT_name)?)?;
        let mut facts = TypeFacts { declared: self.declared(&both), ..TypeFacts::default() };
        let mut count = 1u64;
        if let Some(AttributeValue::UnitRef(offset)) = both(gimli::DW_AT_type) {
            count = self.type_facts(offset, &mut facts);
        }
        Some(DataObject {
            name,
            symbol: None,
            address,
            size: facts.size.saturating_mul(count),
            facts: Some(facts),
        })
    }

    fn declared(
        &self,
        attribute: &impl Fn(gimli::DwAt) -> Option<AttributeValue<Bytes>>,
    ) -> Option<SourceLine> {
        let AttributeValue::FileIndex(file) = attribute(gimli::DW_AT_decl_file)? else { return None };
        let line = u32::try_from(attribute(gimli::DW_AT_decl_line)?.udata_value()?).ok()?;
        let header = self.unit.line_program.as_ref()?.header();
        Some(SourceLine { file: file_path(self.dwarf, self.unit, header, file)?.into(), line })
    }

    /// Follows a type to what it is made of; returns how many elements it has.
    fn type_facts(&self, offset: UnitOffset, facts: &mut TypeFacts) -> u64 {
        let (mut offset, mut count) = (offset, 1u64);
        for _ in 0..LINKS {
            let Ok(entry) = self.unit.entry(offset) else { return count };
            match entry.tag() {
                gimli::DW_TAG_volatile_type => facts.volatile = true,
                gimli::DW_TAG_atomic_type => facts.atomic = true,
                gimli::DW_TAG_const_type | gimli::DW_TAG_restrict_type => {}
                gimli::DW_TAG_array_type => count = count.saturating_mul(self.elements(offset).unwrap_or(0)),
                tag => {
                    if facts.name.is_none() {
                        facts.name = entry.attr_value(gimli::DW_AT_name).and_then(|name| self.text(name));
                    }
                    if tag != gimli::DW_TAG_typedef {
                        let size = entry.attr_value(gimli::DW_AT_byte_size);
                        facts.size = size.and_then(|size| size.udata_value()).unwrap_or(0);
                        if facts.size == 0 && tag == gimli::DW_TAG_pointer_type {
                            facts.size = 8;
                        }
                        return count;
                    }
                }
            }
            let Some(AttributeValue::UnitRef(next)) = entry.attr_value(gimli::DW_AT_type) else {
                return count;
            };
            offset = next;
        }
        count
    }

    /// How many elements an array has, over all its dimensions.
    fn elements(&self, array: UnitOffset) -> Option<u64> {
        let mut cursor = self.unit.entries_at_offset(array).ok()?;
        let depth = cursor.next_dfs().ok()??.depth();
        let mut count = 1u64;
        while let Some(entry) = cursor.next_dfs().ok()? {
            if entry.depth() <= depth {
                break;
            }
            if entry.tag() == gimli::DW_TAG_subrange_type {
                let value = |name| entry.attr_value(name).and_then(|value| value.udata_value());
                let last = value(gimli::DW_AT_upper_bound).map(|last| last.saturating_add(1));
                count = count.saturating_mul(value(gimli::DW_AT_count).or(last)?);
            }
        }
        Some(count)
    }

    /// An inlined copy of a function: the function's name and where the copy begins.
    fn inlined(&mut self, entry: &Entry) -> Option<(String, u64)> {
        let AttributeValue::UnitRef(origin) = entry.attr_value(gimli::DW_AT_abstract_origin)? else {
            return None;
        };
        let name = match self.names.get(&origin) {
            Some(name) => name.clone(),
            None => {
                let name = self.function_name(origin);
                self.names.insert(origin, name.clone());
                name
            }
        };
        Some((name?, self.entry_address(entry)?))
    }

    fn entry_address(&self, entry: &Entry) -> Option<u64> {
        let address = |name| {
            let value = entry.attr_value(name)?;
            self.dwarf.attr_address(self.unit, value).ok().flatten()
        };
        let start = address(gimli::DW_AT_entry_pc).or_else(|| address(gimli::DW_AT_low_pc)).or_else(|| {
            let mut ranges = self.dwarf.die_ranges(self.unit, entry).ok()?;
            ranges.next().ok()?.map(|range| range.begin)
        });
        start.filter(|start| *start != 0)
    }

    /// The name as the linker would know it.
    fn function_name(&self, offset: UnitOffset) -> Option<String> {
        let mut entry = self.unit.entry(offset).ok()?;
        for _ in 0..LINKS {
            let linkage = entry.attr_value(gimli::DW_AT_linkage_name);
            if let Some(name) = linkage.or_else(|| entry.attr_value(gimli::DW_AT_name)) {
                return self.text(name);
            }
            entry = self.linked(&entry)?;
        }
        None
    }

    /// The entry that this one completes.
    fn linked(&self, entry: &Entry) -> Option<Entry> {
        let specification = entry.attr_value(gimli::DW_AT_specification);
        let link = specification.or_else(|| entry.attr_value(gimli::DW_AT_abstract_origin))?;
        let AttributeValue::UnitRef(offset) = link else { return None };
        self.unit.entry(offset).ok()
    }

    fn text(&self, value: AttributeValue<Bytes>) -> Option<String> {
        let bytes = self.dwarf.attr_string(self.unit, value).ok()?;
        bytes.to_string_lossy().ok().map(|text| text.into_owned())
    }
}
