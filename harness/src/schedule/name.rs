//! What threads are called.

use serde::de::{self, Deserializer};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

/// A thread's name, the same in every run: `p0` is the first process, `p0.1` its first child, `p0/2` a second thread; `c1` is
/// the first client, which is none of the program's, and `c1.1` its first child.
#[derive(Clone, Eq)]
pub struct ThreadName {
    /// 0 for the program's, else which client, counted from 1.
    root: u32,
    /// Counted from 1, which is the process's first thread.
    thread: u32,
    /// Which child each ancestor was of its parent, counted from 1; empty for `p0` and `c1`.
    lineage: Box<[u32]>,
}

// By hand, since names are compared and looked up very often: mostly they differ in the thread, and a lineage is too short for a
// comparison of memory, or has nothing.
impl PartialEq for ThreadName {
    fn eq(&self, other: &ThreadName) -> bool {
        (self.thread, self.root, self.lineage.len()) == (other.thread, other.root, other.lineage.len())
            && self.lineage.iter().eq(other.lineage.iter())
    }
}

impl Hash for ThreadName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(u64::from(self.root) << 32 | u64::from(self.thread));
        state.write_usize(self.lineage.len());
        self.lineage.iter().for_each(|nth| state.write_u32(*nth));
    }
}

/// Processes in the order of their making, as far as they are kin, each with its threads.
impl Ord for ThreadName {
    fn cmp(&self, other: &ThreadName) -> Ordering {
        let by_root = self.root.cmp(&other.root);
        by_root.then_with(|| self.lineage.cmp(&other.lineage)).then_with(|| self.thread.cmp(&other.thread))
    }
}

impl PartialOrd for ThreadName {
    fn partial_cmp(&self, other: &ThreadName) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl ThreadName {
    /// `p0`
    pub fn root() -> ThreadName {
        ThreadName::client(0)
    }

    /// The first process of the `nth` client, `c1`, counted from 1.
    pub fn client(nth: u32) -> ThreadName {
        ThreadName { root: nth, lineage: Box::default(), thread: 1 }
    }

    /// Which client it is of, counted from 1; none if it is the program's.
    pub fn client_of(&self) -> Option<u32> {
        (self.root > 0).then_some(self.root)
    }

    /// The first thread of this process's `nth` child.
    pub fn child(&self, nth: u32) -> ThreadName {
        let lineage = self.lineage.iter().copied().chain([nth]).collect();
        ThreadName { root: self.root, lineage, thread: 1 }
    }

    /// The `nth` thread of the same process.
    pub fn thread(&self, nth: u32) -> ThreadName {
        ThreadName { root: self.root, lineage: self.lineage.clone(), thread: nth }
    }

    /// The first thread of the same process: the process's own name.
    pub fn process(&self) -> ThreadName {
        self.thread(1)
    }

    /// True if this is the name of a process, that is of its first thread.
    pub fn is_process(&self) -> bool {
        self.thread == 1
    }

    /// True for a thread of a process that `other`'s process has made, or one that this has made, and so on.
    pub fn descends_from(&self, other: &ThreadName) -> bool {
        self.root == other.root
            && self.lineage.len() > other.lineage.len()
            && self.lineage.starts_with(&other.lineage)
    }

    /// How far its process is from the first one, or from the client's.
    pub fn generation(&self) -> usize {
        self.lineage.len()
    }

    /// The process that started this one; none for `p0` and for clients.
    pub fn parent(&self) -> Option<ThreadName> {
        let (_, lineage) = self.lineage.split_last()?;
        Some(ThreadName { root: self.root, lineage: lineage.into(), thread: 1 })
    }
}

impl fmt::Display for ThreadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.root {
            0 => f.write_str("p0")?,
            nth => write!(f, "c{nth}")?,
        }
        self.lineage.iter().try_for_each(|nth| write!(f, ".{nth}"))?;
        if self.thread > 1 { write!(f, "/{}", self.thread) } else { Ok(()) }
    }
}

impl fmt::Debug for ThreadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text names no thread.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{0}` is no process or thread name: expected p0, p0.1 (its first child), p0.1/2 (that one's second thread), c1 (a client)"
)]
pub struct BadName(String);

impl FromStr for ThreadName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<ThreadName, BadName> {
        let bad = || BadName(text.to_owned());
        let counted =
            |word: &str| word.parse::<u32>().ok().filter(|n| *n > 0 && !word.starts_with(['+', '0']));
        let (process, thread) = match text.split_once('/') {
            Some((process, thread)) => (process, counted(thread).ok_or_else(bad)?),
            None => (text, 1),
        };
        let mut words = process.split('.');
        let root = match words.next() {
            Some("p0") => 0,
            Some(client) => client.strip_prefix('c').and_then(counted).ok_or_else(bad)?,
            None => return Err(bad()),
        };
        let lineage = words.map(|word| counted(word).ok_or_else(bad)).collect::<Result<_, _>>()?;
        Ok(ThreadName { root, lineage, thread })
    }
}

impl Serialize for ThreadName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ThreadName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ThreadName, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for name in ["p0", "p0/2", "p0.1", "p0.1.2", "p0.3/12", "c1", "c12.1/2"] {
            assert_eq!(name.parse::<ThreadName>().unwrap().to_string(), name);
        }
        for bad in [
            "", "p", "p1", "p0.", "p0.0", "p0.01", "p0/", "c", "c0", "c01", "c1.", "p0/0", "p0/+1", "p0.1/x",
            " p0",
        ] {
            assert!(bad.parse::<ThreadName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn descendants_are_those_of_a_process_whichever_thread_is_named() {
        let name = |text: &str| text.parse::<ThreadName>().unwrap();
        for (one, other) in
            [("p0.1", "p0"), ("p0.1/3", "p0/2"), ("p0.1.2", "p0"), ("p0.2.1", "p0.2"), ("c1.1", "c1")]
        {
            assert!(name(one).descends_from(&name(other)), "{one} {other}");
            assert!(!name(other).descends_from(&name(one)), "{other} {one}");
        }
        for (one, other) in
            [("p0", "p0"), ("p0/2", "p0"), ("p0.1", "p0.2"), ("p0.12", "p0.1"), ("c1.1", "p0")]
        {
            assert!(!name(one).descends_from(&name(other)), "{one} {other}");
        }
    }
}
