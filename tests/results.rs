//! What calls return and which handlers run: what is seen from outside is what the program itself saw, whatever the schedule.

mod script;
mod supervised;

use sigrace::copies;
use sigrace::program::Limits;
use sigrace::schedule::{Action, Label, Point, Schedule, Site, Step, Syscall, Target, ThreadName};
use sigrace::signal::Signal;
use sigrace::suite::report::Report;
use sigrace::supervise::{Observe, Observed, RunError, Supervise};
use sigrace::trace::{CallResult, Run, Seen, What};
use std::fs;
use std::path::Path;
use std::process::Command;

/// True where this host gives breakpoints; else it says that the test is skipped.
fn has_breakpoints() -> bool {
    let folder = tempfile::tempdir().unwrap();
    let launch = supervised::launch(&["/bin/true"], folder.path());
    let point = Point { thread: ThreadName::root(), site: Site::At(Label::new("_start")), nth: 1 };
    let schedule = Schedule { steps: vec![Step::new(point, Action::Switch(Target::All))] };
    supervised::with_supervisor(launch, Limits::default(), |supervisor| match supervisor.run(&schedule) {
        Err(RunError::Unsupported(why)) if why.contains("hardware breakpoints") => {
            println!("skipped: {why}");
            false
        }
        other => other.is_ok(),
    })
}

/// The call that began with this event, if the first process made it.
fn call(run: &Run, event: usize) -> Option<Syscall> {
    let event = run.events.get(event).filter(|event| event.thread == ThreadName::root())?;
    match event.what {
        What::Go(Site::Before(call) | Site::Entering(call), _) => Some(call),
        _ => None,
    }
}

/// What was seen of the calls of which the program tells, in its own words and in the order in which they returned.
fn calls(run: &Run, seen: &Seen) -> Vec<String> {
    const TOLD: [&str; 6] = ["read", "wait4", "rt_sigsuspend", "write", "kill", "rt_sigtimedwait"];
    let mut told: Vec<(usize, usize, String)> = Vec::new();
    for one in &seen.calls {
        let Some((call, returned)) = call(run, one.event).zip(one.returned.as_ref()) else { continue };
        let call = call.to_string();
        if !TOLD.contains(&call.as_str()) {
            continue;
        }
        let result = match &returned.result {
            CallResult::Failed(error) => error.clone(),
            CallResult::Number(number) => number.to_string(),
            CallResult::Bytes(done, asked) => format!("{done}/{asked}"),
            CallResult::Process(process) => process.to_string(),
            CallResult::Signal(signal) => signal.number().to_string(),
        };
        told.push((returned.by, one.event, format!("{call} {result}")));
    }
    // Of several that return at once the innermost comes first, which began last.
    told.sort_by_key(|(by, event, _)| (*by, usize::MAX - event));
    told.into_iter().map(|(_, _, words)| words).collect()
}

fn handlers(seen: &Seen) -> Vec<String> {
    let own = seen.handlers.iter().filter(|one| one.thread == ThreadName::root());
    own.map(|one| one.signal.number().to_string()).collect()
}

/// The same as the program tells it.
fn told(run: &Run) -> (Vec<String>, Vec<String>) {
    let text = String::from_utf8(run.outcome.stdout.bytes().to_vec()).unwrap();
    let (calls, handlers) = text.split_once("\n\n").unwrap_or_else(|| panic!("{text}: {:?}", run.outcome));
    let lines = |text: &str| text.lines().map(str::to_owned).collect();
    (lines(calls), lines(handlers))
}

#[track_caller]
fn agree(run: &Run, observed: &Observed) {
    let (told_calls, told_handlers) = told(run);
    let mut seen = calls(run, &observed.seen);
    // The program writes what it tells in two calls.
    let writes = seen.split_off(seen.len().saturating_sub(2));
    assert!(writes.iter().all(|call| call.starts_with("write ")), "{writes:?}");
    assert_eq!(seen, told_calls, "{:?}\n{:?}\n{:?}", run.schedule, run.events, observed.seen);
    assert_eq!(handlers(&observed.seen), told_handlers, "{:?}\n{:?}", run.schedule, observed.seen);
}

