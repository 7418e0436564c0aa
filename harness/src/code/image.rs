//! One ELF file: what of it is code, and where to look for what is known about it.

use super::apart::Apart;
use super::data::DataObject;
use super::debug::{self, Debug};
use super::frames::Frames;
use super::plt::{self, Import};
use super::remembered::{Memory, Remembered};
use super::symbols::{Function, Symbols};
use super::{CodeError, Place};
use object::elf;
use object::read::elf::{ElfFile64, FileHeader, ProgramHeader, Rela, SectionHeader};
use object::{LittleEndian, SymbolIndex};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

/// Files larger than this are refused, so that nobody fills the memory.
const LARGEST: u64 = 2 << 30;

/// One ELF file for x86-64: an executable, dynamic or static, or a shared library.
///
/// Opening reads the file. Its symbols and its debug information, in the file or apart from it, are read when
/// they are first asked for.
#[derive(Debug)]
pub struct Image {
    path: PathBuf,
    name: String,
    entry: u64,
    is_static: bool,
    pub(super) data: Arc<[u8]>,
    segments: Vec<Segment>,
    sections: Vec<Section>,
    symbols: OnceLock<Symbols>,
    imports: OnceLock<Vec<Import>>,
    slots: OnceLock<HashMap<u64, String>>,
    pub(super) debug: OnceLock<Option<Debug>>,
    apart: Apart,
    pub(super) remembered: Option<Remembered>,
    /// Places that were looked up: each run asks for the same.
    pub(super) resolved: Mutex<HashMap<Place, Vec<u64>>>,
    frames: OnceLock<Frames>,
}

/// A part of the file that is mapped into memory: a PT_LOAD of the program header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The first byte's address.
    pub address: u64,
    /// How many bytes it has in memory.
    pub memory_size: u64,
    /// Where it begins in the file.
    pub offset: u64,
    /// How many bytes of it come from the file.
    pub file_size: u64,
    /// May be executed.
    pub executable: bool,
    /// May be written.
    pub writable: bool,
}

/// A section that is in the file's memory image.
#[derive(Clone, Debug)]
pub(super) struct Section {
    pub(super) name: String,
    pub(super) address: u64,
    pub(super) size: u64,
    pub(super) executable: bool,
    pub(super) in_file: bool,
}

impl Image {
    /// Reads a file.
    pub fn open(path: &Path) -> Result<Image, CodeError> {
        Image::open_with(path, None)
    }

    /// The same, with what remembers what addresses of a file are called if its debug information is apart from it.
    pub(super) fn open_with(path: &Path, memory: Option<&Arc<dyn Memory>>) -> Result<Image, CodeError> {
        let data = read_file(path).map_err(|reason| CodeError::Read { file: path.to_owned(), reason })?;
        Image::parse(path, data, true, memory)
    }

    /// Takes a file's content that was found elsewhere, such as in a process's memory. Nothing else is read.
    pub fn from_bytes(path: &Path, data: impl Into<Arc<[u8]>>) -> Result<Image, CodeError> {
        Image::parse(path, data.into(), false, None)
    }

    fn parse(
        path: &Path,
        data: Arc<[u8]>,
        look_around: bool,
        memory: Option<&Arc<dyn Memory>>,
    ) -> Result<Image, CodeError> {
        let not_code = |reason: String| CodeError::NotCode { file: path.to_owned(), reason };
        let file = ElfFile64::<LittleEndian>::parse(&*data).map_err(|error| not_code(error.to_string()))?;
        let header = file.elf_header();
        if header.e_machine(LittleEndian) != elf::EM_X86_64 {
            return Err(not_code("it is for another machine".to_owned()));
        }
        if !matches!(header.e_type(LittleEndian), elf::ET_EXEC | elf::ET_DYN) {
            return Err(not_code("it is not linked".to_owned()));
        }
        let segments = segments(&file);
        let sections = sections(&file);
        let apart = if look_around { Apart::of(path, &file) } else { Apart::default() };
        let memory = memory.filter(|_| !debug::is_in(&file)).zip(apart.build_id());
        let remembered = memory.map(|(memory, id)| Remembered::read(Arc::clone(memory), id));
        Ok(Image {
            path: path.to_owned(),
            name: path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
            entry: header.e_entry(LittleEndian),
            is_static: !file
                .elf_program_headers()
                .iter()
                .any(|one| one.p_type(LittleEndian) == elf::PT_INTERP),
            data: Arc::clone(&data),
            segments,
            sections,
            symbols: OnceLock::new(),
            imports: OnceLock::new(),
            slots: OnceLock::new(),
            debug: OnceLock::new(),
            apart,
            remembered,
            resolved: Mutex::default(),
            frames: OnceLock::new(),
        })
    }

