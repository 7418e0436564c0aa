//! A cell: namespaces with an init, in which the runs of one program follow one another.
//!
//! Made once and used for many runs, because making namespaces costs as much as starting a program. Between two runs
//! everything in it is ended and the pid counter is set back, so every run gets the same pids.

use super::gate::{self, call};
use super::giving_way::GivingWay;
use super::init::{self, Kind, Orders, Report};
use super::ipc;
use super::notify::Listener;
use super::order;
use super::overlay;
use super::own::{Own, Sent};
use super::procfs;
use super::procnet::Network;
use super::stage::{CellError, Stage};
use super::start::Root;
use super::terminal::{self, Terminal};
use super::{descriptors, filter, network};
use crate::copies;
use crate::program::Launch;
use crate::trace::Change;
use crate::world::{self, World};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll, ppoll};
use nix::sys::signal::{SigSet, SigmaskHow, pthread_sigmask};
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recv, recvmsg, send,
    sendmsg, socketpair,
};
use nix::sys::time::TimeSpec;
use nix::unistd::{Uid, getegid, geteuid, pipe2};
use std::ffi::CString;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::size_of;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

fn at(stage: Stage) -> impl Fn(Errno) -> CellError {
    move |errno| CellError { stage, errno }
}

/// What the init says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// The program could not be started.
    Failed(CellError),
    /// A process that had no other parent has ended: its pid in the cell, its status as wait(2) encodes it.
    Reaped(i32, i32),
    /// Nothing of the run is left.
    Clean,
    /// The init has ended, and with it everything in the cell.
    Gone,
}

/// Namespaces, their init, and the ends that lead out of them.
#[derive(Debug)]
pub struct Cell {
    pid: i32,
    control: OwnedFd,
    outputs: Outputs,
    listener: Listener,
    /// How the CPU is given to what runs in it.
    pub giving_way: GivingWay,
    own: Own,
    /// True if each run has a terminal of its own.
    has_terminal: bool,
    /// True if more than the program may be started in it.
    has_clients: bool,
    network: Option<Network>,
    /// An IPC object may have been made.
    uses_ipc: std::cell::Cell<bool>,
    /// The init has said that nothing of the run is left. Never where there are clients: one may have been started since.
    is_empty: std::cell::Cell<bool>,
}

/// The ends from which the outputs of a program are read; they do not block.
#[derive(Debug)]
pub struct Outputs {
    /// Its standard output.
    pub stdout: OwnedFd,
    /// Its standard error.
    pub stderr: OwnedFd,
}

/// Room for what a program writes between two looks at its output, in bytes: the most that an ordinary user may ask for.
const PIPE_SIZE: i32 = 1 << 20;

fn text(bytes: &[u8]) -> Result<CString, CellError> {
    CString::new(bytes).map_err(|_| CellError { stage: Stage::Arguments, errno: Errno::EINVAL })
}

fn path(path: &Path) -> Result<CString, CellError> {
    text(path.as_os_str().as_bytes())
}

/// The arguments of a program, and its environment.
type Words = (Vec<CString>, Vec<CString>);

fn words(launch: &Launch, on_terminal: bool) -> Result<Words, CellError> {
    let argv = launch.argv.iter().map(|word| text(word.as_bytes())).collect::<Result<_, _>>()?;
    let kind = (terminal::VARIABLE.to_owned(), terminal::KIND.to_owned());
    let kind = Some(kind).filter(|(name, _)| on_terminal && !launch.env.contains_key(name));
    let variables = launch.env.iter().chain(kind.as_ref().map(|(name, value)| (name, value)));
    let variables = variables.map(|(name, value)| text(format!("{name}={value}").as_bytes()));
    Ok((argv, variables.collect::<Result<_, _>>()?))
}

fn root(launch: &Launch, (argv, env): &Words, on_terminal: bool) -> Result<Root, CellError> {
    let pointers =
        |words: &[CString]| words.iter().map(|word| word.as_ptr()).chain([std::ptr::null()]).collect();
    Ok(Root {
        file: path(&launch.file)?,
        argv: pointers(argv),
        envp: pointers(env),
        cwd: path(&launch.cwd)?,
        stdin: match &launch.stdin {
            None if on_terminal => None,
            file => Some(path(file.as_deref().unwrap_or(Path::new("/dev/null")))?),
        },
    })
}

