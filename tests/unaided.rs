//! What `explore` finds with no flag but the command: nobody says what to send, to whom, or what would be wrong.

mod fixtures;
mod found;
mod script;

use fixtures::{build, build_text, explore, fixtures};
use found::{AT_TERMINAL, FOUND, IN_OTHER_LANGUAGES, WHEN_TOLD, WITH_CLIENTS};
use script::{ends, stderr, stdout};
use sigrace::compile::{self, CompileError};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// These are found with these words besides the command.
fn are_found(found: &[(&str, &str)], with: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    for (name, what) in found {
        build(&fixtures("broken").join(name).with_extension("c"), folder.path());
        let words = ["explore", "--seed", "1", "--trace-dir", "traces", "--first"];
        let program = format!("./{name}");
        let output = script::sigrace(folder.path(), &[&words, with, &["--", &program]].concat());
        ends(&output, 100);
        let text = stdout(&output);
        assert!(text.contains(&format!(": {what}\n")), "{text}");
        // The last line can be pasted.
        let last = text.lines().last().unwrap();
        assert!(last.starts_with("replay: sigrace replay traces/"), "{text}");
    }
}

#[test]
fn what_is_broken_is_found() {
    are_found(&FOUND, &[]);
}

#[test]
fn what_is_broken_at_a_terminal_is_found() {
    are_found(&AT_TERMINAL, &[]);
}

#[test]
fn what_is_broken_in_other_languages_is_found() {
    let folder = tempfile::tempdir().unwrap();
    for (name, what, command) in IN_OTHER_LANGUAGES {
        let python = fixtures("broken").join(name).with_extension("py");
        if python.exists() {
            fs::copy(&python, folder.path().join(python.file_name().unwrap())).unwrap();
        } else {
            match compile::compile(&fixtures("broken").join(name).with_extension("go"), None) {
                Ok(program) => drop(fs::copy(program, folder.path().join(name)).unwrap()),
                Err(CompileError::NoGo(why)) => {
                    println!("no Go: {why}");
                    continue;
                }
                Err(error) => panic!("{error}"),
            }
        }
        if !folder.path().join(command[0]).exists() {
            println!("no {}", command[0]);
            continue;
        }
        let words = ["explore", "--seed", "1", "--trace-dir", "traces", "--first", "--"];
        let output = script::sigrace(folder.path(), &[&words, command].concat());
        ends(&output, 100);
        assert!(stdout(&output).contains(&format!(": {what}\n")), "{}", stdout(&output));
    }
}

#[test]
fn where_a_person_acts_is_told() {
    let folder = tempfile::tempdir().unwrap();
    build(&fixtures("broken").join("too_small.c"), folder.path());
    let text = stdout(&explore(&["--first"], "too_small", folder.path()));
    assert!(text.contains("\nstep 1 lands in main (too_small.c:37)\n"), "{text}");
}

#[test]
fn who_asks_for_no_terminal_has_none() {
    let folder = tempfile::tempdir().unwrap();
    const GIVEN: &str = "it asks for a terminal, so each run has one";
    let said = |words: &[&str]| {
        let words = [&["explore", "--seed", "1", "--trace-dir", "traces", "--runs", "5"], words].concat();
        stdout(&script::sigrace(folder.path(), &words)).to_owned()
    };
    build(&fixtures("broken").join("full_screen.c"), folder.path());
    assert!(said(&["--", "./full_screen"]).starts_with(GIVEN));
    assert!(!said(&["--tty", "--", "./full_screen"]).contains(GIVEN));
    assert!(said(&["--no-tty", "--", "./full_screen"]).contains("unreached"));
    // It looks for one, and fails with one as without.
    for words in ["[ -t 0 ] || exit 3; exit 3", "true", "tty; exit 3"] {
        assert!(!said(&["--", "bash", "-c", words]).contains(GIVEN), "{words}");
    }
    assert!(said(&["--", "sh", "-c", "tty > /dev/null"]).starts_with(GIVEN));
    // It does without one as well.
    build(&fixtures("broken").join("late_taker.c"), folder.path());
    assert!(said(&["--", "./late_taker"]).starts_with(GIVEN));
    assert!(!said(&["--no-tty", "--", "./late_taker"]).contains(GIVEN));
}

#[test]
fn what_is_broken_for_clients_is_found() {
    for (name, what, clients) in WITH_CLIENTS {
        are_found(&[(name, what)], clients);
    }
}

