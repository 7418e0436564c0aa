//! A page for each finding.

use crate::show;
use crate::store::{self, FileError};
use crate::suite::Done;
use std::path::{Path, PathBuf};

/// Writes a page of each finding that no earlier search has found, named as its trace is, and gives the files.
pub(super) fn write(folder: &Path, done: &Done) -> Vec<Result<PathBuf, FileError>> {
    let new = done.traces.iter().enumerate().filter(|(index, _)| !done.known.contains_key(index));
    let page = |(_, (trace, _)): (usize, &(crate::trace::Trace, _))| {
        let file = folder.join(store::trace_file_name(trace)).with_extension("html");
        store::make_directory(folder)?;
        store::write_text(&file, &show::html(trace))?;
        Ok(file)
    };
    new.map(page).collect()
}
