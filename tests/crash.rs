//! Crashes: the instruction, the line and the stack of the thread that crashed, and its last call.

mod supervised;

use sigrace::copies;
use sigrace::program::{Launch, Limits};
use sigrace::schedule::{Schedule, ThreadName};
use sigrace::show::{self, Page};
use sigrace::supervise::{Observe, Supervise};
use sigrace::trace::{Crash, Moment, Run, Trace, Whereabouts, crashes};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

const BUILDS: [&[&str]; 4] =
    [&["-g", "-O0"], &["-g", "-O2"], &["-g", "-O0", "-static"], &["-g", "-O2", "-static"]];

/// One run of `crashes.c`, built so, and where its threads were.
struct Seen {
    launch: Launch,
    run: Run,
    places: Vec<Whereabouts>,
}

impl Seen {
    fn of(flags: &[&str], arguments: &[&str]) -> Seen {
        let folder = tempfile::tempdir().unwrap();
        let program = supervised::build("crashes.c", flags, folder.path());
        let argv: Vec<&str> = [&[program.to_str().unwrap()], arguments].concat();
        let launch = supervised::launch(&argv, folder.path());
        let started = launch.clone();
        supervised::with_supervisor(started, Limits::default(), |supervisor| {
            let plain = supervisor.run(&Schedule::empty()).unwrap();
            let (run, observed) =
                supervisor.observe(&Schedule::empty(), &Observe::Where { crashes: true }).unwrap();
            assert_eq!(
                (&run.events, &run.outcome),
                (&plain.events, &plain.outcome),
                "looking changes nothing"
            );
            assert_eq!((&run.taint, &plain.taint), (&None, &None));
            Seen { launch, run, places: observed.places }
        })
    }

    fn crash(&self) -> Crash<'_> {
        let mut all = crashes(&self.run.events, &self.places);
        assert_eq!(all.len(), 1, "{:?}", self.run.events);
        all.remove(0)
    }

    fn place(&self, event: usize) -> &Whereabouts {
        let at = |place: &&Whereabouts| place.at == Moment::Event(event);
        self.places.iter().find(at).unwrap_or_else(|| panic!("{event}: {:?}", self.places))
    }

    /// The name of the call, and the line of the program that makes it.
    fn last_call(&self) -> (String, Option<u32>) {
        let (index, site) = self.crash().last.unwrap();
        (site.to_string().replace("before ", ""), own(self.place(index))[0].1)
    }

    fn shown(&self) -> String {
        let trace = Trace {
            sigrace: String::new(),
            kernel: String::new(),
            arch: String::new(),
            launch: self.launch.clone(),
            digest: String::new(),
            seed: 0,
            limits: Limits::default(),
            world: Default::default(),
            shared: Vec::new(),
            always: false,
            breaks: Vec::new(),
            search: None,
            schedule: Schedule::empty(),
            events: self.run.events.to_vec(),
            outcome: self.run.outcome.clone(),
            places: self.places.clone(),
            seen: Default::default(),
            reference: None,
        };
        show::run(&trace, Page { color: false, width: 100 })
    }
}

/// The line of the source with this comment.
fn line(comment: &str) -> Option<u32> {
    let source = include_str!("programs/crashes.c");
    let index = source.lines().position(|line| line.contains(&format!("/* {comment} */")));
    Some(u32::try_from(index.unwrap() + 1).unwrap())
}

/// The frames in the program's source, without what the compiler adds to the names of copies, and their lines.
fn own(place: &Whereabouts) -> Vec<(&str, Option<u32>)> {
    let own = place
        .stack
        .iter()
        .filter(|frame| frame.file.as_deref().is_some_and(|file| file.ends_with("crashes.c")));
    own.map(|frame| (frame.function.as_deref().unwrap().split('.').next().unwrap(), frame.line)).collect()
}

/// False, and a word on it, where the kernel keeps its events from this user.
fn has_faults() -> bool {
    static HAS: LazyLock<bool> = LazyLock::new(|| {
        let paranoid = fs::read_to_string("/proc/sys/kernel/perf_event_paranoid");
        let level = paranoid.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(i32::MAX);
        level <= 2 || Seen::of(BUILDS[0], &["null"]).crash().place.is_some()
    });
    if !*HAS {
        println!("skipped: this host gives no perf events");
    }
    *HAS
}

