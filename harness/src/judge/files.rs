//! No files and IPC objects are left that should not be, and no file is left half written.
//!
//! Against a reference run only what is certain counts. A run is compared if it ended by itself, if nobody of it was ended from
//! outside or is left at work, and if what it left was there before the handler of the signal that disturbed it: what that writes
//! down is no rest. Nor is what the undisturbed run leaves. Names that only chance decides count as the same ([`shape`]). Of content, a file is half written if it
//! ends in the middle of a line, or holds nothing and held something before, where the reference run left whole lines, the same
//! every time, and did not keep the file open to its end as a log is.

use super::{BadPattern, Expectation, Kind, Scope};
use crate::scenario::ExpectedFiles;
use crate::schedule::{Action, Site, ThreadName};
use crate::trace::{
    Broken, Change, Changing, End, Event, LeftHow, Object, Outcome, Remains, Run, Status, What, shape,
};
use glob::{MatchOptions, Pattern};
use std::collections::BTreeSet;
use std::sync::Arc;
use syscalls::Sysno;

pub(super) const KIND: Kind = Kind {
    broken: Broken::Files,
    title: "other files are left than should be",
    word: "files",
    scope: Scope::Uncut,
    of_scenario: |expect, reference| {
        let Some(files) = &expect.files else { return Ok(None) };
        let globs = |list: &[String]| list.iter().map(|one| glob(one)).collect::<Result<Vec<_>, _>>();
        Ok(Some(Arc::new(Asked {
            left: files.left.as_deref().map(globs).transpose()?,
            same: globs(&files.same)?,
            words: files.left.clone().unwrap_or_default().join(", "),
            reference: reference.outcome.remains.clone(),
        })))
    },
    against: |reference, how| {
        // Whose terminal is gone may keep what its user has not stored yet, as editors do.
        let hung_up = reference.schedule.steps.iter().any(|step| step.action == Action::HangUp);
        let ended = matches!(reference.outcome.end, End::Ended(_));
        let passed_on = how.interpreted && is_passed_on(reference);
        let compared = ended && !hung_up && !passed_on && reference.outcome.remains.more == 0;
        Ok(compared.then(|| Arc::new(AsReference::new(reference, &how.products)) as _))
    },
};

/// Compiles a glob as `files` in a scenario uses it: `*` and `?` stay within one folder, `**` does not.
pub(crate) fn glob(pattern: &str) -> Result<Pattern, BadPattern> {
    Pattern::new(pattern).map_err(|error| BadPattern {
        pattern: pattern.to_owned(),
        kind: "glob",
        reason: format!("{} at character {}", error.msg, error.pos + 1),
    })
}

fn any(globs: &[Pattern], name: &str) -> bool {
    const HOW: MatchOptions = MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: false,
    };
    globs.iter().any(|glob| glob.matches_with(name, HOW))
}

/// What the run made, and is still there.
pub(crate) fn made(remains: &Remains) -> impl Iterator<Item = (&Change, &Object)> {
    remains.changes.iter().filter_map(|change| match &change.how {
        Changing::Made(object) => Some((change, object)),
        Changing::Changed(_) | Changing::Removed => None,
    })
}

/// In words, of a folder only the folder itself.
fn list(found: &[(&Change, &Object)]) -> String {
    let within = |name: &str| {
        let folders =
            found.iter().filter(|(_, object)| matches!(object, Object::Folder | Object::MovedFolder(_)));
        folders
            .clone()
            .any(|(folder, _)| name.strip_prefix(&folder.name).is_some_and(|rest| rest.starts_with('/')))
    };
    let outer = found.iter().filter(|(change, _)| !within(&change.name));
    outer.map(|(change, object)| format!("{} ({object})", change.name)).collect::<Vec<_>>().join(", ")
}

/// As a scenario says.
#[derive(Debug)]
struct Asked {
    left: Option<Vec<Pattern>>,
    same: Vec<Pattern>,
    words: String,
    reference: Remains,
}