#[test]
fn what_has_to_be_told_is_found_then_and_only_in_what_is_broken() {
    let folder = tempfile::tempdir().unwrap();
    for (name, what, told) in WHEN_TOLD {
        are_found(&[(name, what)], told);
        build(&fixtures("broken").join(name).with_extension("c"), folder.path());
        ends(&explore(&[], name, folder.path()), 0);
        build(&fixtures("sound").join(name).with_extension("c"), folder.path());
        ends(&explore(told, name, folder.path()), 0);
    }
}

#[test]
fn who_is_connected_to_by_nobody_is_given_clients_or_told_what_to_type() {
    let folder = tempfile::tempdir().unwrap();
    let told = |name: &str, words: &[&str]| {
        build(&fixtures("sound").join(name).with_extension("c"), folder.path());
        let text = stdout(&explore(words, name, folder.path()));
        text.lines().find(|line| line.starts_with("nobody connects to ")).map(str::to_owned)
    };
    let given = |address: &str, who: &str| {
        Some(format!("nobody connects to {address}, so {who} (--client for others, --no-client for none)"))
    };
    const TWO: &str = "two clients of sigrace's own do: they say hello, and one leaves at the first answer, one when it hears no more";
    const ONE: &str = "a client of sigrace's own does: it says hello, and leaves when it hears no more";
    assert_eq!(told("in_flight", &["--runs", "5"]), given("unix:@in flight", TWO));
    assert_eq!(told("reload", &["--runs", "5"]), given("tcp:8080", TWO));
    let next = |address: &str| {
        format!(
            "nobody connects to {address}; next: --client 'connect {address}; send hello\\n; wait-eof', or a command that talks to it"
        )
    };
    assert_eq!(told("in_flight", &["--runs", "5", "--no-client"]), Some(next("unix:@in flight")));
    assert_eq!(told("reload", &["--runs", "5", "--no-client"]), Some(next("tcp:8080")));
    // Who serves one and ends is visited by one.
    const ONCE: &str = "import socket; s = socket.create_server(('127.0.0.1', 8081)); c, _ = s.accept(); c.recv(9); c.send(b'x')";
    let once = ["explore", "--seed", "1", "--runs", "5", "--no-handler-checks", "--", "python3", "-c", ONCE];
    let text = stdout(&script::sigrace(folder.path(), &once));
    assert!(text.lines().any(|line| Some(line) == given("tcp:8081", ONE).as_deref()), "{text}");
    // On the machine's network it would be somebody else's.
    assert_eq!(told("in_flight", &["--runs", "5", "--network", "host"]), Some(next("unix:@in flight")));
    // What it says can be typed; and whoever has no door is told nothing.
    let client = next("tcp:8080");
    let client = client.split('\'').nth(1).unwrap();
    assert_eq!(told("reload", &["--runs", "5", "--client", client]), None);
    assert_eq!(told("abandoned", &["--runs", "5"]), None);
}

