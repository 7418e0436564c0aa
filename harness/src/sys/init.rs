//! The run's init: pid 1 of the namespace, in which every run of one cell starts, is reaped, and is ended.
//!
//! The code here runs in a copy of a process that had other threads. So it uses what was prepared before, makes calls only by the gate's functions, and neither
//! allocates nor panics: an error is a message to the supervisor.

use super::gate::call;
use super::giving_way;
use super::ipc;
use super::order;
use super::overlay::{self, Cover};
use super::reaping::{end_all, reap_ended};
use super::stage::Stage;
use super::start::{Root, Start};
use super::{network, pty};
use libc::{c_int, sock_filter, sock_fprog};
use std::ffi::CString;
use std::mem::size_of;

/// A message from the init to the supervisor.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) kind: Kind,
    pub(super) a: i32,
    pub(super) b: i32,
}

/// What a message says; the numbers are their own.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The listener comes with this message, and what there is of a network and of files of its own; the init waits for orders.
    Ready,
    /// A stage failed: its number, the error number.
    Failed,
    /// A process without another parent has ended: its pid in the namespace, its status as wait(2) encodes it.
    Reaped,
    /// The same, and nothing of the run is left.
    ReapedLast,
    /// Nothing of the run is left.
    Clean,
    /// The upper layers that were asked for are fresh; their folders' roots come with this message, and a mask of their numbers.
    Fresh,
    /// The end of the run's terminal at which a person sits comes with this message.
    Terminal,
    /// The network is fresh, and what there is of it comes with this message.
    Network,
    /// What shows the IPC objects comes with this message, and a mask of the numbers; nothing where they have a new namespace.
    Ipc,
}

/// Everything that the init needs, prepared before it exists.
pub(super) struct Orders {
    pub(super) user_namespace: bool,
    /// What its network's settings are, if it has one of its own.
    pub(super) network: Option<Vec<network::Setting>>,
    /// True if each run has a terminal of its own.
    pub(super) terminal: bool,
    pub(super) covers: Vec<Cover>,
    pub(super) uid_map: CString,
    pub(super) gid_map: CString,
    /// What is started, by its number: the program, which is the first, and its clients.
    pub(super) roots: Vec<Root>,
    pub(super) cpu_mask: [u8; 128],
    /// The limit that the program is to have; its creator's own is higher.
    pub(super) descriptors: libc::rlimit64,
    pub(super) filter: Vec<sock_filter>,
    /// The counters by which it is asked for a turn.
    pub(super) giving_way: [c_int; 2],
    pub(super) control: c_int,
    pub(super) stdout: c_int,
    pub(super) stderr: c_int,
}

/// Where the init keeps its descriptors; everything else of its creator is closed.
const CONTROL: usize = 3;
const STDOUT: usize = 4;
const STDERR: usize = 5;
const SIGNALS: usize = 6;
const PIDS: usize = 7;
const BASE: usize = 8;
/// By these it is asked for a turn.
const GIVING_WAY: [usize; 2] = [9, 10];
/// The program's end of the run's terminal, while it is being started.
const TERMINAL: usize = 11;
const FIRST_FREE: usize = 12;

/// How many descriptors one message may bring: the listener, those of the network, and those of covered folders.
pub(super) const MOST_HANDED_OVER: usize = 1 + network::OPENED + MOST_NUMBERED;
/// Those of covered folders.
const MOST_NUMBERED: usize = overlay::ROOTS * overlay::MOST;

pub(super) fn report(kind: Kind, a: i32, b: i32) {
    let message = Report { kind, a, b };
    // SAFETY: `message` lives through the call. A supervisor that is gone ends this process by other means.
    unsafe {
        call(
            libc::SYS_sendto,
            CONTROL,
            &raw const message as usize,
            size_of::<Report>(),
            libc::MSG_NOSIGNAL as usize,
            0,
        )
    };
}

pub(super) fn exit(code: i32) -> ! {
    loop {
        // SAFETY: no pointers; the call does not return.
        unsafe { call(libc::SYS_exit_group, code as usize, 0, 0, 0, 0) };
    }
}

