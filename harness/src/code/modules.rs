//! The files in a process's memory, and what its addresses are in them.

use super::frames::Read;
use super::remembered::{Memory, Remembered};
use super::{CodeError, Frame, Image, Location, Place, Spot};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Files that have been opened, shared by all who ask; a file that has changed is opened anew.
#[derive(Debug, Default)]
pub struct Images {
    known: Mutex<HashMap<PathBuf, (Version, Arc<Image>)>>,
    /// Remembers what addresses are called where that is costly to find out.
    memory: Option<Arc<dyn Memory>>,
}

/// What tells whether a file is still the same: device, inode, size, seconds and nanoseconds of its last change.
pub type Version = (u64, u64, u64, i64, i64);

/// That of the file at this path.
pub fn version(path: &Path) -> io::Result<Version> {
    let found = fs::metadata(path)?;
    Ok((found.dev(), found.ino(), found.size(), found.mtime(), found.mtime_nsec()))
}

impl Images {
    /// Those whose addresses are remembered.
    pub fn remembered_by(memory: Arc<dyn Memory>) -> Images {
        Images { memory: Some(memory), ..Images::default() }
    }

    /// Keeps what is to be remembered.
    pub fn remember(&self) {
        let memories = |(_, image): &(Version, Arc<Image>)| {
            Some(Arc::clone(image)).filter(|image| image.remembered.is_some())
        };
        let images: Vec<Arc<Image>> = self.lock().values().filter_map(memories).collect();
        images.iter().filter_map(|image| image.remembered.as_ref()).for_each(Remembered::keep);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PathBuf, (Version, Arc<Image>)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file at this path, opened now or before.
    pub fn open(&self, path: &Path) -> Result<Arc<Image>, CodeError> {
        let version = version(path).map_err(|reason| CodeError::Read { file: path.to_owned(), reason })?;
        if let Some(image) = self.known(path, version) {
            return Ok(image);
        }
        // Opened outside of the lock: two may open it at once, and one of them is kept.
        let image = Arc::new(Image::open_with(path, self.memory.as_ref())?);
        self.keep(path, version, Arc::clone(&image));
        Ok(image)
    }

    fn known(&self, path: &Path, version: Version) -> Option<Arc<Image>> {
        self.lock().get(path).filter(|known| known.0 == version).map(|known| Arc::clone(&known.1))
    }

    fn keep(&self, path: &Path, version: Version, image: Arc<Image>) {
        self.lock().insert(path.to_owned(), (version, image));
    }
}

/// The files that a process has in its memory as code, from `/proc/PID/maps` (proc_pid_maps(5)).
#[derive(Debug)]
pub struct Modules {
    modules: Vec<Module>,
    /// Start, end, module; by start.
    ranges: Vec<(u64, u64, usize)>,
    images: Arc<Images>,
}

/// One file in a process's memory. Files are opened when they are first asked for.
#[derive(Debug)]
pub struct Module {
    path: PathBuf,
    name: String,
    mappings: Vec<Mapping>,
    images: Arc<Images>,
    image: OnceLock<Result<Arc<Image>, CodeError>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mapping {
    start: u64,
    end: u64,
    offset: u64,
    executable: bool,
}

/// The name of the code that the kernel puts into every process.
const VDSO: &str = "[vdso]";

/// Larger than any vDSO.
const LARGEST_VDSO: u64 = 1 << 16;

impl Modules {
    /// Reads the content of `/proc/PID/maps`. Lines of another form are passed over. The files are opened at these paths
    /// later, so the process must have the same root directory.
    pub fn parse(maps: &str, images: &Arc<Images>) -> Modules {
        let mut modules: Vec<Module> = Vec::new();
        for (mapping, path) in maps.lines().filter_map(line) {
            // The same file again from its start is a copy of its own.
            let continued = modules.last_mut().filter(|module| {
                let last = module.mappings.last();
                module.path == path
                    && last.is_some_and(|last| mapping.offset > 0 && mapping.offset >= last.offset)
            });
            match continued {
                Some(module) => module.mappings.push(mapping),
                None => modules.push(Module::new(path, mapping, images)),
            }
        }
        modules.retain(|module| module.mappings.iter().any(|mapping| mapping.executable));
        let ranges = modules.iter().enumerate();
        let ranges = ranges.flat_map(|(index, module)| {
            module.mappings.iter().map(move |mapping| (mapping.start, mapping.end, index))
        });
        let mut ranges: Vec<_> = ranges.collect();
        ranges.sort_unstable();
        Modules { modules, ranges, images: Arc::clone(images) }
    }

    /// All of them, by address.
    pub fn all(&self) -> &[Module] {
        &self.modules
    }

    /// The program itself: the file with code at the lowest address, as the kernel maps it below everything else.
    pub fn executable(&self) -> Option<&Module> {
        self.modules.first()
    }

    /// The file with this name, or the program itself for `None`.
    pub fn named(&self, name: Option<&str>) -> Option<&Module> {
        match name {
            Some(name) => self.modules.iter().find(|module| module.name == name),
            None => self.executable(),
        }
    }

    /// The file that is at this address of the process.
    pub fn at(&self, address: u64) -> Option<&Module> {
        self.index_at(address).and_then(|index| self.modules.get(index))
    }

    pub(super) fn index_at(&self, address: u64) -> Option<usize> {
        let after = self.ranges.partition_point(|range| range.0 <= address);
        self.ranges[..after].last().filter(|range| address < range.1).map(|range| range.2)
    }

