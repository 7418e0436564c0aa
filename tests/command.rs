//! The command as a script sees it: exit codes, what is refused and how, what is left behind.

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};
use sigrace::slots::Slots;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

fn sigrace(folder: &Path, words: &[&str]) -> Output {
    command(folder, words).output().expect("the command that cargo has built starts")
}

fn command(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sigrace"));
    // The user's own settings must not reach the tests.
    let ours = std::env::vars_os().map(|(name, _)| name);
    for name in ours.filter(|name| name.to_string_lossy().starts_with("SIGRACE_")) {
        command.env_remove(name);
    }
    command.current_dir(folder).args(words).stdin(Stdio::null());
    command
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
fn ends(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "stdout: {}\nstderr: {}", stdout(output), stderr(output));
}

/// A folder with one scenario in `scenarios/family/`.
fn folder_with(name: &str, text: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let family = folder.path().join("scenarios/family");
    fs::create_dir_all(&family).unwrap();
    fs::write(family.join(name), text).unwrap();
    folder
}

/// Everything below a folder.
fn listing(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        names.push(entry.path().display().to_string());
        if entry.file_type().unwrap().is_dir() {
            names.extend(listing(&entry.path()));
        }
    }
    names.sort();
    names
}

const GOOD: &str = "(format: 1, program: Command([\"true\"]), expect: (exit: Code(0)))\n";

/// If this scenario is run, it leaves a file.
const LEAVES_A_FILE: &str = "(format: 1, program: Command([\"sh\", \"-c\", \"echo ran > ran\"]))\n";

#[test]
fn help_names_every_verb_and_every_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let output = sigrace(folder.path(), &["--help"]);
    ends(&output, 0);
    let help = stdout(&output);
    for word in [
        "run", "explore", "points", "replay", "shrink", "show", "check", "doctor", "100", "101", "102", "130",
    ] {
        assert!(help.contains(word), "{word} is missing:\n{help}");
    }
}

#[test]
fn wrong_usage_ends_2_and_says_what_was_wrong() {
    let folder = tempfile::tempdir().unwrap();
    for words in [
        &["frobnicate"][..],
        &[],
        &["explore"],
        &["explore", "--runs", "0", "--", "true"],
        &["explore", "--time", "soon", "--", "true"],
        &["explore", "--send", "SIGFOO", "--", "true"],
        &["explore", "--env", "novalue", "--", "true"],
        &["explore", "--strategy", "best", "--", "true"],
        &["explore", "--bound", "0", "--", "true"],
        &["explore", "--strategy", "random", "--bound", "2", "--", "true"],
        &["explore", "--strategy", "exhaustive", "--depth", "2", "--", "true"],
        &["explore", "--bound", "2", "--depth", "2", "--", "true"],
        &["explore", "--stdout", "(", "--", "true"],
        &["explore", "--bound", "4000000000", "--", "true"],
        &["explore", "--depth", "4000000000", "--", "true"],
        &["explore", "--runs", "18446744073709551615", "--", "true"],
        &["explore", "--runs", "99999999999999999999", "--", "true"],
        &["explore", "--time", "0s", "--", "true"],
        &["explore", "--time", "584000000years", "--", "true"],
        &["explore", "--time", "99999999999999999999s", "--", "true"],
        &["explore", "--jobs", "0", "--", "true"],
        &["explore", "--jobs", "4000000000", "--", "true"],
        &["explore", "--confirm", "0", "--", "true"],
        &["explore", "--seed", "-1", "--", "true"],
        &["explore", "--seed", "1", "--partition", "hash:0/0", "--", "true"],
        &["explore", "--seed", "1", "--partition", "hash:1/99999999999999999999", "--", "true"],
        &["explore", "--limit-time", "0s", "--", "true"],
        &["explore", "--limit-cpu", "400days", "--", "true"],
        &["explore", "--limit-points", "0", "--", "true"],
        &["explore", "--limit-turn", "4294967296", "--", "true"],
        &["explore", "--limit-processes", "0", "--", "true"],
        &["replay", "--times", "0", "x.ron"],
        &["run", "--format", "xml"],
        &["replay"],
        &["check"],
    ] {
        let output = sigrace(folder.path(), words);
        ends(&output, 2);
        assert!(!stderr(&output).is_empty(), "{words:?} says nothing");
    }
}

