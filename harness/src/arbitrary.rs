//! Strategies for whole scenarios, traces and runs, for the tests that hold for any value.

use crate::build::Build;
use crate::checks::Rule;
use crate::client::{Client, Line};
use crate::program::{Launch, Limits, Program};
use crate::scenario::{
    Exit, Expect, ExpectedFiles, Explore, Handlers, Known, Length, Scenario, Served, Strategy as Search,
    Text, Warned,
};
use crate::schedule::{
    Action, Label, Making, Point, Receiver, Schedule, Site, Step, Syscall, Target, ThreadName,
};
use crate::signal::{Signal, SignalSet};
use crate::trace::*;
use crate::world::{Clock, Files, Network, Start, World};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use std::path::PathBuf;
use std::time::Duration;

/// Texts with what a file format can get wrong: quotes, newlines, backslashes, controls, any Unicode.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{0,6}",
        "\\PC{0,6}",
        vec(any::<char>(), 0..6).prop_map(|chars| chars.into_iter().collect()),
        Just("\"#\"##\n\r\t\\0\0\u{1b}[31m//*/".to_owned()),
    ]
}

fn thread() -> impl Strategy<Value = ThreadName> {
    (0u32..3, vec(1u32..4, 0..3), 1u32..4).prop_map(|(root, line, nth)| {
        line.into_iter().fold(ThreadName::client(root), |name, n| name.child(n)).thread(nth)
    })
}

fn process() -> impl Strategy<Value = ThreadName> {
    thread().prop_map(|name| name.process())
}

fn signal() -> impl Strategy<Value = Signal> {
    (1..=64).prop_filter_map("a signal", Signal::from_number)
}

fn signals() -> impl Strategy<Value = SignalSet> {
    any::<u64>().prop_map(SignalSet)
}

fn syscall() -> impl Strategy<Value = Syscall> {
    prop_oneof![0u32..450, any::<u32>()].prop_map(Syscall)
}

fn site() -> impl Strategy<Value = Site> {
    prop_oneof![
        syscall().prop_map(Site::Before),
        syscall().prop_map(Site::Entering),
        Just(Site::After(Making::Fork)),
        "[a-z_]{1,8}(\\+0x[1-9a-f]{1,3})?".prop_map(|place| Site::At(Label::new(&place))),
        syscall().prop_map(Site::In),
        Just(Site::Quiet),
        "[a-zé\" ]{1,9}".prop_filter_map("a name", |name| name.parse().ok().map(Site::Probe))
    ]
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        Just(Action::Switch(Target::All)),
        Just(Action::Switch(Target::Children)),
        thread().prop_map(|to| Action::Switch(Target::To(to))),
        signal().prop_map(Action::Send),
        signal().prop_map(Action::SendGroup),
        text().prop_filter_map("keys", |text| text.parse().ok().map(Action::Type)),
        any::<(u16, u16)>().prop_map(|(columns, rows)| Action::Resize(columns, rows)),
        Just(Action::HangUp),
        Just(Action::Fire)
    ]
}

fn step() -> impl Strategy<Value = Step> {
    (site(), thread(), 1..u32::MAX, action()).prop_map(|(at, thread, nth, action)| Step {
        at,
        thread,
        nth,
        action,
    })
}

fn schedule() -> impl Strategy<Value = Schedule> {
    vec(step(), 0..4).prop_map(|steps| Schedule { steps })
}

fn exit() -> impl Strategy<Value = Exit> {
    let leaf = || prop_oneof![(0..256).prop_map(Exit::Code), signal().prop_map(Exit::Signal)];
    prop_oneof![leaf(), vec(leaf(), 1..3).prop_map(Exit::OneOf)]
}

fn wanted() -> impl Strategy<Value = Text> {
    prop_oneof![text().prop_map(Text::Is), "[a-z.*]{1,4}".prop_map(|end| Text::Matches(format!("a{end}")))]
}

prop_compose! {
    fn limits()(
        time in 1u64..1_000_000_000, cpu in 1u64..1_000_000_000, clock in 1u64..1_000_000_000, points in 1..u64::MAX, turn in 1..u32::MAX,
        processes in 1..u32::MAX, output in 1..u64::MAX, files in 1..u64::MAX
    ) -> Limits {
        Limits { time: Duration::from_micros(time), cpu: Duration::from_micros(cpu), clock: Duration::from_micros(clock), points, turn, processes, output, files }
    }
}

