//! A place in code as people write it.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A place in a program's code, as a person writes it and a report shows it.
///
/// | text | what it means |
/// | --- | --- |
/// | `insert` | the first instruction of this function |
/// | `insert+0x1f`, `insert+31` | the instruction that begins that many bytes after the function's first |
/// | `list.c:23` | where the statement of that source line begins |
/// | `libc.so.6!malloc+0x10` | any of these in another file than the executable |
/// | `list+0x1139` | in a file without symbols: the file's name and the address for which it was linked |
///
/// How a text is read, in this order, so that the names that C++ and Rust give their functions can be written as they are:
///
/// 1. What stands before the first `!` is a module if it looks like a file's name: letters, digits and `. _ + - [ ]`, and is
///    not `operator`. So `operator!=` and `list::operator!` are functions.
/// 2. What ends in one colon and digits is file and line. Names have colons only in pairs, and a name after `::` does not
///    begin with a digit. The file may have no ending, as C++'s headers have none.
/// 3. What ends in `+` and a number is function and offset; anything else is a function.
///
/// A place is written back in the same form: offsets in hexadecimal, and none if it is zero.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Place {
    module: Option<String>,
    spot: Spot,
}

/// A place within one module.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Spot {
    /// A function, or a place in it.
    Function {
        /// The function's name, demangled or as the linker knows it.
        name: String,
        /// Bytes after its first instruction.
        offset: u64,
    },
    /// A source line.
    Line {
        /// The file, or the end of its path.
        file: String,
        /// The line, from 1.
        line: u32,
    },
}

/// Why a text is no place in code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} names no place in code: {reason}")]
pub struct PlaceError {
    text: String,
    reason: &'static str,
}

impl Place {
    /// The instruction so many bytes into a function of the executable.
    pub fn in_function(name: &str, offset: u64) -> Place {
        Place { module: None, spot: Spot::Function { name: name.to_owned(), offset } }
    }

    /// The same in another file.
    #[must_use]
    pub fn in_module(self, module: Option<&str>) -> Place {
        Place { module: module.map(str::to_owned), ..self }
    }

    /// The file that is meant, by its name, if not the executable.
    pub fn module(&self) -> Option<&str> {
        self.module.as_deref()
    }

    /// The place within that file.
    pub fn spot(&self) -> &Spot {
        &self.spot
    }
}

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Place, PlaceError> {
        let no = |reason| PlaceError { text: text.to_owned(), reason };
        let place = read(text).map_err(no)?;
        if read(&place.to_string()).as_ref() == Ok(&place) {
            Ok(place)
        } else {
            Err(no("it can be read in more than one way"))
        }
    }
}

fn read(text: &str) -> Result<Place, &'static str> {
    let whole = text.trim();
    if whole.is_empty() {
        return Err("it is empty; write a function, FILE:LINE or FUNCTION+OFFSET");
    }
    if whole.contains(char::is_control) {
        return Err("it has control characters");
    }
    let (module, rest) = match whole.split_once('!') {
        Some((module, rest)) if is_module(module) => (Some(module.to_owned()), rest),
        _ => (None, whole),
    };
    let rest = rest.trim_start();
    if rest.is_empty() {
        return Err("a function, FILE:LINE or FUNCTION+OFFSET must follow the `!`");
    }
    Ok(Place { module, spot: spot(rest)? })
}

/// The place without its module.
fn spot(text: &str) -> Result<Spot, &'static str> {
    if let Some((file, line)) = file_and_line(text)? {
        return Ok(Spot::Line { file: file.to_owned(), line });
    }
    if let Some((name, number)) = text.rsplit_once('+') {
        let name = name.trim_end();
        if let Some(offset) = number_of(number.trim_start()) {
            if name.is_empty() {
                return Err("a function's name must come before the offset");
            }
            if file_and_line(name)?.is_some() {
                return Err("an offset counts from a function, not from a line");
            }
            if name.rsplit_once('+').is_some_and(|(_, number)| number_of(number.trim_start()).is_some()) {
                return Err("there is more than one offset");
            }
            return offset
                .map(|offset| Spot::Function { name: name.to_owned(), offset })
                .ok_or("the offset is larger than an address can be");
        }
        if is_identifier(name) && !name.ends_with("operator") && !name.ends_with('+') {
            return Err("the offset after `+` must be a number of bytes, such as 0x1f or 31");
        }
    }
    Ok(Spot::Function { name: text.to_owned(), offset: 0 })
}

/// Takes apart `FILE:LINE`; `None` if the text has not this form.
fn file_and_line(text: &str) -> Result<Option<(&str, u32)>, &'static str> {
    let Some((file, digits)) = text.rsplit_once(':') else { return Ok(None) };
    if file.ends_with(':') {
        return Ok(None);
    }
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let name = file.rsplit('/').next().unwrap_or(file);
        let is_file = name.contains('.') && !name.contains(['(', '<', '[', ' ', ':']);
        return if is_file { Err("a line number must follow the colon") } else { Ok(None) };
    }
    if file.is_empty() {
        return Err("a file's name must come before the line");
    }
    if file.rsplit_once(':').is_some_and(|(_, line)| line.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err("a place has no column; write FILE:LINE");
    }
    match digits.parse() {
        Ok(0) => Err("lines are counted from 1"),
        Ok(line) => Ok(Some((file, line))),
        Err(_) => Err("the line number is too large"),
    }
}