impl Cell {
    /// Makes a cell for `launch` and its clients, pinned to `cpu`, in which the calls of the dynamic loader on files are not notified if it
    /// is known where its code is. The calling thread must outlive it: the kernel ends the init when its
    /// creating thread ends (PR_SET_PDEATHSIG).
    pub fn new(
        (launch, clients): (&Launch, &[Launch]),
        (world, room): (&World, u64),
        cpu: usize,
        loader: Option<Range<u64>>,
    ) -> Result<Cell, CellError> {
        let descriptors = descriptors::raise().map_err(at(Stage::OwnDescriptors))?;
        let flags = SockFlag::SOCK_CLOEXEC;
        let pair = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags);
        let (control, theirs) = pair.map_err(at(Stage::SocketPair))?;
        let (stdout, stdout_in) = output_pipe()?;
        let (stderr, stderr_in) = output_pipe()?;
        let giving_way = GivingWay::new().map_err(at(Stage::Counters))?;

        // They live until the init has its copy.
        let (program, others) =
            (words(launch, world.tty)?, clients.iter().map(|client| words(client, false)));
        let others = others.collect::<Result<Vec<_>, _>>()?;
        let first = root(launch, &program, world.tty);
        let roots = clients.iter().zip(&others).map(|(client, words)| root(client, words, false));
        let roots = std::iter::once(first).chain(roots);
        let mut cpu_mask = [0u8; 128];
        *cpu_mask.get_mut(cpu / 8).ok_or(CellError { stage: Stage::Scheduling, errno: Errno::EINVAL })? |=
            1 << (cpu % 8);
        let (uid, gid) = (geteuid(), getegid());
        let user_namespace = !may_make_namespaces(uid)?;
        let named = ["HOME", "TMPDIR"].into_iter().filter_map(|name| launch.env.get(name)).map(Path::new);
        let named: Vec<&Path> = std::iter::once(launch.cwd.as_path()).chain(named).collect();
        let overlay::Plan { covers, left } = overlay::plan(world.files, room, &named, user_namespace)
            .map_err(|error| unread(Stage::OwnFiles, &error))?;
        let settings =
            (world.network == world::Network::Own).then(|| network::settings(user_namespace.then_some(gid)));
        let orders = Orders {
            user_namespace,
            network: settings.transpose().map_err(|error| unread(Stage::NetworkSettings, &error))?,
            terminal: world.tty,
            covers,
            uid_map: text(format!("{uid} {uid} 1").as_bytes())?,
            gid_map: text(format!("{gid} {gid} 1").as_bytes())?,
            roots: roots.collect::<Result<_, _>>()?,
            cpu_mask,
            descriptors: libc::rlimit64 { rlim_cur: descriptors.soft, rlim_max: descriptors.hard },
            filter: filter::program(loader, gate::key().map_err(at(Stage::Key))?),
            giving_way: giving_way.raw(),
            control: theirs.as_raw_fd(),
            stdout: stdout_in.as_raw_fd(),
            stderr: stderr_in.as_raw_fd(),
        };
        // Until the init says that it is ready it may not have closed its copies.
        let copied = copies::copied();
        let pid = start(&orders)?;
        drop((theirs, stdout_in, stderr_in));
        let furnished = || {
            let (listener, network, sent) = receive_ready(control.as_fd(), orders.network.is_some())?;
            let own = Own::new(&orders.covers, &left, user_namespace, sent).map_err(at(Stage::OwnFiles))?;
            Ok((listener, network, own))
        };
        let furnished = furnished().inspect_err(|_| end(pid));
        drop(copied);
        let (listener, network, own) = furnished?;
        let (uses_ipc, is_empty) = Default::default();
        let (has_terminal, has_clients) = (world.tty, !clients.is_empty());
        let outputs = Outputs { stdout, stderr };
        Ok(Cell {
            pid,
            control,
            outputs,
            listener,
            giving_way,
            own,
            network,
            has_terminal,
            has_clients,
            uses_ipc,
            is_empty,
        })
    }

    /// The files that are the run's own.
    pub fn files(&self) -> &Own {
        &self.own
    }

    /// The network that is the run's own, if it is.
    pub fn network(&self) -> Option<&Network> {
        self.network.as_ref()
    }

    /// Has what a run has left of files thrown away, if it has, its IPC objects, if it may have made any, and its network, if something
    /// is left of its sockets. Files that are as they were, but that new ones would get other numbers, are kept if they `may_be_worn`. False if the cell cannot be
    /// used any more.
    pub fn refresh(&mut self, may_be_worn: bool) -> Result<bool, CellError> {
        // Its numbers count on even if nothing of it is left.
        if self.uses_ipc.get() {
            self.order(order::FRESH_IPC, &[]).map_err(at(Stage::IpcNamespace))?;
            receive_sent(self.control.as_fd(), Kind::Ipc)?;
            self.uses_ipc.set(false);
        }
        let as_new = self.network.as_ref().map_or(Ok(true), Network::is_as_new);
        if !as_new.map_err(|error| unread(Stage::NetworkFiles, &error))? {
            self.order(order::NETWORK, &[]).map_err(at(Stage::NetworkNamespace))?;
            let sent = receive_sent(self.control.as_fd(), Kind::Network)?;
            self.network = Some(network_of(sent.fds)?);
        }
        let numbers = self.own.unfit(may_be_worn).map_err(at(Stage::OwnFiles))?;
        if numbers.is_empty() {
            return Ok(true);
        }
        if numbers.iter().any(|number| self.own.is_whole(*number)) {
            return Ok(false);
        }
        self.own.let_go(&numbers);
        self.order(order::FRESH, &numbers).map_err(at(Stage::OwnFiles))?;
        let sent = receive_sent(self.control.as_fd(), Kind::Fresh)?;
        self.own.lay(sent).map_err(at(Stage::OwnFiles))?;
        Ok(true)
    }

    /// The program is about to make an IPC object.
    pub fn note_ipc(&self) {
        self.uses_ipc.set(true);
    }

    /// The IPC objects that are there. To be asked when nothing of a run is left.
    pub fn ipc_objects(&self) -> io::Result<Vec<Change>> {
        if !self.uses_ipc.get() {
            return Ok(Vec::new());
        }
        self.order(order::IPC, &[])?;
        let failed = |error: CellError| io::Error::from(error.errno);
        let Sent { fds, mask, .. } = receive_sent(self.control.as_fd(), Kind::Ipc).map_err(failed)?;
        let numbers = (0..ipc::COUNT).filter(|number| mask & (1 << number) != 0);
        ipc::objects(&numbers.zip(fds).collect::<Vec<_>>())
    }

    /// The init's number, as the supervisor's pid namespace has it.
    pub fn init(&self) -> i32 {
        self.pid
    }

    /// What answers the calls of everything in the cell.
    pub fn listener(&self) -> &Listener {
        &self.listener
    }

    /// Polls readable when the init has said something.
    pub fn control(&self) -> BorrowedFd<'_> {
        self.control.as_fd()
    }

    /// The end from which the program's standard output is read; it does not block.
    pub fn stdout(&self) -> BorrowedFd<'_> {
        self.outputs.stdout.as_fd()
    }

    /// The end from which the program's standard error is read; it does not block.
    pub fn stderr(&self) -> BorrowedFd<'_> {
        self.outputs.stderr.as_fd()
    }

    /// True if the init has ended, and with it everything in the cell. Its end of the socket is closed before the kernel
    /// ends the others, so whoever sees one of them vanish for that reason can see this. An init that is alone gives up its filter
    /// first of all: then nobody is left who could call.
    pub fn is_gone(&self) -> bool {
        let ends = [self.control.as_fd(), self.listener.as_fd()];
        let mut polled = ends.map(|end| PollFd::new(end, PollFlags::empty()));
        let hung_up = |polled: &PollFd<'_>| polled.revents().is_some_and(|events| !events.is_empty());
        loop {
            match poll(&mut polled, PollTimeout::ZERO) {
                Err(Errno::EINTR) => {}
                Ok(_) => return polled.iter().any(hung_up),
                Err(_) => return false,
            }
        }
    }

    /// Has the init start the program; gives its terminal, if it has one.
    pub fn go(&self) -> Result<Option<Terminal>, CellError> {
        self.is_empty.set(false);
        self.order(order::GO, &[]).map_err(at(Stage::Answer))?;
        if !self.has_terminal {
            return Ok(None);
        }
        let mut sent = receive_sent(self.control.as_fd(), Kind::Terminal)?;
        let person = sent.fds.pop().ok_or(CellError { stage: Stage::Answer, errno: Errno::EBADMSG })?;
        Terminal::new(person).map(Some).map_err(at(Stage::Terminal))
    }

    /// Has the init start the client of this number, from 0, beside what runs. What it writes comes from these ends.
    pub fn start_client(&self, number: usize) -> Result<Outputs, CellError> {
        let (stdout, stdout_in) = output_pipe()?;
        let (stderr, stderr_in) = output_pipe()?;
        let root = i32::try_from(number + 1).map_err(|_| at(Stage::Arguments)(Errno::EINVAL))?;
        let bytes = order::written(order::CLIENT, &[root]);
        let fds = [stdout_in.as_raw_fd(), stderr_in.as_raw_fd()];
        let (data, rights) = ([IoSlice::new(&bytes)], [ControlMessage::ScmRights(&fds)]);
        sendmsg::<()>(self.control.as_raw_fd(), &data, &rights, MsgFlags::MSG_NOSIGNAL, None)
            .map_err(at(Stage::Fork))?;
        Ok(Outputs { stdout, stderr })
    }

    /// True if the init has told that nothing of the run is left. False says nothing.
    pub fn is_empty(&self) -> bool {
        self.is_empty.get()
    }

    /// Has the init end everything else in the cell. These are known to be left, by their numbers in the cell; it takes
    /// longer if they are not all.
    pub fn end_all(&self, known: &[i32]) -> Result<(), Errno> {
        self.order(order::END, if known.len() > order::MOST_NAMED { &[] } else { known })
    }

    fn order(&self, letter: u8, pids: &[i32]) -> Result<(), Errno> {
        send(self.control.as_raw_fd(), &order::written(letter, pids), MsgFlags::MSG_NOSIGNAL).map(drop)
    }

    /// The next message of the init; none if it has not said anything.
    pub fn message(&self) -> Result<Option<Message>, Errno> {
        let mut bytes = [0u8; size_of::<Report>()];
        let got = match recv(self.control.as_raw_fd(), &mut bytes, MsgFlags::MSG_DONTWAIT) {
            Ok(got) => got,
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(None),
            Err(Errno::ECONNRESET) => 0,
            Err(errno) => return Err(errno),
        };
        if got == 0 {
            return Ok(Some(Message::Gone));
        }
        let word = |n: usize| i32::from_ne_bytes([bytes[n], bytes[n + 1], bytes[n + 2], bytes[n + 3]]);
        let (kind, a, b) = (word(0), word(4), word(8));
        Ok(Some(match kind {
            k if k == Kind::Failed as i32 => Message::Failed(failure(a, b).ok_or(Errno::EBADMSG)?),
            k if k == Kind::Reaped as i32 => Message::Reaped(a, b),
            k if k == Kind::ReapedLast as i32 => {
                self.is_empty.set(!self.has_clients);
                Message::Reaped(a, b)
            }
            k if k == Kind::Clean as i32 => Message::Clean,
            _ => return Err(Errno::EBADMSG),
        }))
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        end(self.pid);
    }
}