/// Turns a result of a raw call into a failure of `stage`.
pub(super) fn check(stage: Stage, result: isize) -> Result<usize, (Stage, i32)> {
    usize::try_from(result).map_err(|_| (stage, (-result) as i32))
}

fn write_file(path: &[u8], text: &[u8]) -> isize {
    // SAFETY: `path` ends with a zero byte (all callers pass literals that do), `text` lives through the call.
    unsafe {
        let fd = call(
            libc::SYS_open,
            path.as_ptr() as usize,
            (libc::O_WRONLY | libc::O_CLOEXEC) as usize,
            0,
            0,
            0,
        );
        if fd < 0 {
            return fd;
        }
        let written = call(libc::SYS_write, fd as usize, text.as_ptr() as usize, text.len(), 0, 0);
        call(libc::SYS_close, fd as usize, 0, 0, 0, 0);
        written
    }
}

/// Runs as pid 1 of a new namespace, with all signals blocked, and never returns.
pub(super) fn main(orders: &Orders) -> ! {
    if let Err((stage, errno)) = set_up(orders) {
        report(Kind::Failed, stage as i32, errno);
        exit(1);
    }
    serve(orders)
}

fn set_up(orders: &Orders) -> Result<(), (Stage, i32)> {
    // SAFETY: throughout, pointers come from `orders`, from literals with a zero byte, or from locals that live through
    // the call.
    unsafe {
        // Whatever else has that number in the creator, of which this is a copy, would be gone.
        let [asked, given] = orders.giving_way;
        let kept = out_of([orders.stdout, orders.stderr, asked, given], CONTROL)?;
        if orders.control != CONTROL as c_int {
            check(Stage::Descriptors, call(libc::SYS_dup2, orders.control as usize, CONTROL, 0, 0, 0))?;
        }
        if orders.user_namespace {
            // Without it an ordinary user may not map a group (user_namespaces(7)); old kernels do not have the file.
            write_file(b"/proc/self/setgroups\0", b"deny");
            check(Stage::MapUsers, write_file(b"/proc/self/uid_map\0", orders.uid_map.as_bytes()))?;
            check(Stage::MapUsers, write_file(b"/proc/self/gid_map\0", orders.gid_map.as_bytes()))?;
        }
        // After the change of credentials, which would reset it.
        call(libc::SYS_prctl, libc::PR_SET_PDEATHSIG as usize, libc::SIGKILL as usize, 0, 0, 0);
        // A process group of its own: kill(0, ...) in here must not reach the supervisor.
        check(Stage::Session, call(libc::SYS_setsid, 0, 0, 0, 0, 0))?;
        let private = (libc::MS_REC | libc::MS_PRIVATE) as usize;
        check(Stage::PrivateMounts, call(libc::SYS_mount, 0, c"/".as_ptr() as usize, 0, private, 0))?;
        let base = if orders.covers.is_empty() { Ok(None) } else { overlay::base().map(Some) };
        let flags = (libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC) as usize;
        let (proc, name) = (c"/proc".as_ptr() as usize, c"proc".as_ptr() as usize);
        check(Stage::MountProc, call(libc::SYS_mount, name, proc, name, flags, 0))?;
        if let Some(settings) = &orders.network {
            network::make(settings)?;
        }
        descriptors(kept, base.unwrap_or_default())?;
        let covered = match base {
            Ok(base) => Numbered::all(&orders.covers, base.is_some()),
            Err((_, errno)) => Numbered { errno, ..Numbered::NONE },
        };
        // After the covers, of which one may have brought the machine's along.
        if orders.terminal {
            pty::mount()?;
        }
        for root in &orders.roots {
            check(Stage::WorkingDirectory, call(libc::SYS_chdir, root.cwd.as_ptr() as usize, 0, 0, 0, 0))?;
        }
        // Nobody's folder: what is mounted over the program's changes from run to run.
        call(libc::SYS_chdir, c"/".as_ptr() as usize, 0, 0, 0, 0);
        scheduling(orders)?;
        let personality = libc::ADDR_NO_RANDOMIZE as usize;
        check(Stage::Personality, call(libc::SYS_personality, personality, 0, 0, 0, 0))?;
        dispositions();
        // What may trace the program may not trace this process, nor look into it or take its descriptors: not an
        // ordinary user. What root is kept from is decided call by call, but for the files that are opened by their names.
        call(libc::SYS_prctl, libc::PR_SET_DUMPABLE as usize, 0, 0, 0, 0);
        if !orders.user_namespace {
            let hidden =
                [c"/proc/1/mem", c"/proc/1/task/1/mem", c"/proc/1/syscall", c"/proc/1/task/1/syscall"];
            for path in hidden {
                let (null, bind) = (c"/dev/null".as_ptr() as usize, libc::MS_BIND as usize);
                check(Stage::HideMemory, call(libc::SYS_mount, null, path.as_ptr() as usize, 0, bind, 0))?;
            }
        }
        check(Stage::NoNewPrivileges, call(libc::SYS_prctl, libc::PR_SET_NO_NEW_PRIVS as usize, 1, 0, 0, 0))?;
        supervised(orders, covered)
    }
}

