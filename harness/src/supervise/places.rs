//! Where in the memory of a process a place of its program is.

use crate::code::{Image, Images, Place};
use crate::schedule::Label;
use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// Places that were looked up, so that each program's file is read once.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// For looking at stacks.
    pub(super) opened: Arc<Images>,
    images: RefCell<HashMap<String, Result<Arc<Image>, String>>>,
    found: RefCell<HashMap<(String, Label), Result<Vec<u64>, String>>>,
}

impl Places {
    /// The addresses of `place` in a process that runs `file` and began at `entry`; why there is none, if so.
    pub(super) fn addresses(&self, file: &str, entry: u64, place: Label) -> Result<Vec<u64>, String> {
        let image = self.image(file)?;
        let key = (file.to_owned(), place);
        let mut found = self.found.borrow_mut();
        let linked = found.entry(key).or_insert_with(|| {
            let place: Place = place.as_str().parse().map_err(|error| format!("{error}"))?;
            image.resolve(&place).map_err(|error| error.to_string())
        });
        let base = entry.wrapping_sub(image.entry());
        linked.clone().map(|linked| linked.into_iter().map(|address| address.wrapping_add(base)).collect())
    }

    /// The address for which a program was linked, of an address in a process that runs it and began at `entry`; of no use
    /// for an address of another file.
    pub(super) fn link_address(&self, file: &str, entry: u64, address: u64) -> Option<u64> {
        let image = self.image(file).ok()?;
        Some(address.wrapping_sub(entry.wrapping_sub(image.entry())))
    }

    fn image(&self, file: &str) -> Result<Arc<Image>, String> {
        let mut images = self.images.borrow_mut();
        let open = || Image::open(Path::new(file)).map(Arc::new).map_err(|error| error.to_string());
        images.entry(file.to_owned()).or_insert_with(open).clone()
    }
}