/// What is told of a crash of this kind for each build: the thread, and the frames of the instruction, innermost first.
fn tells(arguments: &[&str], thread: &ThreadName, signal: &str, frames: &[(&str, &str)], last: (&str, &str)) {
    if !has_faults() {
        return;
    }
    for flags in BUILDS {
        let seen = Seen::of(flags, arguments);
        let crash = seen.crash();
        assert_eq!((crash.thread, crash.signal), (thread, signal.parse().unwrap()), "{flags:?}");
        let place = crash.place.unwrap_or_else(|| panic!("{flags:?}: {:?}", seen.places));
        let expected: Vec<_> = frames.iter().map(|(name, comment)| (*name, line(comment))).collect();
        let found = own(place);
        assert_eq!(found[..expected.len()], expected, "{flags:?}: {place:?}");
        assert_eq!(seen.last_call(), (last.0.to_owned(), line(last.1)), "{flags:?}");
    }
}

/// Where it stood last before it went wrong, and the stack there, of a crash whose instruction is not known.
fn tells_the_call_alone(way: &str, signal: &str, frames: &[(&str, &str)], last: &str) {
    for flags in BUILDS {
        let seen = Seen::of(flags, &[way]);
        let crash = seen.crash();
        assert_eq!((crash.place, crash.signal), (None, signal.parse().unwrap()), "{flags:?}");
        let (index, site) = crash.last.unwrap();
        assert_eq!(site.to_string(), format!("before {last}"));
        let place = seen.place(index);
        let expected: Vec<_> = frames.iter().map(|(name, comment)| (*name, line(comment))).collect();
        assert_eq!(own(place)[..expected.len()], expected, "{flags:?}: {place:?}");
        let unknown = seen.shown().contains("what it executed after that is not known");
        assert_eq!(unknown, last != "tgkill", "{}", seen.shown());
    }
}

const NESTED: [(&str, &str); 3] = [("deep", "reads"), ("middle", "calls deep"), ("outer", "calls middle")];
const ASKED: (&str, &str) = ("getppid", "the last call");

#[test]
fn a_null_pointer_is_told_with_all_callers() {
    tells(&["null"], &ThreadName::root(), "SIGSEGV", &NESTED, ASKED);
}

#[test]
fn so_is_one_in_another_thread() {
    let frames = [&NESTED[..], &[("in_thread", "in the thread")]].concat();
    tells(&["thread"], &ThreadName::root().thread(2), "SIGSEGV", &frames, ASKED);
}

#[test]
fn so_is_one_in_a_child() {
    tells(&["child"], &ThreadName::root().child(1), "SIGSEGV", &NESTED, ASKED);
}

#[test]
fn so_is_one_in_a_handler_with_what_it_interrupted() {
    let frames = [NESTED[0], ("handler", "in the handler"), ("main", "interrupted")];
    tells(&["handler"], &ThreadName::root(), "SIGSEGV", &frames, ("tgkill", "interrupted"));
}

#[test]
fn an_overflown_stack_is_told_where_it_overflows() {
    if !has_faults() {
        return;
    }
    for way in ["overflow", "alternate"] {
        for flags in BUILDS {
            let seen = Seen::of(flags, &[way]);
            let place = seen.crash().place.unwrap();
            assert_eq!(own(place)[0].0, "endless", "{way} {flags:?}: {place:?}");
            assert!(!place.complete, "no stack has so many frames");
        }
    }
}

#[test]
fn the_caller_of_no_code_is_told() {
    let frames = [("nowhere", "calls nothing"), ("main", "nowhere at last")];
    tells(&["nowhere"], &ThreadName::root(), "SIGSEGV", &frames, ("prlimit64", "limits"));
    if has_faults() {
        let seen = Seen::of(BUILDS[0], &["nowhere"]);
        let call = line("calls nothing").unwrap();
        let told = format!("p0 jumped from nowhere (crashes.c:{call}) to where no code is, after prlimit64");
        assert!(seen.shown().contains(&told), "{}", seen.shown());
    }
}

#[test]
fn a_library_s_function_is_told_with_the_line_that_calls_it() {
    tells(
        &["library"],
        &ThreadName::root(),
        "SIGSEGV",
        &[("main", "in a library")],
        ("getppid", "before the library"),
    );
    if has_faults() {
        let seen = Seen::of(BUILDS[0], &["library"]);
        let call = line("in a library").unwrap();
        let told = format!("p0 crashed in main (crashes.c:{call}), inside libc.so.6!");
        assert!(seen.shown().contains(&told), "{}", seen.shown());
    }
}

