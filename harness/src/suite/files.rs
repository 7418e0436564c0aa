//! Finding scenario files and reading them.

use crate::build::Build;
use crate::scenario::Scenario;
use crate::store::{self, FileError};
use crate::trace::Trace;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A scenario file that was found, or one of the builds of the program that it names; not read yet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// The scenario's name, and behind it the build, where the scenario lists builds: `family/name [-O2 -static]`.
    pub name: String,
    /// Its folder's name and its own, without the ending: `family/name`.
    pub scenario: String,
    /// Which build of the program.
    pub build: Option<Build>,
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
            found.push(Found::file(path.clone()).map_err(bad)?);
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// The same with a scenario of several builds once for each of them.
///
/// What cannot be read stays as it is: whoever reads it to run it says why not.
pub fn cases(paths: &[PathBuf]) -> Result<Vec<Found>, FindError> {
    let mut cases: Vec<Found> = find(paths)?.into_iter().flat_map(Found::builds).collect();
    cases.sort();
    Ok(cases)
}

impl Found {
    fn file(path: PathBuf) -> io::Result<Found> {
        let name = name(&path)?;
        Ok(Found { scenario: name.clone(), name, build: None, path })
    }

    fn builds(self) -> Vec<Found> {
        let builds = store::read_scenario(&self.path).map_or_else(|_| Vec::new(), |scenario| scenario.builds);
        if builds.is_empty() {
            return vec![self];
        }
        let of = |build: Build| Found {
            name: format!("{} [{build}]", self.scenario),
            build: Some(build),
            ..self.clone()
        };
        builds.into_iter().map(of).collect()
    }
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
            found.push(Found::file(path).map_err(bad)?);
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

/// A scenario, or one of the builds of its program, with its name and its place.
#[derive(Clone, Debug)]
pub struct Case {
    /// `family/name`, and the build where the scenario lists builds.
    pub name: String,
    /// Which build of the program.
    pub build: Option<Build>,
    /// Its file.
    pub path: PathBuf,
    /// What it says.
    pub scenario: Scenario,
    /// The traces that it keeps, each with its file as the scenario names it; without those of the scenario's other builds.
    pub kept: Vec<(PathBuf, Trace)>,
}

impl Case {
    /// Reads the scenario and the traces that it keeps; a malformed file is refused with its line and column.
    pub fn read(found: Found) -> Result<Case, FileError> {
        let scenario = store::read_scenario(&found.path)?;
        let Found { name, build, path, .. } = found;
        let mut case = Case { name, build, path, scenario, kept: Vec::new() };
        for path in &case.scenario.kept {
            let trace = store::read_trace(&case.folder().join(path))?;
            let theirs = trace.launch.build.as_ref();
            if theirs == case.build.as_ref()
                || !case.scenario.builds.iter().any(|build| Some(build) == theirs)
            {
                case.kept.push((path.clone(), trace));
            }
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
    use proptest::strategy::{Strategy, ValueTree};

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

    #[test]
    fn a_scenario_with_builds_is_a_case_for_each_and_a_kept_trace_belongs_to_its_own() {
        let top = tempfile::tempdir().unwrap();
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let mut trace = crate::arbitrary::trace().new_tree(&mut runner).unwrap().current();
        let mut keep = |build: Option<&str>| {
            trace.launch.build = build.map(|build| build.parse().unwrap());
            store::write_trace(top.path(), &trace).unwrap().file_name().unwrap().to_str().unwrap().to_owned()
        };
        let kept = [keep(Some("-O2 -static")), keep(None)];
        let path = top.path().join("list.ron");
        let text = format!(
            "(format: 1, program: Source(\"list.c\"), builds: [\"-O2  -static\", \"-O0\"], kept: {kept:?})"
        );
        fs::write(&path, text).unwrap();
        fs::write(top.path().join("refused.ron"), "(").unwrap();
        let family = top.path().file_name().unwrap().to_str().unwrap().to_owned();
        let found = cases(&[path, top.path().join("refused.ron")]).unwrap();
        let names: Vec<&str> = found.iter().map(|found| found.name.strip_prefix(&family).unwrap()).collect();
        assert_eq!(names, ["/list [-O0]", "/list [-O2 -static]", "/refused"]);
        let case = |index: usize| Case::read(found[index].clone());
        let of = |index: usize| -> Vec<String> {
            case(index).unwrap().kept.into_iter().map(|(path, _)| path.display().to_string()).collect()
        };
        // One of no listed build is for all of them.
        assert_eq!((of(0), of(1)), (vec![kept[1].clone()], kept.to_vec()));
        assert_eq!(case(1).unwrap().build, Some("-O2 -static".parse().unwrap()));
        assert!(case(2).is_err());
    }
}
