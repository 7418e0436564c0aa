//! With the empty schedule a program sees no difference: everything here is run bare and under the supervisor, and has
//! to write the same and to end the same.
//!
//! Known differences, which no test here looks at: `NoNewPrivs` and `Seccomp` in `/proc/self/status`, pids, addresses,
//! for ordinary users the owners of other users' files, and how long things take.

mod supervised;

use sigrace::schedule::Schedule;
use sigrace::supervise::{Settings, Supervise};
use sigrace::trace::{End, Status};
use sigrace::world::{Files, World};
use std::fs;
use std::path::Path;
use supervised::{same, same_c};
use tempfile::TempDir;

#[track_caller]
fn same_script(shell: &str, script: &str) {
    let folder = tempfile::tempdir().unwrap();
    same(&[shell, "-c", script], folder.path());
}

/// A small tree of files, the same each time.
fn files() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (directory, word) in [("a", "apple"), ("b/c", "bread"), ("d", "dough")] {
        let directory = folder.path().join("tree").join(directory);
        fs::create_dir_all(&directory).unwrap();
        for n in 0..5 {
            let lines: String = (0..40).map(|line| format!("{word} {n} {line}\n")).collect();
            fs::write(directory.join(format!("{n}.txt")), lines).unwrap();
        }
    }
    folder
}

#[test]
fn ls() {
    same(&["ls", "-lR", "tree"], files().path());
    // Without owners: in a user namespace those of other users have no name and no number.
    same(&["ls", "-goR", "/etc/ssl"], Path::new("/"));
}

#[test]
fn sort_with_temporary_files() {
    same_script(
        "sh",
        "awk 'BEGIN { for (n = 0; n < 20000; n++) print (n * 7919) % 20011 }' | sort -n -S 32k -T . | md5sum",
    );
}

#[test]
fn tar_into_gzip() {
    let folder = files();
    same(&["sh", "-c", "tar cf - tree | gzip -n | md5sum"], folder.path());
}

#[test]
fn make_with_four_jobs() {
    let targets: Vec<String> = (1..=8).map(|n| format!("t{n}")).collect();
    let mut text = format!("all: {}\n", targets.join(" "));
    for target in &targets {
        text += &format!("{target}:\n\t@echo {target} begins; cat Makefile | wc -l; echo {target} ends\n");
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("Makefile"), text).unwrap();
    same(&["sh", "-c", "make -j4 > log; code=$?; sort log; exit $code"], folder.path());
}

#[test]
fn make_that_fails() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("Makefile"), "all: a b\na:\n\t@exit 3\nb: a\n\t@echo never\n").unwrap();
    same(&["make", "-j2"], folder.path());
}

#[test]
fn python_threads() {
    same_script(
        "sh",
        "exec python3 -c '
import threading, queue
todo, done = queue.Queue(), queue.Queue()
def work():
    while (n := todo.get()) is not None:
        done.put(n * n)
workers = [threading.Thread(target=work) for _ in range(4)]
for worker in workers: worker.start()
for n in range(200): todo.put(n)
for _ in workers: todo.put(None)
for worker in workers: worker.join()
print(sorted(done.queue)[-3:], threading.active_count())
event = threading.Event()
print(event.wait(0.01))
'",
    );
}

