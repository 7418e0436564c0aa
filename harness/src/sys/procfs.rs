//! What the kernel tells about threads and processes under `/proc` (proc(5)).

mod status;
mod thread;

pub use status::{Status, capabilities};
pub use thread::{Doing, Inside, Position, ThreadFiles};

use nix::dir::Dir;
use nix::fcntl::{FcntlArg, OFlag};
use nix::sys::stat::Mode;
use nix::unistd::Whence;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::LazyLock;

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

/// True for the errors that a thread's files give once the thread is gone.
pub fn gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ESRCH | libc::ENOENT))
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
    if thread::doing(text)? != Doing::Ended {
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

/// Those of a process's descriptors that are not the three standard ones, by number.
///
/// The kernel makes an entry for each descriptor that it lists, which takes longer than all else here; and nearly always there are
/// none but these three. So it is asked from behind them on: where in `/proc/PID/fd` one is listed goes by its number
/// (`proc_readfd_common` of fs/proc/fd.c). Whether it does is tried out before.
pub fn descriptors_opened(pid: i32) -> io::Result<Vec<i32>> {
    static BY_NUMBER: LazyLock<bool> = LazyLock::new(|| is_listed_by_number().unwrap_or(false));
    if *BY_NUMBER {
        return listed_from(pid, FIRST_OPENED);
    }
    Ok(descriptors(pid)?.into_iter().filter(|number| *number >= FIRST_OPENED).collect())
}

/// The first that is not a standard one.
const FIRST_OPENED: i32 = 3;

/// Those that are listed from where this one would be.
fn listed_from(pid: i32, first: i32) -> io::Result<Vec<i32>> {
    /// The folder itself, and the one around it.
    const FOLDERS: i32 = 2;
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let folder = nix::fcntl::open(format!("/proc/{pid}/fd").as_str(), flags, Mode::empty())?;
    nix::unistd::lseek(&folder, i64::from(FOLDERS + first), Whence::SeekSet)?;
    let mut listed = Vec::new();
    for entry in Dir::from_fd(folder)?.iter() {
        let name = entry?.file_name().to_string_lossy().into_owned();
        listed.push(name.parse().map_err(|_| malformed("fd", "a name", &name))?);
    }
    Ok(listed)
}

/// What a process is doing, in words of proc(5), to be told of one that does not do what it should.
pub fn standing(pid: i32) -> String {
    let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}"));
    let said = |file: &str| read(file).map_or_else(|error| error.to_string(), |text| text.trim().to_owned());
    let state = read("status").map(|text| {
        text.lines().find_map(|line| line.strip_prefix("State:")).unwrap_or_default().trim().to_owned()
    });
    let state = state.unwrap_or_else(|error| error.to_string());
    format!("is {state}, sleeps in {}, ran and waited for {}", said("wchan"), said("schedstat"))
}

/// True if this process's own are found from each number on, as they are in the whole list.
fn is_listed_by_number() -> io::Result<bool> {
    let own = std::process::id() as i32;
    let file = File::open("/proc/self/stat")?;
    let far = nix::fcntl::fcntl(&file, FcntlArg::F_DUPFD_CLOEXEC(file.as_raw_fd() + 5))?;
    // SAFETY: the kernel has just made this descriptor, and nobody else knows it.
    let far = unsafe { OwnedFd::from_raw_fd(far) };
    let (near, far) = (file.as_raw_fd(), far.as_raw_fd());
    let has = |first: i32, number: i32| Ok::<_, io::Error>(listed_from(own, first)?.contains(&number));
    Ok(has(near, near)? && has(near, far)? && !has(near + 1, near)? && has(far, far)? && !has(far + 1, far)?)
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

/// True if descriptor `fd` of a process is a file or a directory, and can be looked at.
pub fn is_file(pid: i32, fd: i32) -> bool {
    let kind = fs::metadata(format!("/proc/{pid}/fd/{fd}")).map(|found| found.file_type());
    kind.is_ok_and(|kind| kind.is_file() || kind.is_dir())
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

/// True if something is mapped for others as well, which they may change, or the kernel does (MAP_SHARED, mmap(2)), or if that is not
/// known.
pub fn shares_memory(pid: i32) -> bool {
    let shared = |line: &str| line.split(' ').nth(1).is_some_and(|rights| rights.ends_with('s'));
    maps(pid).map_or(true, |maps| maps.lines().any(shared))
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
    fn descriptors_are_listed_from_the_fourth_on() {
        assert!(is_listed_by_number().unwrap());
        let file = tempfile::tempfile().unwrap();
        let mut child = std::process::Command::new("sleep");
        // SAFETY: dup2 takes two numbers, and may be called after fork.
        unsafe {
            let from = file.as_raw_fd();
            std::os::unix::process::CommandExt::pre_exec(&mut child, move || {
                nix::errno::Errno::result(libc::dup2(from, 17)).map(drop).map_err(io::Error::from)
            });
        }
        let mut child = child.arg("1000").spawn().unwrap();
        let listed = descriptors_opened(child.id() as i32);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(listed.unwrap().contains(&17));
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
    fn the_exit_code_is_the_last_field_of_a_zombie() {
        let stat = |state: char| format!("7 (a b) {state} {}9 768\n", "0 ".repeat(47));
        assert_eq!(exit_code(&stat('Z')).unwrap(), Some(768));
        assert_eq!(exit_code(&stat('S')).unwrap(), None);
        assert!(exit_code("7 (a) Z 1 7\n").is_err());
    }
}
