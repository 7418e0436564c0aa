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

    /// What one of the files says now; none when the thread is gone. `size` is more than it has in nearly all cases: read in
    /// pieces, the kernel would write it again for each.
    fn text(&self, file: &OnceCell<File>, name: &'static str, size: usize) -> io::Result<Option<String>> {
        let read = || {
            let file = match file.get() {
                Some(file) => file,
                None => {
                    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
                    let opened = fcntl::openat(&self.directory, name, flags, Mode::empty())?;
                    file.get_or_init(|| File::from(opened))
                }
            };
            whole(file, size)
        };
        match read() {
            // A command's name may hold any bytes.
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(error) if gone(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Its `status`; none when it is gone.
    pub fn status(&self) -> io::Result<Option<Status>> {
        self.text(&self.status, "status", 4096)?.map(|text| Status::parse(&text)).transpose()
    }

    /// What the thread is doing now.
    pub fn doing(&self) -> io::Result<Doing> {
        self.text(&self.stat, "stat", 512)?.map_or(Ok(Doing::Ended), |text| doing(&text))
    }

    /// The call that the thread is inside of, if it is off its CPU; none while it runs.
    pub fn inside(&self) -> io::Result<Option<Inside>> {
        Ok(self.syscall()?.map(|(inside, _)| inside))
    }

    /// The stack pointer and the next instruction of a thread that is off its CPU and inside no call: a stopped one.
    pub fn outside(&self) -> io::Result<Option<(u64, u64)>> {
        let position = self.position()?.filter(|position| !position.in_call);
        Ok(position.map(|position| (position.sp, position.ip)))
    }

    /// Where the thread is, if it is off its CPU; none while it runs.
    pub fn position(&self) -> io::Result<Option<Position>> {
        Ok(self.syscall()?.map(|(_, position)| position))
    }

    fn syscall(&self) -> io::Result<Option<(Inside, Position)>> {
        self.text(&self.syscall, "syscall", 256)?.map_or(Ok(None), |text| syscall(&text))
    }

    /// CPU time used in nanoseconds, and how often the thread was put on a CPU. ESRCH once it is gone.
    pub fn ran(&self) -> io::Result<(u64, u64)> {
        let text = self.text(&self.schedstat, "schedstat", 96)?;
        ran(&text.ok_or(io::Error::from_raw_os_error(libc::ESRCH))?)
    }
}

/// All that a file says, in one read.
fn whole(file: &File, size: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; size];
    loop {
        let got = file.read_at(&mut bytes, 0)?;
        if got < bytes.len() {
            bytes.truncate(got);
            return Ok(bytes);
        }
        bytes.resize(bytes.len() * 8, 0);
    }
}

/// A file under `/proc` that does not say what it says on every kernel that is known.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{field} of {file} under /proc makes no sense: {text:?}")]
pub struct Malformed {
    /// The file, as it is called in the folder of a process.
    pub file: &'static str,
    /// Which part of it.
    pub field: &'static str,
    /// What stands there; nothing where it is missing.
    pub text: String,
}

impl From<Malformed> for io::Error {
    fn from(malformed: Malformed) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, malformed)
    }
}

pub(super) fn malformed(file: &'static str, field: &'static str, text: &str) -> io::Error {
    Malformed { file, field, text: text.to_owned() }.into()
}

/// The state in a `stat`. The command in parentheses before it may hold anything, also parentheses.
fn doing(text: &str) -> io::Result<Doing> {
    let state = text.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    Ok(match state {
        Some('R') => Doing::Running,
        Some('S') => Doing::Sleeping,
        Some('D' | 'I') => Doing::Uninterruptible,
        Some('T' | 't') => Doing::Stopped,
        Some('Z' | 'X') => Doing::Ended,
        _ => return Err(malformed("stat", "the state", text)),
    })
}

/// `running`; or the number of a call and its arguments, and then the stack pointer and the next instruction. The arguments are
/// left out where the number is negative: -1 outside of calls, others in a call that no kernel has.
fn syscall(text: &str) -> io::Result<Option<(Inside, Position)>> {
    let text = text.trim_end();
    if text == "running" {
        return Ok(None);
    }
    let parsed = || {
        let mut words = text.split(' ');
        let number: i32 = words.next()?.parse().ok()?;
        let words = words.map(|word| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok());
        let words: Vec<u64> = words.collect::<Option<_>>()?;
        let (args, &[sp, ip]) = words.split_last_chunk()?;
        let args = if number < 0 && args.is_empty() { [0; 6] } else { args.try_into().ok()? };
        Some((Inside { number, args }, Position { in_call: number != -1, sp, ip }))
    };
    parsed().map(Some).ok_or_else(|| malformed("syscall", "the call", text))
}

