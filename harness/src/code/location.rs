//! What an address is called.

use super::Image;
use super::demangle::{demangle, in_source};
use super::lines::normal;
use super::remembered::Said;
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
        let Said { function, line, inlined } = self.said(address);
        let module = self.name().to_owned();
        let (function, offset) = match function {
            Some((function, offset)) => (Some(function), offset),
            None => (None, address),
        };
        Location { module, foreign: false, function, offset, line, inlined }
    }

    fn said(&self, address: u64) -> Said {
        if let Some(said) = self.remembered.as_ref().and_then(|memory| memory.said(address)) {
            return said;
        }
        let called = self.function_called(address);
        let source = if self.is_code(address) { self.source_at(address) } else { None };
        let Some((line, inlined)) = source else { return Said { function: called, ..Said::default() } };
        let said = Said { function: called, line, inlined };
        if let Some(memory) = &self.remembered {
            memory.add(address, &said);
        }
        said
    }

    /// The function that has the code, or whose stub it is, and how far into it the address is.
    fn function_called(&self, address: u64) -> Option<(String, u64)> {
        if let Some(function) = self.symbols().function_at(address) {
            return Some((demangle(&function.symbol), address - function.start));
        }
        let import = self.import_at(address)?;
        Some((format!("{}@plt", demangle(&import.name)), address - import.stub))
    }

    /// What the debug information knows; none if there is none.
    fn source_at(&self, address: u64) -> Option<(Option<SourceLine>, Vec<Inlined>)> {
        let debug = self.debug()?;
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
        let line = lines.next().flatten();
        let inlined = frames.iter().zip(lines).map(|((name, _), called_at)| {
            let function = name.clone().unwrap_or_else(|| "?".to_owned());
            Inlined { function, called_at }
        });
        Some((line, inlined.collect()))
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