/// A decimal number, or a hexadecimal one after `0x`: `None` if it is none, and nothing inside if it is too large.
fn number_of(text: &str) -> Option<Option<u64>> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None => (text, 10),
    };
    let all = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
    all.then(|| u64::from_str_radix(digits, radix).ok())
}

/// True if it looks like a file's name.
fn is_module(text: &str) -> bool {
    let fits = |c: char| c.is_alphanumeric() || "._+-[]".contains(c);
    !text.is_empty() && text != "operator" && text.chars().all(fits)
}

/// True if it could be a C function's name, or a file's.
fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "_.$".contains(c))
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(module) = &self.module {
            write!(f, "{module}!")?;
        }
        match &self.spot {
            Spot::Function { name, offset: 0 } => f.write_str(name),
            Spot::Function { name, offset } => write!(f, "{name}+{offset:#x}"),
            Spot::Line { file, line } => write!(f, "{file}:{line}"),
        }
    }
}

impl TryFrom<String> for Place {
    type Error = PlaceError;

    fn try_from(text: String) -> Result<Place, PlaceError> {
        text.parse()
    }
}

impl From<Place> for String {
    fn from(place: Place) -> String {
        place.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn function(text: &str) -> (Option<String>, String, u64) {
        let place: Place = text.parse().unwrap();
        match place.spot {
            Spot::Function { name, offset } => (place.module, name, offset),
            Spot::Line { .. } => panic!("{text}: a line"),
        }
    }

    #[test]
    fn every_form_is_read_and_written() {
        for (text, written) in [
            ("insert", "insert"),
            ("insert+0x1f", "insert+0x1f"),
            ("insert+31", "insert+0x1f"),
            ("insert + 31", "insert+0x1f"),
            ("insert+0", "insert"),
            ("list.c:23", "list.c:23"),
            ("src/c++/list.c:23", "src/c++/list.c:23"),
            ("vector:7", "vector:7"),
            ("libc.so.6!malloc", "libc.so.6!malloc"),
            ("libstdc++.so.6!list.cc:9", "libstdc++.so.6!list.cc:9"),
            (" [vdso]!__vdso_time+0x10 ", "[vdso]!__vdso_time+0x10"),
        ] {
            let place: Place = text.parse().unwrap();
            assert_eq!(place.to_string(), written);
            assert_eq!(written.parse::<Place>().unwrap(), place);
        }
    }

    #[test]
    fn names_of_cpp_and_rust_are_functions() {
        for name in [
            "list::Node<int>::insert(std::vector<int, std::allocator<int> > const&)",
            "(anonymous namespace)::insert(char*)",
            "operator!=",
            "list::operator!",
            "operator+",
            "operator++",
            "list::operator+(list::Node, int)",
            "<list::Node as core::ops::Drop>::drop",
            "list::main::{{closure}}",
            "list::main::{closure#0}",
            "<impl list::Insert for !>::insert",
            "list::{impl#3}::insert",
            "foo<&bar+4>",
            "insert.constprop.0",
            "list::insert::h0123456789abcdef",
        ] {
            assert_eq!(function(name), (None, name.to_owned(), 0));
            assert_eq!(function(&format!("{name}+0x10")), (None, name.to_owned(), 16));
            assert_eq!(
                function(&format!("lib.so!{name}+16")),
                (Some("lib.so".to_owned()), name.to_owned(), 16)
            );
        }
    }

    #[test]
    fn an_error_says_what_is_wrong() {
        for (text, reason) in [
            ("", "is empty"),
            ("  ", "is empty"),
            ("libc.so.6!", "must follow the `!`"),
            ("list.c:", "line number must follow"),
            ("list.c:x", "line number must follow"),
            ("list.c:0", "counted from 1"),
            ("list.c:99999999999", "too large"),
            ("list.c:3:5", "no column"),
            (":5", "file's name"),
            ("+5", "function's name"),
            ("insert+3+4", "more than one"),
            ("vector:23+4", "not from a line"),
            ("insert++0", "more than one way"),
            ("insert+", "number of bytes"),
            ("insert+0x", "number of bytes"),
            ("insert+x", "number of bytes"),
            ("insert+99999999999999999999", "larger than an address"),
            ("a\nb", "control"),
        ] {
            let error = text.parse::<Place>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_as_the_same_place(text in "([a-z.+]{0,5}!)?[a-z:+!.<> ()0-9x/]{1,12}([:+][0-9x]{1,4})?") {
            if let Ok(place) = text.parse::<Place>() {
                let written = place.to_string();
                prop_assert_eq!(written.parse::<Place>(), Ok(place.clone()), "{}", written);
                let serialized = serde_json::to_string(&place).unwrap();
                prop_assert_eq!(serde_json::from_str::<Place>(&serialized).unwrap(), place);
            }
        }
    }
}
