//! Which searches are made: what is sent in each, and to whom.

use super::looks::Given;
use super::{Args, Begin, Sent};
use crate::cli::exit::{Exit, Stop};
use crate::explore::{Beginning, Look, Reference, Sendable, Why, sendable, with_others};
use crate::judge;
use crate::schedule::{Action, Receiver, ThreadName};
use crate::show::{listed, signals};
use crate::signal::{Signal, SignalSet};
use crate::slots::Slots;
use crate::suite::{self, Done};
use crate::supervise::Settings;
use crate::trace::{Broken, End};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// One of the searches that a command comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Section {
    /// Signals that each run sends, once each.
    pub(super) send: Vec<Signal>,
    /// Who gets them.
    pub(super) to: Receiver,
    /// It does nothing about them: they end it, wherever they come.
    pub(super) fatal: bool,
    /// What a person does at the terminal in each run, once each.
    pub(super) person: Vec<Action>,
}

impl Section {
    fn nothing() -> Section {
        Section::default()
    }

    /// `SIGTERM`, `SIGUSR1 to p0.1`, `nothing`; where a person does something, `typed "^C"`, `hung up`.
    fn words(&self) -> String {
        match (self.send.is_empty(), self.to == Receiver::default()) {
            _ if !self.person.is_empty() => listed(self.person.iter().map(done)),
            _ if self.fatal => format!("{}, which ends it", listed(&self.send)),
            (true, _) => "nothing".to_owned(),
            (false, true) => listed(&self.send),
            (false, false) => format!("{} to {}", listed(&self.send), self.to),
        }
    }

    /// What it is called among `count` of them.
    pub(super) fn name(&self, program: &str, count: usize) -> String {
        match count {
            1 => program.to_owned(),
            _ if !self.person.is_empty() => format!("{program}, {}", self.words()),
            _ => format!("{program}, sent {}", self.words()),
        }
    }

    /// Where it is written down: `FILE.ron`, and `FILE-SIGTERM.ron` where something is sent, if there are several.
    pub(super) fn file(&self, path: &Path, count: usize) -> PathBuf {
        let signals = self.send.iter().map(ToString::to_string);
        let words: Vec<String> = signals.chain(self.person.iter().map(file_word)).collect();
        if count == 1 || words.is_empty() {
            return path.to_owned();
        }
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let name = format!("{stem}-{}", words.join("-"));
        let extension = path.extension().map(|extension| format!(".{}", extension.to_string_lossy()));
        path.with_file_name(name + &extension.unwrap_or_default())
    }
}

/// What the kernel sends for what a person does at a terminal.
const AT_TERMINAL: [Signal; 4] = [Signal::INT, Signal::QUIT, Signal::HUP, Signal::WINCH];

/// What was done at the terminal, in words that follow a name and a comma.
fn done(act: &Action) -> String {
    match act {
        Action::Type(keys) => format!("typed {keys}"),
        Action::Resize(columns, rows) => format!("resized to {columns} by {rows}"),
        Action::HangUp => "hung up".to_owned(),
        Action::Send(_) | Action::SendGroup(_) | Action::Switch(_) | Action::Fire => act.to_string(),
    }
}

