//! Who gets a signal from outside.

use super::{BadName, ThreadName};
use serde::de::{self, Deserializer};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A process, or its process group: `p0`, `group:p0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// The process.
    pub process: ThreadName,
    /// True if all processes of its process group get the signal, as kill(2) does with a negative number.
    pub group: bool,
}

impl Default for Receiver {
    fn default() -> Receiver {
        Receiver { process: ThreadName::root(), group: false }
    }
}

impl From<ThreadName> for Receiver {
    fn from(process: ThreadName) -> Receiver {
        Receiver { process, group: false }
    }
}

impl fmt::Display for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.group { "group:" } else { "" }, self.process)
    }
}

impl FromStr for Receiver {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Receiver, BadName> {
        let group = text.strip_prefix("group:");
        Ok(Receiver { process: group.unwrap_or(text).parse()?, group: group.is_some() })
    }
}

impl Serialize for Receiver {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Receiver {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Receiver, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_is_read_as_it_is_written() {
        for text in ["p0", "group:p0", "group:p0.1.2"] {
            assert_eq!(text.parse::<Receiver>().unwrap().to_string(), text);
        }
        assert!("group:".parse::<Receiver>().is_err() && "group:group:p0".parse::<Receiver>().is_err());
    }
}
