//! Everyday commands and daemons, which behave: exploring them finds nothing, and hardly a run is tainted.
//!
//! A command that is not there is skipped by name; most have to be. Each is explored for as many runs as are good for a look,
//! one at a time, since runs share their working directory.

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// What is explored: how it is called, the commands that it takes, how many runs, the signal that ends it if one does, whether
/// it has a terminal, and the words. Of a shell's row the last word is a script.
struct Row {
    needs: &'static str,
    runs: u32,
    send: Option<&'static str>,
    tty: bool,
    words: &'static [&'static str],
}

const fn row(needs: &'static str, runs: u32, words: &'static [&'static str]) -> Row {
    Row { needs, runs, send: None, tty: false, words }
}

const fn ended(needs: &'static str, runs: u32, words: &'static [&'static str]) -> Row {
    Row { needs, runs, send: Some("SIGTERM"), tty: false, words }
}

/// On a terminal: keys, other sizes and hang-ups.
const fn typed(needs: &'static str, runs: u32, words: &'static [&'static str]) -> Row {
    Row { needs, runs, send: None, tty: true, words }
}

const ROWS: &[Row] = &[
    // coreutils, findutils, tar, gzip, xz-utils, bzip2, sed, mawk, util-linux
    row("sort uniq seq", 10, &["sh", "-c", "seq 300 | sort -r | uniq -c | sort -n | head -n 3"]),
    row("tar gzip", 10, &["sh", "-c", "seq 50 > a; tar cf - a | gzip -n | gzip -d | tar tf -"]),
    row("xz bzip2", 8, &["sh", "-c", "seq 200 | xz | xz -d | bzip2 | bzip2 -d | tail -n 1"]),
    row("sed awk", 10, &["sh", "-c", "seq 20 | sed s/1/x/ | awk '{ n += length($0) } END { print n }'"]),
    row("find xargs", 8, &["sh", "-c", "touch 1 2 3; find . -type f | xargs -P 3 -n 1 echo | sort"]),
    row("env nice", 10, &["sh", "-c", "env -i A=1 nice -n 1 sh -c 'echo $A; true & wait'"]),
    row("timeout", 10, &["sh", "-c", "timeout 5 sleep 0.01; echo $?; timeout 0.01 sleep 100; echo $?"]),
    row(
        "timeout",
        6,
        &["sh", "-c", "timeout -s KILL 0.01 sleep 100; timeout -k 0.1 0.01 sh -c 'trap \"\" TERM; sleep 1'"],
    ),
    row(
        "nohup setsid",
        10,
        &["sh", "-c", "nohup sh -c 'echo a; true' > out; setsid -w sh -c 'exit 2'; echo $?"],
    ),
    row("mkfifo", 10, &["sh", "-c", "rm -f p; mkfifo p; (echo x > p) & read -r l < p; echo $l; wait"]),
    row("date", 10, &["sh", "-c", "n=0; while [ $n -lt 3 ]; do sleep 0.02; date > d; n=$((n + 1)); done"]),
    row(
        "diff patch",
        8,
        &["sh", "-c", "seq 5 > a; seq 6 > b; diff -u a b | patch -s a; cmp a b && echo same | cat"],
    ),
    row("script", 6, &["sh", "-c", "script -qec 'echo hi; true' /dev/null | cat"]),
    // The shells: dash, bash, zsh, mksh, busybox
    row("dash", 10, &["dash", "-c", "sleep 0.01 & (exit 3) & wait $!; echo $?; wait"]),
    row(
        "bash",
        10,
        &["bash", "-c", "for n in 1 2 3; do (exit $n) & done; wait -n; wait -n; wait -n; echo done"],
    ),
    row(
        "bash",
        10,
        &["bash", "-c", "trap 'echo usr1' USR1; trap 'echo bye' EXIT; kill -USR1 $$; (exit 4) & wait $!"],
    ),
    row("bash", 10, &["bash", "-c", "coproc cat; echo x >&${COPROC[1]}; read -r l <&${COPROC[0]}; echo $l"]),
    row("bash tee", 10, &["bash", "-c", "seq 20 | tee >(wc -l > n) | wc -c; wait"]),
    row("zsh", 8, &["zsh", "-c", "a=(3 1 2); print ${(o)a} | cat; (exit 2) & wait $!; echo $?"]),
    row("mksh", 8, &["mksh", "-c", "seq 3 | while read -r n; do echo $n; done; true & wait"]),
    row("busybox", 8, &["busybox", "ash", "-c", "seq 5 | busybox sort -r | busybox head -n 1; true & wait"]),
    // On a terminal
    // Where bash's own handler of SIGINT is away for a moment it ends as it does where that is there.
    Row {
        needs: "bash",
        runs: 120,
        send: Some("SIGINT"),
        tty: false,
        words: &["bash", "-c", "x=$(echo hi); sleep 1; echo $x"],
    },
    typed("bash", 40, &["bash", "--norc", "-i"]),
    // Not bash: a ^C before its fork ends it when it has made the job, which is left.
    typed("dash", 20, &["dash", "-ic", "less Makefile; true"]),
    typed("less", 40, &["less", "Makefile"]),
    typed("python3", 30, &["python3", "-q", "-S", "-E"]),
    typed("python3", 20, &["python3", "-S", "-c", PYTHON_CURSES]),
    // Languages: python3, perl, nodejs, default-jdk, tcl, lua5.4; and a server in Go below
    row("python3", 10, &["python3", "-c", PYTHON_THREADS]),
    row("python3", 6, &["python3", "-c", PYTHON_POOL]),
    row("python3", 6, &["python3", "-c", PYTHON_SUBPROCESS]),
    row("python3", 6, &["python3", "-c", PYTHON_ASYNCIO]),
    row(
        "perl",
        8,
        &["perl", "-e", "open(P, '-|', 'seq 5'); print while <P>; print `echo x`; system('exit 3')"],
    ),
    row(
        "node",
        6,
        &["node", "-e", "require('child_process').execFile('echo', ['hi'], (e, out) => console.log(out))"],
    ),
    row("node", 6, &["node", "-e", NODE_WORKER]),
    ended("node", 6, &["node", "-e", NODE_SERVER]),
    row("java javac", 4, &["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", ".", "Hello"]),
    row("java javac", 6, &["java", "-cp", ".", "Hello"]),
    ended("go", 6, &["./server"]),
    row("tclsh", 6, &["sh", "-c", "echo 'puts [exec echo hi | cat]; after 10 {set x 1}; vwait x' | tclsh"]),
    row(
        "lua5.4",
        8,
        &["lua5.4", "-e", "local p = io.popen('seq 3'); print(p:read('a')); print(os.execute('exit 3'))"],
    ),
    // Building: gcc, make, ninja-build, git, m4, strace
    row("gcc", 4, &["sh", "-c", "echo 'int main(void) { return 0; }' > m.c; gcc -pipe -o m m.c && ./m"]),
    row("make", 3, &["make", "-j4"]),
    row("ninja", 4, &["sh", "-c", "rm -f x y z .ninja*; ninja -j 3 z | tail -n 1"]),
    row("git", 4, &["sh", "-c", GIT]),
    row("m4", 8, &["sh", "-c", "echo 'define(a, b)a' | m4 | cat"]),
    // Tools that start others: parallel, socat, sqlite3, bc, openssl, rsync, cpio, jq
    row("parallel", 3, &["sh", "-c", "parallel --will-cite -j 2 echo ::: 1 2 3 2> log | sort"]),
    row("socat", 8, &["sh", "-c", "echo hello | socat - EXEC:cat"]),
    row("sqlite3", 8, &["sh", "-c", "sqlite3 :memory: 'select 1+1' | cat"]),
    row("bc", 8, &["sh", "-c", "echo '2^64' | bc | cat"]),
    row("openssl", 6, &["sh", "-c", "echo x | openssl dgst -sha256 | cat"]),
    row("rsync", 4, &["sh", "-c", "mkdir -p s; echo a > s/a; rsync -a s/ s2/; ls s2"]),
    row("cpio", 8, &["sh", "-c", "mkdir -p c; echo a > c/a; find c | cpio -o 2> log | cpio -t 2> log"]),
    row("jq", 8, &["sh", "-c", "echo '{\"a\": 1}' | jq -c . | cat"]),
    // Supervisors and daemons: dumb-init, tini, dbus
    row("dumb-init", 10, &["dumb-init", "sh", "-c", "sleep 0.01 & wait; exit 3"]),
    row("tini", 10, &["tini", "-s", "--", "sh", "-c", "true & wait; exit 2"]),
    ended("dbus-daemon", 6, &["dbus-daemon", "--session", "--nofork", "--address=unix:path=./bus"]),
];

const PYTHON_CURSES: &str = "
import curses
def main(screen):
    while (key := screen.getch()) not in (ord('q'), -1):
        screen.addstr(1, 1, f'{key} of {curses.LINES}')
curses.wrapper(main)
";

const PYTHON_THREADS: &str = "
import threading, queue
todo, done = queue.Queue(), queue.Queue()
def work():
    while (n := todo.get()) is not None: done.put(n * n)
workers = [threading.Thread(target=work) for _ in range(4)]
for worker in workers: worker.start()
for n in range(20): todo.put(n)
for _ in workers: todo.put(None)
for worker in workers: worker.join()
print(sorted(done.queue)[-3:])
";

const PYTHON_POOL: &str = "
import multiprocessing
with multiprocessing.Pool(3) as pool: print(pool.map(abs, range(-6, 0)))
";

const PYTHON_SUBPROCESS: &str = "
import subprocess
print(subprocess.run(['tr', 'a-z', 'A-Z'], input=b'hello', capture_output=True).stdout)
sleeper = subprocess.Popen(['sleep', '1000'])
sleeper.terminate()
print(sleeper.wait())
";

const PYTHON_ASYNCIO: &str = "
import asyncio
async def main():
    echo = await asyncio.create_subprocess_exec('echo', 'hi', stdout=asyncio.subprocess.PIPE)
    print((await echo.communicate())[0])
    print(await asyncio.gather(*[asyncio.sleep(0.01 * n, n) for n in range(3)]))
asyncio.run(main())
";

const NODE_WORKER: &str = "
const { Worker } = require('worker_threads');
const square = \"const { parentPort: p } = require('worker_threads'); p.once('message', n => p.postMessage(n * n));\";
const worker = new Worker(square, { eval: true });
worker.on('message', console.log);
worker.postMessage(3);
";

const NODE_SERVER: &str = "
const server = require('http').createServer().listen(0, '127.0.0.1');
process.on('SIGTERM', () => server.close());
";

const GIT: &str = "
export HOME=$PWD GIT_CONFIG_NOSYSTEM=1
rm -rf r && git init -q r && cd r && echo a > f && git add f
git -c user.name=a -c user.email=a@b commit -q -m m && git log --format=%s | cat
";

const GO_SERVER: &str = r#"package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	server := &http.Server{}
	go server.Serve(listener)
	<-stop
	server.Shutdown(context.Background())
}
"#;

const JAVA: &str = "import java.util.*;
import java.util.concurrent.*;

public class Hello {
    public static void main(String[] words) throws Exception {
        ExecutorService executor = Executors.newFixedThreadPool(3);
        List<Future<Integer>> squares = new ArrayList<>();
        for (int n = 0; n < 3; n++) {
            int number = n;
            squares.add(executor.submit(() -> number * number));
        }
        for (Future<Integer> square : squares) System.out.println(square.get());
        executor.shutdown();
    }
}
";

const NINJA: &str = "rule t\n  command = echo $out > $out\nbuild x: t\nbuild y: t\nbuild z: t x y\n";

/// How many of the rows must be there, of the forty and more.
const AT_LEAST: usize = 30;

/// Where the system has its commands: what a user has put before them may be a script that starts others.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";

fn there(command: &str) -> bool {
    std::env::split_paths(PATH).any(|folder| folder.join(command).exists())
}

/// What some rows read: each gets a folder of its own.
fn furnish(folder: &Path) {
    let targets: Vec<String> = (1..=20).map(|n| format!("t{n}")).collect();
    let makefile = format!(
        ".PHONY: all {0}\nall: {0}\n{0}:\n\t@echo $@; sleep 0.01; cat Makefile | wc -l\n",
        targets.join(" ")
    );
    let files = [
        ("Makefile", makefile.as_str()),
        ("Hello.java", JAVA),
        ("build.ninja", NINJA),
        ("server.go", GO_SERVER),
    ];
    for (name, text) in files {
        fs::write(folder.join(name), text).unwrap();
    }
}

/// Explores a row, and says what is wrong with what came of it, and how many of how many runs were tainted.
fn explore(row: &Row) -> Result<(u64, u64), String> {
    let folder = tempfile::tempdir().unwrap();
    furnish(folder.path());
    let builds: &[&str] = match row.words[0] {
        "./server" => &["go", "build", "server.go"],
        "java" => &["javac", "Hello.java"],
        _ => &["true"],
    };
    let mut build = Command::new(builds[0]);
    let built = build.args(&builds[1..]).env("PATH", PATH).current_dir(folder.path()).output();
    let built = built.map_err(|error| format!("{builds:?}: {error}"))?;
    if !built.status.success() {
        return Err(format!("{builds:?}: {}", String::from_utf8_lossy(&built.stderr)));
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_sigrace"));
    let ours = std::env::vars_os().map(|(name, _)| name);
    for name in ours.filter(|name| name.to_string_lossy().starts_with("SIGRACE_")) {
        command.env_remove(name);
    }
    command.current_dir(folder.path()).env("PATH", PATH).stdin(Stdio::null());
    command.args(["explore", "-j", "1", "--seed", "1", "--format", "json", "--no-handler-checks"]);
    command.args(["--strategy", "random", "--runs", &row.runs.to_string()]);
    command.args(row.tty.then_some("--tty"));
    // On a terminal it is a person who does something.
    command
        .args(row.send.or((!row.tty).then_some("none")).map(|sent| ["--send", sent]).into_iter().flatten());
    let output = command.arg("--").args(row.words).output().map_err(|error| error.to_string())?;
    let human = String::from_utf8_lossy(&output.stderr);
    if output.status.code() != Some(0) {
        return Err(format!("{}\n{human}", output.status));
    }
    let report: Value = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    let searches = report["searches"].as_array().ok_or("no searches")?;
    let (mut tainted, mut runs) = (0, 0);
    for result in searches.iter().map(|search| &search["result"]).filter(|result| !result.is_null()) {
        let nothing = |name: &str| result[name].as_array().is_some_and(Vec::is_empty);
        if !nothing("findings") || !nothing("unstable") {
            return Err(human.into_owned());
        }
        let (extent, of_this) = (result["extent"].as_str(), result["runs"].as_u64());
        let (Some(extent), Some(of_this)) = (extent, of_this) else {
            return Err(format!("no runs in {result}"));
        };
        // Told only if there are any: `..., 4 tainted runs`.
        let told = extent.split(", ").find_map(|part| part.split_once(" tainted run"));
        tainted += told.map_or(Ok(0), |(number, _)| number.parse()).map_err(|_| extent.to_owned())?;
        runs += of_this;
    }
    Ok((tainted, runs))
}

#[test]
fn nothing_is_found_in_commands_that_behave() {
    let (mut explored, mut wrong) = (0, Vec::new());
    let (mut tainted, mut runs) = (0, 0);
    for row in ROWS {
        let missing: Vec<&str> = row.needs.split(' ').filter(|command| !there(command)).collect();
        if !missing.is_empty() {
            println!("skipped, there is no {}: {:?}", missing.join(", "), row.words);
            continue;
        }
        explored += 1;
        match explore(row) {
            Ok((of_these, all)) => {
                tainted += of_these;
                runs += all + of_these;
                println!("{:?}: {of_these} tainted besides {all} runs", row.words);
            }
            Err(why) => wrong.push(format!("{:?}: {why}", row.words)),
        }
    }
    assert!(wrong.is_empty(), "{} of {explored} rows:\n{}", wrong.len(), wrong.join("\n"));
    assert!(explored >= AT_LEAST, "only {explored} of {} rows could be explored", ROWS.len());
    assert!(tainted * 100 <= runs, "{tainted} of {runs} runs are tainted");
}