#[test]
fn a_server_that_has_missed_a_signal_is_not_excused_by_the_next_client() {
    let folder = tempfile::tempdir().unwrap();
    build(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/programs/answers.c"), folder.path());
    let sent = |mode: &str| {
        let words = ["explore", "--seed", "1", "--first", "--no-handler-checks", "--", "./answers", mode];
        script::sigrace(folder.path(), &words)
    };
    let lost = sent("tests");
    ends(&lost, 100);
    let text = stdout(&lost);
    for wanted in [
        "two clients of sigrace's own do",
        "  expected an end, but only the outside could go on, until a client came: p0 in accept\n",
        "    1. p0 before accept, the 3rd time: send SIGTERM to p0\n",
        "\nend: exit code 0, but only when a client came. Until then every thread slept, and only the outside could go on:\n  p0  asleep in accept",
        "exit code 0, but only when a client comes; c1 exit code 0",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    let trace = text.lines().find_map(|line| line.strip_prefix("replay: sigrace replay ")).unwrap();
    let again = script::sigrace(folder.path(), &["replay", trace, "--times", "20"]);
    ends(&again, 0);
    assert!(stdout(&again).contains("followed in 20 of 20 runs"), "{}", stdout(&again));
    ends(&sent("waits"), 0);
}

#[test]
fn one_step_is_tried_everywhere_before_two_are_tried_anywhere() {
    let folder = tempfile::tempdir().unwrap();
    build(&fixtures("broken").join("eintr.c"), folder.path());
    let output = explore(&["--first"], "eintr", folder.path());
    ends(&output, 100);
    let text = stdout(&output);
    let left = text.lines().find_map(|line| line.strip_prefix("./eintr, sent nothing: no finding in "));
    let runs: u64 = left.and_then(|left| left.split(' ').next()).unwrap().parse().unwrap();
    assert!((1..100).contains(&runs), "{text}");
    // Where nothing is found, it comes to the same as if each had been made at once.
    build(&fixtures("sound").join("eintr.c"), folder.path());
    let told = |words: &[&str]| {
        let output = explore(&[&["--runs", "60"], words].concat(), "eintr", folder.path());
        ends(&output, 0);
        let text = stdout(&output);
        let told = text.lines().filter(|line| line.starts_with("./eintr, sent "));
        told.map(|line| line.split(" in ").next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(told(&["--first"]), told(&[]));
    assert_eq!(told(&[]).len(), 2);
}

#[test]
fn what_is_sound_is_silent() {
    let folder = tempfile::tempdir().unwrap();
    let mut sources: Vec<PathBuf> =
        fs::read_dir(fixtures("sound")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let is_meant = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "c");
    sources.retain(is_meant);
    assert!(sources.len() > FOUND.len());
    for source in sources {
        build(&source, folder.path());
        let name = source.file_stem().unwrap().to_str().unwrap();
        let words = ["explore", "--seed", "1", "--trace-dir", "traces", "--runs", "60"];
        let clients =
            WITH_CLIENTS.iter().find(|(other, ..)| *other == name).map_or(&[][..], |(_, _, clients)| clients);
        let program = format!("./{name}");
        let clients = (!clients.is_empty()).then_some(clients);
        for with in [&[][..]].into_iter().chain(clients) {
            let output = script::sigrace(folder.path(), &[&words[..], with, &["--", &program]].concat());
            ends(&output, 0);
            assert!(!stdout(&output).contains("finding:"), "{}", stdout(&output));
        }
    }
}

#[test]
fn what_is_found_is_told_at_once_and_named_again_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    build(&fixtures("broken").join("half_written.c"), folder.path());
    let what = "./half_written, sent SIGTERM: other files are left than should be";
    let output = explore(&["--runs", "40"], "half_written", folder.path());
    ends(&output, 100);
    let (text, told) = (stdout(&output), stderr(&output));
    let found: Vec<&str> = told.lines().filter(|line| line.starts_with("found: ")).collect();
    let [found] = found[..] else { panic!("{told}") };
    // With the schedule that is told in full at the end of that search.
    let schedule = found.strip_prefix(&format!("found: {what}, by p0 before ")).expect(found);
    assert!(schedule.ends_with(": send SIGTERM"), "{found}");
    assert!(text.contains(&format!("\nfinding: {what}\n")), "{text}");
    let [replay, name] = text.lines().rev().take(2).collect::<Vec<_>>()[..] else { panic!("{text}") };
    assert!(name == what && replay.starts_with("replay: sigrace replay "), "{text}");
    // Who wants the first finding has it at once in any case.
    let output = explore(&["--first"], "half_written", folder.path());
    ends(&output, 100);
    assert!(!stderr(&output).contains("found: "));
}

#[test]
fn what_an_earlier_search_has_found_is_told_in_a_line() {
    let folder = tempfile::tempdir().unwrap();
    build(&fixtures("broken").join("reload.c"), folder.path());
    let output = explore(&["--runs", "80"], "reload", folder.path());
    ends(&output, 100);
    let text = stdout(&output);
    let what = "a client ends otherwise than expected";
    assert!(text.contains(&format!("\nfinding: ./reload, sent SIGHUP: {what}\n")), "{text}");
    let again = format!(
        "\nfinding: ./reload, sent SIGHUP and SIGHUP: {what}, the same as ./reload, sent SIGHUP, by p0 "
    );
    assert!(text.contains(&again), "{text}");
    let last: Vec<&str> = text.lines().rev().take(3).collect();
    assert!(last[2].starts_with("3 searches: 1 finding, "), "{text}");
}

fn build_with(flags: &[&str], name: &str, folder: &Path) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/programs/heap.c");
    let mut gcc = Command::new("gcc");
    gcc.args(["-g", "-O1"]).args(flags).arg("-o").arg(folder.join(name)).arg(source);
    assert!(gcc.status().unwrap().success(), "{flags:?}");
}

#[test]
fn a_library_is_swept_where_a_handler_may_enter_it_again() {
    let folder = tempfile::tempdir().unwrap();
    // It is found sooner before a call that the allocator makes (brk, getrandom): steps between calls are not asked for.
    let kinds = [
        ("sent", &[][..], "libc.so.6!"),
        ("child", &["-DCHILD"], "libc.so.6!"),
        ("static", &["-static"], "_int_"),
    ];
    for (name, flags, place) in kinds {
        build_with(flags, name, folder.path());
        let words = ["explore", "--seed", "1", "--trace-dir", "traces", "--runs", "2000", "--first"];
        let program = format!("./{name}");
        let points = ["--points", "after:fork"];
        let output = script::sigrace(folder.path(), &[&words[..], &points, &["--", &program]].concat());
        ends(&output, 100);
        let text = stdout(&output);
        // Whatever it comes to: it hangs in the allocator, or has broken its lists.
        let wrong = [": it hangs\n", ": a process crashes\n"];
        assert!(wrong.iter().any(|what| text.contains(what)), "{text}");
        assert!(text.contains(" of libraries"), "{text}");
        assert!(text.lines().any(|line| line.starts_with("    1. p0 at ") && line.contains(place)), "{text}");
        let replayed = text.lines().last().and_then(|line| line.strip_prefix("replay: sigrace replay "));
        ends(&script::sigrace(folder.path(), &["replay", replayed.unwrap(), "--times", "5"]), 0);

        build_with(&[flags, &["-DSOUND"]].concat(), name, folder.path());
        let words = ["explore", "--seed", "1", "--trace-dir", "traces", "--runs", "60"];
        let output = script::sigrace(folder.path(), &[&words[..], &["--", &format!("./{name}")]].concat());
        ends(&output, 0);
        let text = stdout(&output);
        assert!(!text.contains("of libraries") && !text.contains("warning"), "{text}");
    }
}

#[test]
fn a_function_of_a_library_is_swept_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    build_with(&[], "heap", folder.path());
    let explore = |function: &str, more: &[&str]| {
        let words = ["explore", "--seed", "1", "--trace-dir", "traces", "--no-handler-checks"];
        let what = ["--send", "USR1", "--sweep", function];
        let words = [&words[..], &what, more, &["--", "./heap"]].concat();
        script::sigrace(folder.path(), &words)
    };
    let output = explore("libc.so.6!malloc", &["--save", "saved.ron"]);
    ends(&output, 100);
    assert!(stdout(&output).contains("p0 at libc.so.6!"), "{}", stdout(&output));
    let saved = fs::read_to_string(folder.path().join("saved.ron")).unwrap();
    assert!(saved.contains("sweep: [\"libc.so.6!malloc\"]"), "{saved}");
    ends(&script::sigrace(folder.path(), &["run", "saved.ron"]), 0);
    for (function, why) in [
        ("libc.so.6!mallok", "libc.so.6 has no function mallok"),
        ("libnone.so!malloc", "no file libnone.so is in the program's memory"),
    ] {
        let output = explore(function, &[]);
        ends(&output, 102);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains(why), "{told}");
    }
}

