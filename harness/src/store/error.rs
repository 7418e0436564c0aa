//! What can be wrong with a file, told so that a person can go there and mend it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::string::FromUtf8Error;
use unicode_width::UnicodeWidthChar;

/// A file could not be read, was refused, or could not be written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system refused: what was being done, to which file, and why.
    #[error("cannot {doing} {}: {error}", path.display())]
    Io {
        /// What was being done: read, write, make the directory.
        doing: &'static str,
        /// To which file or directory.
        path: PathBuf,
        /// Why it failed.
        error: io::Error,
    },
    /// The file says something that is refused.
    #[error("{}:{place}", path.display())]
    Refused {
        /// Which file.
        path: PathBuf,
        /// Where, what, and the offending line.
        place: Box<Place>,
    },
    /// It is another kind of file.
    #[error("{}: this is {is}, and no {asked}{next}", path.display())]
    Another {
        /// Which file.
        path: PathBuf,
        /// What it is.
        is: &'static str,
        /// What it was to be.
        asked: &'static str,
        /// What can be done with it.
        next: String,
    },
    /// The value cannot be put into a file.
    #[error("cannot write {}: {reason}", path.display())]
    Unwritable {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// So many characters of a line are shown.
const MOST: usize = 120;

/// A place in a file's text, and what is wrong there. Displayed with the line itself and a mark below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// How many characters are meant, at least 1; on this line.
    pub width: usize,
    /// What is wrong, and what was expected.
    pub message: String,
    /// The line, as far as it is needed to show the place.
    pub source: String,
}

/// What is wrong with a text, and where, before the file is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// First character: line and column, from 1.
    pub(super) start: (usize, usize),
    /// Just behind the last one.
    pub(super) end: (usize, usize),
    pub(super) message: String,
}

/// What is being done to a file.
#[derive(Clone, Copy)]
pub(super) enum Doing {
    Read,
    Make,
    Write,
    Link,
}

impl FileError {
    pub(super) fn io(doing: Doing, path: &Path, error: io::Error) -> FileError {
        let doing = match doing {
            Doing::Read => "read",
            Doing::Make => "make the directory",
            Doing::Write => "write",
            Doing::Link => "make the link",
        };
        FileError::Io { doing, path: path.to_owned(), error }
    }

    pub(super) fn unwritable(path: &Path, error: impl fmt::Display) -> FileError {
        FileError::Unwritable { path: path.to_owned(), reason: error.to_string() }
    }

    pub(super) fn at(path: &Path, text: &str, fault: Fault) -> FileError {
        let (line, column) = fault.start;
        let source = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
        let length = source.chars().count();
        // A line may be as long as the file.
        let source = source.chars().take(column.saturating_add(MOST)).collect();
        let end = if fault.end.0 == line { fault.end.1 } else { length + 1 };
        let width = end.saturating_sub(column).max(1);
        let place = Place { line, column, width, message: fault.message, source };
        FileError::Refused { path: path.to_owned(), place: Box::new(place) }
    }

    pub(super) fn not_utf8(path: &Path, error: FromUtf8Error) -> FileError {
        let good = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(error.as_bytes());
        // What is good stays as long as it was; the first replacement character stands where the bad byte was.
        let before = text.get(..good).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        let message = "this byte is not UTF-8: expected a text file".to_owned();
        FileError::at(path, &text, Fault { start: (line, column), end: (line, column + 1), message })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 600;
        // A message can quote the file, which may hold anything.
        let mut message = String::new();
        for c in self.message.chars().take(LONGEST) {
            if c.is_control() { message.extend(c.escape_default()) } else { message.push(c) }
        }
        writeln!(f, "{}:{}: {message}", self.line, self.column)?;
        // A blank for a tab and its like, so that the mark stands right below.
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        let long = self.source.chars().count() > MOST;
        let skip = if long { self.column.saturating_sub(MOST / 2) } else { 0 };
        let source: String = self.source.chars().skip(skip).take(MOST).map(plain).collect();
        let places = |c: char| c.width().unwrap_or_default();
        let before = self.column.saturating_sub(1 + skip);
        let indent: usize = source.chars().take(before).map(places).sum();
        let marked: usize = source.chars().skip(before).take(self.width).map(places).sum();
        let width = marked.max(1);
        let number = self.line.to_string();
        let gutter = " ".repeat(number.len());
        writeln!(f, "{gutter} |")?;
        writeln!(f, "{number} | {}", source.trim_end())?;
        write!(f, "{gutter} | {}{}", " ".repeat(indent), "^".repeat(width))
    }
}
