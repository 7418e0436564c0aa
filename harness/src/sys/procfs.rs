//! What the kernel tells about threads and processes under `/proc` (proc(5)).

use crate::signal::SignalSet;
use nix::fcntl::{self, OFlag};
use nix::sys::stat::Mode;
use std::cell::OnceCell;
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

/// The files of one thread, most of them opened when first needed; kept open, since they are looked at again and again.
///
/// They are found through a descriptor of the thread's directory, which never comes to mean another thread, even when
/// the number is used again.
#[derive(Debug)]
pub struct ThreadFiles {
    directory: OwnedFd,
    stat: OnceCell<File>,
    syscall: OnceCell<File>,
    schedstat: OnceCell<File>,
    status: OnceCell<File>,
}

/// What a thread is doing, from its `stat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// `R`
    Running,
    /// `S`
    Sleeping,
    /// `D`
    Uninterruptible,
    /// `T` or `t`
    Stopped,
    /// `Z`, `X`, or no such thread any more
    Ended,
}

/// A call that a thread sleeps in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inside {
    /// The call's number; negative outside any call.
    pub number: i32,
    /// The call's arguments.
    pub args: [u64; 6],
}

/// Where a thread that is off its CPU was executing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// It is inside a call, whose instruction ends at `ip`.
    pub in_call: bool,
    /// The stack pointer.
    pub sp: u64,
    /// The next instruction.
    pub ip: u64,
}

impl ThreadFiles {
    /// Finds the directory of one thread; also threads that are not the first of their process have one directly under
    /// `/proc`, though it is not listed (proc(5)).
    pub fn find(tid: i32) -> io::Result<ThreadFiles> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let directory = fcntl::open(format!("/proc/{tid}").as_str(), flags, Mode::empty())?;
        // This one only its owner may open, and once a thread has begun to end, that is no longer its user.
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        let syscall = File::from(fcntl::openat(&directory, "syscall", flags, Mode::empty())?);
        Ok(ThreadFiles {
            directory,
            stat: OnceCell::new(),
            syscall: OnceCell::from(syscall),
            schedstat: OnceCell::new(),
            status: OnceCell::new(),
        })
    }

    /// What one of the files says now; none when the thread is gone.
    fn text<'a>(
        &self,
        file: &OnceCell<File>,
        name: &str,
        bytes: &'a mut [u8],
    ) -> io::Result<Option<&'a [u8]>> {
        let mut read = || {
            let file = match file.get() {
                Some(file) => file,
                None => {
                    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
                    let opened = fcntl::openat(&self.directory, name, flags, Mode::empty())?;
                    file.get_or_init(|| File::from(opened))
                }
            };
            file.read_at(bytes, 0)
        };
        match read() {
            Ok(got) => Ok(bytes.get(..got)),
            Err(error) if gone(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Its `status`; none when it is gone.
    pub fn status(&self) -> io::Result<Option<Status>> {
        // One read of more than the file ever has: reading it to its end piece by piece makes the kernel write it again.
        let mut bytes = [0u8; 4096];
        let text = self.text(&self.status, "status", &mut bytes)?;
        Ok(text.map(|text| Status::parse(&String::from_utf8_lossy(text))))
    }

    /// What the thread is doing now.
    pub fn doing(&self) -> io::Result<Doing> {
        let mut bytes = [0u8; 512];
        let Some(text) = self.text(&self.stat, "stat", &mut bytes)? else { return Ok(Doing::Ended) };
        // The command in parentheses may hold anything, also parentheses.
        let after = text.iter().rposition(|byte| *byte == b')').and_then(|end| text.get(end + 2));
        Ok(match after {
            Some(b'S') => Doing::Sleeping,
            Some(b'D' | b'I') => Doing::Uninterruptible,
            Some(b'T' | b't') => Doing::Stopped,
            Some(b'Z' | b'X') | None => Doing::Ended,
            Some(_) => Doing::Running,
        })
    }

    /// The call that the thread is inside of, if it is off its CPU; none while it runs.
    pub fn inside(&self) -> io::Result<Option<Inside>> {
        let mut bytes = [0u8; 256];
        let Some(text) = self.text(&self.syscall, "syscall", &mut bytes)? else { return Ok(None) };
        let text = std::str::from_utf8(text).unwrap_or("");
        let mut words = text.split_ascii_whitespace();
        let Some(number) = words.next().and_then(|word| word.parse().ok()) else { return Ok(None) };
        let mut args = [0; 6];
        for arg in &mut args {
            let word = words.next().and_then(|word| word.strip_prefix("0x"));
            *arg = word.and_then(|word| u64::from_str_radix(word, 16).ok()).unwrap_or(0);
        }
        Ok(Some(Inside { number, args }))
    }

    /// The stack pointer and the next instruction of a thread that is off its CPU and inside no call: a stopped one.
    pub fn outside(&self) -> io::Result<Option<(u64, u64)>> {
        let position = self.position()?.filter(|position| !position.in_call);
        Ok(position.map(|position| (position.sp, position.ip)))
    }

    /// Where the thread is, if it is off its CPU; none while it runs.
    pub fn position(&self) -> io::Result<Option<Position>> {
        let mut bytes = [0u8; 256];
        let Some(text) = self.text(&self.syscall, "syscall", &mut bytes)? else { return Ok(None) };
        Ok(position(std::str::from_utf8(text).unwrap_or("")))
    }

    /// CPU time used in nanoseconds, and how often the thread was put on a CPU.
    pub fn ran(&self) -> io::Result<(u64, u64)> {
        let mut bytes = [0u8; 96];
        let Some(text) = self.text(&self.schedstat, "schedstat", &mut bytes)? else { return Ok((0, 0)) };
        let mut words = std::str::from_utf8(text).unwrap_or("").split_ascii_whitespace();
        let mut number = || words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
        let time = number();
        number();
        Ok((time, number()))
    }
}

/// The number of the call and its arguments, or -1 alone; then the stack pointer and the next instruction.
fn position(text: &str) -> Option<Position> {
    let mut words = text.split_ascii_whitespace();
    let number: i64 = words.next()?.parse().ok()?;
    let mut words = words.rev();
    let mut word = || u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok();
    let (ip, sp) = (word()?, word()?);
    Some(Position { in_call: number != -1, sp, ip })
}

fn read_at<'a>(file: &File, bytes: &'a mut [u8]) -> io::Result<&'a [u8]> {
    let got = file.read_at(bytes, 0)?;
    Ok(&bytes[..got])
}