/// Waits for one signal in each of three ways, in two processes, and ignores another.
const WAITS: &str = r#"
#include <signal.h>
#include <unistd.h>
static void handler(int signal) { (void)signal; }
int main(void)
{
    sigset_t term;
    int got;
    signal(SIGUSR1, handler);
    signal(SIGCHLD, handler);
    signal(SIGUSR2, SIG_IGN);
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    if (fork() == 0) {
        signal(SIGUSR1, SIG_DFL);
        signal(SIGHUP, handler);
        for (;;) pause();
    }
    sigprocmask(SIG_BLOCK, &term, 0);
    return sigwait(&term, &got);
}
"#;

#[test]
fn each_signal_is_sent_to_who_has_something_to_do_with_it() {
    let folder = tempfile::tempdir().unwrap();
    build_text("waits", WAITS, folder.path());
    let output = explore(&["--runs", "8"], "waits", folder.path());
    let text = stdout(&output);
    let told = "./waits is sent in turn: nothing, SIGHUP to p0.1, SIGUSR1 and SIGTERM\n";
    assert!(text.starts_with(told), "{text}");
    assert!(text.contains("not sent (--send, --send-to): SIGCHLD, which comes by itself"), "{text}");
    assert!(text.contains("\n./waits, sent SIGTERM: "), "{text}");

    // That it waits for its signals is no finding where none is sent.
    let output = explore(&["--send", "none", "--runs", "8"], "waits", folder.path());
    ends(&output, 0);
    assert!(!stdout(&output).contains("SIGTERM:"), "{}", stdout(&output));
    for words in [&["--send", "none", "--send", "HUP"][..], &["--send", "none", "--always"]] {
        ends(&explore(words, "waits", folder.path()), 2);
    }
}