#[test]
fn memory_beyond_the_end_of_its_file_is_told() {
    let frames = [("after_end", "reads beyond"), ("main", "after its end")];
    tells(&["cut"], &ThreadName::root(), "SIGBUS", &frames, ("ftruncate", "cuts"));
}

#[test]
fn abort_is_told_with_its_caller() {
    tells_the_call_alone(
        "abort",
        "SIGABRT",
        &[("give_up", "gives up"), ("main", "gives up at last")],
        "tgkill",
    );
}

/// An exception that is no page fault, in a function of its own: told like one where the kernel may be watched, and else by
/// the last call.
fn tells_exception(way: &str, signal: &str, frames: &[(&str, &str)], last: (&str, &str)) {
    let tracepoint = fs::read_to_string("/sys/kernel/tracing/events/signal/signal_generate/id");
    if tracepoint.is_ok() && has_faults() {
        return tells(&[way], &ThreadName::root(), signal, frames, last);
    }
    println!("this host does not let the kernel be watched: only the last call is told");
    let [.., (function, _), caller] = frames else { panic!("it has a caller") };
    tells_the_call_alone(way, signal, &[(function, last.1), *caller], last.0);
}

#[test]
fn a_division_by_zero_is_told() {
    let frames = [("divide", "divides"), ("main", "calls divide")];
    tells_exception("divide", "SIGFPE", &frames, ("getppid", "before dividing"));
}

#[test]
fn an_instruction_that_is_none_is_told() {
    let frames = [("illegal", "is none"), ("main", "calls illegal")];
    tells_exception("illegal", "SIGILL", &frames, ("getppid", "before the illegal one"));
}

#[test]
fn addresses_that_no_program_can_have_are_told() {
    for (way, comment) in [("wild", "no address"), ("kernel", "the kernel's")] {
        tells_exception(way, "SIGSEGV", &[&NESTED[..], &[("main", comment)]].concat(), ASKED);
    }
}

#[test]
fn a_bad_access_that_was_caught_before_is_not_the_crash() {
    tells_the_call_alone("recovers", "SIGSEGV", &[("recovers", "raises")], "tgkill");
}

#[test]
fn after_many_calls_the_last_one_has_its_place_all_the_same() {
    tells(&["null", "1200"], &ThreadName::root(), "SIGSEGV", &NESTED, ASKED);
}

/// What a search finds in `crashes signal`, begun by this command.
fn found(folder: &Path, before: &[&str]) -> String {
    supervised::build("crashes.c", &["-g"], folder);
    let search = ["explore", "--send", "SIGUSR1", "--seed", "1", "--runs", "60", "--", "./crashes", "signal"];
    let words = [before, &[env!("CARGO_BIN_EXE_sigrace")], &search].concat();
    let run = copies::output(Command::new(words[0]).args(&words[1..]).current_dir(folder)).unwrap();
    String::from_utf8(run.stdout).unwrap()
}

#[test]
fn without_perf_events_the_last_call_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let unwatched = supervised::build("unwatched.c", &[], folder.path());
    let found = found(folder.path(), &[unwatched.to_str().unwrap()]);
    assert!(
        found.contains("\np0 was ended by SIGSEGV, after rt_sigaction, called from main (crashes.c:"),
        "{found}"
    );
    assert!(
        found.contains("\n  what it executed after that is not known\n") && !found.contains("p0 crashed"),
        "{found}"
    );
}

#[test]
fn the_guide_shows_how_a_finding_and_its_trace_tell_a_crash() {
    if !has_faults() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let page =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reading-a-trace.md")).unwrap();
    let example: Vec<&str> = page
        .lines()
        .skip_while(|line| *line != "    end: killed by SIGSEGV")
        .take_while(|line| !line.is_empty())
        .map(|line| &line[4..])
        .collect();
    let example = example.join("\n");
    assert!(example.contains("p0 crashed in uses"), "{example}");
    let found = found(folder.path(), &[]);
    assert!(found.contains(&example), "{example}\n{found}");
    let mut traces = found.lines().filter_map(|line| line.strip_prefix("replay: sigrace replay "));
    let trace = traces.find(|name| name.contains("-crash-")).unwrap();
    let show = copies::output(
        Command::new(env!("CARGO_BIN_EXE_sigrace")).args(["show", trace]).current_dir(&folder),
    );
    let shown = String::from_utf8(show.unwrap().stdout).unwrap();
    assert!(shown.contains(&example), "{example}\n{shown}");
}
