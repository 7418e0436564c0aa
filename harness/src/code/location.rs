//! What an address is called.

use super::Image;
use super::demangle::{demangle, in_source};
use super::lines::normal;
use std::fmt;
use std::sync::Arc;

/// A line of a source file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceLine {
    /// The path as the compiler wrote it, after the folder of the compilation where it was relative.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
}

impl SourceLine {
    /// The file's name without its folders.
    pub fn file_name(&self) -> &str {
        self.file.rsplit('/').next().unwrap_or(&self.file)
    }
}

impl fmt::Display for SourceLine {
    /// Writes `list.c:23`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file_name(), self.line)
    }
}

/// A function whose code the compiler put into another function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inlined {
    /// The function's name as a person reads it.
    pub function: String,
    /// The line of the call that it replaces.
    pub called_at: Option<SourceLine>,
}

/// What is known of an address.
///
/// It is written as `insert (list.c:23)`, without line information as `insert+0x1f`, and without symbols as `list+0x1139`
/// with the file's name and the address for which it was linked. Code outside of the executable has its file's name before
/// it: `libc.so.6!malloc+0x10`. Within inlined code the innermost function is named, as the line is its own:
/// `insert (list.c:23) inlined into main (list.c:40)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The name of the file that has the code.
    pub module: String,
    /// The code is in another file than the executable.
    pub foreign: bool,
    /// The function that has the code, as a person reads it, with the ending that the compiler gave to a copy or piece of it; for a stub of an imported function its name with `@plt`.
    pub function: Option<String>,
    /// Bytes after the function's start; without a function the address for which the file was linked.
    pub offset: u64,
    /// The source line of the instruction, within the innermost inlined function.
    pub line: Option<SourceLine>,
    /// The functions inlined at this place, innermost first.
    pub inlined: Vec<Inlined>,
}

impl Location {
    /// The function in whose source the line is: the innermost inlined one, or the function that has the code.
    pub fn source_function(&self) -> Option<&str> {
        let inlined = self.inlined.first().map(|inlined| inlined.function.as_str());
        inlined.or(self.function.as_deref().map(in_source))
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(function) = &self.function else {
            return write!(f, "{}+{:#x}", self.module, self.offset);
        };
        if self.foreign {
            write!(f, "{}!", self.module)?;
        }
        let mut line = self.line.as_ref();
        for inlined in &self.inlined {
            match line {
                Some(line) => write!(f, "{} ({line}) inlined into ", inlined.function)?,
                None => write!(f, "{} inlined into ", inlined.function)?,
            }
            line = inlined.called_at.as_ref();
        }
        match line {
            Some(line) => write!(f, "{} ({line})", in_source(function)),
            None if self.offset > 0 => write!(f, "{function}+{:#x}", self.offset),
            None => f.write_str(function),
        }
    }
}

impl Image {
    /// What this address is called. For a return address ask for the byte before it, which belongs to the call.
    pub fn describe(&self, address: u64) -> Location {
        let mut location = Location {
            module: self.name().to_owned(),
            foreign: false,
            function: None,
            offset: address,
            line: None,
            inlined: Vec::new(),
        };
        if let Some(function) = self.symbols.function_at(address) {
            location.function = Some(demangle(&function.symbol));
            location.offset = address - function.start;
        } else if let Some(import) = self.import_at(address) {
            location.function = Some(format!("{}@plt", demangle(&import.name)));
            location.offset = address - import.stub;
        }
        if self.is_code(address) {
            self.describe_source(address, &mut location);
        }
        location
    }

    /// Adds what the debug information knows.
    fn describe_source(&self, address: u64, location: &mut Location) {
        let Some(debug) = self.debug() else { return };
        let frames = debug.with_context(|context| {
            let mut found = Vec::new();
            let Ok(mut frames) = context.find_frames(address).skip_all_loads() else { return found };
            while let Ok(Some(frame)) = frames.next() {
                let name = frame.function.as_ref().and_then(|name| name.raw_name().ok());
                found.push((name.map(|name| demangle(&name)), frame.location.as_ref().and_then(source_line)));
            }
            found
        });
        let mut lines = frames.iter().map(|(_, line)| line.clone());
        location.line = lines.next().flatten();
        for ((name, _), called_at) in frames.iter().zip(lines) {
            let function = name.clone().unwrap_or_else(|| "?".to_owned());
            location.inlined.push(Inlined { function, called_at });
        }
    }

    /// The source line of each range of addresses between these two: start, end, line; by address.
    pub(super) fn line_ranges(&self, start: u64, end: u64) -> Vec<(u64, u64, SourceLine)> {
        let Some(debug) = self.debug() else { return Vec::new() };
        let mut known: Option<(String, Arc<str>)> = None;
        let mut ranges = debug.with_context(|context| {
            let Ok(found) = context.find_location_range(start, end) else { return Vec::new() };
            let range = |(start, size, place): (u64, u64, addr2line::Location<'_>)| {
                let (file, line) = (place.file?, place.line.filter(|line| *line > 0)?);
                let path = match &known {
                    Some((text, path)) if text == file => Arc::clone(path),
                    _ => {
                        let path: Arc<str> = normal(file).into();
                        known = Some((file.to_owned(), Arc::clone(&path)));
                        path
                    }
                };
                Some((start, start.saturating_add(size), SourceLine { file: path, line }))
            };
            found.filter_map(range).collect()
        });
        ranges.sort();
        ranges
    }
}

fn source_line(place: &addr2line::Location<'_>) -> Option<SourceLine> {
    let line = place.line.filter(|line| *line > 0)?;
    Some(SourceLine { file: normal(place.file?).into(), line })
}