/// CPU time, time in queues, and time slices.
fn ran(text: &str) -> io::Result<(u64, u64)> {
    let numbers: Option<Vec<u64>> = text.split_ascii_whitespace().map(|word| word.parse().ok()).collect();
    match numbers.as_deref() {
        Some(&[time, _, times]) => Ok((time, times)),
        _ => Err(malformed("schedstat", "the times", text)),
    }
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
    /// That namespace is one that the program made, below the run's.
    pub nested: bool,
    /// The parent's number, in the reader's namespace.
    pub parent: i32,
    /// Somebody traces it (ptrace(2)).
    pub traced: bool,
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

/// The lines of a `status`.
struct Fields<'a>(&'a str);

impl<'a> Fields<'a> {
    fn field(&self, name: &'static str) -> io::Result<&'a str> {
        let line = self.0.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.map(str::trim).ok_or_else(|| malformed("status", name, ""))
    }

    fn parsed<T>(&self, name: &'static str, parse: impl FnOnce(&'a str) -> Option<T>) -> io::Result<T> {
        let field = self.field(name)?;
        parse(field).ok_or_else(|| malformed("status", name, field))
    }

    fn set(&self, name: &'static str) -> io::Result<SignalSet> {
        self.parsed(name, |field| u64::from_str_radix(field, 16).ok().map(SignalSet))
    }

    /// A number in the innermost pid namespace: the last of those of all namespaces, the reader's first.
    fn innermost(&self, name: &'static str) -> io::Result<i32> {
        self.parsed(name, |field| field.split_ascii_whitespace().next_back()?.parse().ok())
    }
}

impl Status {
    fn parse(text: &str) -> io::Result<Status> {
        let fields = Fields(text);
        Ok(Status {
            own_pid: fields.innermost("NStgid")?,
            own_tid: fields.innermost("NSpid")?,
            own_group: fields.innermost("NSpgid")?,
            nested: fields.field("NStgid")?.split_ascii_whitespace().count() > 2,
            traced: fields.parsed("TracerPid", |field| field.parse::<i32>().ok())? != 0,
            parent: fields.parsed("PPid", |field| field.parse().ok())?,
            command: fields.field("Name")?.to_owned(),
            state: fields.parsed("State", |field| field.chars().next())?,
            threads: fields.parsed("Threads", |field| field.parse().ok())?,
            pending_thread: fields.set("SigPnd")?,
            pending_process: fields.set("ShdPnd")?,
            blocked: fields.set("SigBlk")?,
            ignored: fields.set("SigIgn")?,
            caught: fields.set("SigCgt")?,
            users: fields.parsed("Uid", |field| {
                let users = field.split_ascii_whitespace().map(|word| word.parse().ok());
                users.collect::<Option<Vec<u32>>>()?.try_into().ok()
            })?,
            capabilities: fields.set("CapEff")?.0,
        })
    }

    /// Pending for the thread or its process.
    pub fn pending(&self) -> SignalSet {
        self.pending_thread.union(self.pending_process)
    }

    /// Caught and not blocked: what a handler would run for.
    pub fn handled(&self) -> SignalSet {
        self.caught.without(self.blocked)
    }

    /// Pending and not blocked: what the kernel will act on as soon as it looks.
    pub fn deliverable(&self) -> SignalSet {
        self.pending().without(self.blocked)
    }
}

/// The capabilities in effect of this process (capabilities(7)).
pub fn capabilities() -> io::Result<u64> {
    let text = fs::read_to_string("/proc/self/status")?;
    Fields(&text).parsed("CapEff", |field| u64::from_str_radix(field, 16).ok())
}

