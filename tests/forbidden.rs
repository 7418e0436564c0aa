//! On a host that forbids something, what needs it is refused and told of, never silently green.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// The user that owns nothing.
const NOBODY: u32 = 65534;

/// A folder to work in, with the command and the helper that forbids things.
struct Host {
    folder: TempDir,
    sigrace: PathBuf,
    forbid: PathBuf,
    /// Another user to work as.
    user: Option<u32>,
}

impl Host {
    /// As the present user; when that is root, also as an ordinary one.
    fn all() -> Vec<Host> {
        let own = Host::new(None);
        let root = fs::metadata(own.folder.path()).unwrap().uid() == 0;
        if root { vec![own, Host::new(Some(NOBODY))] } else { vec![own] }
    }

    fn new(user: Option<u32>) -> Host {
        let folder = tempfile::tempdir().unwrap();
        let (sigrace, forbid) = (folder.path().join("sigrace"), folder.path().join("forbid"));
        // The folder that cargo builds in may be closed to other users.
        fs::copy(env!("CARGO_BIN_EXE_sigrace"), &sigrace).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/forbid.c");
        let built = Command::new("cc").arg("-o").arg(&forbid).arg(source).status().expect("cc starts");
        assert!(built.success(), "the helper compiles");
        for path in [folder.path(), &sigrace, &forbid] {
            chown(path, user, user).unwrap();
        }
        Host { folder, sigrace, forbid, user }
    }

    /// What the command does where `what` is forbidden.
    fn forbidding(&self, what: &str, words: &[&str]) -> Output {
        let mut command = Command::new(&self.forbid);
        command.arg(what).arg(&self.sigrace);
        self.finished(command, words)
    }

    /// What the command does where nothing more is forbidden.
    fn allowing(&self, words: &[&str]) -> Output {
        self.finished(Command::new(&self.sigrace), words)
    }

    fn finished(&self, mut command: Command, words: &[&str]) -> Output {
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SIGRACE_"))
        {
            command.env_remove(name);
        }
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command.current_dir(self.folder.path()).args(words).stdin(Stdio::null()).output().unwrap()
    }
}

/// Checks the exit code, and that what was written holds these words; gives what was written.
#[track_caller]
fn ends(output: &Output, code: i32, words: &[&str]) -> String {
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is missing:\n{text}");
    }
    text
}

/// The line of the doctor's report that tells of this check.
#[track_caller]
fn line<'a>(report: &'a str, name: &str) -> &'a str {
    let mut lines = report.lines().filter(|line| !line.starts_with(' ') && !line.starts_with("This"));
    lines.find(|line| line.contains(name)).unwrap_or_else(|| panic!("no line on {name}:\n{report}"))
}

const FORKS: [&str; 7] = ["explore", "--runs", "5", "--", "sh", "-c", "true & wait"];
const DOES_NOT_FORK: [&str; 5] = ["explore", "--runs", "5", "--", "true"];

#[test]
fn where_nothing_is_forbidden_all_of_it_works() {
    for host in Host::all() {
        ends(&host.allowing(&FORKS), 0, &["pass"]);
        let report = ends(&host.allowing(&["doctor"]), 0, &["This host allows everything"]);
        assert!(!report.contains("MISSING") && !report.contains("untested"), "{report}");
    }
}

#[test]
fn without_namespaces_nothing_runs() {
    for host in Host::all() {
        let sentence = "this host does not allow making";
        let text = ends(&host.forbidding("namespaces", &DOES_NOT_FORK), 69, &[sentence, "namespace"]);
        assert!(!text.contains("pass"), "{text}");
        let report = ends(&host.forbidding("namespaces", &["doctor"]), 69, &[sentence, "Nothing can be run"]);
        assert!(line(&report, "supervision").starts_with("MISSING"), "{report}");
        for untested in ["proof of a hang", "which thread takes a signal", "IPC objects"] {
            assert!(line(&report, untested).starts_with("untested"), "{report}");
        }
        assert!(line(&report, "writing a process's code").starts_with("ok"), "{report}");
    }
}

#[test]
fn without_network_namespaces_runs_have_the_machines_network() {
    for host in Host::all() {
        let says = ["this host does not allow making a network namespace", "--network host"];
        let text = ends(&host.forbidding("network", &DOES_NOT_FORK), 69, &says);
        assert!(!text.contains("pass"), "{text}");
        let on_host: Vec<&str> = [FORKS[0], "--network=host"].iter().chain(&FORKS[1..]).copied().collect();
        ends(&host.forbidding("network", &on_host), 0, &["pass"]);
        let report =
            ends(&host.forbidding("network", &["doctor"]), 0, &["everything that runs need", says[1]]);
        assert!(line(&report, "a network of its own").starts_with("missing"), "{report}");
        assert!(line(&report, "files of its own").starts_with("ok"), "{report}");
    }
}