#[test]
fn python_subprocess() {
    same_script(
        "sh",
        "exec python3 -c '
import subprocess, signal
print(subprocess.run([\"tr\", \"a-z\", \"A-Z\"], input=b\"hello\", capture_output=True).stdout)
print(subprocess.run([\"sh\", \"-c\", \"kill -USR1 $$\"]).returncode == -signal.SIGUSR1)
print(subprocess.check_output(\"echo one; echo two >&2\", shell=True, stderr=subprocess.STDOUT))
sleeper = subprocess.Popen([\"sleep\", \"1000\"])
try: sleeper.wait(0.01)
except subprocess.TimeoutExpired: print(\"still there\")
sleeper.terminate()
print(sleeper.wait())
'",
    );
}

#[test]
fn bash_pipelines_and_substitution() {
    same_script(
        "bash",
        "set -o pipefail
        seq 100 | while read -r n; do echo $((n * n)); done | tail -n 1
        echo \"$(echo inner; exit 3)\" $?; x=$(exit 4); echo $?
        false | true; echo ${PIPESTATUS[@]}
        diff <(seq 3) <(seq 4); cat <<< here; yes | head -n 1; (exit 7)",
    );
}

#[test]
fn bash_job_control() {
    // What bash says of its jobs depends on when it notices, and holds pids; what it returns does not.
    same_script(
        "bash",
        "set -m; exec 2> /dev/null
        sleep 0.05 & wait; echo waited $?
        sleep 1000 & kill %1; wait %1; echo killed $?
        sleep 1000 & kill -KILL %1; wait %1; echo killed $?
        sleep 1000 & kill -STOP %1; kill -CONT %1; kill %1; wait %1; echo stopped and killed $?
        sleep 0.02 | cat & fg > /dev/null; echo $?",
    );
}

#[test]
fn bash_coprocess_and_wait_for_any() {
    same_script(
        "bash",
        "coproc cat; echo through >&${COPROC[1]}; read -r line <&${COPROC[0]}; echo $line
        (exit 5) & wait -n; echo $?",
    );
}

#[test]
fn waiting_for_a_background_job() {
    same_script("sh", "sleep 0.1 & wait; echo $?");
    same_script("dash", "sleep 0.05 & sleep 0.01 & wait; (exit 3) & wait $!; echo $?");
}

#[test]
fn find_grep_sed_awk_dd() {
    let folder = files();
    same(&["sh", "-c", "find tree -name '*.txt' -print0 | sort -z | xargs -0 -n 4 wc -l"], folder.path());
    same(&["sh", "-c", "grep -r 'bread 3 1' tree | sort; grep -rq nothing tree"], folder.path());
    same(&["sh", "-c", "sed -n 's/apple/pear/;3,5p' tree/a/0.txt"], folder.path());
    same(&["awk", "{ sum += $3 } END { print sum; exit 9 }", "tree/d/1.txt"], folder.path());
    same(&["sh", "-c", "dd if=/dev/zero bs=64k count=40 status=none | md5sum"], folder.path());
}

#[test]
fn traps() {
    for shell in ["bash", "dash"] {
        same_script(
            shell,
            "trap 'echo usr1' USR1; trap 'echo leaving; exit 6' TERM; trap 'echo exit $?' EXIT
            kill -USR1 $$; echo after; (sleep 0.05; kill -USR1 $$; sleep 0.2) & wait $!; echo $?
            wait; kill -TERM $$; echo never",
        );
    }
    same_script("bash", "trap 'echo child' CHLD; true & wait; sleep 0.01; echo end");
}

#[test]
fn ended_by_a_signal() {
    same_script("sh", "kill -TERM $$");
    same_script("bash", "echo out; kill -KILL $$");
    same_script("sh", "sh -c 'kill -SEGV $$' 2> /dev/null; echo $?");
    same_script("sh", "yes | head -n 1; sh -c 'kill -PIPE $$'; echo $?");
}

#[test]
fn timeout() {
    same_script("sh", "timeout 1 sleep 0.05; echo $?; timeout 0.05 sleep 1000; echo $?");
    same_script("sh", "timeout -s KILL 0.05 sleep 1000; echo $?; timeout 5 sh -c 'exit 4'; echo $?");
}

#[test]
fn vfork_and_posix_spawn() {
    same_c("spawn.c");
}

#[test]
fn threads() {
    same_c("threads.c");
}

#[test]
fn interrupted_and_restarted_calls() {
    same_c("interrupted.c");
}

#[test]
fn what_a_handler_is_told() {
    same_c("siginfo.c");
}

#[test]
fn masks_and_pending_signals() {
    same_c("masks.c");
}

#[test]
fn stop_and_continue() {
    same_c("stopped.c");
}

#[test]
fn what_a_process_reads_about_itself() {
    same_c("self.c");
}

/// Once the loader is known, a program without one comes: its own calls may come from where the loader was.
#[test]
fn a_static_program_after_dynamic_ones() {
    let folder = tempfile::tempdir().unwrap();
    let static_pie = supervised::build("spawn.c", &["-static-pie"], folder.path());
    let static_pie = static_pie.to_str().unwrap();
    let script =
        format!("echo x >> turns; case $(wc -l < turns) in 1) ls / ;; *) {static_pie} > seen ;; esac");
    let launch = supervised::launch(&["sh", "-c", &script], folder.path());
    // Each run finds what those before it have left.
    let world = World { files: Files::Host, ..World::default() };
    let runs = supervised::with_settings(Settings { world, ..Settings::of(launch) }, |supervisor| {
        [0, 1, 2].map(|_| supervisor.run(&Schedule::empty()).expect("the script runs"))
    });
    assert!(runs.iter().all(|run| run.outcome.end == End::Ended(Status::Exited(0))), "{:?}", runs[1].outcome);
    assert!(fs::metadata(folder.path().join("seen")).is_ok_and(|seen| seen.len() > 0));
    // The second run was made twice, since the first try met the program without a loader.
    let turns = fs::read_to_string(folder.path().join("turns")).unwrap();
    assert_eq!(turns.lines().count(), 4);
    assert_eq!(runs[1].events, runs[2].events);
}