/// How an ended process that nobody has waited for ended, as wait(2) encodes it (`exit_code` of proc_pid_stat(5)); none if
/// it has not ended, or is gone.
pub fn zombie_status(pid: i32) -> io::Result<Option<i32>> {
    match File::open(format!("/proc/{pid}/stat")).and_then(|file| whole(&file, 1024)) {
        Ok(bytes) => exit_code(&String::from_utf8_lossy(&bytes)),
        Err(error) if gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn exit_code(text: &str) -> io::Result<Option<i32>> {
    if doing(text)? != Doing::Ended {
        return Ok(None);
    }
    // Field 52 of the line; the first after the command is field 3.
    let field = text.rsplit_once(") ").and_then(|(_, fields)| fields.split_ascii_whitespace().nth(52 - 3));
    let code = field.and_then(|field| field.parse().ok());
    code.map(Some).ok_or_else(|| malformed("stat", "the exit code", text))
}

/// Entries of a process's auxiliary vector (getauxval(3)).
pub fn auxiliary(pid: i32, wanted: &[u64]) -> io::Result<Vec<Option<u64>>> {
    let bytes = whole(&File::open(format!("/proc/{pid}/auxv"))?, 1024)?;
    let (words, rest) = bytes.as_chunks();
    let words: Vec<u64> = words.iter().map(|word| u64::from_ne_bytes(*word)).collect();
    let (pairs, odd) = words.as_chunks();
    // It ends with AT_NULL, which is 0.
    if !rest.is_empty() || !odd.is_empty() || !pairs.iter().any(|[key, _]| *key == 0) {
        return Err(malformed("auxv", "the end", ""));
    }
    let value = |wanted: u64| pairs.iter().find(|[key, _]| *key == wanted).map(|[_, value]| *value);
    Ok(wanted.iter().map(|key| value(*key)).collect())
}

/// The CPU time of a process, in the program and in the kernel, and the same of its children that were waited for, in ticks:
/// what times(2) tells.
pub fn cpu_ticks(pid: i32) -> io::Result<[u64; 4]> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The fields after the name, which may hold anything; the times are the 14th to 17th of all (proc_pid_stat(5)).
    let fields = text.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ').skip(11);
    let ticks: Vec<u64> = fields.take(4).map_while(|field| field.parse().ok()).collect();
    ticks.try_into().map_err(|_| malformed("stat", "CPU times", &text))
}

/// What one of a process's descriptors is, as its link under `/proc/PID/fd` says: a path, `pipe:[123]`, `socket:[123]` ...
pub fn descriptor(pid: i32, fd: i32) -> io::Result<String> {
    fs::read_link(format!("/proc/{pid}/fd/{fd}")).map(|path| path.to_string_lossy().into_owned())
}

/// A process's descriptors, by number.
pub fn descriptors(pid: i32) -> io::Result<Vec<i32>> {
    numbers("fd", fs::read_dir(format!("/proc/{pid}/fd"))?)
}

/// The entries of a folder that are called by numbers.
fn numbers(folder: &'static str, entries: fs::ReadDir) -> io::Result<Vec<i32>> {
    let number = |entry: io::Result<fs::DirEntry>| {
        let name = entry?.file_name();
        name.to_str()
            .and_then(|name| name.parse().ok())
            .ok_or_else(|| malformed(folder, "a name", &name.to_string_lossy()))
    };
    entries.map(number).collect()
}

/// The file that a process executes.
pub fn executable(pid: i32) -> io::Result<String> {
    fs::read_link(format!("/proc/{pid}/exe")).map(|path| path.to_string_lossy().into_owned())
}

/// What `/proc/PID/fdinfo/FD` says.
pub fn descriptor_info(pid: i32, fd: i32) -> io::Result<String> {
    fs::read_to_string(format!("/proc/{pid}/fdinfo/{fd}"))
}

/// The members of an epoll set and the events that each is waited for, from what its `fdinfo` says (proc_pid_fdinfo(5)); none
/// if that makes no sense.
pub fn epoll_members(info: &str) -> Option<Vec<(i32, u32)>> {
    let lines = info.lines().filter_map(|line| line.strip_prefix("tfd:"));
    let member = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let fd = words.next()?.parse().ok()?;
        let events = words.skip_while(|word| *word != "events:").nth(1)?;
        Some((fd, u32::from_str_radix(events, 16).ok()?))
    };
    lines.map(member).collect()
}

/// How a descriptor was opened, as open(2) and fcntl(2) have it, from what its `fdinfo` says.
pub fn descriptor_flags(info: &str) -> Option<i32> {
    let text = info.lines().find_map(|line| line.strip_prefix("flags:"))?;
    i32::from_str_radix(text.trim(), 8).ok()
}