/// True for the errors that a thread's files give once the thread is gone.
pub fn gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ESRCH | libc::ENOENT))
}

/// The parts of a thread's `status` that are of use (proc_pid_status(5)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The process's number in its own, innermost pid namespace.
    pub own_pid: i32,
    /// The thread's number there.
    pub own_tid: i32,
    /// Its process group there.
    pub own_group: i32,
    /// The parent's number, in the reader's namespace.
    pub parent: i32,
    /// The command's name.
    pub command: String,
    /// R, S, D, T, Z ...
    pub state: char,
    /// How many threads the process has.
    pub threads: u32,
    /// Pending for this thread alone.
    pub pending_thread: SignalSet,
    /// Pending for the process.
    pub pending_process: SignalSet,
    /// Blocked by this thread.
    pub blocked: SignalSet,
    /// Ignored by the process.
    pub ignored: SignalSet,
    /// Caught by the process.
    pub caught: SignalSet,
    /// Real, effective, saved and file system user, as the reader's namespace numbers them (credentials(7)).
    pub users: [u32; 4],
    /// Capabilities in effect (capabilities(7)).
    pub capabilities: u64,
}

impl Status {
    fn parse(text: &str) -> Status {
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.map_or("", str::trim)
        };
        let set = |name: &str| SignalSet(u64::from_str_radix(field(name), 16).unwrap_or(0));
        let last =
            |name: &str| field(name).rsplit('\t').next().and_then(|word| word.parse().ok()).unwrap_or(0);
        Status {
            own_pid: last("NStgid"),
            own_tid: last("NSpid"),
            own_group: last("NSpgid"),
            parent: last("PPid"),
            command: field("Name").to_owned(),
            state: field("State").chars().next().unwrap_or('?'),
            threads: field("Threads").parse().unwrap_or(1),
            pending_thread: set("SigPnd"),
            pending_process: set("ShdPnd"),
            blocked: set("SigBlk"),
            ignored: set("SigIgn"),
            caught: set("SigCgt"),
            users: {
                let mut words = field("Uid").split_ascii_whitespace();
                [0; 4].map(|_: u32| words.next().and_then(|word| word.parse().ok()).unwrap_or(u32::MAX))
            },
            capabilities: set("CapEff").0,
        }
    }

    /// Pending for the thread or its process.
    pub fn pending(&self) -> SignalSet {
        self.pending_thread.union(self.pending_process)
    }

    /// Pending and not blocked: what the kernel will act on as soon as it looks.
    pub fn deliverable(&self) -> SignalSet {
        self.pending().without(self.blocked)
    }
}

/// How an ended process that nobody has waited for ended, as wait(2) encodes it (`exit_code` of proc_pid_stat(5)).
pub fn zombie_status(pid: i32) -> Option<i32> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    let state = fields.split_ascii_whitespace().next()?;
    if state != "Z" && state != "X" {
        return None;
    }
    // Field 52 of the line; the first after the command is field 3.
    fields.split_ascii_whitespace().nth(52 - 3)?.parse().ok()
}

/// One entry of a process's auxiliary vector (getauxval(3)).
pub fn auxiliary(pid: i32, wanted: &[u64]) -> io::Result<Vec<Option<u64>>> {
    let mut bytes = [0u8; 1024];
    let bytes = read_at(&File::open(format!("/proc/{pid}/auxv"))?, &mut bytes)?.to_owned();
    let word = |pair: &[u8], at: usize| pair[at..at + 8].try_into().map(u64::from_ne_bytes).unwrap_or(0);
    let value = |key: u64| bytes.chunks_exact(16).find(|pair| word(pair, 0) == key).map(|pair| word(pair, 8));
    Ok(wanted.iter().map(|key| value(*key)).collect())
}

