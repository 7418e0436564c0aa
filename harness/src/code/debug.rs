//! The debug information (DWARF) of one file, read when it is first asked for.

use super::data::DataObject;
use super::lines::Lines;
use gimli::{EndianArcSlice, EndianReader, LittleEndian};
use object::read::elf::ElfFile64;
use object::{CompressionFormat, Object, ObjectSection};
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};

/// How the bytes of debug information are held.
pub(super) type Bytes = EndianArcSlice<LittleEndian>;

/// A compressed section may become this large.
const LARGEST_SECTION: u64 = 1 << 30;

/// The debug information of one file.
pub(super) struct Debug {
    pub(super) dwarf: Arc<gimli::Dwarf<Bytes>>,
    /// What addr2line has read so far; it reads one unit after the other, as they are needed.
    context: Mutex<addr2line::Context<Bytes>>,
    lines: OnceLock<Lines>,
    entries: OnceLock<Entries>,
}

/// What is taken from the entries of all units.
#[derive(Default)]
pub(super) struct Entries {
    /// Variables with a fixed address.
    pub(super) variables: Vec<DataObject>,
    /// Names of functions that were inlined, as the linker would know them, and where each copy begins; sorted.
    pub(super) inlined: Vec<(String, u64)>,
}

impl fmt::Debug for Debug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Debug").finish_non_exhaustive()
    }
}

impl Debug {
    /// Reads the debug information in this ELF file, if it has any.
    pub(super) fn read(data: &Arc<[u8]>) -> Option<Debug> {
        let file = ElfFile64::<object::LittleEndian>::parse(&**data).ok()?;
        if !is_in(&file) {
            return None;
        }
        let load =
            |id: gimli::SectionId| -> Result<Bytes, gimli::Error> { Ok(section(data, &file, id.name())) };
        let mut dwarf = gimli::Dwarf::load(load).ok()?;
        dwarf.populate_abbreviations_cache(gimli::AbbreviationsCacheStrategy::Duplicates);
        let dwarf = Arc::new(dwarf);
        let context = addr2line::Context::from_arc_dwarf(Arc::clone(&dwarf)).ok()?;
        Some(Debug { dwarf, context: Mutex::new(context), lines: OnceLock::new(), entries: OnceLock::new() })
    }

    /// Lets `ask` use what finds lines and inlined functions by address.
    pub(super) fn with_context<T>(&self, ask: impl FnOnce(&addr2line::Context<Bytes>) -> T) -> T {
        // A panic elsewhere leaves only less read, not something wrong.
        let context = self.context.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        ask(&context)
    }

    /// Which code each source line has.
    pub(super) fn lines(&self) -> &Lines {
        self.lines.get_or_init(|| Lines::read(&self.dwarf))
    }

    /// Variables and inlined functions.
    pub(super) fn entries(&self) -> &Entries {
        self.entries.get_or_init(|| super::data::read_entries(&self.dwarf))
    }

    /// Variables with a fixed address.
    pub(super) fn variables(&self) -> &[DataObject] {
        &self.entries().variables
    }
}

/// True if this file has debug information itself.
pub(super) fn is_in(file: &ElfFile64<'_, object::LittleEndian>) -> bool {
    [".debug_info", ".debug_line"].into_iter().any(|name| file.section_by_name(name).is_some())
}

/// One section's bytes, without copying them where they are not compressed; empty if it is not there or cannot be read.
fn section(data: &Arc<[u8]>, file: &ElfFile64<'_, object::LittleEndian>, name: &str) -> Bytes {
    let empty = || EndianReader::new(Arc::from([]), LittleEndian);
    let Some(section) = file.section_by_name(name) else { return empty() };
    let Ok(range) = section.compressed_file_range() else { return empty() };
    if range.format == CompressionFormat::None {
        let start = usize::try_from(range.offset).unwrap_or(usize::MAX);
        let end = start.saturating_add(usize::try_from(range.uncompressed_size).unwrap_or(usize::MAX));
        if data.get(start..end).is_none() {
            return empty();
        }
        return EndianReader::new(Arc::clone(data), LittleEndian).range(start..end);
    }
    if range.uncompressed_size > LARGEST_SECTION {
        return empty();
    }
    match section.uncompressed_data() {
        Ok(bytes) => EndianReader::new(Arc::from(&*bytes), LittleEndian),
        Err(_) => empty(),
    }
}

/// The content of `.debug_frame`, if it has any.
pub(super) fn frame_section(data: &Arc<[u8]>) -> Option<Arc<[u8]>> {
    let file = ElfFile64::<object::LittleEndian>::parse(&**data).ok()?;
    let bytes = section(data, &file, ".debug_frame");
    (!bytes.bytes().is_empty()).then(|| Arc::from(bytes.bytes()))
}