#[test]
fn a_malformed_scenario_is_refused_at_its_place_and_nothing_is_run() {
    let text = "(\n    format: 1,\n    program: Command([\"true\"]),\n    expcet: (),\n)\n";
    let folder = folder_with("bad.ron", text);
    fs::write(folder.path().join("scenarios/family/good.ron"), LEAVES_A_FILE).unwrap();
    let before = listing(folder.path());
    for words in [&["run"][..], &["check", "scenarios"], &["run", "scenarios/family/bad.ron"]] {
        let output = sigrace(folder.path(), words);
        ends(&output, 102);
        let error = stderr(&output);
        assert!(error.contains("bad.ron:4:5"), "{error}");
        assert!(error.contains("expcet") && error.contains("expect"), "{error}");
    }
    assert_eq!(listing(folder.path()), before);
}

#[test]
fn check_accepts_a_good_scenario_without_running_it() {
    let folder = folder_with("good.ron", LEAVES_A_FILE);
    let before = listing(folder.path());
    let output = sigrace(folder.path(), &["check", "scenarios"]);
    ends(&output, 0);
    assert_eq!(stdout(&output), "1 scenario: well-formed\n");
    assert_eq!(listing(folder.path()), before);
}

#[test]
fn list_names_scenarios_and_runs_nothing() {
    let folder = folder_with("good.ron", LEAVES_A_FILE);
    let before = listing(folder.path());
    let output = sigrace(folder.path(), &["run", "--list"]);
    ends(&output, 0);
    assert_eq!(stdout(&output), "family/good\n");
    ends(&sigrace(folder.path(), &["run", "--list", "nothing-like-it"]), 4);
    assert_eq!(listing(folder.path()), before);
}

#[test]
fn nothing_selected_ends_4() {
    let folder = folder_with("good.ron", GOOD);
    for words in
        [&["run", "nothing-like-it"][..], &["run", "--exact", "family"], &["run", "--skip", "family"]]
    {
        let output = sigrace(folder.path(), words);
        ends(&output, 4);
        assert!(stderr(&output).contains("no scenario"), "{}", stderr(&output));
    }
    let empty = tempfile::tempdir().unwrap();
    for words in [&["run"][..], &["run", "."], &["check", "."]] {
        ends(&sigrace(empty.path(), words), 4);
    }
}

#[test]
fn files_that_are_not_there_end_102_with_their_names() {
    let folder = tempfile::tempdir().unwrap();
    for words in [
        &["run", "missing.ron"][..],
        &["check", "missing.ron"],
        &["show", "missing.ron"],
        &["replay", "missing.ron"],
        &["shrink", "missing.ron"],
        &["explore", "--stdin", "missing.ron", "--", "true"],
        &["explore", "--cwd", "missing.ron", "--", "true"],
    ] {
        let output = sigrace(folder.path(), words);
        ends(&output, 102);
        assert!(stderr(&output).contains("missing.ron"), "{words:?}: {}", stderr(&output));
    }
}

#[test]
fn a_program_that_cannot_be_started_ends_102_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("plain"), "no program").unwrap();
    for (program, reason) in [
        ("no-such-program-anywhere", "no program `no-such-program-anywhere` in PATH"),
        ("./missing", "No such file or directory"),
        ("./plain", "Permission denied"),
        ("/", "it is a directory"),
    ] {
        for verb in ["explore", "points"] {
            let output = sigrace(folder.path(), &[verb, "--", program]);
            ends(&output, 102);
            assert!(stderr(&output).contains(reason), "{program}: {}", stderr(&output));
        }
    }
}