/// A thread that does not want to be disturbed, beside one that does.
const UNDISTURBED: &str = "#include <pthread.h>\n#include <signal.h>\n#include <unistd.h>\n\
    static void handler(int signal) { (void)signal; }\n\
    static void *rests(void *set) { sigset_t all; sigfillset(&all); pthread_sigmask(SIG_SETMASK, &all, NULL); pause(); return set; }\n\
    int main(void) { pthread_t other; sigset_t one; signal(SIGTERM, handler); sigemptyset(&one); sigaddset(&one, SIGUSR2);\n\
    sigprocmask(SIG_BLOCK, &one, NULL); pthread_create(&other, NULL, rests, NULL); pause(); return 0; }\n";

#[test]
fn what_only_one_of_its_threads_blocks_a_process_has_nothing_to_do_with() {
    let folder = tempfile::tempdir().unwrap();
    build_text("undisturbed", UNDISTURBED, folder.path());
    let text = stdout(&explore(&["--runs", "8"], "undisturbed", folder.path()));
    assert!(text.starts_with("./undisturbed is sent in turn: nothing, SIGUSR2 and SIGTERM\n"), "{text}");
}

#[test]
fn each_search_is_written_down_as_a_scenario_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    build(&fixtures("broken").join("lost_wakeup.c"), folder.path());
    ends(&explore(&["--save", "saved.ron"], "lost_wakeup", folder.path()), 100);
    let saved = fs::read_to_string(folder.path().join("saved-SIGUSR1.ron")).unwrap();
    assert!(saved.contains("send: [SIGUSR1]") && saved.contains("breaks: Hang"), "{saved}");
    // Without a signal it waits for one, as it must.
    assert!(!folder.path().join("saved.ron").exists());
    ends(&script::sigrace(folder.path(), &["run", "saved-SIGUSR1.ron"]), 0);
}

/// Waits for somebody to connect, which nobody does.
const ACCEPTS: &str = "#include <sys/socket.h>\n#include <netinet/in.h>\n\
    int main(void) { int s = socket(AF_INET, SOCK_STREAM, 0); listen(s, 1); return accept(s, 0, 0) == -1; }\n";

/// Whom a signal that is not handled leaves behind wherever it comes, or who ends by itself, nobody has lost.
#[test]
fn what_ends_a_program_is_sent_only_where_it_ends_others_too() {
    let folder = tempfile::tempdir().unwrap();
    build_text("accepts", ACCEPTS, folder.path());
    let explore = |script: &str| {
        let words =
            ["explore", "--seed", "1", "--runs", "20", "--no-handler-checks", "--", "sh", "-c", script];
        let output = script::sigrace(folder.path(), &words);
        ends(&output, 0);
        stdout(&output)
    };
    // Left in any case, ended by itself, and nobody there.
    for script in ["./accepts & wait", "sh -c './accepts; true'; true", "sleep 5; true", "./accepts"] {
        let text = explore(script);
        assert!(!text.contains("which ends it"), "{script}: {text}");
    }
    // Who reads what the shell writes sees its end wherever that comes.
    let text = explore("exec 3>&1; ./accepts | cat >&3");
    assert!(!text.contains("finding:"), "{text}");
}

/// Sleeps for a time again and again; at the second of them it takes a signal for the end of that time.
const NAPS: &str = "#include <signal.h>\n#include <unistd.h>\nstatic void on(int s) { (void)s; }\n\
    int main(void) { signal(SIGUSR1, on); siginterrupt(SIGUSR1, 1); sleep(1); return sleep(1) != 0; }\n";