fn world() -> impl Strategy<Value = World> {
    let network = proptest::sample::select(vec![Network::Own, Network::Host]);
    let clock = proptest::sample::select(vec![Clock::Virtual, Clock::Real]);
    let start = option::of(any::<(u32, u32)>().prop_map(|(realtime, uptime)| Start { realtime, uptime }));
    // Boxed, because a strategy of many parts is large, and lives on the stack.
    let files = proptest::sample::select(vec![Files::Own, Files::Host, Files::All]);
    (network, clock, files, start, vec(client(), 0..2), any::<bool>())
        .prop_map(|(network, clock, files, start, clients, tty)| World {
            network,
            clock,
            files,
            start,
            clients,
            tty,
        })
        .boxed()
}

fn line() -> impl Strategy<Value = Line> {
    prop_oneof![
        given().prop_map(Line::Send),
        "[a-z\"]{1,4}".prop_map(Line::Expect),
        Just(Line::WaitEof),
        Just(Line::Receive),
        Just(Line::Drain)
    ]
}

/// Only those with which nothing is wrong.
fn client() -> impl Strategy<Value = Client> {
    let connect = prop_oneof!["tcp:[1-9][0-9]{0,3}", "unix:[a-z/]{1,9}"].prop_map(Line::Connect);
    prop_oneof![
        ("[a-z]{1,6}", vec(given(), 0..2))
            .prop_map(|(name, words)| Client::Command([name].into_iter().chain(words).collect())),
        (connect, vec(line(), 0..3)).prop_map(|(connect, lines)| {
            Client::Script([connect].into_iter().chain(lines).chain([Line::Close]).collect())
        }),
    ]
}

fn served() -> impl Strategy<Value = Served> {
    (exit(), option::of(wanted())).prop_map(|(exit, stdout)| Served { exit, stdout })
}

fn broken() -> impl Strategy<Value = Broken> {
    proptest::sample::select(crate::judge::kinds().collect::<Vec<_>>())
}

fn rule() -> impl Strategy<Value = Rule> {
    proptest::sample::select(Rule::ALL.to_vec())
}

fn handlers() -> impl Strategy<Value = Handlers> {
    prop_oneof![Just(Handlers::Nothing), Just(Handlers::All), vec(rule(), 1..3).prop_map(Handlers::Only),]
}

prop_compose! {
    fn warned()(rule in rule(), line in "[a-z]{1,4}[.]c:[1-9]") -> Warned {
        Warned { rule, line }
    }
}

prop_compose! {
    fn files()(left in option::of(vec(glob(), 0..3)), same in vec(glob(), 0..3)) -> ExpectedFiles {
        ExpectedFiles { left, same }
    }
}

fn glob() -> impl Strategy<Value = String> {
    "[a-z*?]{1,4}(/[a-z]{1,3}){0,2}".prop_filter("`**` stands alone", |glob| !glob.contains("**"))
}

prop_compose! {
    pub(crate) fn expect()(
        exit in option::of(exit()), stdout in option::of(wanted()), stderr in option::of(wanted()),
        zombies in option::of(0u32..3), orphans in option::of(0u32..3), exec_blocked in option::of(0u32..3), idle: bool, uninterrupted: bool, (heeded, paired, atomic, closed) in any::<(bool, bool, bool, bool)>(), handlers in handlers(), files in option::of(files()), descriptors in option::of(0u32..3),
        clients in vec(served(), 0..2), terminal in (any::<bool>(), option::of(process())),
        within in option::of((0u64..1_000_000_000).prop_map(|nanos| Length(Duration::from_nanos(nanos))))
    ) -> Expect {
        let (restored, foreground) = terminal;
        Expect { exit, stdout, stderr, zombies, orphans, clients, exec_blocked, idle, uninterrupted, heeded, paired, atomic, handlers, within, files, descriptors, closed, restored, foreground }
    }
}

fn search() -> impl Strategy<Value = Search> {
    (proptest::sample::select(Search::KINDS.to_vec()), 1u32..4, 1u64..9, any::<bool>()).prop_map(
        |(kind, number, runs, limited)| {
            let strategy = kind.strategy(Some(number), runs);
            if limited { strategy.with_runs(runs) } else { strategy }
        },
    )
}