/// Ends an init and with it everything in its namespace, and waits until that is done.
fn end(pid: i32) {
    let pid = nix::unistd::Pid::from_raw(pid);
    // It is a child that nobody else waits for, so the number is still its own.
    let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
    while nix::sys::wait::waitpid(pid, Some(nix::sys::wait::WaitPidFlag::__WALL)) == Err(Errno::EINTR) {}
}

/// What the init says of a step that failed; none if there is no such step.
fn failure(stage: i32, errno: i32) -> Option<CellError> {
    Some(CellError { stage: Stage::of(stage)?, errno: Errno::from_raw(errno) })
}

/// True if namespaces can be made without a user namespace around them (capabilities(7), CAP_SYS_ADMIN).
fn may_make_namespaces(uid: Uid) -> Result<bool, CellError> {
    const CAP_SYS_ADMIN: u64 = 1 << 21;
    let effective = procfs::capabilities().map_err(|error| unread(Stage::Capabilities, &error))?;
    Ok(uid.is_root() && effective & CAP_SYS_ADMIN != 0)
}

fn unread(stage: Stage, error: &std::io::Error) -> CellError {
    CellError { stage, errno: error.raw_os_error().map_or(Errno::EBADMSG, Errno::from_raw) }
}

fn output_pipe() -> Result<(OwnedFd, OwnedFd), CellError> {
    let (read, write) = pipe2(OFlag::O_CLOEXEC).map_err(at(Stage::Pipes))?;
    fcntl(&read, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(at(Stage::Pipes))?;
    // Smaller is no harm: the pipe is emptied while the program waits.
    let _ = fcntl(&read, FcntlArg::F_SETPIPE_SZ(PIPE_SIZE));
    Ok((read, write))
}

fn start(orders: &Orders) -> Result<i32, CellError> {
    let mut flags = libc::CLONE_NEWPID | libc::CLONE_NEWNS | libc::CLONE_NEWIPC | libc::SIGCHLD;
    if orders.user_namespace {
        flags |= libc::CLONE_NEWUSER;
    }
    // The init must not run a handler of the harness: it starts with every signal blocked, and keeps that.
    let mut before = SigSet::empty();
    pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before))
        .map_err(at(Stage::SignalMask))?;
    // SAFETY: as fork(2): no new stack, so the new process runs on its copy of this one. It goes straight to
    // `init::main`, which keeps to what a copy of a process with several threads may do, and never returns.
    let pid = unsafe { call(libc::SYS_clone, flags as usize, 0, 0, 0, 0) };
    if pid == 0 {
        init::main(orders);
    }
    pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None).map_err(at(Stage::SignalMask))?;
    match i32::try_from(pid) {
        Ok(pid) if pid > 0 => Ok(pid),
        _ => Err(CellError {
            stage: if orders.user_namespace { Stage::UserNamespaces } else { Stage::Namespaces },
            errno: Errno::from_raw(-pid as i32),
        }),
    }
}