#[test]
fn what_is_seen_is_what_the_program_saw_whatever_the_schedule() {
    if !has_breakpoints() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("results.c", &["-g", "-O1", "-w"], folder.path());
    let launch = supervised::launch(&[program.to_str().unwrap()], folder.path());
    let usr1: Signal = "SIGUSR1".parse().unwrap();
    supervised::with_supervisor(launch, Limits::default(), |supervisor| {
        let (run, observed) =
            supervisor.observe(&Schedule::empty(), &Observe::Where { crashes: true }).unwrap();
        agree(&run, &observed);
        let since = |seen: &Seen| seen.handlers.iter().filter_map(|one| one.since).count();
        assert!(since(&observed.seen) >= 1, "{:?}", observed.seen);
        let own = |point: &&sigrace::trace::Reached| point.point.thread == ThreadName::root();
        let points: Vec<_> = run.reached.iter().filter(own).map(|reached| reached.point.clone()).collect();
        let (mut made, mut interrupted) = (0, 0);
        for point in points {
            let steps = vec![Step::new(point, Action::Send(usr1))];
            let schedule = Schedule { steps };
            let plain = supervisor.run(&schedule).unwrap();
            if !plain.unreached.is_empty() {
                continue;
            }
            let (run, observed) = supervisor.observe(&schedule, &Observe::Where { crashes: true }).unwrap();
            assert_eq!(run.events, plain.events, "looking changes nothing");
            agree(&run, &observed);
            made += 1;
            interrupted += usize::from(calls(&run, &observed.seen).iter().any(|call| call == "read EINTR"));
        }
        assert!(made > 30 && interrupted > 0, "{made} {interrupted}");
    });
}

/// The program of which the picture is drawn: a child's end waits until SIGCHLD is unblocked, and another interrupts a read.
const INTERRUPTED: &str = r#"
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
static void reaps(int signal) { int kept = errno; while (waitpid(-1, NULL, WNOHANG) > 0) {} errno = kept; (void)signal; }
int main(void)
{
    char bytes[10];
    int ends[2];
    sigset_t blocked, before;
    struct sigaction action = {.sa_handler = reaps};
    if (pipe(ends) || sigaction(SIGCHLD, &action, NULL)) return 2;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGCHLD);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    pid_t child = fork();
    if (child == 0) _exit(write(ends[1], "abc", 3) != 3);
    if (read(ends[0], bytes, 10) != 3) return 2;
    kill(child, SIGUSR1);
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (fork() == 0) _exit(0);
    return read(ends[0], bytes, 10) < 0 && errno == EINTR ? 1 : 0;
}
"#;

/// What the report says of the program, searched for whatever ends with another exit code than 0.
fn explored(folder: &Path, words: &[&str], program: &str) -> String {
    let always = ["explore", "-j", "1", "--seed", "1", "--first", "--exit", "0"];
    script::stdout(&script::sigrace(folder, &[&always, words, &["--", program]].concat()))
}

/// Builds the program as the guide says.
fn built(folder: &Path, name: &str, optimized: &str) {
    let mut compiler = Command::new("cc");
    compiler.args(["-g", optimized, "-o", name, &format!("{name}.c")]).current_dir(folder);
    assert!(copies::output(&mut compiler).unwrap().status.success());
}

