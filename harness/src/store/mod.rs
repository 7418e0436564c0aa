//! Reading and writing the files that people keep: scenarios and traces, in RON.
//!
//! Every file begins with `format: N`, which is read before anything else: a file of a newer format is refused with
//! the remedy, not with a complaint about its first unknown field.
//!
//! Format 1 is what the current types say: [`Scenario`] and [`Trace`] are its definition. The day one of them changes
//! in a way that old files do not follow, a frozen copy of the old types goes into `store/format1.rs` with a
//! conversion, and [`SCENARIO_FORMAT`] or [`TRACE_FORMAT`] is counted up; released formats stay readable.

mod check;
mod error;
mod read;
mod ron_text;
mod write;

pub use error::{FileError, Place};
pub use read::{open, read};
pub use write::{command, trace_file_name, writable, writable_directory};

use crate::scenario::Scenario;
use crate::trace::Trace;
use check::Complaint;
use error::Doing;
use ron_text::Kind;
use serde::de::DeserializeOwned;
use std::fs;
use std::path::{Path, PathBuf};

/// The newest format of scenario files, which is the one that is written.
pub const SCENARIO_FORMAT: u32 = 1;

/// The newest format of trace files, which is the one that is written.
pub const TRACE_FORMAT: u32 = 1;

/// A scenario may have so many bytes.
pub const MOST_OF_SCENARIO: u64 = 4 << 20;

/// A trace may have so many bytes. Within the usual limits a program prints twice 64 MiB, and a byte takes four at most.
const MOST_OF_TRACE: u64 = 640 << 20;

/// Reads a scenario and checks what its types cannot say: regular expressions, signals that can be sent, limits above 0.
///
/// # Errors
///
/// The file cannot be read, is not UTF-8, is of a newer format, or says something that is refused; the error then
/// names line and column.
pub fn read_scenario(path: &Path) -> Result<Scenario, FileError> {
    parse(Kind::SCENARIO, path, read(path, MOST_OF_SCENARIO)?, check::scenario)
}

/// Reads a trace and checks what its types cannot say, such as that its arguments can be given to a program.
///
/// # Errors
///
/// As for [`read_scenario`].
pub fn read_trace(path: &Path) -> Result<Trace, FileError> {
    parse(Kind::TRACE, path, read(path, MOST_OF_TRACE)?, check::trace)
}

/// Writes a text to `path`: afterwards the file holds all of it, or what it held before.
///
/// # Errors
///
/// It cannot be written there.
pub fn write_text(path: &Path, text: &str) -> Result<(), FileError> {
    write::whole(path, text)
}

/// Makes a directory, and those that it is in, where they are not there.
///
/// # Errors
///
/// It cannot be made.
pub fn make_directory(dir: &Path) -> Result<(), FileError> {
    fs::create_dir_all(dir).map_err(|error| FileError::io(Doing::Make, dir, error))
}

/// Writes a scenario; a file that was there is replaced as a whole or not at all.
///
/// # Errors
///
/// The file cannot be written, or a path in the scenario is not UTF-8.
pub fn write_scenario(path: &Path, scenario: &Scenario) -> Result<(), FileError> {
    let text = ron_text::scenario(scenario, path).map_err(|error| FileError::unwritable(path, error))?;
    write::whole(path, &text)
}

/// Writes a trace into a directory, which is made if need be, under a name that follows from what it holds, and lets
/// the directory's `latest` link name it. Gives the path of the file.
///
/// # Errors
///
/// The directory, the file or the link cannot be written, or a path in the trace is not UTF-8. No half-written file
/// is left.
pub fn write_trace(dir: &Path, trace: &Trace) -> Result<PathBuf, FileError> {
    make_directory(dir)?;
    let name = trace_file_name(trace);
    let path = dir.join(&name);
    let text = ron_text::trace(trace, &path).map_err(|error| FileError::unwritable(&path, error))?;
    if text.len() as u64 > MOST_OF_TRACE {
        let words = "it would be too large to be read again: keep less of what the program prints (`limits: (output: N)`)";
        return Err(FileError::unwritable(&path, words));
    }
    write::whole(&path, &text)?;
    write::link(&dir.join(write::LATEST), Path::new(&name))?;
    Ok(path)
}

/// The value in a text, if there is nothing to complain about it.
fn parse<T: DeserializeOwned>(
    kind: Kind,
    path: &Path,
    bytes: Vec<u8>,
    check: impl Fn(&T) -> Option<Complaint>,
) -> Result<T, FileError> {
    let text = String::from_utf8(bytes).map_err(|error| {
        let other = another(kind.name(), path, error.as_bytes());
        other.unwrap_or_else(|| FileError::not_utf8(path, error))
    })?;
    let at = |fault| FileError::at(path, &text, fault);
    let value: T = kind
        .parse(&text)
        .map_err(|fault| another(kind.name(), path, text.as_bytes()).unwrap_or_else(|| at(fault)))?;
    match check(&value) {
        Some(complaint) => Err(at(ron_text::locate(&text, &complaint))),
        None => Ok(value),
    }
}

/// What a file is that is nothing of this kind, if it is one of the others that people have, and what can be done with it.
fn another(asked: &'static str, path: &Path, bytes: &[u8]) -> Option<FileError> {
    let (is, next) = kind_of(path, bytes).filter(|(is, _)| !is.ends_with(asked))?;
    let next = if next.is_empty() { String::new() } else { format!("; next: {}", next.join(", or ")) };
    Some(FileError::Another { path: path.to_owned(), is, asked, next })
}

/// What a file is, and the commands that take it.
fn kind_of(path: &Path, bytes: &[u8]) -> Option<(&'static str, Vec<String>)> {
    let named = shell_words::quote(&path.to_string_lossy()).into_owned();
    if bytes.starts_with(b"\x7fELF") {
        // By its bare name it would be looked for in PATH.
        let folder = if path.components().count() == 1 && path.is_relative() { "./" } else { "" };
        return Some(("a program", vec![format!("sigrace explore -- {folder}{named}")]));
    }
    let text = str::from_utf8(bytes).ok()?;
    if Kind::TRACE.parse::<Trace>(text).is_ok() {
        return Some(("a trace", vec![command("show", path), command("replay", path)]));
    }
    if Kind::SCENARIO.parse::<Scenario>(text).is_ok() {
        return Some(("a scenario", vec![command("run", path)]));
    }
    let json: serde_json::Value =
        text.trim_start().starts_with('{').then(|| serde_json::from_str(text).ok()).flatten()?;
    if json.get("sigrace").is_some() && json.get("searches").is_some() {
        let explore = format!("sigrace explore --baseline {named} -- PROGRAM");
        return Some(("a report", vec![explore, format!("sigrace diff {named} REPORT")]));
    }
    Some(("JSON", Vec::new()))
}

/// Why a file is no report, if it is one of the others that people have. What is wrong in one of JSON has a place.
pub fn no_report(path: &Path, bytes: &[u8]) -> Option<FileError> {
    another("report", path, bytes).filter(|_| !bytes.trim_ascii_start().starts_with(b"{"))
}

#[cfg(test)]
mod tests;