    /// The functions and data that the file has names for, or the file with its debug information.
    pub(super) fn symbols(&self) -> &Symbols {
        self.symbols.get_or_init(|| {
            let end = |address| self.end_of_code(address);
            let read = |data: &Arc<[u8]>, dynamic: bool| {
                let file = ElfFile64::<LittleEndian>::parse(&**data).ok()?;
                Some(Symbols::read(&file, dynamic, end))
            };
            let named = |data: &Arc<[u8]>| read(data, false).filter(|read| !read.functions.is_empty());
            let found = named(&self.data).or_else(|| named(self.apart.data()?));
            found.or_else(|| read(&self.data, true)).unwrap_or_default()
        })
    }

    /// The imported function whose address each slot of the global offset table holds.
    pub(super) fn slots(&self) -> &HashMap<u64, String> {
        self.slots.get_or_init(|| {
            let file = ElfFile64::<LittleEndian>::parse(&*self.data).ok();
            file.map(|file| slots(&file, self.symbols())).unwrap_or_default()
        })
    }

    /// The path that was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the program begins.
    pub fn entry(&self) -> u64 {
        self.entry
    }

    /// True if no dynamic loader is asked for: a static program, or a library.
    pub fn is_static(&self) -> bool {
        self.is_static
    }

    /// The parts that are mapped into memory, as the file lists them.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// True if the address is code of this file.
    pub fn is_code(&self, address: u64) -> bool {
        self.end_of_code(address).is_some()
    }

    /// The address that a byte of the file has in memory.
    pub fn address_of_offset(&self, offset: u64) -> Option<u64> {
        let within = |segment: &&Segment| offset.wrapping_sub(segment.offset) < segment.file_size;
        let segment = self.segments.iter().find(within)?;
        segment.address.checked_add(offset - segment.offset)
    }

    /// The place in the file of a byte of memory; `None` if it does not come from the file.
    pub fn offset_of_address(&self, address: u64) -> Option<u64> {
        let within = |segment: &&Segment| address.wrapping_sub(segment.address) < segment.file_size;
        let segment = self.segments.iter().find(within)?;
        segment.offset.checked_add(address - segment.address)
    }

    /// The function whose code has this address.
    pub fn function_at(&self, address: u64) -> Option<Function> {
        self.symbols().function_at(address).map(|found| found.function())
    }

    /// All names of the function that begins at this address, as the linker knows them.
    pub fn names_at(&self, address: u64) -> Vec<&str> {
        let functions = &self.symbols().functions;
        let first = functions.partition_point(|function| function.start < address);
        let same = functions[first..].iter().take_while(|function| function.start == address);
        same.map(|function| function.symbol.as_str()).collect()
    }

    /// All functions that have code of their own, by address; of several names for one code the best.
    pub fn functions(&self) -> Vec<Function> {
        let mut functions: Vec<Function> = Vec::with_capacity(self.symbols().functions.len());
        for symbol in &self.symbols().functions {
            if functions.last().is_none_or(|last| last.start != symbol.start) {
                functions.push(symbol.function());
            }
        }
        functions
    }

    /// The functions of other files that this one calls, each with its stub.
    pub fn imports(&self) -> &[Import] {
        self.imports.get_or_init(|| plt::imports(self))
    }

    /// The import whose stub has this address.
    pub fn import_at(&self, address: u64) -> Option<&Import> {
        let imports = self.imports();
        let after = imports.partition_point(|import| import.stub <= address);
        let import = imports[..after].last()?;
        (address - import.stub < import.size).then_some(import)
    }

    /// Global and static data with a fixed address; thread-local data has none. With debug information also its type, its
    /// line, and the static variables of functions by their own names.
    pub fn data_objects(&self) -> Vec<DataObject> {
        let Some(debug) = self.debug() else { return self.symbols().data.clone() };
        super::data::joined(&self.symbols().data, debug.variables())
    }

    /// The bytes from the file that are at this address; `None` if not all of them are there.
    pub fn bytes(&self, address: u64, size: u64) -> Option<&[u8]> {
        let offset = self.offset_of_address(address)?;
        self.offset_of_address(address.checked_add(size.checked_sub(1)?)?)?;
        let start = usize::try_from(offset).ok()?;
        self.data.get(start..start.checked_add(usize::try_from(size).ok()?)?)
    }

    /// The file's debug information, read when first asked for.
    pub(super) fn debug(&self) -> Option<&Debug> {
        let find = || Debug::read(&self.data).or_else(|| self.apart.data().and_then(Debug::read));
        self.debug.get_or_init(find).as_ref()
    }

    /// How to find the caller of each function, read when first asked for.
    pub(super) fn frames(&self) -> &Frames {
        self.frames.get_or_init(|| Frames::read(self))
    }