#[test]
fn a_source_that_does_not_compile_is_refused_with_the_compilers_words() {
    let folder = folder_with("bad.ron", "(format: 1, program: Source(\"bad.c\"))\n");
    fs::write(folder.path().join("scenarios/family/bad.c"), "int main(void) { return nothing; }\n").unwrap();
    let output = sigrace(folder.path(), &["run"]);
    ends(&output, 102);
    assert!(stderr(&output).contains("bad.c:1:25: error:"), "{}", stderr(&output));
}

#[test]
fn a_missing_source_is_refused_with_the_places_where_it_may_be() {
    let folder = folder_with("lost.ron", "(format: 1, program: Source(\"lost.c\"))\n");
    fs::create_dir(folder.path().join("fixtures")).unwrap();
    let output = sigrace(folder.path(), &["run"]);
    ends(&output, 102);
    let error = stderr(&output);
    assert!(error.contains("scenarios/family/lost.c") && error.contains("fixtures/lost.c"), "{error}");
}

#[test]
fn the_seed_is_always_printed_and_a_flag_wins_over_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let said = |words: &[&str]| {
        let output = command(folder.path(), words).env("SIGRACE_SEED", "7").output().unwrap();
        stdout(&output) + &stderr(&output)
    };
    let said_seed = |words: &[&str], seed| {
        let text = said(words);
        assert!(text.contains(seed), "{words:?}: {text}");
    };
    said_seed(&["explore", "--runs", "1", "--", "true"], "seed 7");
    said_seed(&["explore", "--runs", "1", "--seed", "5", "--", "true"], "seed 5");
    let output =
        command(folder.path(), &["explore", "--", "true"]).env("SIGRACE_SEED", "x").output().unwrap();
    ends(&output, 2);
}

#[test]
fn a_closed_standard_output_is_no_panic() {
    let folder = folder_with("good.ron", GOOD);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output =
        command(folder.path(), &["run", "--list"]).stdout(writer).stderr(Stdio::piped()).output().unwrap();
    ends(&output, 0);
    assert_eq!(stderr(&output), "");
}

#[test]
fn a_full_standard_output_is_an_error() {
    let folder = folder_with("good.ron", GOOD);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output =
        command(folder.path(), &["run", "--list"]).stdout(full).stderr(Stdio::piped()).output().unwrap();
    ends(&output, 111);
    assert!(stderr(&output).contains("No space left on device"), "{}", stderr(&output));
}

#[test]
fn a_search_says_how_much_of_all_it_tried() {
    let folder = tempfile::tempdir().unwrap();
    let explore = |more: &[&str]| {
        let mut words = vec!["explore", "--seed", "1", "--strategy", "exhaustive"];
        words.extend(more);
        words.extend(["--", "sh", "-c", "true & wait"]);
        let output = sigrace(folder.path(), &words);
        ends(&output, 0);
        stdout(&output)
    };
    let whole = explore(&["--verify"]);
    let all = whole.split_once(" of ").and_then(|(before, rest)| {
        let all = rest.split_once(" one-step schedules, ")?.0;
        before.ends_with(all).then_some(all)
    });
    let all: u64 = all.and_then(|all| all.parse().ok()).unwrap_or_else(|| panic!("{whole}"));
    assert!(all > 4 && !whole.contains("not tried"), "{whole}");
    assert!(whole.contains(" made twice with equal events in "), "{whole}");
    let part = explore(&["--runs", "3"]);
    let missing =
        format!("3 runs, 3 of {all} one-step schedules ({} not tried: the runs were used up)", all - 3);
    assert!(part.contains(&missing), "{missing}\n{part}");
    let pct = sigrace(
        folder.path(),
        &["explore", "--depth", "2", "--runs", "50", "--seed", "1", "--", "sh", "-c", "true & wait"],
    );
    ends(&pct, 0);
    assert!(stdout(&pct).contains("of depth 2 over 2 threads and "), "{}", stdout(&pct));
}