/// Waits for a message of the init that brings descriptors: of this kind, or that a stage failed.
fn receive_sent(control: BorrowedFd<'_>, kind: Kind) -> Result<Sent, CellError> {
    const WAIT: Duration = Duration::from_secs(60);
    let stage = Stage::Answer;
    let mut polled = [PollFd::new(control, PollFlags::POLLIN)];
    let begun = Instant::now();
    loop {
        let left = WAIT.saturating_sub(begun.elapsed());
        match ppoll(&mut polled, Some(TimeSpec::from_duration(left)), None) {
            Ok(0) => return Err(CellError { stage, errno: Errno::ETIMEDOUT }),
            Ok(_) => break,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(CellError { stage, errno }),
        }
    }
    let mut bytes = [0u8; size_of::<Report>()];
    let mut space = nix::cmsg_space!([i32; init::MOST_HANDED_OVER]);
    let mut data = [IoSliceMut::new(&mut bytes)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message =
        recvmsg::<()>(control.as_raw_fd(), &mut data, Some(&mut space), flags).map_err(at(stage))?;
    let mut fds = Vec::new();
    for part in message.cmsgs().map_err(at(stage))? {
        if let ControlMessageOwned::ScmRights(sent) = part {
            // SAFETY: the kernel has just made these descriptors for us.
            fds.extend(sent.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
        }
    }
    let word = |n: usize| i32::from_ne_bytes([bytes[n], bytes[n + 1], bytes[n + 2], bytes[n + 3]]);
    match word(0) {
        told if told == kind as i32 => Ok(Sent { fds, mask: word(4), errno: word(8) }),
        told if told == Kind::Failed as i32 => {
            Err(failure(word(4), word(8)).unwrap_or(CellError { stage, errno: Errno::EBADMSG }))
        }
        // Without any message it has ended.
        _ => Err(CellError { stage, errno: Errno::ECHILD }),
    }
}

/// Waits for the init's first message, which brings the listener, and what there is of a network of its own.
fn receive_ready(
    control: BorrowedFd<'_>,
    own_network: bool,
) -> Result<(Listener, Option<Network>, Sent), CellError> {
    let mut sent = receive_sent(control, Kind::Ready)?;
    let of_folders = sent.mask.count_ones() as usize * overlay::ROOTS;
    let uppers = sent.fds.split_off(sent.fds.len().saturating_sub(of_folders));
    let mut first = std::mem::replace(&mut sent.fds, uppers);
    if first.is_empty() {
        return Err(CellError { stage: Stage::Answer, errno: Errno::EBADMSG });
    }
    let listener = Listener::new(first.remove(0));
    let network = own_network.then(|| network_of(first)).transpose()?;
    Ok((listener, network, sent))
}

/// The network of which these descriptors came.
fn network_of(sent: Vec<OwnedFd>) -> Result<Network, CellError> {
    let mut sent = sent.into_iter();
    let (Some(ports), Some(folder), Some(socket)) = (sent.next(), sent.next(), sent.next()) else {
        return Err(CellError { stage: Stage::Answer, errno: Errno::EBADMSG });
    };
    Network::new([ports, folder, socket], sent.next()).map_err(|error| unread(Stage::NetworkFiles, &error))
}