impl Expectation for Asked {
    fn breach(&self, run: &Run) -> Option<String> {
        let remains = &run.outcome.remains;
        if !matches!(run.outcome.end, End::Ended(_)) {
            return None;
        }
        let mut wrong = Vec::new();
        if let Some(allowed) = &self.left {
            let found: Vec<_> = made(remains).filter(|(change, _)| !any(allowed, &change.name)).collect();
            let but = if allowed.is_empty() { String::new() } else { format!(" but {}", self.words) };
            if !found.is_empty() {
                wrong.push(format!("expected no files to be left{but}, got {}", list(&found)));
            } else if remains.more > 0 {
                wrong.push(format!(
                    "expected no files to be left{but}, got {} more than are listed",
                    remains.more
                ));
            }
        }
        for change in remains.changes.iter().filter(|change| any(&self.same, &change.name)) {
            let wanted = self.reference.named(&change.name).and_then(|change| change.how.object());
            let known = |object: &Object| !matches!(object, Object::File { digest: None, .. });
            let got = change.how.object();
            if wanted != got || !got.is_none_or(known) {
                let words = |object: Option<&Object>| object.map_or("nothing".to_owned(), Object::to_string);
                wrong.push(format!(
                    "expected {} as it was before or as the reference run left it, {}, got {}",
                    change.name,
                    words(wanted),
                    match (wanted, got) {
                        (Some(Object::File { size: one, .. }), Some(Object::File { size: other, .. }))
                            if one == other =>
                        {
                            format!("other {other} bytes")
                        }
                        _ => words(got),
                    }
                ));
            }
        }
        (!wrong.is_empty()).then(|| wrong.join("; "))
    }
}

/// As the reference run did.
#[derive(Debug)]
struct AsReference {
    remains: Remains,
    /// What the program leaves in any case.
    products: BTreeSet<String>,
    /// Orphans that it left.
    orphans: BTreeSet<ThreadName>,
    /// Processes of it that were killed from outside.
    killed: BTreeSet<ThreadName>,
}

impl AsReference {
    fn new(reference: &Run, products: &[String]) -> AsReference {
        AsReference {
            products: products.iter().cloned().collect(),
            remains: reference.outcome.remains.clone(),
            orphans: orphans(&reference.outcome),
            killed: killed(reference),
        }
    }

    /// True if what is there at the end is what the program itself left.
    fn tells(&self, run: &Run) -> bool {
        let alive = run.outcome.table.iter().filter(|row| !matches!(row.stat, 'Z' | 'X'));
        let orphans = orphans(&run.outcome);
        matches!(run.outcome.end, End::Ended(_))
            && run.outcome.remains.more == 0
            && killed(run).is_subset(&self.killed)
            && alive
                .into_iter()
                .all(|row| orphans.contains(&row.process) && self.orphans.contains(&row.process))
    }

    /// What the run left and the reference run did not.
    fn left<'a>(&self, run: &'a Run) -> Vec<(&'a Change, &'a Object)> {
        let mut known: Vec<&str> = made(&self.remains).map(|(change, _)| change.name.as_str()).collect();
        let mut take = |like: &dyn Fn(&str) -> bool| {
            let at = known.iter().position(|name| like(name));
            at.map(|at| known.swap_remove(at)).is_some()
        };
        let disturbed = run
            .events
            .iter()
            .any(|event| matches!(&event.what, What::Step(action) if !matches!(action, Action::Switch(_))));
        let mut found: Vec<_> = made(&run.outcome.remains).collect();
        found.retain(|(change, _)| !take(&|name| name == change.name));
        found.retain(|(change, _)| !take(&|name| shape(name) == shape(&change.name)));
        found.retain(|(change, _)| change.before_signal || !disturbed);
        found.retain(|(change, _)| !self.products.contains(&change.name));
        found
    }

    /// Why a file is half written, if it is.
    fn half_written(&self, change: &Change) -> Option<String> {
        let Some(Object::File { size: whole, digest: Some(_), cut: false }) =
            self.remains.named(&change.name)?.how.object()
        else {
            return None;
        };
        let log = self.remains.open.iter().any(|open| open.descriptors.contains(&change.name));
        let (name, reference) =
            (&change.name, format!("the reference run left {whole} bytes of whole lines"));
        match &change.how {
            _ if log || *whole == 0 => None,
            Changing::Changed(Object::File { size: 0, .. }) => {
                Some(format!("{name} holds nothing any more; {reference}"))
            }
            Changing::Made(Object::File { size, cut: true, .. })
            | Changing::Changed(Object::File { size, cut: true, .. })
                if size < whole =>
            {
                Some(format!("{name} ends in the middle of a line after {size} bytes; {reference}"))
            }
            Changing::Made(_) | Changing::Changed(_) | Changing::Removed => None,
        }
    }
}

