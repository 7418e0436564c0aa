//! The command as a script sees it: exit codes, what is refused and how, what is left behind.

mod script;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use script::{GOOD, LEAVES_A_FILE, command, complaints, ends, folder_with, listing, sigrace, stderr, stdout};
use sigrace::slots::Slots;
use sigrace::suite::report::Report;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

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
fn what_is_not_installed_is_not_run_and_neither_wrong_nor_passed() {
    const PASSES: &str = r#"(format: 1, program: Command(["sh", "-c", "/bin/true & wait"]), explore: (strategy: [Random(runs: 3)]))"#;
    let folder = folder_with("good.ron", PASSES);
    let scenarios = folder.path().join("scenarios/family");
    fs::write(scenarios.join("script"), "#!/no/such/python3\n").unwrap();
    fs::set_permissions(scenarios.join("script"), fs::Permissions::from_mode(0o755)).unwrap();
    const TRUE: &str = "program: Command([\"true\"]), client";
    let missing = [
        ("client", format!("{TRUE}: [\"/no/such/curl\"]"), "no program /no/such/curl here"),
        (
            "in_path",
            "program: Command([\"no-such-program\"])".to_owned(),
            "no program `no-such-program` in PATH",
        ),
        ("path", "program: Command([\"/no/such/nginx\"])".to_owned(), "no program /no/such/nginx here"),
        ("script", "program: Command([\"./script\"])".to_owned(), "no program /no/such/python3 here, which "),
    ];
    for (name, fields, _) in &missing {
        fs::write(scenarios.join(name).with_extension("ron"), format!("(format: 1, {fields})\n")).unwrap();
    }
    let output = sigrace(folder.path(), &["run"]);
    ends(&output, 0);
    let text = stdout(&output);
    for (name, _, why) in &missing {
        let line =
            text.lines().find(|line| line.starts_with("not run ") && line.contains(&format!("/{name}  ")));
        assert!(line.is_some_and(|line| line.contains(why)), "{name}: {text}");
    }
    assert!(text.contains("5 scenarios: 1 passed, 4 not run in "), "{text}");
    let output = sigrace(folder.path(), &["run", "--format", "junit"]);
    ends(&output, 0);
    assert!(
        stdout(&output).contains(r#"tests="5" skipped="4" errors="0" failures="0""#),
        "{}",
        stdout(&output)
    );
    let output = sigrace(folder.path(), &["run", "--format", "json"]);
    ends(&output, 0);
    let report: Report = serde_json::from_str(&stdout(&output)).unwrap();
    let names: Vec<&str> = report.not_run.iter().map(|one| one.name.rsplit('/').next().unwrap()).collect();
    assert_eq!((names, report.searches.len()), (vec!["client", "in_path", "path", "script"], 1));
    // Nothing was tested; of parts, that is known when they are together.
    let nothing = sigrace(folder.path(), &["run", "scenarios/family/path.ron"]);
    ends(&nothing, 69);
    assert!(stdout(&nothing).contains("1 scenario: 0 passed, 1 not run in "), "{}", stdout(&nothing));
    let parts = ["hash:1/2", "hash:2/2"].map(|part| {
        let output = sigrace(
            folder.path(),
            &["run", "scenarios/family/path.ron", "--partition", part, "--format", "json"],
        );
        ends(&output, 0);
        let file = folder.path().join(part.replace('/', "_"));
        fs::write(&file, stdout(&output)).unwrap();
        file.to_str().unwrap().to_owned()
    });
    ends(&sigrace(folder.path(), &["merge", &parts[0], &parts[1]]), 69);
    // What should have been built is missing, and that is wrong.
    fs::write(scenarios.join("own.ron"), "(format: 1, program: Command([\"./server\"]))\n").unwrap();
    ends(&sigrace(folder.path(), &["run"]), 102);
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
fn a_program_without_dashes_before_it_is_run_where_it_is_clear_where_it_begins() {
    let folder = tempfile::tempdir().unwrap();
    let explore = |words: &[&str]| {
        let words = [&["explore", "--seed", "1", "--runs", "1", "--send", "none"], words].concat();
        sigrace(folder.path(), &words)
    };
    let (without, with) = (explore(&["sh", "-c"]), explore(&["--", "true", "more"]));
    ends(&without, 2);
    let said = "`--` is missing before the program, which may begin with `sh`: \
                sigrace explore --seed 1 --runs 1 --send none -- sh -c\n";
    assert!(stderr(&without).contains(said), "{}", stderr(&without));
    let without = explore(&["true", "more"]);
    assert_eq!(without.status, with.status);
    let taken = "sigrace: taken as `sigrace explore --seed 1 --runs 1 --send none -- true more`: -- comes before the program";
    assert_eq!(complaints(&without), [taken]);
    assert!(!stdout(&with).is_empty());
    assert_eq!(complaints(&with), [""; 0]);
}

#[test]
fn a_name_that_selects_nothing_is_told_with_those_near_it() {
    let folder = folder_with("good.ron", LEAVES_A_FILE);
    let output = sigrace(folder.path(), &["run", "god"]);
    ends(&output, 4);
    let said = "sigrace: no scenario selected, so nothing was tested; near are family/good; next: sigrace run --list\n";
    assert_eq!(stderr(&output), said);
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
        let mut words = vec!["explore", "--send", "none", "--seed", "1", "--strategy", "exhaustive"];
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
        let mut words = vec![
            "explore",
            "--send",
            "none",
            "--strategy",
            "pct",
            "--seed",
            "1",
            "--no-handler-checks",
            "--files",
            "host",
            "--runs",
            runs,
        ];
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