/// A descriptor at another number, behind those that are filled.
fn away(fd: usize) -> Result<usize, (Stage, i32)> {
    let (request, from) = (libc::F_DUPFD_CLOEXEC as usize, FIRST_FREE);
    // SAFETY: only numbers.
    check(Stage::Descriptors, unsafe { call(libc::SYS_fcntl, fd, request, from, 0, 0) })
}

/// These descriptors, but none of them at this number, which is about to become another's.
fn out_of(fds: [c_int; 4], number: usize) -> Result<[usize; 4], (Stage, i32)> {
    let mut kept = fds.map(|fd| fd as usize);
    for fd in kept.iter_mut().filter(|fd| **fd == number) {
        *fd = away(*fd)?;
    }
    Ok(kept)
}

/// Keeps what is needed at fixed numbers and closes the rest, which belongs to the creator or to its other threads: the program's
/// outputs, the counters of turns, and what leads to covered folders.
unsafe fn descriptors(
    [stdout, stderr, asked, given]: [usize; 4],
    base: Option<usize>,
) -> Result<(), (Stage, i32)> {
    let stage = Stage::Descriptors;
    let cloexec = libc::O_CLOEXEC as usize;
    // SAFETY: only numbers, literals with a zero byte, and `mask`, which lives through the call.
    unsafe {
        // First out of the way of the numbers to fill, then into them.
        let (stdout, stderr, control) = (away(stdout)?, away(stderr)?, away(CONTROL)?);
        let base = base.map(away).transpose()?;
        let (asked, given) = (away(asked)?, away(given)?);
        let kept = [
            Some((asked, GIVING_WAY[0])),
            Some((given, GIVING_WAY[1])),
            Some((stdout, STDOUT)),
            Some((stderr, STDERR)),
            Some((control, CONTROL)),
            base.map(|fd| (fd, BASE)),
        ];
        for (fd, at) in kept.into_iter().flatten() {
            check(stage, call(libc::SYS_dup3, fd, at, cloexec, 0, 0))?;
        }
        if base.is_none() {
            call(libc::SYS_close, BASE, 0, 0, 0, 0);
        }
        let mask: u64 = 1 << (libc::SIGCHLD - 1);
        let fd = call(
            libc::SYS_signalfd4,
            usize::MAX,
            &raw const mask as usize,
            8,
            (libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) as usize,
            0,
        );
        let signals = check(Stage::SignalDescriptor, fd)?;
        if signals != SIGNALS {
            check(stage, call(libc::SYS_dup3, signals, SIGNALS, cloexec, 0, 0))?;
        }
        let path = c"/proc/sys/kernel/ns_last_pid".as_ptr() as usize;
        let fd = call(libc::SYS_open, path, (libc::O_WRONLY | libc::O_CLOEXEC) as usize, 0, 0, 0);
        let pids = check(Stage::LastPid, fd)?;
        if pids != PIDS {
            check(stage, call(libc::SYS_dup3, pids, PIDS, cloexec, 0, 0))?;
        }
        for (first, last) in [(0, 2), (TERMINAL, u32::MAX as usize)] {
            check(stage, call(libc::SYS_close_range, first, last, 0, 0, 0))?;
        }
    }
    Ok(())
}

