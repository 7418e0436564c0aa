//! Where in the memory of a process a place of its program is.

use crate::code::{Image, Images, Modules, Place};
use crate::schedule::Label;
use crate::supervise::code::lookout::images;
use crate::sys::procfs;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Places that were looked up, so that each file is read once.
#[derive(Debug)]
pub(in crate::supervise) struct Places {
    images: &'static Arc<Images>,
    found: Mutex<HashMap<(String, Label), Result<Linked, String>>>,
}

/// A place in the executable: the addresses for which it was linked, and where the program begins by that count. None for
/// a place in a library, which depends on what is in memory.
type Linked = Option<(Vec<u64>, u64)>;

impl Default for Places {
    /// In files that others have opened as well.
    fn default() -> Places {
        Places { images: images(), found: Mutex::default() }
    }
}

impl Places {
    /// The addresses of `place` in a process that runs `file` and began at `entry`; none if the library that has it is not
    /// in memory (yet); an error says why there is no such place.
    pub(in crate::supervise) fn addresses(
        &self,
        pid: i32,
        file: &str,
        entry: u64,
        place: Label,
    ) -> Result<Option<Vec<u64>>, String> {
        let linked = {
            let mut found = self.found.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            let key = (file.to_owned(), place);
            found.entry(key).or_insert_with(|| self.linked(file, place)).clone()?
        };
        let Some((linked, begins)) = linked else { return self.in_library(pid, place) };
        let bias = entry.wrapping_sub(begins);
        Ok(Some(linked.into_iter().map(|address| address.wrapping_add(bias)).collect()))
    }

    /// The address for which a program was linked, of an address in a process that runs it and began at `entry`; of no use
    /// for an address of another file.
    pub(in crate::supervise) fn link_address(&self, file: &str, entry: u64, address: u64) -> Option<u64> {
        self.image(file, entry).map(|(_, bias)| address.wrapping_sub(bias))
    }

    /// The code of a program, and what is to be added to its addresses in a process that runs it and began at `entry`.
    pub(in crate::supervise) fn image(&self, file: &str, entry: u64) -> Option<(Arc<Image>, u64)> {
        let image = self.images.open(Path::new(file)).ok()?;
        let bias = entry.wrapping_sub(image.entry());
        Some((image, bias))
    }

    fn linked(&self, file: &str, place: Label) -> Result<Linked, String> {
        let place = parse(place)?;
        if place.module().is_some() {
            return Ok(None);
        }
        let image: Arc<Image> = self.images.open(Path::new(file)).map_err(|error| error.to_string())?;
        let addresses = image.resolve(&place).map_err(|error| error.to_string())?;
        Ok(Some((addresses, image.entry())))
    }

    fn in_library(&self, pid: i32, place: Label) -> Result<Option<Vec<u64>>, String> {
        let maps = procfs::maps(pid).map_err(|error| format!("reading what is in memory: {error}"))?;
        Modules::parse(&maps, self.images).resolve(&parse(place)?).map_err(|error| error.to_string())
    }
}

fn parse(place: Label) -> Result<Place, String> {
    place.as_str().parse().map_err(|error| format!("{error}"))
}
