//! What the scenarios of nginx know of it, seen without sigrace: strace sends the signal at the end of the call that writes the pid, after
//! the handlers are installed and before the master blocks its signals.

mod script;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use script::command_of;
use sigrace::copies;
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

const NGINX: &str = "/usr/sbin/nginx";
const BOUND: Duration = Duration::from_secs(60);

/// How a client is served.
#[derive(Debug, PartialEq, Eq)]
enum Served {
    Hello,
    CutOff,
    Refused,
}

/// Waits until something is so.
#[track_caller]
fn until<T>(what: &str, mut is: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = is() {
            return value;
        }
        assert!(begun.elapsed() < BOUND, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn asks(socket: &Path) -> Served {
    let mut client = match UnixStream::connect(socket) {
        Ok(client) => client,
        Err(error) if matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound) => {
            return Served::Refused;
        }
        Err(error) => panic!("connecting: {error}"),
    };
    client.set_read_timeout(Some(BOUND)).unwrap();
    let mut answer = String::new();
    let sent = client.write_all(b"GET / HTTP/1.0\r\n\r\n");
    match sent.and_then(|()| client.read_to_string(&mut answer)) {
        Ok(_) if answer.ends_with("\r\n\r\nhello\n") => Served::Hello,
        Ok(0) => Served::CutOff,
        Ok(_) => panic!("{answer}"),
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error}");
            Served::CutOff
        }
    }
}

/// An nginx to which strace sends this signal when it has written its pid.
struct Traced {
    folder: tempfile::TempDir,
    strace: Child,
}

impl Traced {
    fn start(signal: &str) -> Traced {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().display();
        let settings = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/reload/nginx.conf");
        let settings = fs::read_to_string(settings).unwrap();
        let settings = settings.replace("/tmp/", &format!("{own}/"));
        let settings = settings.replace("127.0.0.1:8080", &format!("unix:{own}/socket"));
        fs::write(folder.path().join("nginx.conf"), settings).unwrap();
        let inject = format!("inject=pwrite64:signal={signal}:when=1");
        let words = ["-f", "-o", "calls", "-e", "trace=pwrite64", "-e", &inject];
        let words = [&words[..], &[NGINX, "-p", ".", "-c", "nginx.conf", "-e", "stderr"]].concat();
        let mut strace = command_of("strace", folder.path(), &words);
        let log = File::create(folder.path().join("log")).unwrap();
        let strace = copies::spawn(strace.stderr(log).process_group(0)).unwrap();
        Traced { folder, strace }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Waits until its worker is made, and makes sure that the signal was handled before.
    fn begins(&self, handled: &str) {
        let made = until("a worker is made", || self.log().find(": start worker process "));
        let log = self.log();
        assert!(log.find(handled).is_some_and(|at| at < made), "{log}");
    }

    fn asks(&self) -> Served {
        asks(&self.folder.path().join("socket"))
    }

    fn ends(&mut self) {
        until("it ends", || self.strace.try_wait().unwrap());
    }
}

impl Drop for Traced {
    /// Nobody is left of one that has not ended, as where the test fails.
    fn drop(&mut self) {
        if let Ok(None) = self.strace.try_wait() {
            let _ = killpg(Pid::from_raw(self.strace.id() as i32), Signal::SIGKILL);
            let _ = self.strace.wait();
        }
    }
}

#[test]
fn a_signal_that_comes_before_the_master_blocks_it_is_obeyed_at_the_next_event() {
    let folder = tempfile::tempdir().unwrap();
    let traces = command_of("strace", folder.path(), &["-o", "/dev/null", "true"]).status();
    if !Path::new(NGINX).exists() || !traces.is_ok_and(|status| status.success()) {
        return println!("skipped: no nginx or no strace here");
    }
    // Nobody has ended; the first client has the worker end, and that the master.
    for (signal, handled, first) in [
        ("TERM", "signal 15 (SIGTERM) received, exiting", Served::CutOff),
        ("QUIT", "signal 3 (SIGQUIT) received, shutting down", Served::Hello),
    ] {
        let mut nginx = Traced::start(signal);
        nginx.begins(handled);
        assert_eq!(nginx.asks(), first, "{signal}");
        nginx.ends();
        assert_eq!(nginx.asks(), Served::Refused, "{signal}");
    }
    let mut nginx = Traced::start("HUP");
    nginx.begins("signal 1 (SIGHUP) received, reconfiguring");
    assert_eq!([nginx.asks(), nginx.asks()], [Served::Hello, Served::Hello]);
    assert!(!nginx.log().contains(": reconfiguring\n"), "{}", nginx.log());
    let pid: i32 = fs::read_to_string(nginx.folder.path().join("nginx.pid")).unwrap().trim().parse().unwrap();
    kill(Pid::from_raw(pid), Signal::SIGTERM).unwrap();
    nginx.ends();
}