    /// The addresses of a place in the process; at least one. `Ok(None)` if the file that it names is not (yet) in memory.
    pub fn resolve(&self, place: &Place) -> Result<Option<Vec<u64>>, CodeError> {
        // In a file without symbols a place is called by the file's own name.
        let by_file = match place.spot() {
            Spot::Function { name, offset: 1.. } if place.module().is_none() => self.named(Some(name)),
            _ => None,
        };
        let Some(module) = by_file.or_else(|| self.named(place.module())) else { return Ok(None) };
        let image = self.images.open(&module.path)?;
        let addresses = image.resolve(place)?;
        let Some(bias) = module.bias() else { return Ok(None) };
        Ok(Some(addresses.into_iter().map(|address| address.wrapping_add(bias)).collect()))
    }

    /// What a frame of a stack is called.
    pub fn describe(&self, frame: &Frame) -> Location {
        let mut location = self.describe_address(frame.address, frame.back());
        location.offset = location.offset.wrapping_add(frame.back());
        location
    }

    /// What the code `back` bytes before an address is called.
    fn describe_address(&self, address: u64, back: u64) -> Location {
        let address = address.wrapping_sub(back);
        let nothing = |name: &str| Location {
            module: name.to_owned(),
            foreign: true,
            function: None,
            offset: address,
            line: None,
            inlined: Vec::new(),
        };
        let Some(index) = self.index_at(address) else { return nothing("?") };
        let Some(module) = self.modules.get(index) else { return nothing("?") };
        let (Ok(image), Some(bias)) = (module.image(), module.bias()) else { return nothing(&module.name) };
        let mut location = image.describe(address.wrapping_sub(bias));
        location.foreign = index != 0;
        location
    }

    /// What an address of the process is called; for a return address ask for the byte before it.
    pub fn describe_at(&self, address: u64) -> Location {
        self.describe_address(address, 0)
    }
}

/// Takes a line apart; `None` for memory that belongs to no file.
fn line(line: &str) -> Option<(Mapping, PathBuf)> {
    let mut fields = line.splitn(6, ' ');
    let (start, end) = fields.next()?.split_once('-')?;
    let permissions = fields.next()?;
    let offset = fields.next()?;
    let path = fields.nth(2)?.trim_start();
    if !path.starts_with('/') && path != VDSO {
        return None;
    }
    let number = |text| u64::from_str_radix(text, 16).ok();
    let mapping = Mapping {
        start: number(start)?,
        end: number(end)?,
        offset: number(offset)?,
        executable: permissions.contains('x'),
    };
    (mapping.start < mapping.end).then(|| (mapping, unescaped(path)))
}

/// A newline in a path is written as `\012`.
fn unescaped(path: &str) -> PathBuf {
    let path = path.replace("\\012", "\n");
    PathBuf::from(OsStr::from_bytes(path.as_bytes()))
}

impl Module {
    fn new(path: PathBuf, mapping: Mapping, images: &Arc<Images>) -> Module {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let images = Arc::clone(images);
        Module { path, name, mappings: vec![mapping], images, image: OnceLock::new() }
    }

    /// The file's path, as the kernel told it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file, opened when it is first asked for.
    pub fn image(&self) -> Result<&Arc<Image>, &CodeError> {
        self.image.get_or_init(|| self.images.open(&self.path)).as_ref()
    }

    /// The same; what is in no file is taken from the process's memory.
    pub(super) fn image_in_memory(&self, read: &mut Read<'_>) -> Result<&Arc<Image>, &CodeError> {
        if self.path.as_os_str() == VDSO && self.image.get().is_none() {
            let image = self.mappings.first().and_then(|mapping| self.vdso(mapping, read));
            if let Some(image) = image {
                return self.image.get_or_init(|| Ok(image)).as_ref();
            }
        }
        self.image()
    }

    /// The vDSO, which is the same in every process, as the kernel is.
    fn vdso(&self, mapping: &Mapping, read: &mut Read<'_>) -> Option<Arc<Image>> {
        let size = mapping.end - mapping.start;
        let version = (0, 0, size, 0, 0);
        if let Some(image) = self.images.known(&self.path, version) {
            return Some(image);
        }
        if size > LARGEST_VDSO {
            return None;
        }
        let mut bytes = vec![0; usize::try_from(size).ok()?];
        if !read(mapping.start, &mut bytes) {
            return None;
        }
        let image = Arc::new(Image::from_bytes(&self.path, bytes).ok()?);
        self.images.keep(&self.path, version, Arc::clone(&image));
        Some(image)
    }

    /// What is added to the addresses for which the file was linked, modulo 2^64; `None` if the file cannot be read or has
    /// not what is mapped.
    pub fn bias(&self) -> Option<u64> {
        let image = self.image().ok()?;
        let mapping = self.mappings.iter().find(|mapping| mapping.executable)?;
        // The kernel maps whole pages, so a mapping may begin before the segment for which it is there.
        let fits = |segment: &&super::Segment| {
            let (start, end) = (mapping.offset, mapping.offset.saturating_add(mapping.end - mapping.start));
            segment.executable && segment.file_size > 0 && (start..end).contains(&segment.offset)
        };
        let segment = image.segments().iter().find(fits)?;
        Some(mapping.start.wrapping_add(segment.offset - mapping.offset).wrapping_sub(segment.address))
    }

    /// The address for which the file was linked, of an address of the process.
    pub fn link_address(&self, runtime: u64) -> Option<u64> {
        self.bias().map(|bias| runtime.wrapping_sub(bias))
    }

    /// The address in the process, of an address for which the file was linked.
    pub fn runtime_address(&self, link: u64) -> Option<u64> {
        self.bias().map(|bias| link.wrapping_add(bias))
    }
}