#[test]
fn each_sleep_for_a_time_is_a_place_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    build_text("naps", NAPS, folder.path());
    let points = stdout(&script::sigrace(folder.path(), &["points", "--", "./naps"]));
    for place in ["p0 in clock_nanosleep ", "p0 in clock_nanosleep #2 "] {
        assert!(points.lines().any(|line| line.starts_with(place) && line.contains("SIGUSR1")), "{points}");
    }
    let output = explore(&["--send", "USR1"], "naps", folder.path());
    ends(&output, 100);
    assert!(
        stdout(&output).contains("1. p0 in clock_nanosleep, the 2nd time: send SIGUSR1"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn outcomes_that_differ_only_in_when_they_were_are_one() {
    let folder = tempfile::tempdir().unwrap();
    let script = "date +%T.%N; true & wait; date +%s%N";
    let words = [
        "explore",
        "--seed",
        "1",
        "--send",
        "none",
        "--runs",
        "30",
        "--no-handler-checks",
        "--format",
        "json",
    ];
    let output = script::sigrace(folder.path(), &[&words[..], &["--", "sh", "-c", script]].concat());
    ends(&output, 0);
    let report: sigrace::suite::report::Report = serde_json::from_slice(&output.stdout).unwrap();
    let outcomes = &report.searches[0].result.as_ref().unwrap().outcomes;
    let runs: Vec<u64> = outcomes.iter().map(|seen| seen.runs).collect();
    assert_eq!(runs, [31], "{outcomes:?}");
    // Nothing of it is left out of a comparison that was asked for.
    let words =
        ["explore", "--seed", "1", "--send", "none", "--runs", "30", "--no-handler-checks", "--same-output"];
    let output = script::sigrace(folder.path(), &[&words[..], &["--", "sh", "-c", script]].concat());
    ends(&output, 100);
}

/// What follows `next: ` in a text that has it once.
#[track_caller]
fn next(text: &str) -> &str {
    let lines: Vec<&str> =
        text.lines().filter_map(|line| line.split_once("next: ").map(|(_, next)| next)).collect();
    let [next] = lines[..] else { panic!("{text}") };
    next
}

#[test]
fn what_came_to_no_end_says_what_to_type_next() {
    let folder = tempfile::tempdir().unwrap();
    let explore = |words: &[&str], script: &str| {
        let fixed = ["explore", "--seed", "1", "--no-handler-checks"];
        let output = script::sigrace(folder.path(), &[&fixed, words, &["--", "sh", "-c", script]].concat());
        ends(&output, 101);
        stdout(&output) + &script::stderr(&output)
    };
    // It is a command that works.
    let text = explore(&["--send", "none"], "exit 3");
    let command = next(&text).split(", which").next().unwrap();
    assert_eq!(command, "sigrace points -- sh -c 'exit 3'");
    let words = shell_words::split(command).unwrap();
    let words: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
    ends(&script::sigrace(folder.path(), &words), 0);

    let text = explore(&["--send", "TERM", "--send-to", "p0.7"], "sleep 1");
    assert_eq!(next(&text), "the same with --send-to and one of those");
    let text = explore(&["--send", "none", "--limit-points", "200"], "while :; do :; true | true; done");
    assert!(next(&text).starts_with("the same with a higher --limit-points"), "{text}");
    let text = explore(&["--send", "none", "--from", "p0 before pause #9"], "exit 3");
    assert!(next(&text).starts_with("`sigrace points` shows what it reaches"), "{text}");
}

#[test]
fn what_would_test_nothing_is_not_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let text = "#include <signal.h>\nstatic void on(int s) { (void)s; }\nint main(void) { signal(SIGUSR1, on); return 0; }\n";
    build_text("hears", text, folder.path());
    ends(&explore(&["--save", "saved.ron"], "hears", folder.path()), 0);
    assert!(folder.path().join("saved-SIGUSR1.ron").exists());
    ends(&script::sigrace(folder.path(), &["run", "saved-SIGUSR1.ron"]), 0);
    // Nobody runs beside it, so that without a signal nothing can be done.
    assert!(!folder.path().join("saved.ron").exists());
    let output = explore(&["--send", "none", "--save", "saved.ron"], "hears", folder.path());
    ends(&output, 101);
    let told = "it is not written down: no step was taken in any run";
    assert!(script::stderr(&output).contains(told), "{}", script::stderr(&output));
    assert!(!folder.path().join("saved.ron").exists());
}

#[test]
fn what_the_program_leaves_in_any_case_is_no_rest_where_it_is_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let explore = |asked: &[&str], script: &str| {
        let words = ["explore", "--seed", "1", "--runs", "60", "--no-handler-checks"];
        script::sigrace(folder.path(), &[&words[..], asked, &["--", "sh", "-c", script]].concat())
    };
    ends(&explore(&["--send", "INT"], "sleep 1; date >product"), 0);
    // The shell does nothing about the signal but to end by it.
    ends(&explore(&[], "sleep 1; date >rest; rm rest"), 0);
    // This is gone when nobody interrupts it.
    let rest = explore(&["--send", "INT"], "sleep 1; date >rest; rm rest");
    ends(&rest, 100);
    assert!(stdout(&rest).contains("other files are left than should be"), "{}", stdout(&rest));
}
