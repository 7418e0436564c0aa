//! Writing whole files, or none: aside in the same directory, to the disk, then renamed.

use super::error::{Doing, FileError};
use crate::judge;
use crate::trace::Trace;
use sha2::{Digest, Sha256};
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use tempfile::Builder;

/// Hidden, so that nobody takes one that a crash left for a finished file.
const ASIDE: &str = ".sigrace-";

/// The name of the link to the newest trace.
pub(super) const LATEST: &str = "latest";

/// Writes `text` to `path`: afterwards the file holds all of it, or what it held before. A symbolic link is followed; what is no
/// regular file, a device or a FIFO, is left alone.
pub(super) fn whole(path: &Path, text: &str) -> Result<(), FileError> {
    let written = replaced(path).and_then(|path| write_aside(&path, text));
    written.map_err(|error| FileError::io(Doing::Write, path, error))
}

/// The file that is replaced where this path is written to: where a link leads, if it is one. An error if that is no regular file.
fn replaced(path: &Path) -> io::Result<PathBuf> {
    match fs::metadata(path) {
        Ok(there) if there.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(there) if !there.is_file() => Err(io::Error::other("it is no regular file")),
        Ok(_) => fs::canonicalize(path),
        Err(_) => Ok(path.to_owned()),
    }
}

fn write_aside(path: &Path, text: &str) -> io::Result<()> {
    let dir = directory(path);
    // Readable by others, as the user's umask has it: a trace is replayed by other users as well.
    let permissions = Permissions::from_mode(0o666);
    let mut aside = Builder::new().prefix(ASIDE).permissions(permissions).tempfile_in(dir)?;
    aside.write_all(text.as_bytes())?;
    aside.as_file().sync_all()?;
    aside.persist(path).map_err(|error| error.error)?;
    File::open(dir)?.sync_all()
}

/// Lets the symbolic link `path` lead to `target`; whoever looks meanwhile sees the old one or the new one.
pub(super) fn link(path: &Path, target: &Path) -> Result<(), FileError> {
    let made = Builder::new().prefix(ASIDE).make_in(directory(path), |aside| symlink(target, aside));
    made.and_then(|aside| aside.into_temp_path().persist(path).map_err(|error| error.error))
        .map_err(|error| FileError::io(Doing::Link, path, error))
}

/// Makes sure, as far as that can be known before, that files can be written into this directory, which is made with the first.
///
/// # Errors
///
/// It cannot be made, or no file can be made there.
pub fn writable_directory(dir: &Path) -> Result<(), FileError> {
    let here =
        |above: &Path| if above.as_os_str().is_empty() { PathBuf::from(".") } else { above.to_owned() };
    let is_there = |above: &PathBuf| !matches!(fs::symlink_metadata(above), Err(error) if error.kind() == io::ErrorKind::NotFound);
    let found = dir.ancestors().map(here).find(is_there).unwrap_or_else(|| dir.to_owned());
    // A file without a name, so that nothing is seen of it; what is no directory has no room for it.
    tempfile::tempfile_in(&found).map_err(|error| FileError::io(Doing::Write, &found, error))?;
    let link = dir.join(LATEST);
    match fs::symlink_metadata(&link) {
        Ok(there) if there.is_dir() => {
            Err(FileError::io(Doing::Link, &link, io::ErrorKind::IsADirectory.into()))
        }
        _ => Ok(()),
    }
}

/// Makes sure, as far as that can be known before, that this file can be written.
///
/// # Errors
///
/// It is something else than a regular file, or no file can be made in its directory.
pub fn writable(path: &Path) -> Result<(), FileError> {
    let made = replaced(path).and_then(|path| tempfile::tempfile_in(directory(&path)));
    made.map(drop).map_err(|error| FileError::io(Doing::Write, path, error))
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// `addjob-exit-1a2b3c4d.ron`: the program's name, the most telling broken expectation, and a short hash of the
/// program, its arguments, its build and the schedule. The same finding gets the same name, another one another.
pub fn trace_file_name(trace: &Trace) -> String {
    let launch = &trace.launch;
    let stem = launch.source.as_deref().and_then(Path::file_stem).or_else(|| launch.file.file_name());
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    let name: String = stem.unwrap_or_default().to_string_lossy().chars().take(40).map(plain).collect();
    let name = name.trim_start_matches(['.', '-']);
    let name = if name.is_empty() { "program" } else { name };
    let breaks = trace.breaks.iter().min().map_or("kept", |broken| judge::word(*broken));

    let mut hash = Sha256::new();
    hash.update(&trace.digest);
    for word in &launch.argv {
        hash.update(word.as_bytes());
        hash.update([0]);
    }
    if let Some(build) = &launch.build {
        hash.update(build.to_string());
        hash.update([0]);
    }
    hash.update(trace.schedule.to_string());
    let hash: String = hash.finalize().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{name}-{breaks}-{hash}.ron")
}

/// The command that does something with a file, such as `sigrace replay t.ron`: quoted for a shell, and on one line.
pub fn command(verb: &str, path: &Path) -> String {
    let path = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%=".contains(c);
    if !path.is_empty() && !path.starts_with('-') && path.chars().all(plain) {
        return format!("sigrace {verb} {path}");
    }
    if path.chars().any(char::is_control) {
        // Only this form of quoting keeps a line break on the line.
        let escaped: String = path
            .bytes()
            .map(|byte| match byte {
                b'\'' | b'\\' => format!("\\{}", char::from(byte)),
                0x20..0x7f => char::from(byte).to_string(),
                _ => format!("\\x{byte:02x}"),
            })
            .collect();
        return format!("sigrace {verb} -- $'{escaped}'");
    }
    format!("sigrace {verb} -- '{}'", path.replace('\'', r"'\''"))
}
