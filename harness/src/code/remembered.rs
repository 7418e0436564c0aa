//! What addresses of one file are called, and where copies of functions are inlined, remembered from one command to the next, where
//! its debug information is apart from it.
//!
//! That of the C library is some megabytes, which are compressed as distributions ship it: reading it takes longer than a short
//! search, for the few addresses at which programs sleep.

use super::apart::hexadecimal;
use super::location::{Inlined, SourceLine};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counted up when what is written changes, or what is made of debug information.
const FORMAT: u32 = 3;

/// Of more addresses nothing is remembered.
const MOST: usize = 20_000;

/// Where something can be kept by name. It may get lost there: then it is found out again.
pub trait Memory: Debug + Send + Sync {
    /// What is kept by this name, if something is.
    fn read(&self, name: &str) -> Option<Vec<u8>>;
    /// Keeps this by this name, if it can.
    fn write(&self, name: &str, content: &[u8]);
}

/// What an address is called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// The function, and how many bytes after its start the address is.
    pub(super) function: Option<(String, u64)>,
    /// The line, within the innermost inlined function.
    pub(super) line: Option<SourceLine>,
    /// The functions inlined there, innermost first.
    pub(super) inlined: Vec<Inlined>,
}

/// What is known of one file, by the build id that the linker gave it.
#[derive(Debug)]
pub(super) struct Remembered {
    memory: Arc<dyn Memory>,
    name: String,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    kept: Content,
    /// There is something that is not written yet.
    grown: bool,
}

/// What is written.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Content {
    said: BTreeMap<u64, Written>,
    /// By name, where the copies of functions begin.
    copies: BTreeMap<String, Vec<u64>>,
}

type Line = (String, u32);

/// The function; the line; the inlined functions, each with the line of its call.
type Written = (Option<(String, u64)>, Option<Line>, Vec<(String, Option<Line>)>);

impl Remembered {
    /// What is kept of the file with this build id; nothing if that cannot be understood.
    pub(super) fn read(memory: Arc<dyn Memory>, build_id: &[u8]) -> Remembered {
        let name = format!("{}-{FORMAT}.json", hexadecimal(build_id));
        let kept = memory.read(&name).and_then(|kept| serde_json::from_slice(&kept).ok()).unwrap_or_default();
        Remembered { memory, name, known: Mutex::new(Known { kept, grown: false }) }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // A panic elsewhere leaves only less known, not something wrong.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of this address.
    pub(super) fn said(&self, address: u64) -> Option<Said> {
        self.known().kept.said.get(&address).map(read)
    }

    /// This is what is to be remembered of this address.
    pub(super) fn add(&self, address: u64, said: &Said) {
        let mut known = self.known();
        if known.kept.said.len() < MOST {
            known.kept.said.insert(address, write(said));
            known.grown = true;
        }
    }

    /// Where the copies of functions by this name begin, if that is known.
    pub(super) fn copies(&self, name: &str) -> Option<Vec<u64>> {
        self.known().kept.copies.get(name).cloned()
    }

    /// This is what is to be remembered of the copies of functions by this name.
    pub(super) fn add_copies(&self, name: &str, copies: &[u64]) {
        let mut known = self.known();
        if known.kept.copies.len() < MOST {
            known.kept.copies.insert(name.to_owned(), copies.to_vec());
            known.grown = true;
        }
    }

    /// Keeps what has come to be known.
    pub(super) fn keep(&self) {
        let mut known = self.known();
        if std::mem::take(&mut known.grown)
            && let Ok(text) = serde_json::to_string(&known.kept)
        {
            self.memory.write(&self.name, text.as_bytes());
        }
    }
}

fn write(said: &Said) -> Written {
    let line = |line: &SourceLine| (line.file.to_string(), line.line);
    let inlined = said.inlined.iter().map(|one| (one.function.clone(), one.called_at.as_ref().map(line)));
    (said.function.clone(), said.line.as_ref().map(line), inlined.collect())
}

fn read((function, line, inlined): &Written) -> Said {
    let source = |(file, line): &Line| SourceLine { file: file.as_str().into(), line: *line };
    let inlined = inlined.iter().map(|(function, called_at)| Inlined {
        function: function.clone(),
        called_at: called_at.as_ref().map(source),
    });
    Said { function: function.clone(), line: line.as_ref().map(source), inlined: inlined.collect() }
}
