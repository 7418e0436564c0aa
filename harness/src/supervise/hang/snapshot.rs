//! Finds out what the sleepers wait for, for `proof` to judge. Reads only; a terminal's waiting input is moved on by it.

use crate::schedule::{Syscall, ThreadName};
use crate::signal::SignalSet;
use crate::supervise::RunError;
use crate::supervise::books::door::Door;
use crate::supervise::books::futexes::PRIVATE;
use crate::supervise::books::ids::ThreadId;
use crate::supervise::books::thread::{State, Thread};
use crate::supervise::calls::{self, Ends, Sleep};
use crate::supervise::hang::proof::{Kind, Sleeping, Snapshot, Source};
use crate::supervise::state::Turns;
use crate::supervise::time::timeout;
use crate::supervise::time::wait::Wait;
use crate::sys::pidfd::Duplicate;
use crate::sys::procfs::{self, Inside};
use crate::sys::procnet::Network;
use crate::sys::socket;
use crate::sys::terminal;
use nix::poll::PollFlags;
use std::os::fd::{AsFd, BorrowedFd};

/// Epoll sets may hold epoll sets; the kernel's own limit of their depth.
const DEEPEST: u32 = 5;

/// What a descriptor is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Read,
    Write,
    /// poll(2) and its like, which no timeout of a socket ends.
    Poll,
    /// The same, but not for being written to.
    PollToRead,
}

impl Purpose {
    /// What this entry of poll(2) or select(2) is waited for.
    fn of(events: PollFlags) -> Purpose {
        if events.contains(PollFlags::POLLOUT) { Purpose::Poll } else { Purpose::PollToRead }
    }
}

