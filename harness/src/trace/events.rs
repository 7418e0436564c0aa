//! What happened in a run, as one list that every copy of the run shares.

use super::Event;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// Events in order: a run may have very many. In files it is a list of them; copying it copies nothing.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Events(Arc<Vec<Event>>);

impl Events {
    /// The events of a run that a test makes up.
    #[cfg(test)]
    pub(crate) fn to_mut(&mut self) -> &mut Vec<Event> {
        Arc::make_mut(&mut self.0)
    }
}

impl Deref for Events {
    type Target = [Event];

    fn deref(&self) -> &[Event] {
        &self.0
    }
}

impl From<Vec<Event>> for Events {
    fn from(mut events: Vec<Event>) -> Events {
        // None is added any more.
        events.shrink_to_fit();
        Events(Arc::new(events))
    }
}

impl FromIterator<Event> for Events {
    fn from_iter<I: IntoIterator<Item = Event>>(events: I) -> Events {
        Events::from(Vec::from_iter(events))
    }
}

impl<'a> IntoIterator for &'a Events {
    type Item = &'a Event;
    type IntoIter = std::slice::Iter<'a, Event>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Serialize for Events {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self)
    }
}

impl<'de> Deserialize<'de> for Events {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Events, D::Error> {
        Vec::deserialize(deserializer).map(Events::from)
    }
}