/// The same in a name of a file: `ctrl-C`, `120x40`.
fn file_word(act: &Action) -> String {
    match act {
        Action::Type(keys) => {
            let word = keys.to_string().trim_matches('"').replace('^', "ctrl-");
            word.replace(|one: char| !one.is_ascii_alphanumeric() && one != '-', "_")
        }
        Action::Resize(columns, rows) => format!("{columns}x{rows}"),
        Action::HangUp => "hang-up".to_owned(),
        Action::Send(_) | Action::SendGroup(_) | Action::Switch(_) | Action::Fire => act.to_string(),
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Sections {
    /// In their order.
    pub(super) each: Vec<Section>,
    /// What was found out, where nobody said what to send.
    found: Option<Sendable>,
    /// Those after whose signal the program goes on as before.
    goes_on: Vec<Section>,
    /// Those by whose signal it ends.
    endings: Vec<Section>,
    /// The numbers of those of which that is known.
    learned: BTreeSet<usize>,
    /// True if the outside could send something that the program hears.
    pub(super) heard: bool,
    /// What an undisturbed run has shown, if it is to be seen from it where they begin.
    look: Option<Look>,
    /// What its runs are given, or denied, that nobody has asked for.
    pub(super) given: Given,
}

impl Args {
    /// What was asked for: these signals together; or else what the program has something to do with, found out by a run.
    pub(super) fn sections(&self, settings: &mut Settings, slots: &Slots) -> Result<Sections, Stop> {
        let signals: Vec<Signal> = self.send.iter().filter_map(|sent| sent.signal()).collect();
        if self.send.contains(&Sent::Nothing) && (!signals.is_empty() || self.always) {
            let why = "`--send none` sends nothing: it goes with no other signal, nor with --always";
            return Err(Stop::new(Exit::Usage, why));
        }
        if !signals.is_empty() {
            let each = vec![Section { send: signals, to: self.send_to.clone(), ..Section::default() }];
            // A launcher other than a shell is alone, catches nothing and is sent nothing, so that in it no step could be taken anyway.
            let looks = self.always || self.target.world().tty || suite::is_interpreted(&settings.launch);
            let looks = looks && self.from.is_none();
            let free = !self.target.has_limit_of_clock();
            if !looks && !free {
                return Ok(Sections { each, ..Sections::default() });
            }
            let (look, given) = self.look(settings, slots)?;
            let look = Some(look).filter(|_| looks || given.terminal && self.from.is_none());
            return Ok(Sections { each, look, given, ..Sections::default() });
        }
        let (look, given) = self.look(settings, slots)?;
        let found = sendable(&look.receivers(self.from.is_none()));
        let heard = !found.send.is_empty();
        let fatal = match look.ends_by().filter(|_| self.send.is_empty() && !settings.world.tty) {
            Some(signal) if suite::ends_others(settings, &look, signal, slots)? => Some(signal),
            Some(_) | None => None,
        };
        let told = self.send.is_empty() && self.person().is_empty();
        let acts = if told && settings.world.tty { look.acts() } else { Vec::new() };
        let acts = suite::worth_doing(settings, &look, acts, slots)?;
        let look = Some(look).filter(|_| self.from.is_none());
        // At a terminal a person types instead.
        if self.send.contains(&Sent::Nothing) || settings.world.tty {
            let persons = acts.into_iter().map(|act| Section { person: vec![act], ..Section::default() });
            let each = std::iter::once(Section::nothing()).chain(persons).collect();
            let found = Some(found).filter(|_| self.send.is_empty());
            return Ok(Sections { each, found, heard, look, given, ..Sections::default() });
        }
        let sent = found.send.iter().map(|(signal, to)| Section {
            send: vec![*signal],
            to: to.clone().into(),
            ..Section::default()
        });
        let ending = fatal.map(|signal| Section { send: vec![signal], fatal: true, ..Section::default() });
        let each = std::iter::once(Section::nothing()).chain(sent).chain(ending).collect();
        Ok(Sections { each, found: Some(found), heard, look, given, ..Sections::default() })
    }
}

impl Sections {
    /// Where this search begins: where it was asked for, or what is found out.
    pub(super) fn from(&self, section: &Section, asked: Option<&Begin>) -> Option<Beginning> {
        match asked {
            Some(Begin::Start) => None,
            Some(Begin::Point(point)) => Some(Beginning { point: point.clone(), why: Why::Asked }),
            None if section.fatal => with_others(self.look.as_ref()?, *section.send.first()?),
            None => self.look.as_ref()?.begins(&section.send),
        }
    }

    /// The look at a run that nothing disturbed, if there was one that went as far as the others go.
    pub(super) fn undisturbed(&self) -> Option<&Look> {
        let look = self.look.as_ref().filter(|_| self.given.followed.is_none());
        look.filter(|look| !matches!(look.run().outcome.end, End::TimedOut))
    }

    /// What a person does in searches of their own.
    pub(super) fn persons(&self) -> Vec<Action> {
        self.each.iter().flat_map(|section| section.person.iter().cloned()).collect()
    }

    /// True if there are several.
    pub(super) fn several(&self) -> bool {
        self.each.len() > 1
    }

    /// What is sent in turn and what is left out, in a line or two; none if there is but one search.
    pub(super) fn told(&self, program: &str) -> Option<String> {
        let persons = self.each.iter().filter(|section| !section.person.is_empty());
        if persons.clone().next().is_some() {
            let words = listed(persons.map(Section::words));
            let alone = format!("{program} is left alone at its terminal, and then in turn {words}");
            let sent = self.found.iter().flat_map(|found| &found.send);
            let left: Vec<String> = sent
                .filter(|(signal, _)| !AT_TERMINAL.contains(signal))
                .map(|(signal, process)| format!("{signal} to {process}"))
                .collect();
            let left = if left.is_empty() {
                String::new()
            } else {
                format!("\nnot sent (--send): {}", listed(left))
            };
            return Some(alone + &left);
        }
        let found = self.found.as_ref().filter(|_| self.several())?;
        let mut told = format!("{program} is sent in turn: {}", listed(self.each.iter().map(Section::words)));
        let mut left = Vec::new();
        let natural: SignalSet =
            found.natural.iter().filter(|signal| !signal.is_of_the_c_library()).collect();
        match natural.iter().count() {
            0 => {}
            1 => left.push(format!("{}, which comes by itself", signals(natural))),
            _ => left.push(format!("{}, which come by themselves", signals(natural))),
        }
        for (process, set) in &found.runtime {
            left.push(format!(
                "{} to {process}, whose language's runtime may keep them for itself",
                signals(*set)
            ));
        }
        let mut others: BTreeMap<Signal, Vec<&ThreadName>> = BTreeMap::new();
        for (signal, process) in &found.others {
            others.entry(*signal).or_default().push(process);
        }
        left.extend(others.iter().map(|(signal, processes)| format!("{signal} to {}", few(processes))));
        if !left.is_empty() {
            told += &format!("\nnot sent (--send, --send-to): {}", left.join("; "));
        }
        Some(told)
    }

    /// Why it is not written down, if it is not: a scenario has no word for runs that wait for a signal, nor for what breaks without any
    /// step, nor for what is expected of clients of sigrace's own, and one in which nothing can be done tests nothing.
    pub(super) fn not_kept(&self, section: &Section, done: &Done) -> Option<&'static str> {
        let reference = &done.report.reference;
        let waits = matches!(reference.run.outcome.end, End::Hang(_));
        let again = judge::waits_again(reference.plain(), &reference.run);
        if waits && (again || self.several() && section.send.is_empty()) {
            Some("a scenario has no word for a program that waits for the next signal")
        } else if done.report.findings.iter().any(|finding| finding.schedule.steps.is_empty()) {
            Some("a scenario has no word for what breaks where nothing is disturbed")
        } else if self.given.visitors > 0
            && done.report.findings.iter().any(|finding| finding.breaks == Broken::Client)
        {
            Some(
                "a scenario has no word for what is expected of clients that nobody has asked for (--client)",
            )
        } else if done.report.coverage.steps == 0 && done.report.findings.is_empty() {
            Some("no step was taken in any run, so that it would test nothing")
        } else {
            None
        }
    }

    /// How many searches are left to be made: so many, and those that are known to follow.
    pub(super) fn left(&self, turns: usize) -> u64 {
        (turns + 2 * self.goes_on.len()) as u64
    }

    /// Takes in what a search has begun with, if nobody said what to send: that the program goes on after a signal, or ends by it.
    pub(super) fn learn(&mut self, index: usize, reference: &Reference) {
        if !self.learned.insert(index) {
            return;
        }
        let Some(section) = self.each.get(index).filter(|section| section.send.len() == 1) else { return };
        if self.found.is_none() || section.fatal {
            return;
        }
        if matches!(reference.run.outcome.end, End::Ended(_)) {
            self.endings.push(section.clone());
        } else if judge::goes_on(reference.plain(), &reference.run) {
            self.goes_on.push(section.clone());
        }
    }

    /// What was found out at first has all been made, or begun. Adds what follows from it, and tells that: after each signal after which
    /// the program goes on the same once more, and one by which it ends. None if there is none.
    pub(super) fn further(&mut self) -> Option<String> {
        let first = std::mem::take(&mut self.goes_on);
        let before = self.each.len();
        for section in &first {
            let same = |ending: &&Section| ending.to == section.to;
            let endings: Vec<&Section> = self.endings.iter().filter(same).collect();
            let term = endings.iter().find(|ending| ending.send.contains(&Signal::TERM));
            let ending = term.or(endings.first()).copied();
            for next in [Some(section), ending].into_iter().flatten() {
                let send = section.send.iter().chain(&next.send).copied().collect();
                self.each.push(Section { send, to: section.to.clone(), ..Section::default() });
            }
        }
        let added = self.each.get(before..).filter(|added| !added.is_empty())?;
        let words =
            |sections: &[Section]| listed(sections.iter().map(|section| format!("({})", section.words())));
        Some(format!(
            "since it goes on after {}, it is also sent {}",
            listed(first.iter().map(Section::words)),
            words(added)
        ))
    }

    /// True if a person is told of this search: not of one that could do nothing, beside others.
    pub(super) fn is_told(&self, done: &Done) -> bool {
        let told = !done.report.findings.is_empty() || !done.report.unstable.is_empty();
        !self.several() || done.report.coverage.steps > 0 || told
    }
}

/// The first of them, and how many there are more.
fn few(processes: &[&ThreadName]) -> String {
    const FEW: usize = 4;
    match processes.split_at_checked(FEW) {
        Some((first, rest @ [_, _, ..])) => {
            listed(first.iter().map(ToString::to_string).chain([format!("{} more", rest.len())]))
        }
        _ => listed(processes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_processes_the_first_are_named() {
        let names: Vec<ThreadName> = (1..=6).map(|n| format!("p0.{n}").parse().unwrap()).collect();
        let names: Vec<&ThreadName> = names.iter().collect();
        assert_eq!(few(&names[..1]), "p0.1");
        assert_eq!(few(&names[..5]), "p0.1, p0.2, p0.3, p0.4 and p0.5");
        assert_eq!(few(&names), "p0.1, p0.2, p0.3, p0.4 and 2 more");
    }

    #[test]
    fn each_search_has_a_name_and_a_file_of_its_own() {
        let term = Section { send: vec![Signal::TERM], ..Section::default() };
        let person = |act| Section { person: vec![act], ..Section::default() };
        let key = person(Action::Type("^C".parse().unwrap()));
        assert_eq!(key.name("./prog", 2), "./prog, typed \"^C\"");
        assert_eq!(key.file(Path::new("prog.ron"), 2), Path::new("prog-ctrl-C.ron"));
        let size = person(Action::Resize(120, 40));
        assert_eq!(size.name("./prog", 2), "./prog, resized to 120 by 40");
        assert_eq!(size.file(Path::new("prog.ron"), 2), Path::new("prog-120x40.ron"));
        let child = Section { to: "p0.1".parse().unwrap(), ..term.clone() };
        let fatal = Section { fatal: true, ..term.clone() };
        assert_eq!(Section::nothing().name("./prog", 1), "./prog");
        assert_eq!(Section::nothing().name("./prog", 2), "./prog, sent nothing");
        assert_eq!(term.name("./prog", 2), "./prog, sent SIGTERM");
        assert_eq!(child.name("./prog", 2), "./prog, sent SIGTERM to p0.1");
        assert_eq!(fatal.name("./prog", 2), "./prog, sent SIGTERM, which ends it");
        let path = Path::new("kept/prog.ron");
        assert_eq!(term.file(path, 1), path);
        assert_eq!(Section::nothing().file(path, 2), path);
        assert_eq!(term.file(path, 2), Path::new("kept/prog-SIGTERM.ron"));
    }
}