impl Turns<'_> {
    /// What every sleeping thread waits for.
    pub(in crate::supervise) fn snapshot(&self) -> Result<Snapshot, RunError> {
        let mut snapshot = Snapshot {
            terminal: self.seat.is_some(),
            stopped: self.tree.live().any(|id| matches!(self.tree.thread(id).state, State::Stopped)),
            ..Snapshot::default()
        };
        for id in self.tree.live() {
            let thread = self.tree.thread(id);
            let (call, sources) = match &thread.state {
                State::Asleep(inside) => {
                    let mut sources = self.sources(thread, inside);
                    if thread.stretch.as_ref().is_some_and(|stretch| !stretch.deadline.comes()) {
                        sources.retain(|source| *source != Source::Time);
                    }
                    (Syscall(inside.number as u32), sources)
                }
                State::Waiting(held, Wait { call, deadline: Some(deadline), .. }) => {
                    let inside = Inside { number: held.number(), args: held.args() };
                    let mut sources = self.sources(thread, &inside);
                    sources.retain(|source| *source != Source::Time);
                    sources.extend(deadline.comes().then_some(Source::Time));
                    (*call, sources)
                }
                State::Waiting(_, wait) if wait.is_for_futex() => (wait.call, vec![Source::Futex]),
                _ => continue,
            };
            let status = self.proc_status(id)?;
            let caught = status.as_ref().map_or(SignalSet::EMPTY, |status| status.handled());
            // What is pending, and ignored or left to a default that does nothing, is dropped when it is sent.
            let signalled = status.is_some_and(|status| !status.deliverable().is_empty());
            snapshot.sleepers.push(Sleeping {
                thread: thread.name.clone(),
                call,
                caught,
                signalled,
                sources,
            });
        }
        snapshot.asynchronous = self.asynchronous()?;
        let internet = |source: &Source| {
            matches!(
                source,
                Source::Descriptor(_, Kind::Outside | Kind::Connected | Kind::Listening | Kind::Timed)
            )
        };
        let sources = snapshot.sleepers.iter().flat_map(|sleeper| &sleeper.sources);
        if sources.chain(snapshot.asynchronous.iter().map(|(_, source)| source)).any(internet) {
            let moving = self.cell.network().map_or(Ok(false), Network::is_moving);
            let moving =
                moving.map_err(|error| RunError::failed("reading what is in the run's network", error));
            snapshot.in_flight = self.in_flight()? || moving?;
        }
        Ok(snapshot)
    }

    /// What could end this sleep.
    pub(in crate::supervise) fn sources(&self, thread: &Thread, inside: &Inside) -> Vec<Source> {
        let (door, args) = (&thread.door, &inside.args);
        let row = calls::numbered(inside.number);
        let one = |fd: u64, purpose| self.descriptor(door, fd as i32, purpose, 0);
        let mut sources = match row.sleep {
            Sleep::Never | Sleep::Ending | Sleep::Unknown => vec![Source::Unknown],
            Sleep::Signal | Sleep::Awaited => vec![Source::Signal],
            Sleep::Child => vec![Source::Child],
            Sleep::Offspring => vec![Source::Offspring],
            Sleep::Futex if args[1] & PRIVATE == 0 => vec![shared_futex(door, args[0])],
            Sleep::Futex | Sleep::Futexes => vec![Source::Futex],
            Sleep::Ipc => vec![Source::Ipc],
            Sleep::Lock(_) => vec![Source::Lock],
            Sleep::Opening => vec![Source::Opening],
            Sleep::Requests => vec![Source::Requests],
            Sleep::Lingering => vec![Source::Time],
            Sleep::Time | Sleep::Restarted => vec![Source::Time],
            Sleep::Read(_) | Sleep::Write(_) if is_queue(inside) => vec![Source::Queue],
            Sleep::Read(fd) => one(args[fd], Purpose::Read),
            Sleep::Write(fd) => one(args[fd], Purpose::Write),
            Sleep::Transfer(from, to) => {
                [one(args[from], Purpose::Read), one(args[to], Purpose::Write)].concat()
            }
            Sleep::Epoll(fd) => one(args[fd], Purpose::Poll),
            Sleep::Poll => self.all(door, timeout::polled(door, args)),
            Sleep::Select => self.all(door, timeout::selected(door, args)),
        };
        if ends_by_time(row.ends, inside) {
            sources.push(Source::Time);
        }
        sources
    }

    fn all(&self, door: &Door, ends: Option<Vec<(i32, PollFlags)>>) -> Vec<Source> {
        let Some(ends) = ends else { return vec![Source::Unknown] };
        ends.into_iter().flat_map(|(fd, events)| self.descriptor(door, fd, Purpose::of(events), 0)).collect()
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
            return targets
                .iter()
                .flat_map(|(fd, events)| {
                    let writes = events & libc::EPOLLOUT as u32 != 0;
                    let purpose = if writes { Purpose::Poll } else { Purpose::PollToRead };
                    self.descriptor(door, *fd, purpose, depth + 1)
                })
                .collect();
        }
        members(self.kind(door, fd, &link, purpose))
    }

    fn kind(&self, door: &Door, fd: i32, link: &str, purpose: Purpose) -> Kind {
        if let Some(number) = link.strip_prefix("pipe:[").and_then(|rest| rest.strip_suffix(']')) {
            let is = |end: BorrowedFd<'_>| {
                nix::sys::stat::fstat(end).is_ok_and(|stat| number.parse() == Ok(stat.st_ino))
            };
            let of_program = [self.cell.stdout(), self.cell.stderr()].into_iter().any(is);
            let ours = of_program || self.clients.outputs().any(is);
            return match (ours, purpose) {
                (false, _) => Kind::Pipe,
                (true, Purpose::Write | Purpose::Poll) => Kind::Output,
                // Only its reader could end that, by closing it.
                (true, Purpose::Read | Purpose::PollToRead) if of_program => {
                    Kind::File("the reader of its output".to_owned())
                }
                // What a client writes is read by the run, to its end.
                (true, Purpose::Read | Purpose::PollToRead) => Kind::Pipe,
            };
        }
        if link.starts_with("socket:[") {
            return door.duplicate(fd).map_or(Kind::Unknown, |copy| self.socket(&copy, purpose));
        }
        match link.strip_prefix("anon_inode:") {
            // Requests to the kernel may be told of through it (io_submit(2)).
            Some("[eventfd]") if door.maps().is_ok_and(|maps| !maps.contains("/[aio]")) => Kind::Event,
            Some("[eventfd]") => Kind::Unknown,
            Some("[signalfd]") => Kind::Signals,
            Some("[pidfd]") => Kind::Process,
            Some("[timerfd]") => match door.descriptor_info(fd) {
                Ok(info) => Kind::Timer(!info.contains("it_value: (0, 0)")),
                Err(_) => Kind::Unknown,
            },
            _ if link.starts_with("pidfd:") => Kind::Process,
            _ if link.starts_with("/dev/")
                && let Ok(copy) = door.duplicate(fd)
                && self.is_terminal_of_run(&copy) =>
            {
                let by_time = purpose == Purpose::Read && terminal::reads_by_time(copy.as_fd());
                match purpose {
                    _ if by_time => Kind::Timed,
                    // What it has written is read all the time, unless somebody has typed that it is to stop.
                    Purpose::Write if !self.seat.as_ref().is_some_and(|seat| seat.stopped) => Kind::Output,
                    Purpose::Read | Purpose::Write | Purpose::Poll | Purpose::PollToRead => Kind::Terminal,
                }
            }
            // A terminal may limit how long it is read (termios(3)).
            _ if purpose == Purpose::Read
                && door.duplicate(fd).is_ok_and(|copy| terminal::reads_by_time(copy.as_fd())) =>
            {
                Kind::Timed
            }
            _ => Kind::File(link.to_owned()),
        }
    }

    fn socket(&self, copy: &Duplicate, purpose: Purpose) -> Kind {
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
        if socket::is_connected(copy.as_fd())
            && self.cell.network().is_some_and(|network| network.has(copy.as_fd()))
        {
            return Kind::Connected;
        }
        let in_run = |pid: i32| self.tree.processes.iter().any(|process| process.pid == pid);
        if socket::peer(copy.as_fd()).is_some_and(in_run) { Kind::Inside } else { Kind::Outside }
    }

    /// Descriptors of live processes that may send signals by themselves when something comes (O_ASYNC, F_NOTIFY).
    fn asynchronous(&self) -> Result<Vec<(ThreadName, Source)>, RunError> {
        let mut found = Vec::new();
        if !self.kernel.asynchronous {
            return Ok(found);
        }
        for (process, fd) in self.open_descriptors()? {
            let thread = self.tree.thread(process);
            let Ok(info) = thread.door.descriptor_info(fd) else { continue };
            // Of a directory nothing says whether it tells what becomes of its files (F_NOTIFY).
            let directory = || {
                let copy = thread.door.duplicate(fd).and_then(nix::sys::stat::fstat);
                copy.is_ok_and(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFDIR)
            };
            if procfs::descriptor_flags(&info).is_some_and(|flags| flags & libc::O_ASYNC != 0) || directory()
            {
                let sources = self.descriptor(&thread.door, fd, Purpose::Poll, 0);
                found.extend(sources.into_iter().map(|source| (thread.name.process(), source)));
            }
        }
        Ok(found)
    }

    /// True if something is on its way over TCP: the kernel will send it, or send it again.
    pub(in crate::supervise) fn in_flight(&self) -> Result<bool, RunError> {
        for (process, fd) in self.open_descriptors()? {
            let door = &self.tree.thread(process).door;
            let is_socket = door.descriptor(fd).is_ok_and(|link| link.starts_with("socket:["));
            if is_socket
                && let Ok(copy) = door.duplicate(fd)
                && socket::is_moving(copy.as_fd())
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Every descriptor of every live process, with a live thread of it.
    pub(in crate::supervise) fn open_descriptors(&self) -> Result<Vec<(ThreadId, i32)>, RunError> {
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
    pub(in crate::supervise) fn flush_terminals(&mut self) -> Result<bool, RunError> {
        let mut any = self.flush_terminal_of_run()?;
        if self.kernel.terminals {
            for (process, fd) in self.open_descriptors()? {
                let door = &self.tree.thread(process).door;
                if door.descriptor(fd).is_ok_and(|link| is_terminal(&link))
                    && let Ok(copy) = door.duplicate(fd)
                {
                    any = true;
                    terminal::flush(copy.as_fd());
                }
            }
        }
        for id in self.tree.live() {
            let thread = self.tree.thread(id);
            let State::Asleep(inside) = &thread.state else { continue };
            for source in self.sources(thread, inside) {
                let Source::Descriptor(fd, Kind::File(name)) = source else { continue };
                if is_terminal(&name)
                    && let Ok(copy) = thread.door.duplicate(fd)
                {
                    any = true;
                    terminal::flush(copy.as_fd());
                }
            }
        }
        Ok(any)
    }
}

fn is_terminal(name: &str) -> bool {
    ["/dev/pts/", "/dev/ptmx", "/dev/tty"].iter().any(|start| name.starts_with(start))
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

/// A futex that other processes may use as well: also those outside, if it is in a file that has a name (sem_open(3)).
fn shared_futex(door: &Door, address: u64) -> Source {
    match door.maps() {
        Ok(maps) => procfs::shared_file(&maps, address).map_or(Source::Futex, Source::FutexOf),
        Err(_) => Source::Unknown,
    }
}
