//! Names of several threads, as one list that many events share.

use crate::schedule::ThreadName;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// Threads by name, in the order of their making. In files it is a list of names; copying it copies nothing.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Threads(Arc<[ThreadName]>);

impl Threads {
    /// True if there are none.
    pub(super) fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// True if it is known at once that both are the same list: one is a copy of the other.
    pub fn is_copy_of(&self, other: &Threads) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Default for Threads {
    fn default() -> Threads {
        Threads(Arc::new([]))
    }
}

impl Deref for Threads {
    type Target = [ThreadName];

    fn deref(&self) -> &[ThreadName] {
        &self.0
    }
}

impl FromIterator<ThreadName> for Threads {
    fn from_iter<I: IntoIterator<Item = ThreadName>>(names: I) -> Threads {
        Threads(names.into_iter().collect())
    }
}

impl From<Vec<ThreadName>> for Threads {
    fn from(names: Vec<ThreadName>) -> Threads {
        Threads(names.into())
    }
}

impl<'a> IntoIterator for &'a Threads {
    type Item = &'a ThreadName;
    type IntoIter = std::slice::Iter<'a, ThreadName>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
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
