//! A place where a thread can be held, as a value and as a text.

use super::{BadName, Making, Site, Syscall, ThreadName};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

/// A place where a thread can be held: a kind, a thread, and which time the thread gets there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Point {
    /// The thread that gets there.
    pub thread: ThreadName,
    /// What kind of place it is.
    pub site: Site,
    /// Which time, counted from 1 within the thread.
    pub nth: u32,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.thread, self.site)?;
        if self.nth > 1 { write!(f, " #{}", self.nth) } else { Ok(()) }
    }
}

/// Why a text names no point.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{0}` is no point: expected a thread, a place and which time, like `p0 before openat #12`, `p0 in pause`, `p0.1 after fork`, `p0 at probe NAME`"
)]
pub struct BadPoint(String);

/// The form in which a point is displayed, but for places in code and moments at which everything sleeps.
impl FromStr for Point {
    type Err = BadPoint;

    fn from_str(text: &str) -> Result<Point, BadPoint> {
        let bad = || BadPoint(text.to_owned());
        let words: Vec<&str> = text.split_whitespace().collect();
        let (nth, words) = match words.split_last() {
            Some((last, rest)) if last.starts_with('#') => {
                let digits = last.trim_start_matches('#');
                let nth = digits.parse().ok().filter(|nth| *nth > 0 && !digits.starts_with('+'));
                (nth.ok_or_else(bad)?, rest)
            }
            _ => (1, words.as_slice()),
        };
        let call = |name: &str| name.parse::<Syscall>().map_err(|_| bad());
        let (thread, site) = match words {
            [thread, "before", name] => (thread, Site::Before(call(name)?)),
            [thread, "entering", name] => (thread, Site::Entering(call(name)?)),
            [thread, "in", name] => (thread, Site::In(call(name)?)),
            [thread, "after", "fork"] => (thread, Site::After(Making::Fork)),
            [thread, "at", "probe", name @ ..] => {
                let name = name.join(" ");
                (thread, Site::Probe(name.trim_matches('"').parse().map_err(|_| bad())?))
            }
            _ => return Err(bad()),
        };
        let thread = thread.parse().map_err(|_: BadName| bad())?;
        Ok(Point { thread, site, nth })
    }
}

impl Serialize for Point {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Point {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Point, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_read_as_it_is_displayed() {
        for text in [
            "p0 before openat #12",
            "p0/2 entering read",
            "p0.1 in pause #3",
            "p0.2 after fork",
            "c1 at probe \"x y\" #2",
        ] {
            assert_eq!(text.parse::<Point>().map(|point| point.to_string()).as_deref(), Ok(text));
        }
        assert_eq!("p0 before read #1".parse(), "p0 before read".parse::<Point>());
        for wrong in ["", "p0", "before read", "p0 before reed", "p0 before read #0", "p0 before read #+1"] {
            assert!(wrong.parse::<Point>().is_err(), "{wrong}");
        }
        for nowhere in ["p0 when everything sleeps", "p0 at main", "p0 after read", "x before read"] {
            assert!(nowhere.parse::<Point>().is_err(), "{nowhere}");
        }
    }
}
