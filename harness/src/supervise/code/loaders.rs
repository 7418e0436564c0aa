//! Where this machine's dynamic loaders were found, from one command to the next.
//!
//! As long as that is not known, each call of the loader's is notified, and then the cell is made anew with a filter that lets
//! them pass: both cost more than a run. What is kept is a guess that the first run has to bear out (`loader`): the address
//! depends on the limits and the kernel that a program is started with as well.

use crate::code::{Memory, Version, interpreter, version};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Counted up when what is written changes.
const NAME: &str = "loaders-1.ron";
/// More are not kept: the newest come first.
const MOST: usize = 16;

/// A loader's file, and where it had its code.
type Entry = (PathBuf, Version, u64, u64);

/// Where the loader of this program is likely to be.
pub(in crate::supervise) fn recall(memory: &dyn Memory, program: &Path) -> Option<Range<u64>> {
    let (path, version) = loader_of(program)?;
    let known = read(memory).into_iter().find(|(other, of, ..)| *other == path && *of == version)?;
    Some(known.2..known.3)
}

/// Keeps where the loader of this program was.
pub(in crate::supervise) fn keep(memory: &dyn Memory, program: &Path, at: &Range<u64>) {
    let Some((path, version)) = loader_of(program) else { return };
    let mut entries = read(memory);
    entries.retain(|(other, ..)| *other != path);
    entries.insert(0, (path, version, at.start, at.end));
    entries.truncate(MOST);
    if let Ok(text) = ron::to_string(&entries) {
        memory.write(NAME, text.as_bytes());
    }
}

fn read(memory: &dyn Memory) -> Vec<Entry> {
    memory.read(NAME).and_then(|kept| ron::de::from_bytes(&kept).ok()).unwrap_or_default()
}

fn loader_of(program: &Path) -> Option<(PathBuf, Version)> {
    let path = interpreter(program)?;
    let version = version(&path).ok()?;
    Some((path, version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kept::Kept;

    #[test]
    fn a_loader_is_known_by_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Kept::new(vec![folder.path().to_owned()]);
        let program = std::env::current_exe().unwrap();
        assert_eq!(recall(&memory, &program), None);
        keep(&memory, &program, &(0x1000..0x2000));
        keep(&memory, &program, &(0x3000..0x4000));
        assert_eq!(recall(&memory, &program), Some(0x3000..0x4000));
        // It asks for no loader.
        assert_eq!(recall(&memory, Path::new("/etc/passwd")), None);
        let mut entries = read(&memory);
        entries[0].1.2 += 1;
        memory.write(NAME, ron::to_string(&entries).unwrap().as_bytes());
        assert_eq!(recall(&memory, &program), None);
        memory.write(NAME, b"else");
        assert_eq!(recall(&memory, &program), None);
    }
}