#[test]
fn without_notifications_nothing_runs() {
    for host in Host::all() {
        let sentence = "this host does not allow installing the seccomp filter";
        let text = ends(&host.forbidding("notify", &DOES_NOT_FORK), 69, &[sentence]);
        assert!(!text.contains("pass"), "{text}");
        let report = ends(&host.forbidding("notify", &["doctor"]), 69, &[sentence, "Nothing can be run"]);
        assert!(line(&report, "supervision").starts_with("MISSING"), "{report}");
    }
}

#[test]
fn without_writes_to_memory_only_programs_that_fork_are_refused() {
    for host in Host::all() {
        // Nor does time of one's own go without them.
        let text = ends(&host.forbidding("mem", &FORKS), 69, &["/proc/PID/mem", "`--clock real`"]);
        assert!(!text.contains("pass"), "{text}");
        let sentence = ["right after fork", "/proc/PID/mem"];
        let real: Vec<&str> = [FORKS[0], "--clock=real"].iter().chain(&FORKS[1..]).copied().collect();
        let text = ends(&host.forbidding("mem", &real), 69, &sentence);
        assert!(!text.contains("pass"), "{text}");
        ends(&host.forbidding("mem", &["points", "--clock=real", "--", "true"]), 0, &["exit code 0"]);
        let report = ends(&host.forbidding("mem", &["doctor"]), 69, &["Points right after fork"]);
        for missing in ["writing a process's code", "holding after fork"] {
            assert!(line(&report, missing).starts_with("MISSING"), "{report}");
        }
        assert!(line(&report, "supervision").starts_with("ok"), "{report}");
        assert!(line(&report, "proof of a hang").starts_with("untested"), "{report}");
    }
}

#[test]
fn without_perf_events_only_code_points_are_lost() {
    for host in Host::all() {
        ends(&host.forbidding("perf", &FORKS), 0, &["pass"]);
        let report =
            ends(&host.forbidding("perf", &["doctor"]), 0, &["Code points", "everything that runs need"]);
        assert!(line(&report, "hardware breakpoints").starts_with("missing"), "{report}");
        let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/sound/list.c");
        let built =
            Command::new("cc").arg("-g").arg("-o").arg(host.folder.path().join("list")).arg(list).status();
        assert!(built.unwrap().success());
        let sweep = ["explore", "--send", "SIGUSR1", "--sweep", "insert", "--", "./list"];
        ends(&host.forbidding("perf", &sweep), 69, &["hardware breakpoints"]);
        ends(&host.allowing(&sweep), 0, &["instructions executed"]);
    }
}

impl Host {
    /// What the command does when a shell has done this first.
    fn after(&self, first: &str, words: &[&str]) -> Output {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{first} && exec \"$@\"")).arg("sh").arg(&self.sigrace);
        self.finished(command, words)
    }
}

#[test]
fn a_program_with_more_processes_than_descriptors_allow_is_refused_with_the_remedy() {
    let many = ["points", "--", "sh", "-c", "for n in $(seq 100); do sleep 1 & done; wait"];
    for host in Host::all() {
        let says = ["unsupported", "Too many open files", "raise the limit of open files (ulimit -n)"];
        let text = ends(&host.after("ulimit -n 256", &many), 69, &says);
        assert!(!text.contains("harness fault"), "{text}");
    }
}

#[test]
fn processes_that_are_gone_hold_no_descriptors() {
    let one_by_one = ["points", "--", "sh", "-c", "i=0; while [ $i -lt 600 ]; do (:); i=$((i+1)); done"];
    for host in Host::all() {
        ends(&host.after("ulimit -n 256", &one_by_one), 0, &["in 601 threads", "exit code 0"]);
    }
}

#[test]
fn any_number_of_supplementary_groups_changes_nothing() {
    // Only root may have itself given groups.
    for host in Host::all().into_iter().filter(|host| host.user.is_none()) {
        if fs::metadata(host.folder.path()).unwrap().uid() == 0 {
            let groups: Vec<String> = (0..1500).map(|n| (70_000 + n).to_string()).collect();
            let mut command = Command::new("setpriv");
            command.arg(format!("--groups={}", groups.join(","))).arg(&host.sigrace);
            let caught =
                ["explore", "--send", "USR1", "--runs", "5", "--", "sh", "-c", "trap 'exit 3' USR1; sleep 1"];
            ends(&host.finished(command, &caught), 0, &["pass", "exit code 3"]);
        }
    }
}