/// Starts a command on this one CPU, which a new process has from the thread that starts it.
fn start_on(cpu: usize, mut command: Command) -> Child {
    let start = move || {
        let mut one = CpuSet::new();
        one.set(cpu).unwrap();
        sched_setaffinity(Pid::from_raw(0), &one).unwrap();
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    thread::spawn(start).join().unwrap()
}

/// A CPU that this process may use.
fn some_cpu() -> usize {
    let mask = sched_getaffinity(Pid::this()).unwrap();
    (0..CpuSet::count()).find(|cpu| mask.is_set(*cpu).unwrap_or(false)).unwrap()
}

#[test]
fn a_short_search_ends_while_a_long_one_goes_on_at_the_same_cpu() {
    let folder = tempfile::tempdir().unwrap();
    let cpu = some_cpu();
    let program = ["--", "sh", "-c", "echo >> runs; true & true & wait"];
    let search = |runs| {
        let mut words =
            vec!["explore", "--strategy", "pct", "--seed", "1", "--no-handler-checks", "--runs", runs];
        words.extend(program);
        start_on(cpu, command(folder.path(), &words))
    };
    let mut long = search("1000000000");
    // Its first run has been made: it has the CPU.
    while !folder.path().join("runs").exists() {
        assert!(long.try_wait().unwrap().is_none());
        thread::yield_now();
    }
    let short = search("20").wait_with_output().unwrap();
    assert!(long.try_wait().unwrap().is_none(), "the long search has ended, so nothing is shown");
    ends(&short, 0);
    kill(Pid::from_raw(long.id() as i32), Signal::SIGINT).unwrap();
    ends(&long.wait_with_output().unwrap(), 130);
}

#[test]
fn who_waits_for_a_cpu_says_so_and_names_who_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    let slot = Slots::new().unwrap().take(Duration::from_secs(600), &stop).unwrap();
    let mut waiting = start_on(slot.cpu, command(folder.path(), &["points", "--", "true"]));
    let lines = BufReader::new(waiting.stderr.take().unwrap()).lines();
    let said = lines.map_while(Result::ok).next().unwrap_or_default();
    assert_eq!(said, format!("sigrace: waiting for a CPU, held by pid {}", std::process::id()));
    drop(slot);
    ends(&waiting.wait_with_output().unwrap(), 0);
}

/// The command, started by a shell that has been told so before.
fn limited(folder: &Path, limits: &str, words: &[&str]) -> Output {
    let mut shell = Command::new("bash");
    let ours = command(folder, words);
    shell.args(["-c", &format!("{limits} && exec \"$@\""), "bash"]).arg(ours.get_program()).args(words);
    ours.get_envs().filter(|(_, value)| value.is_none()).for_each(|(name, _)| {
        shell.env_remove(name);
    });
    shell.current_dir(folder).stdin(Stdio::null()).output().unwrap()
}

/// In so little memory that reading without end would end it.
const LITTLE: &str = "ulimit -v 262144";

#[test]
fn what_is_no_file_or_has_no_end_is_refused_by_every_verb_that_reads() {
    let folder =
        folder_with("keeps.ron", "(format: 1, program: Command([\"true\"]), kept: [\"../../fifo\"])\n");
    let path = |name: &str| folder.path().join(name);
    mkfifo(&path("fifo"), Mode::S_IRWXU).unwrap();
    mkfifo(&path("scenarios/fifo.ron"), Mode::S_IRWXU).unwrap();
    let large = fs::File::create(path("large.ron")).unwrap();
    // With nothing in it, so that it takes no room.
    large.set_len(1 << 40).unwrap();
    let no_file = "it is no regular file";
    for (name, reason) in
        [("fifo", no_file), ("/dev/zero", no_file), ("large.ron", "bytes"), (".", "a directory")]
    {
        for verb in ["check", "run", "show", "replay", "shrink", "merge"] {
            if name == "." && ["check", "run"].contains(&verb) {
                continue;
            }
            let output = limited(folder.path(), LITTLE, &[verb, name]);
            ends(&output, 102);
            assert!(stderr(&output).contains(reason), "{verb} {name}: {}", stderr(&output));
            assert!(stderr(&output).contains(name), "{verb} {name}: {}", stderr(&output));
        }
    }
    for words in [&["check", "scenarios"][..], &["run"]] {
        let output = limited(folder.path(), LITTLE, words);
        ends(&output, 102);
        assert!(stderr(&output).contains("fifo.ron: it is no regular file"), "{}", stderr(&output));
    }
    let output = limited(folder.path(), LITTLE, &["check", "scenarios/family"]);
    ends(&output, 102);
    assert!(stderr(&output).contains("../../fifo: it is no regular file"), "{}", stderr(&output));
}

