use super::*;
use crate::arbitrary;
use crate::program::Program;
use crate::trace::Broken;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

const FULL: &str = "(
    format: 1,
    program: Source(\"broken/addjob.c\"),
    explore: (send: [SIGTERM, SIGRTMIN(3)], strategy: [Random(runs: 20)]),
    expect: (exit: Code(0), stdout: Matches(\"^a\"), zombies: 0),
    finds: [(breaks: Exit, schedule: [(at: After(Fork), in: \"p0\", action: Switch(All))])],
)
";

fn parse(text: impl Into<Vec<u8>>) -> Result<Scenario, FileError> {
    super::parse(Kind::SCENARIO, Path::new("a.ron"), text.into(), check::scenario)
}

fn parse_trace(text: impl Into<Vec<u8>>) -> Result<Trace, FileError> {
    super::parse(Kind::TRACE, Path::new("a.ron"), text.into(), check::trace)
}

/// What is said of the whole example with one part of it replaced.
fn refused(from: &str, to: &str) -> String {
    assert!(FULL.contains(from), "{from}");
    parse(FULL.replacen(from, to, 1)).expect_err(to).to_string()
}

fn some_trace() -> Trace {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut trace = arbitrary::trace().new_tree(&mut runner).unwrap().current();
    trace.launch.build = None;
    trace.launch.source = Some("/fixtures/broken/addjob.c".into());
    trace.breaks = vec![Broken::Orphans, Broken::Exit];
    trace
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = entries.collect();
    names.sort();
    names
}

#[test]
fn a_scenario_is_written_as_people_write_it() {
    let scenario = parse(FULL).unwrap();
    assert_eq!(scenario.program, Program::Source("broken/addjob.c".into()));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.ron");
    write_scenario(&path, &scenario).unwrap();
    let expected = "(
    format: 1,
    program: Source(\"broken/addjob.c\"),
    explore: (
        send: [SIGTERM, SIGRTMIN(3)],
        send_to: \"p0\",
        always: false,
        points: [],
        strategy: [Random(runs: 20)],
    ),
    limits: (time: 30.0, cpu: 5.0, clock: 3600.0, points: 200000, turn: 1000, processes: 1024, output: 67108864, files: 1073741824),
    expect: (exit: Code(0), stdout: Matches(\"^a\"), zombies: 0, idle: false),
    finds: [
        (breaks: Exit, schedule: [(at: After(Fork), in: \"p0\", action: Switch(All))]),
    ],
)
";
    let comment = format!("// What to expect of a program. Run it: sigrace run {}\n", path.display());
    assert_eq!(fs::read_to_string(&path).unwrap(), comment + expected);
}

#[test]
fn what_is_refused_is_shown_with_its_place() {
    assert_eq!(
        refused("SIGTERM", "SIGTREM"),
        "a.ron:4:22: `SIGTREM` is no signal: expected a name (SIGTERM or TERM), SIGRTMIN+N, SIGRTMAX-N, or a number from 1 to 64
  |
4 |     explore: (send: [SIGTREM, SIGRTMIN(3)], strategy: [Random(runs: 20)]),
  |                      ^^^^^^^"
    );
    assert_eq!(
        refused("Random(runs: 20)", "Random(runs: 0)"),
        "a.ron:4:56: expected 1 to 1000000000000 runs
  |
4 |     explore: (send: [SIGTERM, SIGRTMIN(3)], strategy: [Random(runs: 0)]),
  |                                                        ^^^^^^^^^^^^^^^"
    );
}

#[test]
fn every_mistake_is_named_at_its_line_and_column() {
    let exotic = "in: \"p0\", nth: 0";
    for (from, to, said) in [
        ("format: 1,\n", "", "2:9: expected `format: 1` before everything else in a scenario"),
        ("format: 1", "format: 0", "2:13: there is no scenario format 0: expected 1"),
        ("format: 1", "format: 3", "2:13: scenario format 3; this sigrace reads up to 1: upgrade sigrace"),
        ("format: 1", "format: one", "2:13: expected integer"),
        ("explore:", "explre:", "4:5: unexpected field named `explre`, expected one of `program`, "),
        (
            "Random(",
            "Randm(",
            "4:56: unexpected variant named `Randm` in enum `Strategy`, expected one of `Random`, ",
        ),
        (
            "SIGTERM",
            "SIGKILL",
            "4:22: no program can catch or block this signal: it is sent only with `always: true`",
        ),
        ("Code(0)", "Code(300)", "5:20: no process ends with exit code 300: expected 0 to 255"),
        ("Code(0)", "OneOf([])", "5:20: `OneOf([])` allows no exit at all"),
        ("\"^a\"", "\"a(b\"", "5:37: `a(b` is no regular expression: unclosed group"),
        (
            "zombies: 0",
            "files: (left: [\"a\", \"b[c\"])",
            "5:72: `b[c` is no glob: invalid range pattern at character 2",
        ),
        ("zombies: 0", "files: (same: [\"a***\"])", "5:67: `a***` is no glob"),
        (
            "expect: (",
            "files: Host, expect: (files: (left: []), ",
            "5:34: with `files: Host` it is not known what a run leaves",
        ),
        ("zombies: 0", "zombies: x", "5:61: expected integer"),
        ("\"p0\"", "\"p1\"", "6:62: `p1` is no process or thread name"),
        ("[(at: After(Fork), in: \"p0\", action: Switch(All))]", "[]", "6:38: expected at least 1 step"),
        ("in: \"p0\"", exotic, "6:72: which time the thread gets there is counted from 1"),
        ("Source(\"broken/addjob.c\")", "Command([])", "3:14: expected a program's name as the first word"),
        ("Source(\"broken/addjob.c\")", "Command([\"a\"]), args: [\"b\"]", "3:36: `args` goes with `Source`"),
        ("explore:", "builds: [\"-O2\", \"-O2 -o x\"], explore:", "4:22: `-o` is no flag for a build"),
        (
            "explore:",
            "builds: [\"-O2\", \"-O2 '-static'\"], explore:",
            "4:22: `'-static'` is no flag for a build",
        ),
        ("explore:", "builds: [\"\"], explore:", "4:15: no flag: expected the compiler's flags"),
        (
            "explore:",
            "builds: [\"-O2 -static\", \"-O2  -static\"], explore:",
            "4:29: this build is there twice",
        ),
        (
            "Source(\"broken/addjob.c\")",
            "Command([\"a\"]), builds: [\"-O2\"]",
            "3:38: `builds` goes with `Source`",
        ),
        ("explore: (", "limits: (turn: 0), explore: (", "4:20: expected a limit above 0"),
        ("explore: (", "limits: (time: 1e9), explore: (", "4:20: expected a year at most"),
        (
            "explore: (",
            "limits: (cpu: 1e300), explore: (",
            "4:19: expected a length of time in seconds, got 1e300",
        ),
        (
            "explore: (",
            "limits: (cpu: NaN), explore: (",
            "4:19: expected a length of time in seconds, got NaN",
        ),
        (
            "explore: (",
            "limits: (time: -1.0), explore: (",
            "4:20: expected a length of time in seconds, got -1.0",
        ),
        (
            "explore: (",
            "limits: (points: 99999999999999999999), explore: (",
            "4:22: integer is out of bounds",
        ),
        ("[Random(runs: 20)]", "[]", "4:55: expected at least 1 strategy"),
        ("Random(runs: 20)", "Random(runs: 18446744073709551615)", "4:56: expected 1 to 1000000000000 runs"),
        ("Random(runs: 20)", "Exhaustive(bound: 4000000000)", "4:56: expected a bound of 1 to 32 steps"),
        ("Random(runs: 20)", "Exhaustive(bound: 0)", "4:56: expected a bound of 1 to 32 steps"),
        ("Random(runs: 20)", "Pct(depth: 4000000000, runs: 9)", "4:56: expected a depth of 1 to 256"),
        ("explore: (", "env: {\"A=B\": \"\"}, explore: (", "4:10: \"A=B\" is no variable"),
        ("explore: (", "explore: (send_to: \"p0/2\", ", "4:24: signals are sent to a process"),
        ("\n)\n", "\n) x\n", "7:3: non-whitespace trailing characters"),
        ("\n)\n", "\n", "7:1: unexpected end of RON"),
        (FULL, "", "1:1: expected opening `(`"),
    ] {
        let said = format!("a.ron:{said}");
        let message = refused(from, to);
        assert!(message.starts_with(&said), "{to}\n  expected {said}\n  got      {message}");
    }
    assert!(parse(FULL.replace("send: [SIGTERM", "always: true, send: [SIGKILL")).is_ok());
}

#[test]
fn a_byte_that_is_not_utf8_has_a_place() {
    let mut bytes = FULL.as_bytes().to_vec();
    bytes[12] = 0xff;
    let message = parse(bytes).unwrap_err().to_string();
    assert!(message.starts_with("a.ron:2:11: this byte is not UTF-8"), "{message}");
}

#[test]
fn a_newer_trace_is_refused_by_its_format_alone() {
    let error = parse_trace("// a trace\n(format: 3, whatever: (will, [be]: there)").unwrap_err().to_string();
    assert!(
        error.starts_with("a.ron:2:10: trace format 3; this sigrace reads up to 1: upgrade sigrace"),
        "{error}"
    );
}

#[test]
fn a_missing_file_and_an_impossible_directory_are_clear_errors() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("none.ron");
    let error = read_trace(&missing).unwrap_err().to_string();
    assert_eq!(error, format!("cannot read {}: No such file or directory (os error 2)", missing.display()));

    let file = dir.path().join("file");
    fs::write(&file, "mine").unwrap();
    let error = write_trace(&file.join("traces"), &some_trace()).unwrap_err().to_string();
    assert!(error.starts_with("cannot make the directory ") && error.contains("Not a directory"), "{error}");
    let scenario = parse(FULL).unwrap();
    let error = write_scenario(&file.join("s.ron"), &scenario).unwrap_err().to_string();
    assert!(error.starts_with("cannot write ") && error.contains("Not a directory"), "{error}");
    assert_eq!(names(dir.path()), ["file"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
}

#[test]
fn a_trace_gets_a_telling_name_and_the_latest_link_follows() {
    let dir = tempfile::tempdir().unwrap();
    let traces = dir.path().join("a/traces");
    let mut trace = some_trace();
    let first = write_trace(&traces, &trace).unwrap();
    assert_eq!(write_trace(&traces, &trace).unwrap(), first, "the same run, the same name");
    let name = first.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("addjob-exit-") && name.len() == "addjob-exit-01234567.ron".len(), "{name}");
    assert_eq!(read_trace(&traces.join("latest")).unwrap(), trace);
    assert_eq!(fs::metadata(&first).unwrap().permissions().mode() & 0o400, 0o400);

    trace.launch.build = Some("-O2 -static".parse().unwrap());
    let built = write_trace(&traces, &trace).unwrap();
    assert_ne!(built, first, "another build, another trace");
    assert_eq!(read_trace(&built).unwrap().launch.build, trace.launch.build);

    trace.schedule.steps.clear();
    trace.breaks.clear();
    trace.launch.source = None;
    trace.launch.file = "/bin/..a\nb".into();
    let second = write_trace(&traces, &trace).unwrap();
    assert_eq!(fs::read_link(traces.join("latest")).unwrap().as_os_str(), second.file_name().unwrap());
    assert!(second.file_name().unwrap().to_str().unwrap().starts_with("a_b-kept-"), "{second:?}");
    assert_eq!(names(&traces).len(), 4, "three traces and the link");
}

#[test]
fn a_command_is_one_line_that_a_shell_understands() {
    for path in ["t/a-b.ron", "a b", "it's", "-n", "a\nb'c\\", "$(x)"] {
        let line = command("replay", Path::new(path));
        assert!(!line.contains('\n') && line.starts_with("sigrace replay "), "{line:?}");
        let script = format!("sigrace() {{ for last; do :; done; printf %s \"$last\"; }}; {line}");
        let output = Command::new("bash").arg("-c").arg(script).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), path);
    }
}

/// Runs itself once more in a mount namespace of its own, where a tiny file system can be mounted and filled.
#[test]
fn a_full_disk_leaves_no_half_written_file() {
    const INSIDE: &str = "SIGRACE_TEST_FULL_DISK";
    if let Some(dir) = std::env::var_os(INSIDE) {
        return fill(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    let unshare = || {
        let mut command = Command::new("unshare");
        if !nix::unistd::geteuid().is_root() {
            command.arg("--map-root-user");
        }
        command.arg("--mount");
        command
    };
    if !unshare().arg("true").status().is_ok_and(|status| status.success()) {
        eprintln!("not tested: this host allows no mount namespace");
        return;
    }
    let test = "store::tests::a_full_disk_leaves_no_half_written_file";
    let program = std::env::current_exe().unwrap();
    let output = unshare().arg(program).args([test, "--exact"]).env(INSIDE, dir.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

fn fill(dir: &Path) {
    use nix::mount::{MsFlags, mount};
    mount(Some("none"), dir, Some("tmpfs"), MsFlags::empty(), Some("size=64k")).unwrap();
    let mut trace = some_trace();
    let before = write_trace(dir, &trace).unwrap();
    trace.outcome.stdout = crate::trace::Output::Text("x".repeat(100_000));
    let error = write_trace(dir, &trace).unwrap_err().to_string();
    assert!(error.contains("No space left on device"), "{error}");
    assert_eq!(names(dir).len(), 2, "the link and the trace of before");
    assert!(read_trace(&before).is_ok(), "the file of before is whole");
}

proptest! {
    #[test]
    fn scenarios_are_read_as_they_were_written(scenario in arbitrary::scenario()) {
        let text = ron_text::scenario(&scenario, Path::new("a.ron")).unwrap();
        prop_assert_eq!(parse(text).unwrap(), scenario);
    }

    #[test]
    fn traces_are_read_as_they_were_written(trace in arbitrary::trace()) {
        let text = ron_text::trace(&trace, Path::new("a\nb.ron")).unwrap();
        prop_assert_eq!(parse_trace(text).unwrap(), trace);
    }

    #[test]
    fn a_damaged_file_is_read_or_refused_but_never_a_panic(
        trace in arbitrary::trace(), at in any::<prop::sample::Index>(), byte: u8, cut: bool
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = write_trace(dir.path(), &trace).unwrap();
        for text in [fs::read(&path).unwrap(), FULL.as_bytes().to_vec()] {
            let mut damaged = text;
            let at = at.index(damaged.len());
            if cut { damaged.truncate(at) } else { damaged[at] = byte }
            fs::write(&path, &damaged).unwrap();
            for error in [read_trace(&path).err(), read_scenario(&path).err()].into_iter().flatten() {
                // With another's fields alone it is another kind of file.
                let is_placed = matches!(&error, FileError::Refused { place, .. } if place.line > 0 && place.column > 0)
                    || matches!(&error, FileError::Another { .. });
                prop_assert!(is_placed, "{error}");
                prop_assert!(error.to_string().lines().count() <= 4, "{error}");
            }
        }
    }
}