/// The process that descriptor `fd` of a thread stands for, as the reader's namespace numbers it (pidfd_open(2)); none if it
/// is no pidfd, or if the process has ended.
pub fn process_of_pidfd(tid: i32, fd: i32) -> io::Result<Option<i32>> {
    let info = descriptor_info(tid, fd)?;
    let Some(pid) = info.lines().find_map(|line| line.strip_prefix("Pid:")) else { return Ok(None) };
    let pid: i32 = pid.trim().parse().map_err(|_| malformed("fdinfo", "Pid", pid))?;
    Ok((pid > 0).then_some(pid))
}

/// The file that a shared mapping at this address is of, if others can open it by its name (proc_pid_maps(5)).
pub fn shared_file(maps: &str, address: u64) -> Option<String> {
    let of_address = |line: &&str| {
        let range = line.split_whitespace().next().and_then(|range| range.split_once('-'));
        let bound = |text: &str| u64::from_str_radix(text, 16).ok();
        range.is_some_and(|(start, end)| bound(start) <= Some(address) && Some(address) < bound(end))
    };
    let line = maps.lines().find(of_address)?;
    let shared = line.split_whitespace().nth(1)?.ends_with('s');
    let path = line.get(line.find('/')?..)?;
    (shared && !path.ends_with(" (deleted)")).then(|| path.to_owned())
}

/// What a process has in its memory (proc_pid_maps(5)).
pub fn maps(pid: i32) -> io::Result<String> {
    fs::read(format!("/proc/{pid}/maps")).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// How much a thread's process has in its memory, in pages: the first number of `statm` (proc_pid_statm(5)).
pub fn memory_size(tid: i32) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{tid}/statm"))?;
    let size = text.split(' ').next().and_then(|word| word.parse().ok());
    size.ok_or_else(|| malformed("statm", "the size", &text))
}

/// Children of one thread, by number.
pub fn children(tid: i32) -> io::Result<Vec<i32>> {
    let path = format!("/proc/{tid}/task/{tid}/children");
    let text = match fs::read_to_string(&path) {
        // Kernels without CONFIG_PROC_CHILDREN have threads without this file.
        Err(error) if gone(&error) && !fs::exists(format!("/proc/{tid}/task/{tid}/stat"))? => {
            return Ok(Vec::new());
        }
        other => other?,
    };
    let parsed = text.split_ascii_whitespace().map(|word| word.parse().ok()).collect::<Option<_>>();
    parsed.ok_or_else(|| malformed("children", "a number", &text))
}

