//! What `sigrace signals` says of each signal is what this machine's kernel does.

mod script;

use script::{ends, sigrace, stdout};
use sigrace::copies;
use std::process::Command;

/// Sends each signal to a child that has its default action, and says what became of it.
const OBSERVED: &str = r#"
import os, signal

signal.alarm(100)

def becomes(number):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        # In a group without a parent outside of it, nothing but SIGSTOP would stop it (POSIX.1, "Orphaned Process Group").
        os.setpgid(0, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        for other in range(1, 65):
            if other not in (signal.SIGKILL, signal.SIGSTOP, 32, 33):
                signal.signal(other, signal.SIG_DFL)
        signal.alarm(60)
        os.close(reader)
        os.write(writer, b"x")
        while True:
            signal.pause()
    os.close(writer)
    os.read(reader, 1)
    os.close(reader)
    if number == signal.SIGCONT:
        os.kill(child, signal.SIGSTOP)
        os.waitpid(child, os.WUNTRACED)
    os.kill(child, number)
    # Of several pending signals the lowest that would end it comes first; what was stopped goes on by SIGKILL alone.
    if number in (signal.SIGCHLD, signal.SIGURG, signal.SIGWINCH):
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, os.WUNTRACED | os.WCONTINUED)[1]
    if os.WIFSTOPPED(status) or os.WIFCONTINUED(status):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return "stop" if os.WIFSTOPPED(status) else "continue"
    return "terminate" if os.WTERMSIG(status) == number else "ignore"

for number in [*range(1, 32), *range(34, 65)]:
    print(number, becomes(number))
"#;

#[test]
fn default_actions_are_what_the_kernel_does() {
    let folder = tempfile::tempdir().unwrap();
    let output = sigrace(folder.path(), &["signals"]);
    ends(&output, 0);
    let said: Vec<String> = stdout(&output)
        .lines()
        .skip(1)
        // What of these a program inherits, the C library lets nobody change.
        .filter(|line| !line.ends_with("the C library"))
        .map(|line| {
            let mut words = line.split_whitespace();
            let (number, _, does) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
            // Whether there is a core dump is up to the limits and `/proc/sys/kernel/core_pattern`.
            format!("{number} {}", if does == "core" { "terminate" } else { does })
        })
        .collect();
    let observed = copies::output(Command::new("python3").args(["-c", OBSERVED]).current_dir(folder.path()));
    let observed = observed.unwrap();
    assert!(observed.status.success(), "{observed:?}");
    let observed: Vec<_> = std::str::from_utf8(&observed.stdout).unwrap().lines().collect();
    assert_eq!(said, observed);
    assert_eq!(said.len(), 62);
}

#[test]
fn some_are_looked_up_by_name_or_number() {
    let folder = tempfile::tempdir().unwrap();
    let output = sigrace(folder.path(), &["signals", "usr1", "15", "SIGRTMIN+3", "STKFLT"]);
    ends(&output, 0);
    let said = stdout(&output);
    let lines: Vec<&str> = said.lines().collect();
    let expected = [
        "number  name         default    defined by    Alpha, SPARC  MIPS  PA-RISC",
        "    10  SIGUSR1      terminate  POSIX.1-1990            30    16       16",
        "    15  SIGTERM      terminate  POSIX.1-1990",
        "    37  SIGRTMIN+3   terminate  POSIX.1-2001",
        "    16  SIGSTKFLT    terminate  Linux                    -     -        7",
    ];
    assert_eq!(lines, expected);
    ends(&sigrace(folder.path(), &["signals", "SIGNONE"]), 2);
}
