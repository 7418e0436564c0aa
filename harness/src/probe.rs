//! The names of probes: places that the author of a program has marked (`include/sigrace.h`).

use crate::schedule::Label;
use serde::de::{self, Deserializer};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The most bytes that a name has.
pub const LONGEST: usize = 64;

/// The name of a probe: 1 to 64 bytes of printable UTF-8. In RON it is a text.
///
/// Every point of a run has room for one, so it is a label and not the bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProbeName(Label);

impl ProbeName {
    /// A shell has no other probe than `kill -0 1397311314`, which has no name of its own.
    pub const SHELL: ProbeName = ProbeName(Label::own("shell"));

    /// The name as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// Why a text names no probe.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is no name of a probe: expected 1 to 64 bytes of printable text")]
pub struct BadProbeName(String);

impl FromStr for ProbeName {
    type Err = BadProbeName;

    fn from_str(text: &str) -> Result<ProbeName, BadProbeName> {
        // Neither what a terminal would obey, nor what would reorder a line.
        let hidden = |c: char| {
            c.is_control()
                || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
        };
        if (1..=LONGEST).contains(&text.len()) && !text.chars().any(hidden) {
            Ok(ProbeName(Label::new(text)))
        } else {
            Err(BadProbeName(text.chars().take(LONGEST + 1).collect()))
        }
    }
}

impl fmt::Display for ProbeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

impl fmt::Debug for ProbeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for ProbeName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ProbeName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ProbeName, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Site;

    #[test]
    fn a_name_is_read_as_it_is_written() {
        for name in ["tested", "a b", "größe \"x\"", "shell", &"x".repeat(LONGEST)] {
            let probe: ProbeName = name.parse().unwrap();
            assert_eq!(probe.as_str(), name);
            let site = Site::Probe(probe);
            assert_eq!(ron::from_str::<Site>(&ron::to_string(&site).unwrap()).unwrap(), site);
        }
        assert_eq!(ron::from_str::<Site>(r#"Probe("shell")"#).unwrap(), Site::Probe(ProbeName::SHELL));
        for bad in ["", "a\nb", "a\0b", "\u{1b}[1m", "\u{202e}x", &"x".repeat(LONGEST + 1)] {
            assert!(bad.parse::<ProbeName>().is_err(), "{bad:?}");
        }
        assert!("a".parse::<ProbeName>().unwrap() < "ab".parse().unwrap());
    }
}