    /// The content of `.debug_frame`, here or in the file with the debug information.
    pub(super) fn debug_frame(&self) -> Option<Arc<[u8]>> {
        let files = [Some(&self.data), self.apart.data()];
        files.into_iter().flatten().find_map(super::debug::frame_section)
    }

    /// The sections that are in memory.
    pub(super) fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The end of the executable bytes around this address.
    pub(super) fn end_of_code(&self, address: u64) -> Option<u64> {
        end_of_code(&self.sections, &self.segments, address)
    }
}

fn end_of_code(sections: &[Section], segments: &[Segment], address: u64) -> Option<u64> {
    let within = |start: u64, size: u64| {
        let end = start.checked_add(size)?;
        (start..end).contains(&address).then_some(end)
    };
    let mut code = segments.iter().filter(|segment| segment.executable);
    let of_segment =
        code.find_map(|segment| within(segment.address, segment.file_size.min(segment.memory_size)))?;
    let mut code = sections.iter().filter(|section| section.executable && section.in_file);
    let of_section = code.find_map(|section| within(section.address, section.size));
    Some(of_section.unwrap_or(of_segment).min(of_segment))
}

/// The whole content of a regular file.
pub(super) fn read_file(path: &Path) -> io::Result<Arc<[u8]>> {
    // Opening a FIFO would wait for its other end.
    let mut file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    if metadata.len() > LARGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it has more than 2 GiB"));
    }
    // Read where it is to stay: some libraries have megabytes.
    let mut data: Arc<[u8]> = std::iter::repeat_n(0, metadata.len() as usize).collect();
    if let Some(data) = Arc::get_mut(&mut data) {
        file.read_exact(data)?;
    }
    Ok(data)
}

fn segments(file: &ElfFile64<'_, LittleEndian>) -> Vec<Segment> {
    let loaded = file.elf_program_headers().iter();
    let loaded = loaded.filter(|header| header.p_type(LittleEndian) == elf::PT_LOAD);
    let segment = |header: &elf::ProgramHeader64<LittleEndian>| Segment {
        address: header.p_vaddr(LittleEndian),
        memory_size: header.p_memsz(LittleEndian),
        offset: header.p_offset(LittleEndian),
        file_size: header.p_filesz(LittleEndian),
        executable: header.p_flags(LittleEndian).contains(elf::PF_X),
        writable: header.p_flags(LittleEndian).contains(elf::PF_W),
    };
    loaded.map(segment).collect()
}

fn sections(file: &ElfFile64<'_, LittleEndian>) -> Vec<Section> {
    let table = file.elf_section_table();
    let section = |header: &elf::SectionHeader64<LittleEndian>| {
        let flags = header.sh_flags(LittleEndian);
        let name = table.section_name(LittleEndian, header).ok()?;
        flags.contains(elf::SHF_ALLOC).then(|| Section {
            name: String::from_utf8_lossy(name).into_owned(),
            address: header.sh_addr(LittleEndian),
            size: header.sh_size(LittleEndian),
            executable: flags.contains(elf::SHF_EXECINSTR),
            in_file: header.sh_type(LittleEndian) != elf::SHT_NOBITS,
        })
    };
    table.iter().filter_map(section).collect()
}

/// What each slot of the global offset table is filled with by the loader, from the relocations. In a static executable the
/// slots belong to functions that choose their code at the start (STT_GNU_IFUNC).
fn slots(file: &ElfFile64<'_, LittleEndian>, symbols: &Symbols) -> HashMap<u64, String> {
    let table = file.elf_dynamic_symbol_table();
    let mut slots = HashMap::new();
    for section in file.elf_section_table().iter() {
        let Ok(Some((relocations, _))) = section.rela(LittleEndian, file.data()) else { continue };
        for relocation in relocations {
            let name = match relocation.r_type(LittleEndian, false) {
                elf::R_X86_64_JUMP_SLOT | elf::R_X86_64_GLOB_DAT => {
                    let index = SymbolIndex(relocation.r_sym(LittleEndian, false) as usize);
                    let name = table.symbol(index).and_then(|symbol| table.symbol_name(LittleEndian, symbol));
                    name.ok().map(|name| String::from_utf8_lossy(name).into_owned())
                }
                elf::R_X86_64_IRELATIVE => {
                    let resolver = symbols.function_at(relocation.r_addend(LittleEndian) as u64);
                    resolver.map(|function| function.symbol.clone())
                }
                _ => None,
            };
            if let Some(name) = name.filter(|name| !name.is_empty()) {
                slots.insert(relocation.r_offset(LittleEndian), name);
            }
        }
    }
    slots
}
