//! `sigrace watch`: a program is explored again when it has changed, and Ctrl-C ends it.

mod script;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Child;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// A line that has not come by then will not come.
const BOUND: Duration = Duration::from_secs(120);

struct Watching {
    child: Child,
    lines: Receiver<String>,
}

impl Watching {
    fn begin(folder: &Path) -> Watching {
        let words = ["watch", "--seed", "1", "--no-handler-checks", "--trace-dir", "traces", "--", "./prog"];
        let mut command = script::command(folder, &words);
        // One pipe for both, so that the lines are in their order.
        let (reader, writer) = std::io::pipe().unwrap();
        let child = command.stdout(writer.try_clone().unwrap()).stderr(writer).spawn().unwrap();
        drop(command);
        let (send, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(reader).lines() {
                let _ = send.send(line.unwrap());
            }
        });
        Watching { child, lines }
    }

    /// The lines up to one that holds all of these words.
    #[track_caller]
    fn until(&self, words: &[&str]) -> Vec<String> {
        let mut seen: Vec<String> = Vec::new();
        while !seen.last().is_some_and(|line| words.iter().all(|word| line.contains(word))) {
            match self.lines.recv_timeout(BOUND) {
                Ok(line) => seen.push(line),
                Err(error) => panic!("no line with {words:?}: {error}\n{}", seen.join("\n")),
            }
        }
        seen
    }

    /// Ends as it does at Ctrl-C.
    fn interrupted(mut self) {
        kill(Pid::from_raw(self.child.id() as i32), Signal::SIGINT).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(130));
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn executable(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// The first test of the flag is too early for a SIGUSR1 that comes after it; the other program waits with it blocked.
const SOURCES: [&str; 2] = ["fixtures/broken/lost_wakeup.c", "fixtures/sound/lost_wakeup.c"];

#[test]
fn a_program_that_is_built_again_is_explored_again_with_what_was_found_first() {
    let folder = tempfile::tempdir().unwrap();
    let [broken, sound] = SOURCES.map(|source| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(source);
        sigrace::compile::compile(&source, None).unwrap()
    });
    let prog = folder.path().join("prog");
    let build = |from: &Path| {
        // As compilers do it.
        let _ = fs::remove_file(&prog);
        fs::copy(from, &prog).unwrap();
    };
    build(&broken);
    let watching = Watching::begin(folder.path());
    let first = watching.until(&["watching ./prog"]);
    assert!(
        first.iter().any(|line| line.starts_with("replay: sigrace replay traces/prog-hang-")),
        "{first:?}"
    );
    build(&sound);
    let second = watching.until(&["before and now: 0 new findings, 1 gone, 0 the same"]);
    assert!(second.contains(&"./prog has changed".to_owned()), "{second:?}");
    assert!(second.contains(&"  pass, was fail".to_owned()), "{second:?}");
    watching.until(&["watching ./prog"]);
    build(&broken);
    // The kept schedule is the first that is tried.
    let third = watching.until(&["before and now: 1 new finding, 0 gone, 0 the same"]);
    assert!(third.iter().any(|line| line.starts_with("found: ./prog, sent SIGUSR1: it hangs")), "{third:?}");
    watching.until(&["watching ./prog"]);
    watching.interrupted();
}

#[test]
fn a_program_that_cannot_be_started_is_told_and_the_next_one_explored() {
    let folder = tempfile::tempdir().unwrap();
    let prog = folder.path().join("prog");
    executable(&prog, "#!/bin/sh\nexit 0\n");
    let watching = Watching::begin(folder.path());
    watching.until(&["watching ./prog"]);
    let aside = folder.path().join("aside");
    executable(&aside, "#!/no/such/interpreter\n");
    fs::rename(&aside, &prog).unwrap();
    watching.until(&["./prog has changed"]);
    let told = watching.until(&["watching ./prog"]);
    assert!(told.iter().any(|line| line.starts_with("sigrace: ")), "{told:?}");
    // What else is written in that folder is no change.
    fs::write(folder.path().join("log"), "more").unwrap();
    executable(&aside, "#!/bin/sh\nexit 3\n");
    fs::rename(&aside, &prog).unwrap();
    let told = watching.until(&["watching ./prog"]);
    assert!(told.iter().any(|line| line.ends_with("exit code 3")), "{told:?}");
    assert_eq!(told.iter().filter(|line| line.ends_with("has changed")).count(), 1, "{told:?}");
    // While it is looking at nothing but events.
    watching.interrupted();
}