/// Threads of a process, by number.
pub fn threads(pid: i32) -> io::Result<Vec<i32>> {
    match fs::read_dir(format!("/proc/{pid}/task")) {
        Err(error) if gone(&error) => Ok(Vec::new()),
        other => numbers("task", other?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::Signal;

    const STATUS: &str = "Name:\tsh (x)\nState:\tS (sleeping)\nPPid:\t1\nTracerPid:\t0\nUid:\t0\t5\t6\t7\n\
        NStgid:\t4211\t1002\nNSpid:\t4213\t1004\nNSpgid:\t4209\t1000\nThreads:\t3\n\
        SigPnd:\t0000000000000000\nShdPnd:\t0000000000010000\nSigBlk:\t0000000000010000\n\
        SigIgn:\t0000000000000000\nSigCgt:\t0000000000004002\nCapEff:\t0000000000000020\n";

    #[test]
    fn a_status_is_understood() {
        let status = Status::parse(STATUS).unwrap();
        assert_eq!((status.own_pid, status.parent, status.state, status.threads), (1002, 1, 'S', 3));
        assert!(status.pending().contains(Signal::CHLD) && status.deliverable().is_empty());
        assert!(status.caught.contains(Signal::TERM) && !status.nested);
        assert_eq!((status.own_tid, status.own_group), (1004, 1000));
        assert_eq!((status.users, status.capabilities), ([0, 5, 6, 7], 0x20));
        assert!(Status::parse(&STATUS.replace("\t1002", "\t1002\t1")).unwrap().nested);
    }

    #[test]
    fn what_is_said_of_descriptors_is_understood() {
        let info =
            "pos:\t0\nflags:\t0122002\ntfd:        5 events: 19 data: 5  pos:0 ino:3\ntfd: 9 events: 1\n";
        assert_eq!(epoll_members(info), Some(vec![(5, 0x19), (9, 1)]));
        assert_eq!(epoll_members("pos:\t0\n"), Some(Vec::new()));
        assert_eq!(epoll_members("tfd: x\n"), None);
        assert!(descriptor_flags(info).is_some_and(|flags| flags & libc::O_ASYNC != 0));
        assert_eq!(descriptor_flags("pos:\t0\n"), None);
    }

    #[test]
    fn a_shared_mapping_has_a_file_if_it_has_a_name() {
        let maps = "7f00-7f10 rw-s 00000000 00:19 7  /dev/shm/sem.a b\n7f10-7f20 rw-s 0 00:01 8 /dev/zero (deleted)\n\
                    7f20-7f30 rw-p 0 00:01 8 /lib/libc.so.6\n7f30-7f40 rw-p 0 00:00 0\n";
        assert_eq!(shared_file(maps, 0x7f08), Some("/dev/shm/sem.a b".to_owned()));
        for address in [0x7f10, 0x7f2f, 0x7f30, 0x7f40, 0x10] {
            assert_eq!(shared_file(maps, address), None);
        }
    }

    #[test]
    fn what_a_status_does_not_say_is_an_error_that_names_it() {
        let error = |text: &str| Status::parse(text).unwrap_err().to_string();
        // Where a read of the beginning alone ends in the middle.
        assert_eq!(
            error(&STATUS[..STATUS.find("SigBlk").unwrap()]),
            "SigBlk of status under /proc makes no sense: \"\""
        );
        for (field, value) in [("Threads", "3"), ("PPid", "1"), ("SigCgt", "0000000000004002")] {
            let text = STATUS.replace(&format!("{field}:\t{value}"), &format!("{field}:\tmany"));
            assert_eq!(error(&text), format!("{field} of status under /proc makes no sense: \"many\""));
        }
    }

    #[test]
    fn a_file_that_is_longer_than_expected_is_read_whole() {
        let mut file = tempfile::tempfile().unwrap();
        let text = "g".repeat(5000);
        io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        for size in [1, 4096, 5000, 6000] {
            assert_eq!(whole(&file, size).unwrap(), text.as_bytes());
        }
    }

    #[test]
    fn a_state_is_understood_whatever_the_command_is_called() {
        assert_eq!(doing("7 (a) R b) S 1 7\n").unwrap(), Doing::Sleeping);
        assert_eq!(doing("7 (a) Z 1 7\n").unwrap(), Doing::Ended);
        assert!(doing("7 (a) ? 1 7\n").is_err() && doing("").is_err());
    }

    #[test]
    fn the_exit_code_is_the_last_field_of_a_zombie() {
        let stat = |state: char| format!("7 (a b) {state} {}9 768\n", "0 ".repeat(47));
        assert_eq!(exit_code(&stat('Z')).unwrap(), Some(768));
        assert_eq!(exit_code(&stat('S')).unwrap(), None);
        assert!(exit_code("7 (a) Z 1 7\n").is_err());
    }

    #[test]
    fn a_call_is_understood() {
        let (inside, position) = syscall("34 0x1 0x0 0x0 0x0 0x0 0x8 0x7ffe10 0x7f0042\n").unwrap().unwrap();
        assert_eq!(inside, Inside { number: 34, args: [1, 0, 0, 0, 0, 8] });
        assert_eq!(position, Position { in_call: true, sp: 0x7ffe10, ip: 0x7f0042 });
        let (inside, position) = syscall("-1 0x7ffe10 0x401136\n").unwrap().unwrap();
        assert_eq!(position, Position { in_call: false, sp: 0x7ffe10, ip: 0x401136 });
        assert_eq!(inside.number, -1);
        let (inside, position) = syscall("-22 0x7ffe10 0x7f0042\n").unwrap().unwrap();
        assert_eq!((inside.number, position.in_call), (-22, true));
        assert_eq!(syscall("running\n").unwrap(), None);
        for text in ["", "34 0x1 0x7ffe10 0x7f0042\n", "34 0x1 0x0 0x0 0x0 0x0 8 0x7ffe10 0x7f0042\n", "x\n"]
        {
            assert!(syscall(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_times_of_a_thread_are_understood() {
        assert_eq!(ran("12 34 56\n").unwrap(), (12, 56));
        assert!(ran("12 34\n").is_err() && ran("").is_err());
    }

    #[test]
    fn a_thread_sees_itself_running() {
        let tid = nix::unistd::gettid().as_raw();
        let files = ThreadFiles::find(tid).unwrap();
        assert_eq!(files.doing().unwrap(), Doing::Running);
        assert!(files.ran().unwrap().1 > 0);
    }
}