#[test]
fn a_name_of_a_file_commands_no_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let name = "\u{1b}]0;title\u{7}.ron";
    fs::write(folder.path().join(name), "(").unwrap();
    for verb in ["check", "run", "show", "replay", "merge"] {
        let output = sigrace(folder.path(), &[verb, name]);
        ends(&output, 102);
        let error = stderr(&output);
        assert!(error.contains(r"\u{1b}]0;title\u{7}.ron") && !error.contains('\u{1b}'), "{error:?}");
    }
}

#[test]
fn a_trace_of_a_program_that_is_no_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let explore = ["explore", "--keep-all", "--trace-dir", ".", "--runs", "1", "--seed", "1", "--", "true"];
    ends(&sigrace(folder.path(), &explore), 101);
    let trace = fs::read_to_string(folder.path().join("latest")).unwrap();
    mkfifo(&folder.path().join("fifo"), Mode::S_IRWXU).unwrap();
    let fifo = folder.path().join("fifo");
    let sparse = folder.path().join("sparse");
    fs::File::create(&sparse).unwrap().set_len(1 << 40).unwrap();
    let line = trace.lines().find(|line| line.trim_start().starts_with("file: ")).unwrap();
    for (role, file, reason) in [
        ("file", Path::new("/dev/zero"), "no regular file"),
        ("file", &fifo, "no regular file"),
        ("file", &sparse, "bytes"),
        ("source", &fifo, "no regular file"),
        ("stdin", &fifo, "no regular file"),
    ] {
        let digest = trace.lines().find(|line| line.trim_start().starts_with("digest: ")).unwrap();
        let other = match role {
            "file" => format!("file: {file:?},"),
            _ => format!("{line} {role}: Some({file:?}),"),
        };
        // Another digest: the program is built again.
        let changed = trace.replace(line, &other).replace(digest, "    digest: \"\",");
        fs::write(folder.path().join("changed.ron"), changed).unwrap();
        let output = limited(folder.path(), LITTLE, &["replay", "changed.ron"]);
        ends(&output, 102);
        let error = stderr(&output);
        assert!(error.contains(reason) && error.contains(file.to_str().unwrap()), "{role}: {error}");
    }
}

#[test]
fn what_can_be_read_only_once_is_no_standard_input() {
    let folder =
        folder_with("waits.ron", "(format: 1, program: Command([\"cat\"]), stdin: \"../../fifo\")\n");
    mkfifo(&folder.path().join("fifo"), Mode::S_IRWXU).unwrap();
    for words in [
        &["run"][..],
        &["explore", "--stdin", "fifo", "--", "cat"],
        &["points", "--stdin", "fifo", "--", "cat"],
    ] {
        let output = sigrace(folder.path(), words);
        ends(&output, 102);
        assert!(
            stderr(&output).contains("fifo as standard input: it is no regular file"),
            "{}",
            stderr(&output)
        );
    }
    ends(&sigrace(folder.path(), &["points", "--stdin", "/dev/zero", "--", "head", "-c1"]), 0);
    fs::set_permissions(folder.path().join("fifo"), fs::Permissions::from_mode(0o777)).unwrap();
    let output = sigrace(folder.path(), &["explore", "--", "./fifo"]);
    ends(&output, 102);
    assert!(stderr(&output).contains("fifo: it is no regular file"), "{}", stderr(&output));
}

