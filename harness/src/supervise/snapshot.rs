//! Finds out what the sleepers wait for, for `proof` to judge. Reads only; a terminal's waiting input is moved on by it.

use super::RunError;
use super::calls::{self, Ends, Sleep};
use super::door::Door;
use super::ids::ThreadId;
use super::proof::{Kind, Sleeping, Snapshot, Source};
use super::state::Turns;
use super::timeout;
use super::tree::{State, Thread};
use crate::schedule::{Syscall, ThreadName};
use crate::signal::SignalSet;
use crate::sys::procfs::{self, Inside};
use crate::sys::socket;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{LocalFlags, SpecialCharacterIndices, tcgetattr};
use std::os::fd::{AsFd, OwnedFd};

/// Epoll sets may hold epoll sets; the kernel's own limit of their depth.
const DEEPEST: u32 = 5;

/// What a descriptor is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Read,
    Write,
    /// poll(2) and its like, which no timeout of a socket ends; true if it is also waited for as something to write to.
    Poll(bool),
}

impl Turns<'_> {
    /// What every sleeping thread waits for.
    pub(super) fn snapshot(&self) -> Result<Snapshot, RunError> {
        let mut snapshot = Snapshot {
            stopped: self.tree.live().any(|id| matches!(self.tree.thread(id).state, State::Stopped)),
            ..Snapshot::default()
        };
        for id in self.tree.live() {
            let thread = self.tree.thread(id);
            let State::Asleep(inside) = &thread.state else { continue };
            let status = self.proc_status(id)?;
            let caught =
                status.as_ref().map_or(SignalSet::EMPTY, |status| status.caught.without(status.blocked));
            // What is pending, and ignored or left to a default that does nothing, is dropped when it is sent.
            let signalled = status.is_some_and(|status| !status.deliverable().is_empty());
            snapshot.sleepers.push(Sleeping {
                thread: thread.name.clone(),
                call: Syscall(inside.number as u32),
                caught,
                signalled,
                sources: self.sources(thread, inside),
            });
        }
        snapshot.asynchronous = self.asynchronous()?;
        let internet = |source: &Source| {
            matches!(source, Source::Descriptor(_, Kind::Outside | Kind::Listening | Kind::Timed))
        };
        if snapshot.sleepers.iter().flat_map(|sleeper| &sleeper.sources).any(internet) {
            snapshot.in_flight = self.in_flight()?;
        }
        Ok(snapshot)
    }

    /// What could end this sleep.
    pub(super) fn sources(&self, thread: &Thread, inside: &Inside) -> Vec<Source> {
        let (door, args) = (&thread.door, &inside.args);
        let row = calls::numbered(inside.number);
        let one = |fd: u64, purpose| self.descriptor(door, fd as i32, purpose, 0);
        let mut sources = match row.sleep {
            Sleep::Never | Sleep::Ending | Sleep::Unknown => vec![Source::Unknown],
            Sleep::Signal | Sleep::Awaited => vec![Source::Signal],
            Sleep::Child => vec![Source::Child],
            Sleep::Offspring => vec![Source::Offspring],
            Sleep::Futex | Sleep::Futexes => vec![Source::Futex],
            Sleep::Ipc => vec![Source::Ipc],
            Sleep::Lock(_) => vec![Source::Lock],
            Sleep::Opening => vec![Source::Opening],
            Sleep::Requests | Sleep::Lingering => vec![Source::Requests],
            Sleep::Time | Sleep::Restarted => vec![Source::Time],
            Sleep::Read(_) | Sleep::Write(_) if is_queue(inside) => vec![Source::Queue],
            Sleep::Read(fd) => one(args[fd], Purpose::Read),
            Sleep::Write(fd) => one(args[fd], Purpose::Write),
            Sleep::Transfer(from, to) => {
                [one(args[from], Purpose::Read), one(args[to], Purpose::Write)].concat()
            }
            Sleep::Epoll(fd) => one(args[fd], Purpose::Poll(false)),
            Sleep::Poll => self.all(door, timeout::polled(door, args)),
            Sleep::Select => self.all(door, timeout::selected(door, args)),
        };
        if ends_by_time(row.ends, inside) {
            sources.push(Source::Time);
        }
        sources
    }

    fn all(&self, door: &Door, fds: Option<Vec<(i32, PollFlags)>>) -> Vec<Source> {
        let Some(fds) = fds else { return vec![Source::Unknown] };
        let purpose = |events: PollFlags| Purpose::Poll(events.contains(PollFlags::POLLOUT));
        fds.into_iter().flat_map(|(fd, events)| self.descriptor(door, fd, purpose(events), 0)).collect()
    }

    /// What a descriptor is, and the members of an epoll set.
    fn descriptor(&self, door: &Door, fd: i32, purpose: Purpose, depth: u32) -> Vec<Source> {
        let members = |kind| vec![Source::Descriptor(fd, kind)];
        let Ok(link) = door.descriptor(fd) else { return members(Kind::Unknown) };
        if link == "anon_inode:[eventpoll]" && depth < DEEPEST {
            let Ok(info) = door.descriptor_info(fd) else { return members(Kind::Unknown) };
            let Some(targets) = procfs::epoll_members(&info) else { return members(Kind::Unknown) };
            if targets.is_empty() {
                return members(Kind::EmptySet);
            }
            let writes = |events: u32| Purpose::Poll(events & libc::EPOLLOUT as u32 != 0);
            let members = targets.into_iter();
            return members
                .flat_map(|(fd, events)| self.descriptor(door, fd, writes(events), depth + 1))
                .collect();
        }
        members(self.kind(door, fd, &link, purpose))
    }

    fn kind(&self, door: &Door, fd: i32, link: &str, purpose: Purpose) -> Kind {
        if let Some(number) = link.strip_prefix("pipe:[").and_then(|rest| rest.strip_suffix(']')) {
            let ours = [self.cell.stdout(), self.cell.stderr()]
                .into_iter()
                .any(|end| nix::sys::stat::fstat(end).is_ok_and(|stat| number.parse() == Ok(stat.st_ino)));
            return match purpose {
                _ if !ours => Kind::Pipe,
                Purpose::Write | Purpose::Poll(true) => Kind::Output,
                Purpose::Poll(false) => Kind::OutputEnd,
                // To read from it is to wait for the harness.
                Purpose::Read => Kind::Output,
            };
        }
        if link.starts_with("socket:[") {
            return door.duplicate(fd).map_or(Kind::Unknown, |copy| self.socket(&copy, purpose));
        }
        match link.strip_prefix("anon_inode:") {
            Some("[eventfd]") if self.kernel.requests => Kind::Completions,
            Some("[eventfd]") => Kind::Event,
            Some("[signalfd]") => Kind::Signals,
            Some("[pidfd]") => Kind::Process,
            Some("[timerfd]") => match door.descriptor_info(fd) {
                Ok(info) => Kind::Timer(!info.contains("it_value: (0, 0)")),
                Err(_) => Kind::Unknown,
            },
            _ if link.starts_with("pidfd:") => Kind::Process,
            _ if purpose == Purpose::Read && is_terminal(link) && reads_for_a_time(door, fd) => {
                Kind::TimedTerminal
            }
            _ => Kind::File(link.to_owned()),
        }
    }

    fn socket(&self, copy: &OwnedFd, purpose: Purpose) -> Kind {
        let timed = |sends| matches!(socket::timeout(copy.as_fd(), sends), Ok(Some(_)));
        if (purpose == Purpose::Read && timed(false)) || (purpose == Purpose::Write && timed(true)) {
            return Kind::Timed;
        }
        match socket::listens(copy.as_fd()) {
            Err(_) => return Kind::Unknown,
            Ok(true) => return Kind::Listening,
            Ok(false) => {}
        }
        // A first packet that nobody answers is sent again, for minutes; so is data.
        let connects = nix::sys::socket::getpeername::<nix::sys::socket::SockaddrStorage>(
            std::os::fd::AsRawFd::as_raw_fd(copy),
        ) == Err(nix::errno::Errno::ENOTCONN);
        if purpose == Purpose::Write && connects && socket::is_internet(copy.as_fd()) {
            return Kind::Connecting;
        }
        let in_run = |pid: i32| self.tree.processes.iter().any(|process| process.pid == pid);
        if socket::peer(copy.as_fd()).is_some_and(in_run) { Kind::Inside } else { Kind::Outside }
    }

    /// Descriptors of live processes that send signals by themselves when something comes (O_ASYNC).
    fn asynchronous(&self) -> Result<Vec<(ThreadName, Source)>, RunError> {
        let watched = |(thread, fd): &(ThreadName, i32)| {
            (thread.clone(), Source::Descriptor(*fd, Kind::File("a directory".to_owned())))
        };
        let mut found: Vec<_> = self.kernel.directories.iter().map(watched).collect();
        if !self.kernel.asynchronous {
            return Ok(found);
        }
        for (process, fd) in self.open_descriptors()? {
            let thread = self.tree.thread(process);
            let Ok(info) = thread.door.descriptor_info(fd) else { continue };
            if procfs::descriptor_flags(&info).is_some_and(|flags| flags & libc::O_ASYNC != 0) {
                let sources = self.descriptor(&thread.door, fd, Purpose::Poll(true), 0);
                found.extend(sources.into_iter().map(|source| (thread.name.process(), source)));
            }
        }
        Ok(found)
    }

    /// True if something sent over TCP has not arrived: the kernel will send it again.
    fn in_flight(&self) -> Result<bool, RunError> {
        for (process, fd) in self.open_descriptors()? {
            let door = &self.tree.thread(process).door;
            let is_socket = door.descriptor(fd).is_ok_and(|link| link.starts_with("socket:["));
            if is_socket
                && let Ok(copy) = door.duplicate(fd)
                && socket::unacknowledged(copy.as_fd()).is_some_and(|bytes| bytes > 0)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Every descriptor of every live process, with a live thread of it.
    fn open_descriptors(&self) -> Result<Vec<(ThreadId, i32)>, RunError> {
        let mut all = Vec::new();
        for process in self.tree.process_ids() {
            let Some(id) = self.tree.live_thread_of(process) else { continue };
            let thread = self.tree.thread(id);
            match thread.door.descriptors() {
                Ok(fds) => all.extend(fds.into_iter().map(|fd| (id, fd))),
                Err(error) if procfs::gone(&error) => {}
                Err(error) => {
                    return Err(RunError::Fault(format!(
                        "listing the descriptors of {}: {error}",
                        thread.name
                    )));
                }
            }
        }
        Ok(all)
    }

    /// Has the kernel hand on what terminals have taken in and not yet passed on, which it does by itself a moment later
    /// (`flush_to_ldisc` happens at the latest when the terminal is polled). True if there is a terminal.
    pub(super) fn flush_terminals(&self) -> bool {
        let mut any = false;
        for id in self.tree.live() {
            let thread = self.tree.thread(id);
            let State::Asleep(inside) = &thread.state else { continue };
            for source in self.sources(thread, inside) {
                let Source::Descriptor(fd, Kind::File(name)) = source else { continue };
                if is_terminal(&name)
                    && let Ok(copy) = thread.door.duplicate(fd)
                {
                    any = true;
                    let mut fds = [PollFd::new(copy.as_fd(), PollFlags::POLLIN)];
                    // Only the looking matters.
                    let _ = poll(&mut fds, PollTimeout::ZERO);
                }
            }
        }
        any
    }
}

/// True for the calls of POSIX message queues, whose descriptors lead to nobody outside.
fn is_queue(inside: &Inside) -> bool {
    [libc::SYS_mq_timedreceive, libc::SYS_mq_timedsend].contains(&i64::from(inside.number))
}

/// True if the arguments of a call in which a thread sleeps limit the sleep: the kernel has taken them as they were.
fn ends_by_time(ends: Ends, inside: &Inside) -> bool {
    let args = &inside.args;
    match ends {
        Ends::Timeless => false,
        Ends::After(arg, calls::Unit::Millis) => args[arg] as i32 >= 0,
        Ends::After(arg, calls::Unit::Timespec | calls::Unit::Timeval) | Ends::At(arg, _) => args[arg] != 0,
        Ends::ClockNanosleep => true,
        Ends::Futex => timeout::futex_sleeps(args[1]) && args[3] != 0,
    }
}

fn is_terminal(link: &str) -> bool {
    ["/dev/pts/", "/dev/ptmx", "/dev/tty"].iter().any(|name| link.starts_with(name))
}

/// True for a terminal of which a read ends without input after a time: VMIN is zero and VTIME is not (termios(3)).
fn reads_for_a_time(door: &Door, fd: i32) -> bool {
    let Ok(copy) = door.duplicate(fd) else { return false };
    let Ok(modes) = tcgetattr(&copy) else { return false };
    let character = |index: SpecialCharacterIndices| modes.control_chars[index as usize];
    !modes.local_flags.contains(LocalFlags::ICANON)
        && character(SpecialCharacterIndices::VMIN) == 0
        && character(SpecialCharacterIndices::VTIME) != 0
}
