//! Which scenarios are meant: paths and filters, as people type them.

use super::files::{FindError, Found, cases};
use std::path::{Path, PathBuf};

/// The folder that is meant when none is named.
pub const DEFAULT_FOLDER: &str = "scenarios";

/// A word and a name that are alike by this much may be meant for each other (normalised Damerau-Levenshtein distance, from 0 to 1).
const ALIKE: f64 = 0.6;
/// So many names are suggested.
const MOST_NEAR: usize = 4;

/// What to select.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Files, folders, and parts of names.
    pub words: Vec<String>,
    /// Names must be equal to a filter, with their build or without, not only contain it.
    pub exact: bool,
    /// Leave out names that contain (with `exact`: are) one of these.
    pub skip: Vec<String>,
}

impl Selection {
    /// The cases selected; none is no error here.
    ///
    /// A word is a path if there is such a file or folder, or if it ends in `.ron`; every other word is a filter. Without
    /// a path the folder `scenarios` is meant, where a missing one holds no scenario.
    pub fn find(&self) -> Result<Vec<Found>, FindError> {
        let (mut found, filters) = self.all()?;
        let matches = |found: &Found, filter: &str| {
            if self.exact {
                filter == found.name || filter == found.scenario
            } else {
                found.name.contains(filter)
            }
        };
        found.retain(|found| {
            (filters.is_empty() || filters.iter().any(|filter| matches(found, filter)))
                && !self.skip.iter().any(|skip| matches(found, skip))
        });
        Ok(found)
    }

    /// Names that are like the filters, the nearest first: what somebody may have meant by one that selects nothing. None if
    /// there is no case at all.
    pub fn near(&self) -> Result<Option<Vec<String>>, FindError> {
        let (found, filters) = self.all()?;
        if found.is_empty() {
            return Ok(None);
        }
        let likeness = |found: &Found| {
            let words =
                found.name.split(['/', '_', '-']).chain([found.name.as_str(), found.scenario.as_str()]);
            let like = words.flat_map(|word| {
                filters.iter().map(move |filter| strsim::normalized_damerau_levenshtein(word, filter))
            });
            like.fold(0.0, f64::max)
        };
        let mut near: Vec<(f64, String)> = found
            .into_iter()
            .map(|found| (likeness(&found), found.name))
            .filter(|(like, _)| *like >= ALIKE)
            .collect();
        near.sort_by(|(one, first), (other, second)| other.total_cmp(one).then_with(|| first.cmp(second)));
        Ok(Some(near.into_iter().map(|(_, name)| name).take(MOST_NEAR).collect()))
    }

    /// All cases in the paths, and the filters.
    fn all(&self) -> Result<(Vec<Found>, Vec<&String>), FindError> {
        let is_path = |word: &&String| word.ends_with(".ron") || Path::new(word).exists();
        let (mut paths, filters): (Vec<&String>, Vec<&String>) = self.words.iter().partition(is_path);
        let default = DEFAULT_FOLDER.to_owned();
        if paths.is_empty() && Path::new(&default).exists() {
            paths.push(&default);
        }
        let paths: Vec<PathBuf> = paths.into_iter().map(PathBuf::from).collect();
        Ok((cases(&paths)?, filters))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// One with scenarios of these names.
    fn folder(names: &[&str]) -> tempfile::TempDir {
        let top = tempfile::tempdir().unwrap();
        for name in names {
            let path = top.path().join(name).with_extension("ron");
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        top
    }

    fn names(folder: &Path, words: &[&str], exact: bool, skip: &[&str]) -> Vec<String> {
        let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let mut all = vec![folder.display().to_string()];
        all.extend(owned(words));
        let selection = Selection { words: all, exact, skip: owned(skip) };
        selection.find().unwrap().into_iter().map(|found| found.name).collect()
    }

    #[test]
    fn a_filter_that_selects_nothing_is_like_some_names() {
        let top = folder(&["jobs/addjob_broken", "jobs/addjob_sound", "timers/early_timer_broken"]);
        let near = |filter: &str| {
            let words = vec![top.path().display().to_string(), filter.to_owned()];
            Selection { words, ..Selection::default() }.near().unwrap().unwrap()
        };
        assert_eq!(near("adjob"), ["jobs/addjob_broken", "jobs/addjob_sound"]);
        assert_eq!(near("jobs/addjob_brokn")[0], "jobs/addjob_broken");
        assert_eq!(near("early_tmer_broken")[0], "timers/early_timer_broken");
        assert_eq!(near("nothing"), [""; 0]);
    }

    #[test]
    fn filters_choose_by_name_and_skips_leave_out() {
        let top = folder(&["addjob/broken", "addjob/sound", "eintr/sound"]);
        let names = |words: &[&str], exact, skip: &[&str]| names(top.path(), words, exact, skip);
        assert_eq!(names(&[], false, &[]), ["addjob/broken", "addjob/sound", "eintr/sound"]);
        assert_eq!(names(&["sound"], false, &["eintr"]), ["addjob/sound"]);
        assert_eq!(names(&["broken", "eintr"], false, &[]), ["addjob/broken", "eintr/sound"]);
        assert_eq!(names(&["addjob"], true, &[]), [""; 0]);
        assert_eq!(names(&["addjob/sound"], true, &[]), ["addjob/sound"]);
    }

    #[test]
    fn a_scenario_file_that_is_missing_is_an_error_and_no_filter() {
        let selection = Selection { words: vec!["missing.ron".to_owned()], ..Selection::default() };
        assert!(selection.find().unwrap_err().to_string().contains("missing.ron"));
    }

    #[test]
    fn each_build_is_selected_by_its_own_name() {
        let top = tempfile::tempdir().unwrap();
        let family = top.path().join("list");
        fs::create_dir_all(&family).unwrap();
        let text = "(format: 1, program: Source(\"x.c\"), builds: [\"-O0\", \"-O2\", \"-O2 -static\"])";
        fs::write(family.join("broken.ron"), text).unwrap();
        let names = |words: &[&str], exact, skip: &[&str]| names(top.path(), words, exact, skip);
        let [plain, fast, still] = ["list/broken [-O0]", "list/broken [-O2]", "list/broken [-O2 -static]"];
        assert_eq!(names(&["broken"], false, &["-static"]), [plain, fast]);
        assert_eq!(names(&["[-O2"], false, &[]), [still, fast]);
        assert_eq!(names(&[fast], true, &[]), [fast]);
        assert_eq!(names(&["list/broken"], true, &[plain]), [still, fast]);
    }
}