prop_compose! {
    fn explore()(
        send in vec(signal(), 0..3), send_to in (process(), any::<bool>()), points in vec(site(), 0..3),
        from in option::of((process(), 1u32..9)), sweep in vec("[a-z_]{1,8}", 0..2), sweep_all: bool,
        strategy in vec(search(), 1..3)
    ) -> Explore {
        let (process, group) = send_to;
        let send_to = Receiver { process, group };
        let from = from.map(|(thread, nth)| Point { thread, site: Site::Before(syscalls::Sysno::openat.into()), nth });
        Explore { send, send_to, person: Vec::new(), always: true, points, from, sweep, sweep_all, strategy }
    }
}

prop_compose! {
    fn known()(breaks in broken(), first in step(), rest in schedule()) -> Known {
        let mut schedule = rest;
        schedule.steps.push(first);
        Known { breaks, schedule }
    }
}

fn build() -> impl Strategy<Value = Build> {
    vec(prop::sample::select(vec!["-O0", "-O2", "-static", "-DX=1", "-fno-pie"]), 1..3)
        .prop_map(|flags| flags.join(" ").parse().expect("these are flags for a build"))
}

/// Only scenarios that pass every check.
pub(crate) fn scenario() -> impl Strategy<Value = Scenario> {
    let name = "[a-z/]{1,6}";
    let program = prop_oneof![
        vec(name, 1..3).prop_map(|words| (Program::Command(words), Vec::new(), Vec::new())),
        (name, vec("[^\0]{0,4}", 0..3), btree_set(build(), 0..3)).prop_map(|(file, args, builds)| {
            (Program::Source(file.into()), args, builds.into_iter().collect())
        })
    ];
    let places = (option::of(name), option::of(name), btree_map("[A-Z]{1,3}", "[^\0]{0,4}", 0..3));
    let known = (vec(known(), 0..3), vec(warned(), 0..3), vec(name.prop_map(Into::into), 0..3));
    (program, places, explore(), (limits(), world()), expect().boxed(), known).prop_map(
        |(
            (program, args, builds),
            (stdin, cwd, env),
            explore,
            (limits, World { network, clock, files, clients, tty, .. }),
            expect,
            (finds, warns, kept),
        )| {
            // Of the machine's files nothing can be expected.
            let expect = Expect { files: expect.files.filter(|_| files != Files::Host), ..expect };
            let expect = Expect {
                restored: expect.restored && tty,
                foreground: expect.foreground.filter(|_| tty),
                ..expect
            };
            Scenario {
                program,
                builds,
                args,
                env,
                stdin: stdin.map(Into::into),
                cwd: cwd.map(Into::into),
                explore,
                limits,
                network,
                clock,
                files,
                client: Vec::new(),
                clients,
                tty,
                expect,
                finds,
                warns,
                kept,
            }
        },
    )
}

fn status() -> impl Strategy<Value = Status> {
    prop_oneof![any::<i32>().prop_map(Status::Exited), signal().prop_map(Status::Killed)]
}

fn what() -> impl Strategy<Value = What> {
    prop_oneof![
        text().prop_map(What::Exec),
        (site(), any::<u32>()).prop_map(|(site, nth)| What::Go(site, nth)),
        action().prop_map(What::Step),
        (syscall(), any::<u32>()).prop_map(|(call, nth)| What::Sleep(call, nth)),
        thread().prop_map(What::Make),
        signal().prop_map(What::Signal),
        Just(What::Stop),
        Just(What::Continue),
        syscall().prop_map(What::Expire),
        signal().prop_map(What::Fire),
        (syscall(), text()).prop_map(|(call, why)| What::Refuse(call, why)),
        (site(), text()).prop_map(|(site, why)| What::NotHeld(site, why)),
        status().prop_map(What::End),
    ]
}

prop_compose! {
    fn event()(thread in thread(), what in what(), others in vec(thread(), 0..3)) -> Event {
        Event { thread, what, others: others.into() }
    }
}

