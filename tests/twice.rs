//! More than one signal in a run: the same twice, two different ones, and what the kernel makes of them.

mod script;

use script::{ends, stdout};
use sigrace::suite::report::Report;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

fn build(source: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(source);
    let mut gcc = Command::new("gcc");
    gcc.args(["-g", "-O1", "-o"]).arg(folder.path().join("program")).arg(&source);
    assert!(gcc.status().unwrap().success(), "{}", source.display());
    folder
}

fn explore(folder: &TempDir, sent: &[&str], words: &[&str]) -> Output {
    explore_by(folder, &[], sent, words)
}

fn explore_by(folder: &TempDir, options: &[&str], sent: &[&str], words: &[&str]) -> Output {
    let fixed = ["explore", "-j", "1", "--seed", "1", "--no-handler-checks"];
    let sent: Vec<&str> = sent.iter().flat_map(|signal| ["--send", signal]).collect();
    script::sigrace(folder.path(), &[&fixed, options, &sent[..], &["--", "./program"], words].concat())
}

/// The same as a report for machines, and what was told a person.
fn json_by(folder: &TempDir, options: &[&str], sent: &[&str], words: &[&str]) -> (Report, String) {
    let output = explore_by(folder, &[options, &["--format", "json"]].concat(), sent, words);
    let report = serde_json::from_slice(&output.stdout).expect("the report has its own form");
    (report, String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The status of the program when a person sends these, one after the other, while it sleeps.
fn by_hand(folder: &TempDir, word: &str, sent: &[&str]) -> Option<i32> {
    let mut program =
        Command::new(folder.path().join("program")).arg(word).stdin(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", program.id());
    let asleep = || {
        let text = std::fs::read_to_string(&status).unwrap();
        let blocked = text.lines().find_map(|line| line.strip_prefix("SigBlk:")).unwrap();
        let blocked = u64::from_str_radix(blocked.trim(), 16).unwrap();
        blocked >> 9 & 1 == 1 && text.contains("State:\tS")
    };
    while !asleep() {
        std::thread::yield_now();
    }
    for signal in sent {
        let mut kill = Command::new("kill");
        assert!(kill.args(["-s", signal, &program.id().to_string()]).status().unwrap().success());
    }
    program.wait().unwrap().code()
}

#[test]
fn handlers_that_are_taken_away_for_a_moment_are_found() {
    let broken = build("fixtures/broken/taken_away.c");
    let sound = build("fixtures/sound/taken_away.c");
    for sent in [["HUP", "HUP"], ["HUP", "TERM"], ["TERM", "HUP"]] {
        let output = explore(&broken, &sent, &[]);
        ends(&output, 100);
        let text = stdout(&output);
        let told = "it came while its handler was taken away for a moment, and ended the process";
        assert!(text.contains(told), "{sent:?}: {text}");
        assert!(text.contains("1 finding,"), "{sent:?}: {text}");
        ends(&explore(&sound, &sent, &[]), 0);
    }
}

#[test]
fn a_handler_that_is_taken_away_for_good_is_no_gap() {
    // As programs do that die of a second signal while they tidy up.
    let folder = build("tests/programs/for_good.c");
    for sent in [&["TERM"][..], &["TERM", "TERM"], &["HUP", "TERM"]] {
        let output = explore(&folder, sent, &[]);
        ends(&output, 0);
        assert!(!stdout(&output).contains("killed by"), "{}", stdout(&output));
    }
}

#[test]
fn two_signals_come_in_both_orders() {
    let folder = build("tests/programs/twice.c");
    for (sent, first) in [(["USR1", "USR2"], 12), (["USR2", "USR1"], 21)] {
        let output = explore(&folder, &sent, &["order"]);
        ends(&output, 0);
        let text = stdout(&output);
        let reference = text.lines().find(|line| line.starts_with("the reference run")).unwrap();
        let (here, again) =
            (format!("p0 in rt_sigsuspend: send SIG{}", sent[0]), "p0 when everything sleeps");
        assert!(reference.contains(&here) && reference.contains(again), "{text}");
        assert!(reference.ends_with(&format!("exit code {first}")), "{text}");
        assert!(text.contains("x exit code 12,") && text.contains("x exit code 21,"), "{text}");
    }
}

#[test]
fn a_standard_signal_is_not_queued_twice_and_a_real_time_one_is() {
    let folder = build("tests/programs/twice.c");
    for (word, signal, times) in [("pending", "USR1", 1), ("queued", "RTMIN", 2)] {
        assert_eq!(by_hand(&folder, word, &[signal, signal]), Some(times), "{word}, as the kernel has it");
        let output = explore(&folder, &[signal, signal], &[word]);
        let text = stdout(&output);
        assert!(text.contains(&format!("exit code {times}")), "{text}");
        let told = "one was pending already, and it is not queued again";
        assert_eq!(text.contains(told), times == 1, "{text}");
        let (report, _) = json_by(&folder, &[], &[signal, signal], &[word]);
        let reference = &report.searches[0].result.as_ref().unwrap().reference;
        let (done, pending) = (reference.done.len(), reference.pending.len());
        assert_eq!((done as i32, done + pending, reference.not_done.len()), (times, 2, 0), "{reference:?}");
    }
}

#[test]
fn nobody_has_to_say_that_a_second_signal_matters() {
    let folder = build("fixtures/broken/taken_away.c");
    let output = explore(&folder, &[], &[]);
    ends(&output, 100);
    let text = stdout(&output);
    let further =
        "since it goes on after SIGHUP, it is also sent (SIGHUP and SIGHUP) and (SIGHUP and SIGTERM)";
    assert!(text.contains(further), "{text}");
    for pair in ["SIGHUP and SIGHUP", "SIGHUP and SIGTERM"] {
        assert!(text.contains(&format!("sent {pair}: fail, 1 finding,")), "{text}");
    }
    assert!(text.contains("sent SIGHUP: pass,") && text.contains("sent SIGTERM: pass,"), "{text}");
}

/// Takes SIGHUP again and again, and ends by SIGTERM: it waits for both in a call, or reads them from a descriptor.
const WAITERS: [&str; 2] = [
    "for (;;) { int got; sigwait(&mine, &got); if (got == SIGTERM) return 0; }",
    "struct signalfd_siginfo got; int fd = signalfd(-1, &mine, 0);
     while (read(fd, &got, sizeof got) == sizeof got) if (got.ssi_signo == SIGTERM) return 0;
     return 1;",
];

#[test]
fn who_waits_for_signals_without_a_handler_waits_for_the_next_one_too() {
    for waits in WAITERS {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("program.c");
        let head = "#include <signal.h>\n#include <sys/signalfd.h>\n#include <unistd.h>\nint main(void) { sigset_t mine;\
                    sigemptyset(&mine); sigaddset(&mine, SIGHUP); sigaddset(&mine, SIGTERM);\
                    sigprocmask(SIG_BLOCK, &mine, 0);";
        std::fs::write(&source, format!("{head} {waits} }}\n")).unwrap();
        let mut gcc = Command::new("gcc");
        gcc.args(["-g", "-O1", "-o"]).arg(folder.path().join("program")).arg(&source);
        assert!(gcc.status().unwrap().success());
        let output = explore(&folder, &[], &[]);
        ends(&output, 0);
        let text = stdout(&output);
        assert!(text.contains("since it goes on after SIGHUP, it is also sent"), "{text}");
        assert!(text.contains("sent SIGHUP and SIGTERM: pass,"), "{text}");
        // Both come, one after the other, and that is what is compared.
        assert!(text.contains("p0 when everything sleeps: send SIGTERM): exit code 0"), "{text}");
    }
}

/// Two threads that sleep, and a process that goes on after SIGHUP and ends by SIGTERM.
const THREADS: &str = "#include <pthread.h>\n#include <signal.h>\n#include <unistd.h>\n\
    static void hup(int signal) { (void)signal; }\n\
    static void term(int signal) { (void)signal; _exit(0); }\n\
    static void *sleeps(void *unused) { for (;;) pause(); return unused; }\n\
    int main(void) { pthread_t other; signal(SIGHUP, hup); signal(SIGTERM, term);\n\
    pthread_create(&other, 0, sleeps, 0); for (;;) pause(); }\n";

#[test]
fn two_signals_at_once_never_wake_two_threads() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("program.c");
    std::fs::write(&source, THREADS).unwrap();
    let mut gcc = Command::new("gcc");
    gcc.args(["-g", "-pthread", "-o"]).arg(folder.path().join("program")).arg(&source);
    assert!(gcc.status().unwrap().success());
    // Both at one point take two steps, which chance may not come to before nothing seems new.
    const MANY: [&str; 2] = ["--runs", "600"];
    let output = explore_by(&folder, &MANY, &["HUP", "TERM"], &[]);
    ends(&output, 0);
    let text = stdout(&output);
    // Of a schedule that would do so it is said that it was none.
    let told = " in which a signal was to be sent while another was pending";
    assert!(text.contains(told), "{text}");
    let (report, said) = json_by(&folder, &MANY, &["HUP", "TERM"], &[]);
    let found = report.searches[0].result.as_ref().unwrap();
    let runs = if found.merged_runs == 1 { "run" } else { "runs" };
    assert!(said.contains(&format!("not counting {} {runs}{told}", found.merged_runs)), "{said}");
    assert!(found.merged_runs > 0);
    assert!(!text.contains("between two points"), "{text}");
}

/// A thread that sleeps takes the signal, in a process that catches SIGCONT: only the handler of what was sent runs.
#[test]
fn a_thread_that_is_woken_by_a_signal_sees_no_other() {
    const SOURCE: &str = r#"
        #include <pthread.h>
        #include <signal.h>
        #include <stdlib.h>
        #include <string.h>
        #include <time.h>
        #include <unistd.h>
        static void on(int signal) { if (write(1, signal == SIGCONT ? "C" : "U", 1) != 1) _exit(9); }
        static void *nap(void *unused) {
            struct timespec hour = {3600, 0};
            exit(nanosleep(&hour, 0) == 0);
        }
        int main(void) {
            struct sigaction action = {0};
            pthread_t thread;
            sigset_t both;
            action.sa_handler = on;
            sigaction(SIGCONT, &action, 0);
            sigaction(SIGUSR1, &action, 0);
            pthread_create(&thread, 0, nap, 0);
            sigemptyset(&both);
            sigaddset(&both, SIGCONT);
            sigaddset(&both, SIGUSR1);
            pthread_sigmask(SIG_BLOCK, &both, 0);
            pthread_join(thread, 0);
        }"#;
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("program.c");
    std::fs::write(&source, SOURCE).unwrap();
    let mut gcc = Command::new("gcc");
    gcc.args(["-O1", "-pthread", "-o"]).arg(folder.path().join("program")).arg(&source);
    assert!(gcc.status().unwrap().success());
    let output = script::sigrace(
        folder.path(),
        &[
            "explore",
            "--send",
            "USR1",
            "--keep-all",
            "--trace-dir",
            "kept",
            "-j",
            "1",
            "--no-handler-checks",
            "--points",
            "in:clock_nanosleep",
            "--",
            "./program",
        ],
    );
    ends(&output, 0);
    let kept = std::fs::read_dir(folder.path().join("kept")).unwrap();
    let texts: Vec<String> =
        kept.filter_map(|entry| std::fs::read_to_string(entry.unwrap().path()).ok()).collect();
    assert!(texts.iter().any(|text| text.contains("stdout: Text(\"U\")")), "{texts:?}");
    assert!(
        texts.iter().all(|text| !text.contains("stdout: Text(\"UC") && !text.contains("taint")),
        "{texts:?}"
    );
}
