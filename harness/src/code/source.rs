//! The source lines around a place.

use super::SourceLine;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Longer lines are cut off, and files with lines beyond this number are not read on.
const LONGEST_LINE: u64 = 4096;

/// The lines of the source around a place, each with its number: `around` of them before and after it, as far as the file
/// goes. The file is looked for at its path, and then below each of the folders, first by its whole path and then by its
/// name: programs are often built so that no path of the machine gets into them. `None` if it is not found, or has no such
/// line.
pub fn snippet(place: &SourceLine, around: u32, folders: &[PathBuf]) -> Option<Vec<(u32, String)>> {
    let path = Path::new(&*place.file);
    let relative = path.strip_prefix("/").unwrap_or(path);
    let below =
        |folder: &PathBuf| [Some(folder.join(relative)), path.file_name().map(|name| folder.join(name))];
    let as_it_is = path.is_absolute().then(|| path.to_owned());
    let candidates = as_it_is.into_iter().chain(folders.iter().flat_map(below).flatten());
    candidates.into_iter().find_map(|path| lines(&path, place.line, around))
}

fn lines(path: &Path, line: u32, around: u32) -> Option<Vec<(u32, String)>> {
    let first = line.saturating_sub(around).max(1);
    let last = line.saturating_add(around);
    let mut reader = BufReader::new(open(path).ok()?);
    let mut found = Vec::new();
    for number in 1..=last {
        let mut bytes = Vec::new();
        if !read_line(&mut reader, &mut bytes).ok()? {
            break;
        }
        if number >= first {
            let text = String::from_utf8_lossy(&bytes);
            found.push((number, text.trim_end().replace(|c: char| c.is_control() && c != '\t', "\u{fffd}")));
        }
    }
    found.iter().any(|(number, _)| *number == line).then_some(found)
}

/// Opens a regular file.
fn open(path: &Path) -> io::Result<File> {
    // Opening a FIFO would wait for its other end.
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

/// Reads a line, and keeps the start of it; false at the end of the file.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    loop {
        let mut part = Vec::new();
        let size = io::Read::take(&mut *reader, LONGEST_LINE).read_until(b'\n', &mut part)?;
        if line.is_empty() {
            line.append(&mut part);
            if size == 0 || line.ends_with(b"\n") {
                return Ok(size > 0);
            }
        } else if size == 0 || part.ends_with(b"\n") {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn lines_are_found_by_path_and_below_folders() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("src/list.c");
        fs::create_dir(folder.path().join("src")).unwrap();
        fs::write(&path, "one\ntwo\nthree\r\n\tfour").unwrap();
        let place = |file: &str, line| SourceLine { file: file.into(), line };
        let folders = [folder.path().to_owned(), folder.path().join("src")];
        let two = vec![(1, "one".to_owned()), (2, "two".to_owned()), (3, "three".to_owned())];
        let absolute = place(path.to_str().unwrap(), 2);
        assert_eq!(snippet(&absolute, 1, &[]), Some(two.clone()));
        assert_eq!(snippet(&place("src/list.c", 2), 1, &folders[..1]), Some(two.clone()));
        assert_eq!(snippet(&place("/elsewhere/list.c", 2), 1, &folders), Some(two));
        assert_eq!(snippet(&place("list.c", 4), 0, &folders), Some(vec![(4, "\tfour".to_owned())]));
        assert_eq!(snippet(&place("list.c", 5), 3, &folders), None);
        assert_eq!(snippet(&place("list.c", u32::MAX), u32::MAX, &folders), None);
        assert_eq!(snippet(&place("other.c", 1), 0, &folders), None);
    }

    #[test]
    fn long_lines_are_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("long.c"), format!("{}\nnext", "x".repeat(20_000))).unwrap();
        let place = SourceLine { file: "long.c".into(), line: 1 };
        let found = snippet(&place, 1, &[folder.path().to_owned()]).unwrap();
        assert_eq!(found[0].1.len(), 4096);
        assert_eq!(found[1], (2, "next".to_owned()));
    }
}