fn output() -> impl Strategy<Value = Output> {
    let cut = (vec(any::<u8>(), 0..9), 1..u64::MAX, "[0-9a-f]{64}");
    prop_oneof![
        text().prop_map(Output::Text),
        vec(any::<u8>(), 0..9).prop_map(Output::from),
        cut.prop_map(|(first, left_out, digest)| Output::Cut { first, left_out, digest }),
    ]
}

prop_compose! {
    fn sleeper()(thread in thread(), call in syscall(), caught in signals(), why in text()) -> Sleeper {
        Sleeper { thread, call, caught, why }
    }
}

prop_compose! {
    fn row()(
        process in process(), parent in option::of(process()), stat in proptest::char::range('A', 'Z'), command in text(),
        pending in signals(), blocked in signals(), caught in signals()
    ) -> Row {
        Row { process, parent, stat, command, pending, blocked, caught }
    }
}

prop_compose! {
    fn exec_blocked()(process in process(), file in text(), signals in vec(signal(), 1..3)) -> ExecBlocked {
        ExecBlocked { process, file, signals }
    }
}

prop_compose! {
    fn client_end()(
        client in thread(), command in text(), status in option::of(status()), stdout in output(), stderr in output()
    ) -> ClientEnd {
        ClientEnd { client: client.process(), command, status, stdout, stderr }
    }
}

fn leftover() -> impl Strategy<Value = Leftover> {
    (process(), prop_oneof![Just(LeftHow::Zombie), Just(LeftHow::Orphan)])
        .prop_map(|(process, how)| Leftover { process, how })
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        status().prop_map(End::Ended),
        vec(sleeper(), 0..3).prop_map(End::Hang),
        vec(sleeper(), 0..3).prop_map(End::Idle),
        Just(End::Stopped),
        text().prop_map(End::Spinning),
        vec(sleeper(), 0..3).prop_map(End::Stalled),
        Just(End::TimedOut),
    ]
}

fn terminal() -> impl Strategy<Value = TerminalLeft> {
    let group = prop_oneof![
        process().prop_map(Foreground::Group),
        process().prop_map(Foreground::Ended),
        Just(Foreground::Nobody)
    ];
    (option::of(vec("[a-z=-]{1,5}", 0..3)), option::of(group))
        .prop_map(|(modes, foreground)| TerminalLeft { modes, foreground })
}

fn object() -> impl Strategy<Value = Object> {
    let digest = || option::of("[0-9a-f]{64}");
    prop_oneof![
        (any::<u64>(), digest(), any::<bool>()).prop_map(|(size, digest, cut)| Object::File {
            size,
            digest,
            cut
        }),
        Just(Object::Folder),
        text().prop_map(Object::MovedFolder),
        text().prop_map(Object::Link),
        Just(Object::Fifo),
        Just(Object::Socket),
        Just(Object::Device),
        any::<u64>().prop_map(Object::SharedMemory),
        any::<u64>().prop_map(Object::Semaphores),
        any::<u64>().prop_map(Object::Queue),
    ]
}

fn changing() -> impl Strategy<Value = Changing> {
    prop_oneof![
        object().prop_map(Changing::Made),
        object().prop_map(Changing::Changed),
        Just(Changing::Removed)
    ]
}

fn opens() -> impl Strategy<Value = Vec<Open>> {
    let one = (process(), vec(text(), 1..3));
    vec(one.prop_map(|(process, descriptors)| Open { process, descriptors }), 0..2)
}

prop_compose! {
    fn remains()(
        changes in vec((text(), changing(), any::<bool>()), 0..3), more: u64,
        (open, held) in (opens(), opens())
    ) -> Remains {
        let changes = changes.into_iter().map(|(name, how, before_signal)| Change { name, how, before_signal }).collect();
        Remains { changes, more, open, held }
    }
}

prop_compose! {
    fn outcome()(
        end in end(), roused in vec(sleeper(), 0..2), stdout in output(), stderr in output(), leftover in vec(leftover(), 0..3),
        unwaited in vec(process(), 0..2), exec_blocked in vec(exec_blocked(), 0..2), table in vec(row(), 0..3), remains in remains(), clients in vec(client_end().boxed(), 0..2),
        took in (0u64..1_000_000_000, 0u64..1_000_000_000), terminal in option::of(terminal())
    ) -> Outcome {
        let took = Took { whole: Duration::from_micros(took.0), after: Duration::from_micros(took.1), expired: Duration::from_micros(took.1 / 2) };
        Outcome { end, stdout, stderr, clients, roused, leftover, unwaited, exec_blocked, table, took, remains, terminal }
    }
}

