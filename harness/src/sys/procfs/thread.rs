//! What the kernel tells about one thread, by files that are kept open.

use super::{Status, gone, malformed, whole};
use nix::fcntl::{self, OFlag};
use nix::sys::stat::Mode;
use std::cell::OnceCell;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

/// The files of one thread, most of them opened when first needed; kept open, since they are looked at again and again.
///
/// They are found through a descriptor of the thread's directory, which never comes to mean another thread, even when
/// the number is used again.
#[derive(Debug)]
pub struct ThreadFiles {
    /// None once the thread is known to be gone.
    directory: Option<OwnedFd>,
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
            directory: Some(directory),
            stat: OnceCell::new(),
            syscall: OnceCell::from(syscall),
            schedstat: OnceCell::new(),
            status: OnceCell::new(),
        })
    }

    /// The thread is gone for good: from now on that is said without asking, and nothing is held open for it.
    pub fn close(&mut self) {
        self.forget();
        self.directory = None;
    }

    /// It will hardly be looked at again: only what leads to its files stays open.
    pub fn forget(&mut self) {
        for file in [&mut self.stat, &mut self.syscall, &mut self.schedstat, &mut self.status] {
            *file = OnceCell::new();
        }
    }

    /// True if it is known to be gone.
    pub fn is_closed(&self) -> bool {
        self.directory.is_none()
    }

    /// What one of the files says now; none when the thread is gone. `size` is more than it has in nearly all cases: read in
    /// pieces, the kernel would write it again for each.
    fn text(&self, file: &OnceCell<File>, name: &'static str, size: usize) -> io::Result<Option<String>> {
        let Some(directory) = &self.directory else { return Ok(None) };
        let read = || {
            let file = match file.get() {
                Some(file) => file,
                None => {
                    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
                    let opened = fcntl::openat(directory, name, flags, Mode::empty())?;
                    file.get_or_init(|| File::from(opened))
                }
            };
            whole(file, size)
        };
        match read() {
            // A command's name may hold any bytes.
            Ok(bytes) => Ok(Some(match String::from_utf8(bytes) {
                Ok(text) => text,
                Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
            })),
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

/// The state in a `stat`. The command in parentheses before it may hold anything, also parentheses.
pub(super) fn doing(text: &str) -> io::Result<Doing> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_understood_whatever_the_command_is_called() {
        assert_eq!(doing("7 (a) R b) S 1 7\n").unwrap(), Doing::Sleeping);
        assert_eq!(doing("7 (a) Z 1 7\n").unwrap(), Doing::Ended);
        assert!(doing("7 (a) ? 1 7\n").is_err() && doing("").is_err());
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