#[test]
fn the_pictures_of_the_guide_are_what_is_drawn() {
    if !has_breakpoints() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    fs::write(folder.join("interrupted.c"), INTERRUPTED).unwrap();
    for name in ["lost_wakeup.c", "list.c"] {
        fs::copy(root.join("fixtures/broken").join(name), folder.join(name)).unwrap();
    }
    let pictures = [
        ("docs/reading-a-trace.md", "interrupted", "-O1", &[][..]),
        ("README.md", "lost_wakeup", "-O0", &[]),
        (
            "docs/critical-sections.md",
            "list",
            "-O0",
            &["--send", "SIGUSR1", "--sweep", "insert", "--bound", "1"],
        ),
    ];
    for (page, name, optimized, words) in pictures {
        let text = fs::read_to_string(root.join(page)).unwrap();
        built(folder, name, optimized);
        let found = explored(folder, words, &format!("./{name}"));
        let mut picture =
            found.lines().skip_while(|line| !line.starts_with("  p0")).take_while(|line| !line.is_empty());
        // How the program starts, and what the C library calls, is the host's.
        let telling = |line: &&str| {
            [" = ", "handler", "pending", "asleep", "<<<", "exit code"].iter().any(|part| line.contains(part))
        };
        let (first, rest) = (picture.next().unwrap_or_default(), picture.filter(telling).collect::<Vec<_>>());
        assert!(rest.len() > 2, "{name}:\n{found}");
        let mut there = text.lines().skip_while(|line| *line != format!("  runs ./{name}"));
        for line in rest {
            let next =
                there.by_ref().take_while(|line| !line.starts_with("```")).find(|other| *other == line);
            assert!(
                next.is_some(),
                "{page} has not, in its place, what is drawn of {name}:\n{line}\n{first}\n{found}"
            );
        }
    }
}

#[test]
fn a_finding_tells_what_calls_returned_and_when_a_signal_came_and_so_does_its_report() {
    if !has_breakpoints() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("interrupted.c"), INTERRUPTED).unwrap();
    built(folder.path(), "interrupted", "-O1");
    let found = explored(folder.path(), &[], "./interrupted");
    let seen = [
        "read = 3 of 10",
        "kill(p0.1, SIGUSR1)",
        "SIGCHLD handler after rt_sigprocmask:",
        "pending since p0.1 ended",
        "wait4 = p0.1",
        "wait4 #2 = -1 ECHILD",
        "SIGCHLD handler in read",
        "wait4 #3 = p0.2",
        "read #2 = -1 EINTR",
    ];
    let mut rest = found.as_str();
    for wanted in seen {
        let Some(at) = rest.find(&format!("  {wanted}")) else { panic!("{wanted} comes next:\n{found}") };
        rest = &rest[at..];
    }
    let report = explored(folder.path(), &["--format", "json"], "./interrupted");
    let report: Report = serde_json::from_str(&report).unwrap();
    let handlers: Vec<_> = report.searches[0].result.as_ref().unwrap().findings[0]
        .handlers
        .iter()
        .map(|one| (one.thread.as_str(), one.signal.as_str(), one.place.as_deref(), one.pending.as_deref()))
        .collect();
    let expected = [
        ("p0", "SIGCHLD", Some("after rt_sigprocmask"), Some("since p0.1 ended")),
        ("p0", "SIGCHLD", Some("in read"), None),
    ];
    assert_eq!(handlers, expected);
}

/// A thread that lets SIGTERM in beside one that does not: a signal to the process is the first one's.
const TAKEN: &str = r#"
#include <pthread.h>
#include <signal.h>
#include <unistd.h>
static int ends[2];
static sigset_t term;
static void handler(int signal) { (void)signal; }
static void *reads(void *unused)
{
    char byte;
    pthread_sigmask(SIG_UNBLOCK, &term, NULL);
    if (read(ends[0], &byte, 1) < 0) _exit(4);
    return unused;
}
int main(void)
{
    pthread_t thread;
    struct sigaction action = {.sa_handler = handler};
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    if (pipe(ends) || sigprocmask(SIG_BLOCK, &term, NULL) || sigaction(SIGTERM, &action, NULL)) return 2;
    if (pthread_create(&thread, NULL, reads, NULL)) return 2;
    usleep(1000);
    return write(ends[1], "a", 1) != 1 || pthread_join(thread, NULL);
}
"#;

#[test]
fn the_thread_is_named_that_takes_a_signal_of_its_process() {
    if !has_breakpoints() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("taken.c"), TAKEN).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-g", "-O1", "-pthread", "-o", "taken", "taken.c"]).current_dir(&folder);
    assert!(copies::output(&mut compiler).unwrap().status.success());
    let found = explored(folder.path(), &["--send", "SIGTERM"], "./taken");
    let taken = found.find("p0/2 takes SIGTERM: handler in read").unwrap_or_else(|| panic!("{found}"));
    assert!(found[taken..].contains("read = -1 EINTR"), "{found}");
}
