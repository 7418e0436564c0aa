//! Loops of a program: where its calls are made and what they return, and what a search makes of that.

mod script;
mod supervised;

use script::{ends, stdout};
use sigrace::explore::{Plan, reference};
use sigrace::program::Limits;
use sigrace::schedule::{Schedule, ThreadName};
use sigrace::suite::report::{Found, Looped, Report};
use sigrace::supervise::{Called, Observe, Supervise};
use std::path::Path;
use tempfile::TempDir;

fn built() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    supervised::build("rounds.c", &["-g"], folder.path());
    folder
}

/// The reads of a run of the program, and what the run itself came to, with a look at it and without.
fn reads(folder: &Path, word: &str) -> Vec<Called> {
    let launch = supervised::launch(&["./rounds", word], folder);
    let wanted = [(ThreadName::root(), "read".parse().unwrap())].into();
    supervised::with_supervisor(launch, Limits::default(), |supervisor| {
        let plain = supervisor.run(&Schedule::empty()).unwrap();
        let (run, observed) = supervisor.observe(&Schedule::empty(), &Observe::Calls(wanted)).unwrap();
        assert_eq!((plain.events, plain.outcome.end), (run.events, run.outcome.end));
        observed.calls
    })
}

/// How often each place and result follows itself.
fn lengths(calls: &[Called]) -> Vec<(usize, Option<i64>, usize)> {
    let mut lengths: Vec<(usize, Option<i64>, usize)> = Vec::new();
    for Called { place, result, .. } in calls {
        match lengths.last_mut() {
            Some((last, same, times)) if (*last, *same) == (*place, *result) => *times += 1,
            _ => lengths.push((*place, *result, 1)),
        }
    }
    lengths
}

#[test]
fn calls_are_told_with_their_places_and_results() {
    let folder = built();
    let mut seen = lengths(&reads(folder.path(), "apart"));
    // The last one is followed by the program's end alone.
    if seen.iter().all(|(_, result, _)| result.is_none()) {
        println!("skipped: this host gives no hardware breakpoints");
        return;
    }
    let first = seen[0].0;
    seen.iter_mut().for_each(|(place, ..)| *place -= first);
    // What the program does, by its text: 120 bytes, of which a loop takes 30, the next 3 times 20, and the last what is left.
    assert_eq!(seen, [(0, Some(1), 30), (1, Some(3), 20), (2, Some(1), 30), (2, Some(0), 10)]);
    let copied = lengths(&reads(folder.path(), "copy"));
    assert_eq!(copied, [(0, Some(1), 100), (0, Some(0), 1)]);
}

#[test]
fn a_loop_is_told_as_far_as_it_goes_the_same_way() {
    let folder = built();
    let found = |words: &[&str]| {
        let launch = supervised::launch(&[&["./rounds"], words].concat(), folder.path());
        supervised::with_supervisor(launch, Limits::default(), |supervisor| {
            let loops = reference(&Plan::default(), supervisor).unwrap().loops.all;
            let told = |one: &sigrace::explore::Loop| {
                let calls: Vec<String> = one.calls.iter().map(ToString::to_string).collect();
                (one.results, format!("{}: {} to {} {}", calls.join(" "), one.from, one.to, one.times()))
            };
            loops.iter().map(told).collect::<Vec<_>>()
        })
    };
    // Where nobody else could run there is nothing to try, and so nothing to fold.
    assert_eq!(found(&["copy"]), []);
    let (results, copied): (Vec<bool>, Vec<String>) = found(&["copy", "beside"]).into_iter().unzip();
    assert_eq!(copied, ["read write: p0 before read to p0 before write #101 100"]);
    let (_, apart): (Vec<bool>, Vec<String>) = found(&["apart", "beside"]).into_iter().unzip();
    if results == [true] {
        let wanted = [
            "read: p0 before read to p0 before read #30 30",
            "read: p0 before read #31 to p0 before read #50 20",
            "read: p0 before read #51 to p0 before read #80 30",
            "read: p0 before read #81 to p0 before read #90 10",
        ];
        assert_eq!(apart, wanted);
    } else {
        // Then the end of the file is not seen, but the places are.
        assert_eq!(apart.len(), 3);
    }
}

fn explored(folder: &Path, words: &[&str], byte: &str) -> (i32, Found) {
    let fixed = ["explore", "-j", "1", "--seed", "1", "--send", "none", "--no-handler-checks"];
    let program = ["--format", "json", "--", "./rounds", "ends", byte];
    let output = script::sigrace(folder, &[&fixed, words, &program].concat());
    let report: Report = serde_json::from_str(&stdout(&output)).expect("a report has its own form");
    let found = report.searches.into_iter().next().and_then(|search| search.result);
    (output.status.code().unwrap(), found.expect("a search was made"))
}

