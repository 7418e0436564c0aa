//! Reading files that somebody named: whatever lies there, this ends, and takes no more memory than was allowed for.

use super::error::{Doing, FileError};
use nix::libc::O_NONBLOCK;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Opens a regular file; anything else (a FIFO, a device, a folder) is refused, and never waited for.
pub fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(path)?;
    match file.metadata()?.file_type() {
        kind if kind.is_file() => Ok(file),
        kind if kind.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")),
    }
}

/// The bytes of a regular file that has `most` at most.
///
/// # Errors
///
/// It cannot be read, is no regular file, or has more.
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>, FileError> {
    let allowed = |length| {
        let words = || format!("it has more than {most} bytes, and such a file needs no more");
        if length > most { Err(io::Error::new(io::ErrorKind::FileTooLarge, words())) } else { Ok(()) }
    };
    let whole = || {
        let file = open(path)?;
        let length = file.metadata()?.len();
        allowed(length)?;
        let mut bytes = Vec::new();
        // Refused here, where it is an error, if there is no memory for it.
        bytes.try_reserve_exact(usize::try_from(length).unwrap_or(usize::MAX))?;
        // It may have another length than it is said to have.
        file.take(most + 1).read_to_end(&mut bytes)?;
        allowed(bytes.len() as u64)?;
        Ok(bytes)
    };
    whole().map_err(|error| FileError::io(Doing::Read, path, error))
}