unsafe fn scheduling(orders: &Orders) -> Result<(), (Stage, i32)> {
    let param = libc::sched_param { sched_priority: 0 };
    let mask = &orders.cpu_mask;
    // A core file is of no use here, and writing it would cost every crashing run its time.
    let no_core = libc::rlimit64 { rlim_cur: 0, rlim_max: libc::RLIM64_INFINITY };
    // SAFETY: the structures live through their calls.
    unsafe {
        let affinity = call(libc::SYS_sched_setaffinity, 0, mask.len(), mask.as_ptr() as usize, 0, 0);
        check(Stage::Scheduling, affinity)?;
        let set = call(
            libc::SYS_sched_setscheduler,
            0,
            libc::SCHED_BATCH as usize,
            &raw const param as usize,
            0,
            0,
        );
        check(Stage::Scheduling, set)?;
        let core = libc::RLIMIT_CORE as usize;
        let mut old = no_core;
        call(libc::SYS_prlimit64, 0, core, 0, &raw mut old as usize, 0);
        let limit = libc::rlimit64 { rlim_cur: 0, rlim_max: old.rlim_max };
        call(libc::SYS_prlimit64, 0, core, &raw const limit as usize, 0, 0);
        let descriptors = &raw const orders.descriptors as usize;
        check(
            Stage::Scheduling,
            call(libc::SYS_prlimit64, 0, libc::RLIMIT_NOFILE as usize, descriptors, 0, 0),
        )?;
    }
    Ok(())
}

/// The program starts with every disposition at its default, whatever the harness ignores (Rust ignores SIGPIPE).
unsafe fn dispositions() {
    let default = [0u64; 4];
    for signal in 1..=64 {
        // SAFETY: `default` is a kernel sigaction (handler, flags, restorer, mask) of zeroes: SIG_DFL. SIGKILL and SIGSTOP
        // are refused, which is as well.
        unsafe { call(libc::SYS_rt_sigaction, signal, &raw const default as usize, 0, 8, 0) };
    }
}

/// Installs the filter and sends its listener to the supervisor.
unsafe fn supervised(orders: &Orders, uppers: Numbered) -> Result<(), (Stage, i32)> {
    let filter = &orders.filter;
    let program = sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
    let flags = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    let mode = libc::SECCOMP_SET_MODE_FILTER as usize;
    // SAFETY: `program` and what it points to live through the call.
    let fd = unsafe { call(libc::SYS_seccomp, mode, flags as usize, &raw const program as usize, 0, 0) };
    let listener = check(Stage::Filter, fd)?;
    let of_network = if orders.network.is_some() { network::opened()? } else { Default::default() };
    let mut first = [Some(listener); 1 + network::OPENED];
    first[1..].copy_from_slice(&of_network);
    hand_over(Kind::Ready, &first, uppers)
}

/// Descriptors to hand over, with numbers: the roots of folders that were covered.
#[derive(Clone, Copy)]
struct Numbered {
    fds: [usize; MOST_NUMBERED],
    count: usize,
    /// A bit for each that was: that of its number.
    mask: i32,
    /// Why the last of the others was not.
    errno: i32,
}

impl Numbered {
    const NONE: Numbered = Numbered { fds: [0; MOST_NUMBERED], count: 0, mask: 0, errno: 0 };

    fn all(covers: &[Cover], based: bool) -> Numbered {
        let mut uppers = Numbered::NONE;
        for (number, cover) in covers.iter().enumerate().filter(|_| based) {
            if cover.inside.is_some_and(|other| uppers.mask & (1 << other) != 0) {
                continue;
            }
            match overlay::mount(cover, number, BASE) {
                Ok(roots) => uppers.add(number, &roots),
                Err((_, errno)) => uppers.errno = errno,
            }
        }
        uppers
    }

    fn add(&mut self, number: usize, fds: &[usize]) {
        if let Some(slots) = self.fds.get_mut(self.count..self.count + fds.len()) {
            slots.copy_from_slice(fds);
            self.count += fds.len();
            self.mask |= 1 << number;
        }
    }
}