#[test]
fn what_goes_wrong_at_the_first_visit_or_at_the_last_of_300_is_found_in_few_runs() {
    let folder = built();
    for byte in ["1", "2", "300"] {
        let (code, found) = explored(folder.path(), &["--first"], byte);
        assert_eq!(code, 100, "{byte}");
        // Of some 1,200 schedules of one step; of the loop's four are there at each kind of point.
        assert!(
            found.runs <= 24 && found.extra_runs <= 40,
            "{byte}: {} and {}",
            found.runs,
            found.extra_runs
        );
        let [Looped { from, to, calls, times: 300, .. }] = &found.loops[..] else {
            panic!("{byte}: {:?}", found.loops);
        };
        assert_eq!((from.as_str(), to.as_str()), ("p0 before read", "p0 before read #300"));
        assert_eq!(calls, &["read"]);
    }
}

#[test]
fn what_goes_wrong_only_far_inside_a_loop_is_found_when_all_else_was_tried() {
    let folder = built();
    let (code, found) = explored(folder.path(), &["--bound", "1", "--points", "before:read"], "77");
    assert_eq!(code, 100);
    // An exhaustive search leaves nothing out.
    assert!(found.schedules.iter().all(|level| level.exhausted), "{:?}", found.schedules);
    assert_eq!(found.loops[0].taken, (1..=300).collect::<Vec<u64>>());
    let (code, found) = explored(folder.path(), &["--runs", "30"], "77");
    assert_eq!(code, 0);
    // What was not tried is counted, and the loop is told with what was.
    assert!(!found.schedules[0].exhausted);
    assert_eq!(found.loops[0].taken.first(), Some(&1));
    assert!(found.loops[0].taken.contains(&2) && found.loops[0].taken.contains(&300));
}

#[test]
fn a_person_is_told_what_goes_round() {
    let folder = built();
    let words = ["explore", "-j", "1", "--seed", "1", "--runs", "20", "--", "./rounds", "ends", "77"];
    let output = script::sigrace(folder.path(), &words);
    ends(&output, 0);
    let text = stdout(&output);
    let told = "p0: 300 visits of read in a loop, before read to before read #300, ";
    let line = text.lines().find(|line| line.starts_with(told));
    let line = line.unwrap_or_else(|| panic!("{text}"));
    assert!(line.contains(" are one point; steps at ") && line.ends_with(" of them"), "{line}");
}

/// What came of a search in a program that makes twelve children, one after the other: `wrong` fails by what the child of this number
/// does, and `odd` is a child that does something else than the others.
fn brood(folder: &Path, words: &[&str], (wrong, odd): (&str, &str)) -> (i32, Found) {
    let fixed = ["explore", "-j", "1", "--seed", "1", "--send", "none", "--no-handler-checks"];
    let program = ["--format", "json", "--", "./brood", wrong, odd];
    let output = script::sigrace(folder, &[&fixed, words, &program].concat());
    let report: Report = serde_json::from_str(&stdout(&output)).expect("a report has its own form");
    let found = report.searches.into_iter().next().and_then(|search| search.result);
    (output.status.code().unwrap(), found.expect("a search was made"))
}

#[test]
fn children_that_do_the_same_are_tried_as_visits_of_a_loop_are() {
    let folder = tempfile::tempdir().unwrap();
    supervised::build("brood.c", &["-g"], folder.path());
    let told = |found: &Found| -> Vec<(String, String, u64)> {
        let children = found.children.iter();
        children.map(|one| (one.first.clone(), one.last.clone(), one.count)).collect()
    };
    let (code, sound) = brood(folder.path(), &["--runs", "40"], ("0", "0"));
    assert_eq!(code, 0);
    assert_eq!(told(&sound), [("p0.1".to_owned(), "p0.12".to_owned(), 12)]);
    assert_eq!(sound.children[0].program, None);
    for nth in [1, 2, 7, 12] {
        assert!(sound.children[0].taken.contains(&nth), "{:?}", sound.children[0]);
    }
    // One that does more is not one of them, though it has the same name in the middle.
    let (_, odd) = brood(folder.path(), &["--runs", "40"], ("0", "5"));
    assert_eq!(told(&odd), [("p0.1".to_owned(), "p0.12".to_owned(), 11)]);
    // What goes wrong in the first or the last of them is found soon.
    for wrong in ["1", "2", "12"] {
        let (code, found) = brood(folder.path(), &["--first"], (wrong, "0"));
        assert_eq!((code, found.findings.len()), (100, 1), "{wrong}");
        assert!(found.runs <= 40, "{wrong}: {}", found.runs);
    }
    // An exhaustive search leaves none out.
    let (code, found) = brood(folder.path(), &["--bound", "1"], ("5", "0"));
    assert_eq!((code, found.schedules[0].exhausted), (100, true));
    assert_eq!(found.children[0].taken, (1..=12).collect::<Vec<u64>>());
    // Where nobody says how much to try, what shows nothing new is left, and counted.
    let (code, found) = brood(folder.path(), &[], ("0", "0"));
    assert_eq!((code, found.cut.as_deref()), (0, Some("nothing new")));
    assert!(found.extent.contains("showed nothing new (--runs, --time for more)"), "{}", found.extent);
    assert!(found.runs < 400, "{}", found.runs);
}
