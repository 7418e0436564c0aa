//! Finding scenario files and reading them.

use crate::scenario::Scenario;
use crate::store::{self, FileError};
use crate::trace::Trace;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A scenario file that was found, not read yet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// Its folder's name and its own, without the ending: `family/name`.
    pub name: String,
    /// The file, as it was reached.
    pub path: PathBuf,
}

/// A folder or file could not be looked at.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}: {reason}", path.display())]
pub struct FindError {
    path: PathBuf,
    reason: io::Error,
}

/// The scenario files (`*.ron`) among these paths and in all folders below them, each once, in the order of their names.
///
/// A file that is named itself counts whatever its ending is.
pub fn find(paths: &[PathBuf]) -> Result<Vec<Found>, FindError> {
    let mut found = Vec::new();
    for path in paths {
        let bad = |reason| FindError { path: path.clone(), reason };
        if fs::metadata(path).map_err(bad)?.is_dir() {
            walk(path, &mut found)?;
        } else {
            found.push(Found { name: name(path).map_err(bad)?, path: path.clone() });
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// Links to folders are not followed, so that this ends.
fn walk(folder: &Path, found: &mut Vec<Found>) -> Result<(), FindError> {
    let bad = |reason| FindError { path: folder.to_owned(), reason };
    for entry in fs::read_dir(folder).map_err(bad)? {
        let entry = entry.map_err(bad)?;
        let path = entry.path();
        if entry.file_type().map_err(bad)?.is_dir() {
            walk(&path, found)?;
        } else if path.extension().is_some_and(|ending| ending == "ron") {
            found.push(Found { name: name(&path).map_err(bad)?, path });
        }
    }
    Ok(())
}

fn name(path: &Path) -> io::Result<String> {
    let full = std::path::absolute(path)?;
    let family = full.parent().and_then(Path::file_name).unwrap_or_default();
    let stem = full.file_stem().unwrap_or_default();
    Ok(format!("{}/{}", family.to_string_lossy(), stem.to_string_lossy()))
}

/// A scenario with its name and its place.
#[derive(Clone, Debug)]
pub struct Case {
    /// `family/name`
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// What it says.
    pub scenario: Scenario,
    /// The traces that it keeps, each with its file as the scenario names it.
    pub kept: Vec<(PathBuf, Trace)>,
}

impl Case {
    /// Reads the scenario and the traces that it keeps; a malformed file is refused with its line and column.
    pub fn read(found: Found) -> Result<Case, FileError> {
        let scenario = store::read_scenario(&found.path)?;
        let mut case = Case { name: found.name, path: found.path, scenario, kept: Vec::new() };
        for path in &case.scenario.kept {
            let trace = store::read_trace(&case.folder().join(path))?;
            case.kept.push((path.clone(), trace));
        }
        Ok(case)
    }

    /// The folder of the scenario, where its relative paths start.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_at_any_depth_and_named_after_their_family() {
        let top = tempfile::tempdir().unwrap();
        let family = top.path().join("deeper/addjob");
        fs::create_dir_all(&family).unwrap();
        for file in ["sound.ron", "broken.ron", "README.md"] {
            fs::write(family.join(file), "").unwrap();
        }
        let names = |paths: &[&Path]| -> Vec<String> {
            let paths: Vec<PathBuf> = paths.iter().map(|&path| path.to_owned()).collect();
            find(&paths).unwrap().into_iter().map(|found| found.name).collect()
        };
        assert_eq!(names(&[top.path()]), ["addjob/broken", "addjob/sound"]);
        assert_eq!(names(&[&family]), ["addjob/broken", "addjob/sound"]);
        assert_eq!(names(&[&family.join("sound.ron"), &family.join("sound.ron")]), ["addjob/sound"]);
        assert!(find(&[top.path().join("missing")]).is_err());
    }
}