/// Mounts upper layers anew, in place of those that were written to.
fn renew(covers: &[Cover], numbers: &[i32]) -> Result<(), (Stage, i32)> {
    let chosen = |number: &i32| {
        let number = *number as usize;
        covers.get(number).map(|cover| (number, cover))
    };
    // The innermost first: one that is mounted within another goes with that.
    for (number, cover) in numbers.iter().rev().filter_map(chosen) {
        overlay::unmount(cover, number, BASE)?;
    }
    let mut uppers = Numbered::NONE;
    for (number, cover) in numbers.iter().filter_map(chosen) {
        uppers.add(number, &overlay::mount(cover, number, BASE)?);
    }
    hand_over(Kind::Fresh, &[], uppers)
}

fn renew_network(orders: &Orders) -> Result<(), (Stage, i32)> {
    let Some(settings) = &orders.network else { return Err((Stage::NetworkNamespace, libc::EINVAL)) };
    network::make(settings)?;
    hand_over(Kind::Network, &network::opened()?, Numbered::NONE)
}

/// What was made in the namespace of IPC objects goes with it, and numbers begin anew.
fn renew_ipc() -> Result<(), (Stage, i32)> {
    // SAFETY: no pointers.
    let made = unsafe { call(libc::SYS_unshare, libc::CLONE_NEWIPC as usize, 0, 0, 0, 0) };
    check(Stage::IpcNamespace, made)?;
    hand_over(Kind::Ipc, &[], Numbered::NONE)
}

/// Hands over what shows the IPC objects.
fn show_ipc() -> Result<(), (Stage, i32)> {
    let mut shown = Numbered::NONE;
    for (number, fd) in (0..ipc::COUNT).filter_map(|number| Some((number, ipc::open(number)?))) {
        shown.add(number, &[fd]);
    }
    hand_over(Kind::Ipc, &[], shown)
}

/// Sends descriptors to the supervisor, those of these that there are and then the numbered ones, and closes them here.
fn hand_over(kind: Kind, first: &[Option<usize>], uppers: Numbered) -> Result<(), (Stage, i32)> {
    let message = Report { kind, a: uppers.mask, b: uppers.errno };
    let data = libc::iovec { iov_base: (&raw const message).cast_mut().cast(), iov_len: size_of::<Report>() };
    // One control message: struct cmsghdr (16 bytes), the descriptors, padding (unix(7), cmsg(3)).
    const WORDS: usize = 2 + MOST_HANDED_OVER.div_ceil(2);
    let mut ancillary = [0u64; WORDS];
    ancillary[1] = (libc::SOL_SOCKET as u64) | ((libc::SCM_RIGHTS as u64) << 32);
    let fds = || first.iter().copied().flatten().chain(uppers.fds.into_iter().take(uppers.count));
    let mut count = 0;
    for fd in fds() {
        if let Some(word) = ancillary.get_mut(2 + count / 2) {
            *word |= (fd as u64) << (32 * (count % 2));
            count += 1;
        }
    }
    ancillary[0] = 16 + 4 * count as u64;
    // SAFETY: all-zero is a valid msghdr; the pointers put into it live through the call.
    let sent = unsafe {
        let mut header: libc::msghdr = std::mem::zeroed();
        header.msg_iov = (&raw const data).cast_mut();
        header.msg_iovlen = 1;
        header.msg_control = (&raw const ancillary).cast_mut().cast();
        header.msg_controllen = if count == 0 { 0 } else { 8 * (2 + count.div_ceil(2)) };
        call(libc::SYS_sendmsg, CONTROL, &raw const header as usize, libc::MSG_NOSIGNAL as usize, 0, 0)
    };
    for fd in fds() {
        // SAFETY: only a number.
        unsafe { call(libc::SYS_close, fd, 0, 0, 0, 0) };
    }
    check(Stage::HandOver, sent).map(drop)
}

/// Says so if something could not be done.
fn told(done: Result<(), (Stage, i32)>) {
    if let Err((stage, errno)) = done {
        report(Kind::Failed, stage as i32, errno);
    }
}