/// What one of a process's descriptors is, as its link under `/proc/PID/fd` says: a path, `pipe:[123]`, `socket:[123]` ...
pub fn descriptor(pid: i32, fd: i32) -> io::Result<String> {
    fs::read_link(format!("/proc/{pid}/fd/{fd}")).map(|path| path.to_string_lossy().into_owned())
}

/// A process's descriptors, by number.
pub fn descriptors(pid: i32) -> io::Result<Vec<i32>> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd"))?;
    Ok(entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect())
}

/// The file that a process executes.
pub fn executable(pid: i32) -> io::Result<String> {
    fs::read_link(format!("/proc/{pid}/exe")).map(|path| path.to_string_lossy().into_owned())
}

/// What `/proc/PID/fdinfo/FD` says.
pub fn descriptor_info(pid: i32, fd: i32) -> io::Result<String> {
    fs::read_to_string(format!("/proc/{pid}/fdinfo/{fd}"))
}

/// The members of an epoll set, from what its `fdinfo` says (proc_pid_fdinfo(5)); none if that makes no sense.
pub fn epoll_members(info: &str) -> Option<Vec<i32>> {
    let lines = info.lines().filter_map(|line| line.strip_prefix("tfd:"));
    lines.map(|line| line.split_ascii_whitespace().next()?.parse().ok()).collect()
}

/// How a descriptor was opened, as open(2) and fcntl(2) have it, from what its `fdinfo` says.
pub fn descriptor_flags(info: &str) -> Option<i32> {
    let text = info.lines().find_map(|line| line.strip_prefix("flags:"))?;
    i32::from_str_radix(text.trim(), 8).ok()
}

/// What a process has in its memory (proc_pid_maps(5)).
pub fn maps(pid: i32) -> io::Result<String> {
    fs::read(format!("/proc/{pid}/maps")).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Children of one thread, by number.
pub fn children(tid: i32) -> io::Result<Vec<i32>> {
    let text = match fs::read_to_string(format!("/proc/{tid}/task/{tid}/children")) {
        Err(error) if gone(&error) => return Ok(Vec::new()),
        other => other?,
    };
    Ok(text.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect())
}

/// Threads of a process, by number.
pub fn threads(pid: i32) -> io::Result<Vec<i32>> {
    let entries = match fs::read_dir(format!("/proc/{pid}/task")) {
        Err(error) if gone(&error) => return Ok(Vec::new()),
        other => other?,
    };
    Ok(entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::Signal;

    #[test]
    fn a_status_is_understood() {
        let text = "Name:\tsh (x)\nState:\tS (sleeping)\nPPid:\t1\nNStgid:\t4211\t1002\nThreads:\t3\n\
                    SigPnd:\t0000000000000000\nShdPnd:\t0000000000010000\nSigBlk:\t0000000000010000\n\
                    SigIgn:\t0000000000000000\nSigCgt:\t0000000000004002\n";
        let status = Status::parse(text);
        assert_eq!((status.own_pid, status.parent, status.state, status.threads), (1002, 1, 'S', 3));
        assert!(status.pending().contains(Signal::CHLD) && status.deliverable().is_empty());
        assert!(status.caught.contains(Signal::TERM));
    }

    #[test]
    fn what_is_said_of_descriptors_is_understood() {
        let info = "pos:\t0\nflags:\t0122002\nmnt_id:\t15\ntfd:        5 events: 19 data: 5  pos:0 ino:3 sdev:f\ntfd: 9 events: 1\n";
        assert_eq!(epoll_members(info), Some(vec![5, 9]));
        assert_eq!(epoll_members("pos:\t0\n"), Some(Vec::new()));
        assert_eq!(epoll_members("tfd: x\n"), None);
        assert!(descriptor_flags(info).is_some_and(|flags| flags & libc::O_ASYNC != 0));
        assert_eq!(descriptor_flags("pos:\t0\n"), None);
    }

    #[test]
    fn a_position_is_understood() {
        let call = "34 0x0 0x0 0x0 0x0 0x0 0x8 0x7ffe10 0x7f0042\n";
        assert_eq!(position(call), Some(Position { in_call: true, sp: 0x7ffe10, ip: 0x7f0042 }));
        let stopped = Some(Position { in_call: false, sp: 0x7ffe10, ip: 0x401136 });
        assert_eq!(position("-1 0x7ffe10 0x401136\n"), stopped);
        assert_eq!(position("running\n"), None);
        assert_eq!(position(""), None);
    }

    #[test]
    fn a_thread_sees_itself_running() {
        let tid = nix::unistd::gettid().as_raw();
        let files = ThreadFiles::find(tid).unwrap();
        assert_eq!(files.doing().unwrap(), Doing::Running);
        assert!(files.ran().unwrap().1 > 0);
    }
}
