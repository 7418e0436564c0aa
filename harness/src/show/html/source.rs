//! The source beside a run: the lines that its places name, with some around them.

use crate::code::{SourceLine, snippet};
use crate::show::layout::plain;
use crate::trace::{Trace, Whereabouts};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Lines that are shown before and after one.
const AROUND: u32 = 8;
/// Lines that are looked for, of each file and of all.
const MOST_LINES: usize = 300;

/// A source file, as far as it is shown.
pub(super) struct Source {
    /// Its name, as the compiler wrote it.
    pub(super) name: String,
    pub(super) lines: BTreeMap<u32, String>,
    /// Those of them at which a thread was.
    pub(super) named: BTreeSet<u32>,
}

/// The files that places of these runs name, where they are found: where the compiler found them, beside the program and its source,
/// and in the folder in which the program ran.
pub(super) fn sources(trace: &Trace, reference: Option<&Trace>) -> Vec<Source> {
    let launch = &trace.launch;
    let folder = |path: &Path| path.parent().map(Path::to_owned);
    let folders: Vec<PathBuf> =
        [launch.source.as_deref().and_then(folder), Some(launch.cwd.clone()), folder(&launch.file)]
            .into_iter()
            .flatten()
            .collect();
    let places = trace.places.iter().chain(reference.into_iter().flat_map(|one| &one.places));
    let mut wanted: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
    for (file, line) in places.filter_map(line_of) {
        wanted.entry(file).or_default().insert(line);
    }
    let mut all = Vec::new();
    for (file, numbers) in wanted {
        let mut source = Source { name: plain(file), lines: BTreeMap::new(), named: BTreeSet::new() };
        for line in numbers.into_iter().take(MOST_LINES) {
            let place = SourceLine { file: file.into(), line };
            let Some(lines) = snippet(&place, AROUND, &folders) else { continue };
            source.named.insert(line);
            source
                .lines
                .extend(lines.into_iter().map(|(number, text)| (number, plain(&text.replace('\t', "    ")))));
        }
        if !source.lines.is_empty() {
            all.push(source);
        }
    }
    all
}

/// The line of the program's own source that is nearest to what a thread is doing.
pub(super) fn line_of(place: &Whereabouts) -> Option<(&str, u32)> {
    let told = crate::show::place::Told::new(place);
    let line = told.nearest().filter(|frame| !frame.foreign)?.line_of_program()?;
    Some((line.file, line.number))
}

/// What a line of a source is called in the page; none if it is not shown.
pub(super) fn anchor(sources: &[Source], file: &str, line: u32) -> Option<String> {
    let name = plain(file);
    let index = sources.iter().position(|source| source.name == name && source.named.contains(&line))?;
    Some(format!("s{index}-{line}"))
}
