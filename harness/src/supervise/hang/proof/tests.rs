use super::*;
use crate::signal::Signal;
use syscalls::Sysno;

fn sleeping(call: Sysno, sources: Vec<Source>) -> Sleeping {
    let caught = SignalSet::only(Signal::TERM);
    Sleeping { thread: ThreadName::root(), call: call.into(), caught, signalled: false, sources }
}

fn of(call: Sysno, sources: Vec<Source>) -> Proof {
    prove(&Snapshot { sleepers: vec![sleeping(call, sources)], ..Snapshot::default() })
}

#[derive(Debug, PartialEq)]
enum Short {
    Hang,
    Idle,
    Stopped,
    Time,
    NotYet,
}

fn short(proof: &Proof) -> Short {
    match proof {
        Proof::Hang(_) => Short::Hang,
        Proof::Idle(_) => Short::Idle,
        Proof::Stopped => Short::Stopped,
        Proof::Time => Short::Time,
        Proof::NotYet(_) => Short::NotYet,
    }
}

/// A row for each kind of sleep of signal(7)'s two lists, and for those that it does not have.
#[test]
fn each_kind_of_sleep_has_its_verdict() {
    use Short::{Hang, Idle, Time};
    use Sysno as S;
    let fd = |kind: Kind| vec![Source::Descriptor(3, kind)];
    let rows = [
        // Restarted or not by SA_RESTART.
        (S::read, fd(Kind::Pipe), Hang),
        (S::read, fd(Kind::Event), Hang),
        (S::read, fd(Kind::Signals), Hang),
        (S::read, fd(Kind::Timer(false)), Hang),
        (S::read, fd(Kind::Timer(true)), Time),
        (S::read, fd(Kind::File("/dev/pts/3".to_owned())), Idle),
        (S::read, fd(Kind::File("/tmp/fifo".to_owned())), Idle),
        (S::read, fd(Kind::File("anon_inode:inotify".to_owned())), Idle),
        (S::write, fd(Kind::Pipe), Hang),
        (S::write, fd(Kind::Output), Time),
        (S::close, vec![Source::Time], Time),
        (S::open, vec![Source::Opening], Idle),
        (S::wait4, vec![Source::Child], Hang),
        (S::waitid, vec![Source::Child], Hang),
        (S::accept, fd(Kind::Listening), Idle),
        (S::connect, fd(Kind::Connecting), Time),
        (S::recvmsg, fd(Kind::Inside), Hang),
        (S::recvfrom, fd(Kind::Outside), Idle),
        (S::recvfrom, fd(Kind::Connected), Hang),
        (S::recvfrom, fd(Kind::Timed), Time),
        (S::sendto, fd(Kind::Timed), Time),
        (S::flock, vec![Source::Lock], Idle),
        (S::fcntl, vec![Source::Lock], Idle),
        (S::mq_timedreceive, vec![Source::Queue], Hang),
        (S::mq_timedsend, vec![Source::Queue, Source::Time], Time),
        (S::futex, vec![Source::Futex], Hang),
        (S::futex, vec![Source::FutexOf("/dev/shm/sem.one".to_owned())], Idle),
        (S::futex, vec![Source::Futex, Source::Time], Time),
        (S::ioctl, vec![Source::Unknown], Idle),
        // Never restarted.
        (S::pause, vec![Source::Signal], Hang),
        (S::rt_sigsuspend, vec![], Hang),
        (S::rt_sigtimedwait, vec![Source::Signal], Hang),
        (S::rt_sigtimedwait, vec![Source::Signal, Source::Time], Time),
        (S::poll, fd(Kind::Pipe), Hang),
        (S::poll, vec![Source::Time], Time),
        (S::ppoll, vec![], Hang),
        (S::select, fd(Kind::Inside), Hang),
        (S::pselect6, vec![Source::Descriptor(3, Kind::Pipe), Source::Descriptor(4, Kind::Listening)], Idle),
        (S::epoll_wait, fd(Kind::EmptySet), Hang),
        (S::epoll_pwait, fd(Kind::Process), Hang),
        (S::msgrcv, vec![Source::Ipc], Hang),
        (S::semop, vec![Source::Ipc], Hang),
        (S::semtimedop, vec![Source::Ipc, Source::Time], Time),
        (S::nanosleep, vec![Source::Time], Time),
        (S::clock_nanosleep, vec![Source::Time], Time),
        (S::io_getevents, vec![Source::Requests], Time),
        // In neither list.
        (S::vfork, vec![Source::Offspring], Hang),
        (S::futex_waitv, vec![Source::Futex, Source::Time], Time),
        (S::restart_syscall, vec![Source::Time], Time),
        (S::read, fd(Kind::Unknown), Idle),
    ];
    for (call, sources, right) in rows {
        let proof = of(call, sources.clone());
        assert_eq!(short(&proof), right, "{call:?} {sources:?}");
    }
}