/// Obeys orders and reaps until the supervisor is gone.
fn serve(orders: &Orders) -> ! {
    loop {
        let mut fds = [
            libc::pollfd { fd: CONTROL as i32, events: libc::POLLIN, revents: 0 },
            libc::pollfd { fd: SIGNALS as i32, events: libc::POLLIN, revents: 0 },
            libc::pollfd { fd: GIVING_WAY[0] as i32, events: libc::POLLIN, revents: 0 },
        ];
        // SAFETY: `fds` lives through the call.
        unsafe { call(libc::SYS_poll, fds.as_mut_ptr() as usize, fds.len(), usize::MAX, 0, 0) };
        if fds[1].revents != 0 {
            let mut info = [0u8; 128];
            // SAFETY: `info` is one signalfd_siginfo and lives through the call. What it says does not matter.
            unsafe { call(libc::SYS_read, SIGNALS, info.as_mut_ptr() as usize, info.len(), 0, 0) };
            reap_ended();
        }
        if fds[2].revents != 0 {
            giving_way::take_turn(GIVING_WAY);
        }
        if fds[0].revents != 0 {
            match order::receive(CONTROL) {
                (order::GO, Some([]), _) => match orders.roots.first() {
                    Some(root) => program(root, orders),
                    None => exit(0),
                },
                (order::CLIENT, Some([number]), Some(outputs)) => {
                    let Some(root) = orders.roots.get(*number as usize) else { exit(0) };
                    client(root, orders, outputs);
                }
                (order::END, Some(pids), _) => end_all(pids),
                (order::FRESH, Some(numbers), _) => told(renew(&orders.covers, numbers)),
                (order::NETWORK, Some([]), _) => told(renew_network(orders)),
                (order::IPC, Some([]), _) => told(show_ipc()),
                (order::FRESH_IPC, Some([]), _) => told(renew_ipc()),
                _ => exit(0),
            }
        }
    }
}

/// Starts the program, on a terminal if it is to have one.
fn program(root: &Root, orders: &Orders) {
    if orders.terminal
        && let Err((stage, errno)) =
            pty::pair(TERMINAL).and_then(|person| hand_over(Kind::Terminal, &[Some(person)], Numbered::NONE))
    {
        report(Kind::Failed, stage as i32, errno);
        return;
    }
    started(root, orders, [STDOUT, STDERR], true);
    if orders.terminal {
        // SAFETY: only a number.
        unsafe { call(libc::SYS_close, TERMINAL, 0, 0, 0, 0) };
    }
}

/// Starts a client with these outputs.
fn client(root: &Root, orders: &Orders, outputs: [usize; 2]) {
    // They come at the lowest free numbers, which are those of a program's own standard files.
    let away = outputs.map(|fd| {
        let request = libc::F_DUPFD_CLOEXEC as usize;
        // SAFETY: only numbers.
        let moved = unsafe { call(libc::SYS_fcntl, fd, request, FIRST_FREE, 0, 0) };
        // SAFETY: only a number.
        unsafe { call(libc::SYS_close, fd, 0, 0, 0, 0) };
        check(Stage::Descriptors, moved)
    });
    match away {
        [Ok(stdout), Ok(stderr)] => started(root, orders, [stdout, stderr], false),
        [Err((stage, errno)), _] | [_, Err((stage, errno))] => report(Kind::Failed, stage as i32, errno),
    }
    for fd in away.into_iter().flatten() {
        // SAFETY: only a number.
        unsafe { call(libc::SYS_close, fd, 0, 0, 0, 0) };
    }
}

/// Starts a program, the `first` of a run with the first pid, and on its terminal if there is one.
fn started(root: &Root, orders: &Orders, outputs: [usize; 2], first: bool) {
    let terminal = (first && orders.terminal).then_some(TERMINAL);
    let start = Start { root, outputs, terminal };
    if let Err((stage, errno)) = start.start(first.then_some(PIDS)) {
        report(Kind::Failed, stage, errno);
    }
}

#[cfg(test)]
mod tests;
