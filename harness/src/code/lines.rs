//! Which code each source line has: the line tables of a file, read from the line to the address.

use super::debug::Bytes;
use gimli::{Dwarf, Reader};
use std::collections::{HashMap, HashSet};

/// Rows beyond this many are not read: more than any program has.
const MOST_ROWS: usize = 50_000_000;

/// Where statements begin, for every file and line.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// Paths as the compiler wrote them, with the folder of the compilation where they are relative.
    files: Vec<String>,
    /// Index of the file, line, address; sorted.
    starts: Vec<(u32, u32, u64)>,
}

impl Lines {
    /// Reads all line tables. One that is corrupt counts up to where it is.
    pub(super) fn read(dwarf: &Dwarf<Bytes>) -> Lines {
        let mut reading = Reading::default();
        let mut units = dwarf.units();
        while let Ok(Some(header)) = units.next() {
            if let Ok(unit) = dwarf.unit(header) {
                // An error ends this unit only.
                let _ = reading.unit(dwarf, &unit);
            }
        }
        let mut lines = Lines { files: reading.files, starts: reading.starts };
        lines.starts.sort_unstable();
        lines.starts.dedup();
        lines
    }

    /// True if there is nothing at all.
    pub(super) fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// The files of this name that have code: those whose path is it, or ends in it after a `/`.
    pub(super) fn files(&self, name: &str) -> Vec<u32> {
        let name = normal(name);
        let fits = |path: &str| {
            let head = path.strip_suffix(name.as_str());
            head.is_some_and(|head| head.is_empty() || head.ends_with('/') || name.starts_with('/'))
        };
        (0u32..).zip(&self.files).filter(|(_, path)| fits(path)).map(|(index, _)| index).collect()
    }

    /// The last parts of the paths of all files with code, sorted.
    pub(super) fn names(&self) -> Vec<&str> {
        let with_code: HashSet<u32> = self.starts.iter().map(|start| start.0).collect();
        let name = |index: &u32| self.files.get(*index as usize).and_then(|path| path.rsplit('/').next());
        let mut names: Vec<&str> = with_code.iter().filter_map(name).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Where the statements of this line begin.
    pub(super) fn starts(&self, file: u32, line: u32) -> impl Iterator<Item = u64> {
        let first = self.starts.partition_point(|start| (start.0, start.1) < (file, line));
        let same = self.starts[first..].iter().take_while(move |start| (start.0, start.1) == (file, line));
        same.map(|start| start.2)
    }

    /// The nearest lines with code before and after this one.
    pub(super) fn nearest(&self, file: u32, line: u32) -> (Option<u32>, Option<u32>) {
        let first = self.starts.partition_point(|start| (start.0, start.1) < (file, line));
        let of_file = |start: &&(u32, u32, u64)| start.0 == file;
        let before = self.starts[..first].last().filter(of_file).map(|start| start.1);
        (before, self.starts.get(first).filter(of_file).map(|start| start.1))
    }
}

/// A path without `.` and with single slashes.
pub(super) fn normal(path: &str) -> String {
    let root = if path.starts_with('/') { "/" } else { "" };
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    format!("{root}{}", parts.join("/"))
}

#[derive(Default)]
struct Reading {
    files: Vec<String>,
    index: HashMap<String, u32>,
    starts: Vec<(u32, u32, u64)>,
    tables: HashSet<usize>,
    rows: usize,
}

impl Reading {
    fn unit(&mut self, dwarf: &Dwarf<Bytes>, unit: &gimli::Unit<Bytes>) -> Result<(), gimli::Error> {
        let Some(program) = unit.line_program.clone() else { return Ok(()) };
        // Units may share one table.
        if !self.tables.insert(program.header().offset().0) {
            return Ok(());
        }
        let mut files: HashMap<u64, u32> = HashMap::new();
        let mut rows = program.rows();
        let mut previous = None;
        while let Some((header, row)) = rows.next_row()? {
            self.rows += 1;
            if self.rows > MOST_ROWS {
                return Ok(());
            }
            if row.end_sequence() {
                previous = None;
                continue;
            }
            let place = row.line().map(|line| (row.file_index(), line.get()));
            // A run of rows of one line is one statement; it begins at its first row that may be a breakpoint.
            let (run, begun) = previous.unwrap_or((None, false));
            let begun = begun && run == place;
            if let Some((file, line)) = place
                && row.is_stmt()
                && !begun
                && let Ok(line) = u32::try_from(line)
            {
                let file = match files.get(&file) {
                    Some(&file) => file,
                    None => {
                        let path = path_of(dwarf, unit, header, row).unwrap_or_default();
                        let known = self.intern(path);
                        files.insert(file, known);
                        known
                    }
                };
                // Code that the linker threw away is left at address zero.
                if row.address() != 0 {
                    self.starts.push((file, line, row.address()));
                }
            }
            previous = Some((place, begun || row.is_stmt()));
        }
        Ok(())
    }

    fn intern(&mut self, path: String) -> u32 {
        if let Some(&index) = self.index.get(&path) {
            return index;
        }
        let index = u32::try_from(self.files.len()).unwrap_or(u32::MAX);
        self.files.push(path.clone());
        self.index.insert(path, index);
        index
    }
}

/// The path of a row's file, with the folder of the compilation before it where it is relative.
fn path_of(
    dwarf: &Dwarf<Bytes>,
    unit: &gimli::Unit<Bytes>,
    header: &gimli::LineProgramHeader<Bytes>,
    row: &gimli::LineRow,
) -> Option<String> {
    file_path(dwarf, unit, header, row.file_index())
}

/// The path of the file with this index in a unit's line table.
pub(super) fn file_path(
    dwarf: &Dwarf<Bytes>,
    unit: &gimli::Unit<Bytes>,
    header: &gimli::LineProgramHeader<Bytes>,
    index: u64,
) -> Option<String> {
    let file = header.file(index)?;
    let text = |bytes: Bytes| bytes.to_string_lossy().map(|text| text.into_owned()).ok();
    let mut path = String::new();
    if let Some(folder) = &unit.comp_dir {
        path = text(folder.clone())?;
    }
    if file.directory_index() != 0
        && let Some(folder) = file.directory(header)
    {
        push(&mut path, &text(dwarf.attr_string(unit, folder).ok()?)?);
    }
    push(&mut path, &text(dwarf.attr_string(unit, file.path_name()).ok()?)?);
    Some(normal(&path))
}

fn push(path: &mut String, part: &str) {
    if part.starts_with('/') {
        path.clear();
    } else if !path.is_empty() {
        path.push('/');
    }
    path.push_str(part);
}
