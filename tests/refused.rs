//! What is refused before anything is run, with which exit code, and what is said then; and what each run may use.

mod script;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use script::{LEAVES_A_FILE, LITTLE, command, ends, folder_with, limited, listing, sigrace, stderr, stdout};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

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
fn a_file_of_another_kind_is_told_with_what_can_be_done_with_it() {
    let folder = folder_with("good.ron", LEAVES_A_FILE);
    let scenario = "scenarios/family/good.ron";
    for verb in ["show", "replay", "shrink"] {
        let output = sigrace(folder.path(), &[verb, scenario]);
        ends(&output, 102);
        let said =
            format!("sigrace: {scenario}: this is a scenario, and no trace; next: sigrace run {scenario}\n");
        assert_eq!(stderr(&output), said);
    }
    let explore =
        ["explore", "--seed", "1", "--exit", "0", "--trace-dir", "traces", "--", "sh", "-c", "exit 3"];
    ends(&sigrace(folder.path(), &explore), 100);
    fs::write(folder.path().join("report.json"), "{\"format\": 1}").unwrap();
    let trace = "traces/latest";
    let next = format!(
        "{trace}: this is a trace, and no scenario; next: sigrace show {trace}, or sigrace replay {trace}\n"
    );
    for (path, said) in
        [(trace, next.as_str()), ("report.json", "report.json: this is JSON, and no scenario\n")]
    {
        let output = sigrace(folder.path(), &["check", path]);
        ends(&output, 102);
        assert_eq!(stderr(&output), said);
    }
}

#[test]
fn programs_and_reports_are_told_with_what_can_be_done_with_them() {
    let folder = folder_with("good.ron", LEAVES_A_FILE);
    fs::copy("/bin/true", folder.path().join("prog")).unwrap();
    fs::set_permissions(folder.path().join("prog"), fs::Permissions::from_mode(0o755)).unwrap();
    let report = sigrace(folder.path(), &["run", "--seed", "1", "--trace-dir", "traces", "--format", "json"]);
    fs::write(folder.path().join("known.json"), &report.stdout).unwrap();
    let program = "this is a program, and no trace; next: sigrace explore -- ./prog\n";
    let report = "this is a report, and no trace; next: sigrace explore --baseline known.json -- PROGRAM, \
                  or sigrace diff known.json REPORT\n";
    for verb in ["show", "replay", "shrink"] {
        for (file, said) in [("prog", program), ("known.json", report)] {
            let output = sigrace(folder.path(), &[verb, file]);
            ends(&output, 102);
            assert_eq!(stderr(&output), format!("sigrace: {file}: {said}"));
        }
    }
    let scenario = "scenarios/family/good.ron";
    let said =
        format!("sigrace: {scenario}: this is a scenario, and no report; next: sigrace run {scenario}\n");
    for words in
        [&["merge", scenario][..], &["diff", scenario, "known.json"], &["run", "--baseline", scenario]]
    {
        let output = sigrace(folder.path(), words);
        ends(&output, 102);
        assert_eq!(stderr(&output), said);
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
    // Not too large for a trace, which may hold what a program has printed.
    fs::File::create(path("zeros.ron")).unwrap().set_len(100 << 20).unwrap();
    for verb in ["show", "replay", "shrink"] {
        let output = limited(folder.path(), LITTLE, &[verb, "zeros.ron"]);
        ends(&output, 102);
        assert!(stderr(&output).contains("zeros.ron:1:1: "), "{}", stderr(&output));
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
    for (limits, remedy) in [("ulimit -v 100000", "ulimit -v 262144"), (hide, "mount -t proc proc /proc")] {
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

#[test]
fn a_program_that_never_makes_a_call_is_no_fault_of_the_harness() {
    silent("for (;;) ;", "none came within 10 seconds of CPU time");
    silent("__builtin_trap();", "it ended before that: killed by SIGILL");
}

/// A program that does this, and makes no call, is told as one that cannot be started.
fn silent(does: &str, told: &str) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("silent.c"), format!("void _start(void) {{ {does} }}\n")).unwrap();
    let built = Command::new("gcc")
        .args(["-static", "-nostdlib", "-o", "silent", "silent.c"])
        .current_dir(&folder)
        .status();
    assert!(built.unwrap().success());
    let output = sigrace(folder.path(), &["points", "--", "./silent"]);
    ends(&output, 102);
    let said = stderr(&output);
    assert!(said.contains(&format!("waiting for its first system call: {told}")), "{said}");
}