#[test]
fn a_folder_in_which_no_trace_could_be_written_is_refused_before_anything_is_run() {
    let folder = folder_with("good.ron", LEAVES_A_FILE);
    fs::write(folder.path().join("file"), "").unwrap();
    fs::create_dir_all(folder.path().join("taken/latest")).unwrap();
    std::os::unix::fs::symlink("nowhere", folder.path().join("dangling")).unwrap();
    let before = listing(folder.path());
    let leaves = ["--", "sh", "-c", "echo ran > ran"];
    for unusable in ["file", "file/traces", "/proc/traces", "dangling", "dangling/traces", "taken"] {
        let explore = [&["explore", "--trace-dir", unusable][..], &leaves].concat();
        for words in [&explore[..], &["run", "--trace-dir", unusable]] {
            let output = sigrace(folder.path(), words);
            ends(&output, 102);
            let error = stderr(&output);
            assert!(
                error.contains("--trace-dir") && error.contains(unusable.split('/').next().unwrap()),
                "{error}"
            );
        }
    }
    for unusable in ["scenarios", "missing/x.ron", "file/x.ron", "/proc/x.ron"] {
        let output = sigrace(folder.path(), &[&["explore", "--save", unusable][..], &leaves].concat());
        ends(&output, 102);
        assert!(stderr(&output).contains(unusable), "{}", stderr(&output));
    }
    assert_eq!(listing(folder.path()), before);
}

#[test]
fn a_host_without_room_for_a_run_is_told_with_the_remedy() {
    let folder = folder_with("good.ron", LEAVES_A_FILE);
    let before = listing(folder.path());
    let hide = "exec unshare -m bash -c 'mount -t tmpfs none /proc && exec \"$@\"' bash \"$@\" ||";
    let may_hide = Command::new("unshare").args(["-m", "mount", "-t", "tmpfs", "none", "/proc"]).status();
    for (limits, remedy) in [
        ("ulimit -n 64", "ulimit -n 256"),
        ("ulimit -v 100000", "ulimit -v 262144"),
        (hide, "mount -t proc proc /proc"),
    ] {
        if limits == hide && !may_hide.as_ref().is_ok_and(|status| status.success()) {
            eprintln!("not tested without /proc: this host allows no mount namespace");
            continue;
        }
        let limits = if limits == hide { format!("{hide} true") } else { limits.to_owned() };
        for words in [&["run"][..], &["explore", "--", "true"], &["points", "--", "true"]] {
            let output = limited(folder.path(), &limits, words);
            ends(&output, 69);
            assert!(stderr(&output).contains(remedy), "{}", stderr(&output));
        }
    }
    assert_eq!(listing(folder.path()), before);
}

#[test]
fn the_program_has_the_limits_that_its_user_has() {
    let folder = tempfile::tempdir().unwrap();
    let check = "[ $(ulimit -Sn)/$(ulimit -Hn) = 300/400 ]";
    let words = ["explore", "--exit", "0", "--runs", "1", "--", "bash", "-c", check];
    let output = limited(folder.path(), "ulimit -Sn 300 && ulimit -Hn 400", &words);
    assert!(stdout(&output).contains("nothing disturbed it): exit code 0"), "{}", stdout(&output));
}

#[test]
fn each_limit_of_a_run_is_a_flag_and_a_variable() {
    let folder = tempfile::tempdir().unwrap();
    let many = "for i in 1 2 3 4 5 6; do sleep 9 & done; wait";
    let busy = "while :; do :; done";
    for (flag, value, program, said) in [
        ("--limit-points", "9", many, "10 points without coming to an end"),
        ("--limit-cpu", "10ms", busy, "used 0.0 s of CPU time without a call"),
        ("--limit-time", "1ms", busy, "the time limit was reached"),
        ("--limit-processes", "3", many, "nothing disturbed it): exit code 2"),
    ] {
        let explore = ["explore", "--runs", "1", "--seed", "1", "--no-handler-checks"];
        let program = ["--", "dash", "-c", program];
        let by_flag = sigrace(folder.path(), &[&explore[..], &[flag, value], &program].concat());
        let variable = format!("SIGRACE_{}", flag[2..].replace('-', "_").to_uppercase());
        let mut command = command(folder.path(), &[&explore[..], &program].concat());
        let by_variable = command.env(variable, value).output().unwrap();
        for output in [by_flag, by_variable] {
            let text = stdout(&output) + &stderr(&output);
            assert!(text.contains(said), "{flag}: {text}");
        }
    }
}
