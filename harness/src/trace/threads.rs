//! Names of several threads, as one list that many events share.

use crate::schedule::ThreadName;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// Threads by name, in the order of their making. In files it is a list of names; copying it copies nothing.
#[derive(Clone, Default)]
pub struct Threads(Option<Arc<Listed>>);

/// A list that is not empty.
struct Listed {
    /// Of the names: every event has a list, which is looked up and compared much more often than it is made.
    hash: u64,
    names: Box<[ThreadName]>,
}

impl Threads {
    /// True if there are none.
    pub(super) fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// True if it is known at once that both are the same list: one is a copy of the other.
    pub fn is_copy_of(&self, other: &Threads) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        }
    }

    fn hash_of_names(&self) -> u64 {
        self.0.as_ref().map_or(0, |listed| listed.hash)
    }
}

impl PartialEq for Threads {
    fn eq(&self, other: &Threads) -> bool {
        self.is_copy_of(other) || self.hash_of_names() == other.hash_of_names() && **self == **other
    }
}

impl Eq for Threads {}

impl Hash for Threads {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash_of_names());
    }
}

impl Deref for Threads {
    type Target = [ThreadName];

    fn deref(&self) -> &[ThreadName] {
        self.0.as_ref().map_or(&[], |listed| &listed.names)
    }
}

impl FromIterator<ThreadName> for Threads {
    fn from_iter<I: IntoIterator<Item = ThreadName>>(names: I) -> Threads {
        Threads::from(Vec::from_iter(names))
    }
}

impl From<Vec<ThreadName>> for Threads {
    fn from(names: Vec<ThreadName>) -> Threads {
        if names.is_empty() {
            return Threads::default();
        }
        let mut hasher = DefaultHasher::new();
        names.hash(&mut hasher);
        Threads(Some(Arc::new(Listed { hash: hasher.finish(), names: names.into() })))
    }
}

impl<'a> IntoIterator for &'a Threads {
    type Item = &'a ThreadName;
    type IntoIter = std::slice::Iter<'a, ThreadName>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Serialize for Threads {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self)
    }
}

impl<'de> Deserialize<'de> for Threads {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Threads, D::Error> {
        Vec::deserialize(deserializer).map(Threads::from)
    }
}