#[test]
fn what_knows_least_decides_for_all() {
    let pause = || sleeping(Sysno::pause, vec![Source::Signal]);
    let accept = sleeping(Sysno::accept, vec![Source::Descriptor(5, Kind::Listening)]);
    let sleep = sleeping(Sysno::nanosleep, vec![Source::Time]);
    let of = |sleepers: Vec<Sleeping>| prove(&Snapshot { sleepers, ..Snapshot::default() });
    assert_eq!(short(&of(vec![pause(), pause()])), Short::Hang);
    assert_eq!(short(&of(vec![pause(), accept.clone()])), Short::Idle);
    assert_eq!(short(&of(vec![pause(), accept, sleep])), Short::Time);
    let Proof::Hang(told) = of(vec![pause()]) else { panic!("no hang") };
    assert!(told[0].caught.contains(Signal::TERM) && told[0].why.contains("a signal"), "{told:?}");
}

#[test]
fn nothing_is_claimed_while_something_is_on_its_way() {
    let pause = sleeping(Sysno::pause, vec![Source::Signal]);
    let signalled = Sleeping { signalled: true, ..pause.clone() };
    let of = |snapshot: Snapshot| short(&prove(&snapshot));
    assert_eq!(of(Snapshot { sleepers: vec![signalled], ..Snapshot::default() }), Short::NotYet);
    let sleepers = || vec![pause.clone()];
    assert_eq!(of(Snapshot { sleepers: sleepers(), in_flight: true, ..Snapshot::default() }), Short::Time);
    assert_eq!(of(Snapshot { sleepers: sleepers(), stopped: true, ..Snapshot::default() }), Short::Stopped);
    // A socket that signals its owner by itself: anybody may write to it. A pipe of the run's own: nobody is left to.
    let signals = |kind| {
        let asynchronous = vec![(ThreadName::root(), Source::Descriptor(4, kind))];
        prove(&Snapshot { sleepers: sleepers(), asynchronous, ..Snapshot::default() })
    };
    assert_eq!(short(&signals(Kind::Pipe)), Short::Hang);
    let Proof::Idle(told) = signals(Kind::Outside) else { panic!("not idle") };
    assert!(told[0].why.contains("descriptor 4"), "{told:?}");
}

#[test]
fn time_that_only_clients_wait_for_proves_no_hang_and_hides_no_other_wait() {
    let with = |program: Vec<Source>, client: Vec<Source>| {
        let mut sleepers = vec![sleeping(Sysno::accept, program), sleeping(Sysno::poll, client)];
        sleepers[1].thread = ThreadName::client(1);
        let snapshot = Snapshot { sleepers, ..Snapshot::default() };
        short(&prove(&snapshot.without_time_of_clients()))
    };
    assert_eq!(with(vec![Source::Signal], vec![Source::Time]), Short::Idle);
    assert_eq!(with(vec![Source::Signal], vec![Source::Child]), Short::Hang);
    assert_eq!(with(vec![Source::Time], vec![Source::Time]), Short::Time);
    // What no client could bring about does not wait for what it does when its time is over.
    let [pipe, connection] = [Kind::Pipe, Kind::Connected].map(|kind| Source::Descriptor(3, kind));
    let asks = vec![connection.clone(), Source::Time];
    assert_eq!(with(vec![pipe.clone()], asks.clone()), Short::Hang);
    assert_eq!(with(vec![connection], asks), Short::Idle);
    assert_eq!(with(vec![pipe], vec![Source::Time]), Short::Idle);
}
