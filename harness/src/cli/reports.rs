//! JSON reports that are read.

use super::exit::Stop;
use crate::store;
use crate::suite::report::{FORMAT, Report};
use serde_json::Value;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A report may have so many bytes.
const MOST: u64 = 32 << 20;

/// No count in a report is larger.
const MOST_OF_ANYTHING: u64 = 1 << 53;

/// This version of sigrace.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What stands for standard input.
const STDIN: &str = "-";

/// The reports in these files, each with its path.
pub(super) fn all(paths: &[PathBuf]) -> Result<Vec<(&Path, Report)>, Stop> {
    paths.iter().map(|path| Ok((path.as_path(), read(path)?))).collect()
}

/// The report in this file, or on standard input if that is `-`.
pub(super) fn read(path: &Path) -> Result<Report, Stop> {
    let text = if is_stdin(path) { read_stdin()? } else { store::read(path, MOST).map_err(Stop::refused)? };
    let bad = |error: serde_json::Error| {
        if let Some(other) = store::no_report(path, &text) {
            return Stop::refused(other);
        }
        let (line, column) = (error.line(), error.column());
        let what = error.to_string();
        // The position is told in the form that editors understand, and so not once more.
        let place = format!(" at line {line} column {column}");
        let what = what.strip_suffix(&place).unwrap_or(&what);
        Stop::refused(format_args!("{}:{line}:{column}: it is no report of sigrace: {what}", path.display()))
    };
    let value: Value = serde_json::from_slice(&text).map_err(bad)?;
    let other = value.get("format").and_then(Value::as_u64).filter(|format| *format != u64::from(FORMAT));
    if let Some(format) = other {
        let path = path.display();
        let what = format!("{path} is a report of format {format}, and this sigrace reads format {FORMAT}");
        return Err(Stop::refused(what));
    }
    let maker = value.get("sigrace").and_then(Value::as_str).filter(|maker| *maker != VERSION);
    let maker =
        maker.map_or_else(String::new, |maker| format!(" (it was made by {maker}, this is {VERSION})"));
    if let Some(number) = too_large(&value) {
        let path = path.display();
        return Err(Stop::refused(format_args!(
            "{path}: {number} is no number of anything that can be counted"
        )));
    }
    serde_json::from_slice(&text).map_err(|error| {
        let Stop { exit, message } = bad(error);
        Stop { exit, message: message + &maker }
    })
}

/// True if this stands for standard input.
pub(super) fn is_stdin(path: &Path) -> bool {
    path == Path::new(STDIN)
}

fn read_stdin() -> Result<Vec<u8>, Stop> {
    let mut text = Vec::new();
    io::stdin()
        .lock()
        .take(MOST + 1)
        .read_to_end(&mut text)
        .map_err(|error| Stop::refused(format_args!("cannot read a report from standard input: {error}")))?;
    if text.len() as u64 > MOST {
        return Err(Stop::refused(format_args!("the report on standard input has more than {MOST} bytes")));
    }
    Ok(text)
}

/// A number that no search could have come to, and that could not be added to another one. A seed may be any.
fn too_large(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64().filter(|number| *number > MOST_OF_ANYTHING),
        Value::Array(values) => values.iter().find_map(too_large),
        Value::Object(fields) => {
            fields.iter().filter(|(name, _)| *name != "seed").find_map(|(_, value)| too_large(value))
        }
        Value::Null | Value::Bool(_) | Value::String(_) => None,
    }
}