prop_compose! {
    pub(crate) fn run()(schedule in schedule(), events in vec(event(), 0..6), outcome in outcome().boxed()) -> Run {
        Run { schedule, events: events.into(), outcome, reached: Vec::new(), lapses: Vec::new(), first_quiet: Vec::new(), unreached: Vec::new(), merged: Vec::new(), shares_memory: false, taint: None, verdict_after: Default::default() }
    }
}

prop_compose! {
    fn frame()(
        function in option::of(text()), offset: u64, file in option::of(text()), line in option::of(any::<u32>()),
        module in option::of(text()), foreign: bool, inlined in vec((text(), option::of(text()), option::of(any::<u32>())), 0..2),
        signal: bool, instruction in option::of(text())
    ) -> Frame {
        let inlined = inlined.into_iter().map(|(function, file, line)| InlinedCall { function, file, line }).collect();
        Frame { function, offset, file, line, module, foreign, inlined, signal, instruction }
    }
}

prop_compose! {
    fn whereabouts()(
        at in prop_oneof![(0usize..6).prop_map(Moment::Event), Just(Moment::Crash), Just(Moment::End)], thread in thread(),
        stack in vec(frame(), 0..4), complete: bool
    ) -> Whereabouts {
        Whereabouts { at, thread, stack, complete }
    }
}

/// What a program can be given.
fn given() -> impl Strategy<Value = String> {
    text().prop_map(|text| text.replace('\0', "0"))
}

fn path() -> impl Strategy<Value = PathBuf> {
    given().prop_map(|text| format!("/{text}").into())
}

prop_compose! {
    fn launch()(
        file in path(), argv in vec(given(), 1..3), env in btree_map(given(), given(), 0..3), cwd in path(),
        stdin in option::of(path()), source in option::of(path()), build in option::of(build())
    ) -> Launch {
        let env = env.into_iter().map(|(name, value)| (format!("N{}", name.replace('=', "_")), value)).collect();
        Launch { file, argv, env, cwd, stdin, source, build }
    }
}

fn call_result() -> impl Strategy<Value = CallResult> {
    prop_oneof![
        text().prop_map(CallResult::Failed),
        any::<i64>().prop_map(CallResult::Number),
        any::<(u64, u64)>().prop_map(|(done, asked)| CallResult::Bytes(done, asked)),
        thread().prop_map(CallResult::Process),
        signal().prop_map(CallResult::Signal),
    ]
}

prop_compose! {
    fn seen_call()(
        event in 0usize..8, sends in option::of((signal(), vec(thread(), 0..3))),
        returned in option::of((0usize..8, call_result()).prop_map(|(by, result)| Returned { by, result }))
    ) -> SeenCall {
        SeenCall { event, sends, returned }
    }
}

prop_compose! {
    fn handled()(by in 0usize..8, thread in thread(), signal in signal(), since in option::of(0usize..8)) -> Handled {
        Handled { by, thread, signal, since }
    }
}

prop_compose! {
    fn seen()(calls in vec(seen_call(), 0..4), handlers in vec(handled(), 0..4)) -> Seen {
        Seen { calls, handlers }
    }
}

prop_compose! {
    pub(crate) fn trace()(
        words in [text(), text(), text(), text()], launch in launch(), seed: u64, limits in limits(), world in world(),
        shared in vec(text(), 0..2), always: bool, breaks in vec(broken(), 0..3), search in option::of(text()), run in run(), places in vec(whereabouts(), 0..4),
        seen in seen(), reference in option::of((self::run(), vec(whereabouts(), 0..4), self::seen()))
    ) -> Trace {
        let [sigrace, kernel, arch, digest] = words;
        let Run { schedule, events, outcome, .. } = run;
        let reference = reference.and_then(|(run, places, seen)| ReferenceRun::of(&run, places, seen));
        Trace { sigrace, kernel, arch, launch, digest, seed, limits, world, shared, always, breaks, search, schedule, events: events.to_vec(), outcome, places, seen, reference }
    }
}