impl Expectation for AsReference {
    fn breach(&self, run: &Run) -> Option<String> {
        if !self.tells(run) {
            return None;
        }
        let left = self.left(run);
        let rest = (!left.is_empty())
            .then(|| format!("expected no files beyond those of the reference run, got {}", list(&left)));
        let cut = run.outcome.remains.changes.iter().filter_map(|change| self.half_written(change));
        let wrong: Vec<String> = rest.into_iter().chain(cut).collect();
        (!wrong.is_empty()).then(|| wrong.join("; "))
    }
}

fn orphans(outcome: &Outcome) -> BTreeSet<ThreadName> {
    let orphans = outcome.leftover.iter().filter(|left| left.how == LeftHow::Orphan);
    orphans.map(|left| left.process.clone()).collect()
}

/// The processes that a signal ended which they did not send themselves, as a handler does that has tidied up.
fn killed(run: &Run) -> BTreeSet<ThreadName> {
    let sends = |what: &What| match what.visit() {
        Some((Site::Before(call), _)) => {
            matches!(call.sysno(), Some(Sysno::kill | Sysno::tkill | Sysno::tgkill))
        }
        _ => false,
    };
    let by_itself = |process: &ThreadName| {
        run.events.iter().any(|event| event.thread.process() == *process && sends(&event.what))
    };
    let ended = run.events.iter().filter(|event| matches!(event.what, What::End(Status::Killed(_))));
    ended.map(|event| event.thread.process()).filter(|process| !by_itself(process)).collect()
}

/// True if the first process ended by a signal that it was sent and did nothing about but to send it to itself once more.
fn is_passed_on(run: &Run) -> bool {
    let End::Ended(Status::Killed(signal)) = run.outcome.end else { return false };
    let sent = run.schedule.steps.iter().any(|step| step.action == Action::Send(signal));
    let acts = |what: &What| {
        let call = match what.visit() {
            Some((Site::Before(call), _)) => call.sysno(),
            _ => None,
        };
        let tidies = matches!(
            call,
            Some(
                Sysno::unlink
                    | Sysno::unlinkat
                    | Sysno::rmdir
                    | Sysno::rename
                    | Sysno::renameat
                    | Sysno::renameat2
                    | Sysno::truncate
                    | Sysno::ftruncate
            )
        );
        tidies || what.made().is_some()
    };
    let own = |event: &&Event| event.thread.process() == ThreadName::root();
    let mut after = run.events.iter().filter(own).skip_while(|event| event.what != What::Signal(signal));
    sent && !after.any(|event| acts(&event.what))
}

/// What a scenario expects so that it finds what this search has found: the reference run's files may be left, and those
/// are the same that were found half written.
pub fn expected_of<'a>(reference: &Run, found: impl Iterator<Item = &'a Run>) -> ExpectedFiles {
    let as_reference = AsReference::new(reference, &[]);
    let escaped = |name: &String| Pattern::escape(name);
    let changes = found.flat_map(|run| &run.outcome.remains.changes);
    let half = changes.filter(|change| as_reference.half_written(change).is_some());
    let same: BTreeSet<String> = half.map(|change| escaped(&change.name)).collect();
    let left = made(&reference.outcome.remains).map(|(change, _)| escaped(&change.name)).collect();
    ExpectedFiles { left: Some(left), same: same.into_iter().collect() }
}

#[cfg(test)]
mod tests;
