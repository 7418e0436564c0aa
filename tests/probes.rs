//! Probes, from each language: the points that they are, and that a program sees no difference.

mod supervised;

use sigrace::copies;
use sigrace::program::Limits;
use sigrace::schedule::Site;
use sigrace::trace::{End, Status};
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs it bare and under control, which must write and end the same; gives the names of the probes, each with the thread
/// and which time it is, and how often it was held before a prctl.
#[track_caller]
fn probes(argv: &[&str], folder: &Path) -> (Vec<String>, usize) {
    let launch = supervised::launch(argv, folder);
    let mut bare = Command::new(&launch.file);
    bare.args(&argv[1..]).env_clear().envs(&launch.env).current_dir(folder).stdin(Stdio::null());
    let bare = copies::output(&mut bare).expect("the command starts");
    let (run, ()) = supervised::run(launch, Limits::default(), || ());
    let run = run.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(bare.status.success() && !bare.stdout.is_empty(), "{}", text(&bare.stderr));
    assert_eq!(text(run.outcome.stdout.bytes()), text(&bare.stdout));
    assert_eq!(text(run.outcome.stderr.bytes()), text(&bare.stderr));
    assert_eq!((run.outcome.end, run.taint), (End::Ended(Status::Exited(0)), None));
    let points = run.reached.iter().map(|reached| &reached.point);
    let marked = points.clone().filter(|point| matches!(point.site, Site::Probe(_)));
    let prctl = Site::Before(syscalls::Sysno::prctl.into());
    (marked.map(ToString::to_string).collect(), points.filter(|point| point.site == prctl).count())
}

fn built(compiler: &str, flags: &[&str], folder: &Path) -> String {
    let program = folder.join("program").display().to_string();
    let output =
        copies::output(Command::new(compiler).args(flags).args(["-o", &program]).current_dir(folder));
    let output = output.unwrap_or_else(|error| panic!("{compiler}: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    program
}

fn root() -> String {
    format!("{}/..", env!("CARGO_MANIFEST_DIR"))
}

/// A program in this dialect of C or C++.
fn in_dialect(compiler: &str, flags: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let source = format!("{}/tests/programs/probes.c", root());
    let warnings = ["-Wall", "-Wextra", "-Wpedantic", "-Wno-overlength-strings", "-Werror", "-D_GNU_SOURCE"];
    let program = built(compiler, &[&warnings[..], flags, &[&source]].concat(), folder.path());
    let (points, calls) = probes(&[&program], folder.path());
    let expected = [
        "p0 at probe \"twice\"",
        "p0 at probe \"twice\" #2",
        "p0 at probe \"in the handler\"",
        "p0 at probe \"one more\"",
    ];
    assert_eq!(points, expected);
    assert_eq!(calls, 4, "a name too long, one that is no text, no address, another version");
}

#[test]
fn c() {
    in_dialect("cc", &["-std=c99", "-O0"]);
    in_dialect("cc", &["-std=gnu17", "-O2", "-static"]);
}

#[test]
fn cpp() {
    if copies::output(Command::new("g++").arg("--version")).is_err() {
        eprintln!("not tested: g++ is not installed");
        return;
    }
    in_dialect("g++", &["-x", "c++", "-std=c++17", "-O2"]);
}

#[test]
fn rust() {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("libsigrace_probe.rlib").display().to_string();
    let source = format!("{}/harness/probe/src/lib.rs", root());
    let edition = ["--edition", "2024", "-O"];
    let made = ["--crate-type", "rlib", "--crate-name", "sigrace_probe", &source, "-o", &library];
    let output = copies::output(Command::new("rustc").args(edition).args(made)).expect("rustc starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let main = folder.path().join("main.rs").display().to_string();
    let text = r#"fn main() { for _ in 0..2 { sigrace_probe::probe!("größe"); } println!("done"); }"#;
    std::fs::write(&main, text).unwrap();
    let program = built(
        "rustc",
        &[&edition[..], &["--extern", &format!("sigrace_probe={library}"), &main]].concat(),
        folder.path(),
    );
    let (points, _) = probes(&[&program], folder.path());
    assert_eq!(points, ["p0 at probe \"größe\"", "p0 at probe \"größe\" #2"]);
}

/// The line of the guide that holds this, without what it is quoted with.
fn shown(part: &str) -> String {
    let page = std::fs::read_to_string(format!("{}/docs/critical-sections.md", root())).unwrap();
    let line = page.lines().find(|line| line.contains(part));
    line.unwrap_or_else(|| panic!("the guide does not show {part}")).trim().to_owned()
}

#[test]
fn python() {
    let folder = tempfile::tempdir().unwrap();
    let code = format!("import ctypes\n{}\nprint('done')", shown("ctypes.CDLL(None).syscall(157"));
    let (points, _) = probes(&["python3", "-c", &code], folder.path());
    assert_eq!(points, ["p0 at probe \"tested\""]);
}

#[test]
fn go() {
    if copies::output(Command::new("go").arg("version")).is_err() {
        eprintln!("not tested: go is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (name, probe) = (shown("name, _ := syscall.BytePtrFromString("), shown("syscall.RawSyscall6(157"));
    let name =
        &name[name.find("name, _").expect("found by it")..name.find("` made once").expect("it says so")];
    let text = format!(
        "package main\n\nimport (\n\t\"fmt\"\n\t\"syscall\"\n\t\"unsafe\"\n)\n\nfunc main() {{\n\t{name}\n\t{probe}\n\t{probe}\n\tfmt.Println(\"done\")\n}}\n"
    );
    std::fs::write(folder.path().join("main.go"), text).unwrap();
    let mut build = Command::new("go");
    build.args(["build", "-o", "program", "main.go"]).env("CGO_ENABLED", "0").current_dir(folder.path());
    // A cache in the folder of a user who has none would not be found.
    build.env("GOCACHE", folder.path().join("cache"));
    let output = copies::output(&mut build).expect("go starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let program = folder.path().join("program").display().to_string();
    let (points, _) = probes(&[&program], folder.path());
    assert_eq!(points, ["p0 at probe \"tested\"", "p0 at probe \"tested\" #2"]);
}

#[test]
fn shell() {
    let folder = tempfile::tempdir().unwrap();
    let script = format!("echo one\n{}\necho two\n", shown("kill -0 1397311314"));
    for shell in ["bash", "dash"] {
        let (points, _) = probes(&[shell, "-c", &script], folder.path());
        assert_eq!(points, ["p0 at probe \"shell\""], "{shell}");
    }
}
