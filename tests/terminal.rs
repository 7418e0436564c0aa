//! A terminal of a run: what a program sees of it, what a person does at it, and what is told of it.

mod supervised;

use sigrace::copies;
use sigrace::schedule::{Action, Point, Schedule, Site, Step, ThreadName};
use sigrace::signal::Signal;
use sigrace::supervise::{Settings, Supervise, Supervisor};
use sigrace::trace::{End, Foreground, Run, Status, TerminalLeft, What};
use sigrace::world::World;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Works with a supervisor of these words, on a terminal.
fn on_terminal<T: Send>(words: &[&str], work: impl FnOnce(&mut Supervisor) -> T + Send) -> T {
    let launch = supervised::launch(words, Path::new("/"));
    let world = World { tty: true, ..World::default() };
    supervised::with_settings(Settings { world, ..Settings::of(launch) }, work)
}

fn shell<T: Send>(script: &str, work: impl FnOnce(&mut Supervisor) -> T + Send) -> T {
    on_terminal(&["sh", "-c", script], work)
}

/// A run that the machine's load has not disturbed.
#[track_caller]
fn run(supervisor: &mut Supervisor, steps: &[Step]) -> Run {
    let schedule = Schedule { steps: steps.to_vec() };
    let mut runs = (0..12).map(|_| supervisor.run(&schedule).unwrap());
    let run = runs.find(|run| run.taint.is_none()).expect("not every run is tainted");
    assert_eq!(run.unreached, [], "{:?}", run.outcome);
    run
}

/// Two runs of one schedule that went alike.
#[track_caller]
fn assert_same(one: &Run, other: &Run) {
    let differ = one.events.iter().zip(other.events.iter()).position(|(one, other)| one != other);
    let around = |run: &Run| {
        run.events.iter().skip(differ.unwrap_or(0).saturating_sub(2)).take(4).cloned().collect::<Vec<_>>()
    };
    assert!(
        differ.is_none() && one.events.len() == other.events.len(),
        "{:?}\n{:?}",
        around(one),
        around(other)
    );
    assert_eq!(screen(one), screen(other));
}

fn screen(run: &Run) -> String {
    String::from_utf8_lossy(run.outcome.stdout.bytes()).into_owned()
}

fn left(run: &Run) -> &TerminalLeft {
    run.outcome.terminal.as_ref().expect("the run had a terminal")
}

fn typed(keys: &str) -> Action {
    Action::Type(keys.parse().unwrap())
}

/// This, when everything sleeps for the nth time.
fn when_quiet(nth: u32, action: Action) -> Step {
    Step::new(Point { thread: ThreadName::root(), site: Site::Quiet, nth }, action)
}

fn at(thread: &str, site: &str, nth: u32, action: Action) -> Step {
    Step::new(Point { thread: thread.parse().unwrap(), site: ron::from_str(site).unwrap(), nth }, action)
}

const EXITED: End = End::Ended(Status::Exited(0));

#[test]
fn the_first_process_leads_a_session_on_a_terminal_of_its_own() {
    let script = "tty; stty size; echo $TERM; read -r pid comm state ppid group session tty front rest </proc/self/stat; \
                  echo $((pid == group)) $((group == session)) $((session == front)); : </dev/tty; ls /dev/pts; stty -a";
    let [first, second] = shell(script, |supervisor| [run(supervisor, &[]), run(supervisor, &[])]);
    let text = screen(&first);
    assert!(text.starts_with("/dev/pts/0\r\n24 80\r\nvt100\r\n1 1 1\r\n0  ptmx\r\n"), "{text}");
    assert!(text.contains("isig icanon") && text.contains("echo echoe"), "{text}");
    assert_eq!((&first.events, &first.outcome), (&second.events, &second.outcome));
    assert_eq!(first.outcome.end, EXITED);
    assert_eq!(*left(&first), TerminalLeft { modes: Some(Vec::new()), foreground: None });
}

#[test]
fn what_is_typed_is_read_and_echoed() {
    shell("read a; stty -echo; read b; stty echo; echo \"[$a][$b]\"", |supervisor| {
        let run = run(supervisor, &[when_quiet(1, typed("onf^?e\n")), when_quiet(2, typed("two\n"))]);
        assert_eq!(screen(&run), "onf\u{8} \u{8}e\r\n[one][two]\r\n");
        assert_eq!(run.outcome.end, EXITED);
        // Nobody types: it waits for that, and nothing is wrong with it.
        let plain = self::run(supervisor, &[]);
        assert!(matches!(plain.outcome.end, End::Idle(_)), "{:?}", plain.outcome);
        assert_eq!(left(&plain).foreground, Some(Foreground::Group(ThreadName::root())));
        // Output that a person has stopped goes on when a person says so.
        let stopped =
            self::run(supervisor, &[when_quiet(1, typed("^Sone\n")), when_quiet(2, typed("two\n"))]);
        assert!(matches!(stopped.outcome.end, End::Idle(_)), "{:?}", stopped.outcome);
        assert_eq!(screen(&stopped), "");
        let on = [stopped.schedule.steps.clone(), vec![when_quiet(3, typed("^Q"))]].concat();
        let on = self::run(supervisor, &on);
        assert_eq!((screen(&on).as_str(), &on.outcome.end), ("one\r\n[one][two]\r\n", &EXITED));
        // The end of the input, and more than one can type at once.
        let ended = self::run(supervisor, &[when_quiet(1, typed("^D")), when_quiet(2, typed("^D"))]);
        assert_eq!(screen(&ended), "[][]\r\n");
    });
}

#[test]
fn a_key_signals_those_in_the_foreground_and_nothing_of_it_is_on_its_way_afterwards() {
    // The key comes behind a line that nobody has read yet, which it throws away, but not with noflsh.
    for (modes, says) in [("echo", "int\r\n[]"), ("noflsh", "int\r\n[line]")] {
        let script = format!("stty {modes}; trap 'echo int' INT; sleep 1; read a; echo \"[$a]\"");
        shell(&script, |supervisor| {
            let steps = [when_quiet(1, typed("line\n^C")), when_quiet(2, typed("^D"))];
            let first = run(supervisor, &steps[..if modes == "echo" { 2 } else { 1 }]);
            assert!(screen(&first).contains(says), "{modes}: {:?}", screen(&first));
            for _ in 0..20 {
                let other = run(supervisor, &first.schedule.steps.clone());
                assert_same(&other, &first);
            }
        });
    }
    for (keys, signal) in [("^C", "INT"), ("^\\", "QUIT"), ("^Z", "TSTP")] {
        shell(&format!("trap 'echo got {signal}; exit 3' {signal}; echo there; echo here"), |supervisor| {
            let run = run(supervisor, &[at("p0", "Before(write)", 2, typed(keys))]);
            assert_eq!(run.outcome.end, End::Ended(Status::Exited(3)), "{keys}: {:?}", run.outcome);
            assert!(screen(&run).ends_with(&format!("got {signal}\r\n")), "{}", screen(&run));
        });
    }
    // Where no key causes a signal it is a character like any other.
    shell("stty raw; dd bs=1 count=3 2>/dev/null | od -An -tx1", |supervisor| {
        let run = run(supervisor, &[when_quiet(1, typed("a^Cb"))]);
        assert!(screen(&run).contains("61 03 62"), "{}", screen(&run));
        assert!(left(&run).modes.as_ref().is_some_and(|modes| modes.contains(&"-isig".to_owned())));
    });
}

#[test]
fn what_a_program_types_at_a_terminal_of_its_own_is_waited_for_too() {
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("own_pty.c", &[], folder.path());
    // With a terminal of the run and without: then the machine's devpts has it.
    for tty in [true, false] {
        let launch = supervised::launch(&[program.to_str().unwrap()], folder.path());
        let world = World { tty, ..World::default() };
        supervised::with_settings(Settings { world, ..Settings::of(launch) }, |supervisor| {
            let first = run(supervisor, &[]);
            assert_eq!(first.outcome.end, End::Ended(Status::Exited(5)), "{:?}", first.outcome);
            for _ in 0..30 {
                assert_same(&run(supervisor, &[]), &first);
            }
        });
    }
}

#[test]
fn a_window_is_resized_and_closed() {
    shell("trap 'stty size; exit 4' WINCH; echo there; sleep 1000", |supervisor| {
        let run = run(supervisor, &[when_quiet(1, Action::Resize(40, 12))]);
        assert!(screen(&run).ends_with("12 40\r\n"), "{}", screen(&run));
    });
    shell("trap 'exit 5' HUP; read line", |supervisor| {
        let hung_up = run(supervisor, &[when_quiet(1, Action::HangUp)]);
        assert_eq!(hung_up.outcome.end, End::Ended(Status::Exited(5)));
        // Whoever reads on meets the end of it, and whoever types is not there.
        let both = [when_quiet(1, Action::HangUp), at("p0", "Before(exit_group)", 1, typed("x"))];
        let unreached = supervisor.run(&Schedule { steps: both.to_vec() }).unwrap().unreached;
        assert_eq!(unreached, both[1..]);
    });
    shell("trap '' HUP; read line; echo lost", |supervisor| {
        let run = run(supervisor, &[when_quiet(1, Action::HangUp)]);
        assert!(matches!(run.outcome.end, End::Ended(Status::Exited(_))), "{:?}", run.outcome);
    });
}

#[test]
fn the_modes_are_told_however_the_program_ends() {
    for (script, modes) in [
        ("stty -echo; exit 0", vec!["-echo"]),
        ("stty -echo; kill -9 $$", vec!["-echo"]),
        ("stty -echo intr x; stty echo", vec!["intr=x"]),
        ("stty -icanon min 3 time 0; read line", vec!["-icanon", "min=3", "time=0"]),
        ("stty raw; stty sane", vec![]),
    ] {
        let run = shell(script, |supervisor| run(supervisor, &[]));
        let told: Vec<&str> = left(&run).modes.as_ref().unwrap().iter().map(String::as_str).collect();
        // What stty(1) takes for sane has more in it than a terminal begins with.
        let sane = told.iter().all(|word| ["brkint", "-ixon", "imaxbel", "iutf8"].contains(word));
        assert!(told == modes || (script.ends_with("sane") && sane), "{script}: {told:?}");
    }
}

#[test]
fn who_is_in_the_foreground_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("foreground.c", &[], folder.path());
    let child = ThreadName::root().child(1);
    for (how, expected) in [
        ("ended", Foreground::Ended(child.clone())),
        ("taken", Foreground::Group(child)),
        ("given", Foreground::Group(ThreadName::root())),
    ] {
        let run = on_terminal(&[program.to_str().unwrap(), how], |supervisor| run(supervisor, &[]));
        assert_eq!(left(&run).foreground.as_ref(), Some(&expected), "{how}: {:?}", run.outcome.end);
        assert_eq!(matches!(run.outcome.end, End::Idle(_)), how != "ended", "{how}: {:?}", run.outcome.end);
    }
}

#[test]
fn a_shell_that_waits_while_its_job_is_stopped_waits_for_the_outside() {
    if !Path::new("/bin/bash").exists() {
        return;
    }
    on_terminal(&["bash", "--norc", "-ic", "sleep 1000; echo back; read line; fg"], |supervisor| {
        let stopped = run(supervisor, &[when_quiet(1, typed("^Z"))]);
        assert!(stopped.events.iter().any(|event| event.what == What::Stop), "{:?}", stopped.outcome);
        assert!(matches!(stopped.outcome.end, End::Idle(_)), "{:?}", stopped.outcome);
        assert!(screen(&stopped).contains("back"), "{}", screen(&stopped));
        assert_eq!(left(&stopped).foreground, Some(Foreground::Group(ThreadName::root())));
    });
    // One of the job stops, and another, which waits for it, handles the key.
    on_terminal(
        &["bash", "--norc", "-ic", "sh -c 'trap \"echo key\" TSTP; sleep 5; echo on'; true"],
        |supervisor| {
            let first = run(supervisor, &[when_quiet(1, typed("^Z"))]);
            assert!(first.events.iter().any(|event| event.what == What::Stop), "{:?}", first.outcome);
            for _ in 0..20 {
                assert_same(&run(supervisor, &first.schedule.steps.clone()), &first);
            }
        },
    );
}

#[test]
fn a_signal_to_a_process_group_reaches_all_of_it_and_nobody_else() {
    let script = "trap 'echo got it' USR1; (trap 'echo child; exit' USR1; sleep 1000) & setsid sleep 1 & sleep 1000; wait";
    let launch = supervised::launch(&["sh", "-c", script], Path::new("/"));
    supervised::with_settings(Settings::of(launch), |supervisor| {
        let usr1: Signal = "SIGUSR1".parse().unwrap();
        let group = run(supervisor, &[when_quiet(1, Action::SendGroup(usr1))]);
        let ended = |status| group.events.iter().filter(|event| event.what == What::End(status)).count();
        assert_eq!(ended(Status::Killed(usr1)), 2, "the sleeps in the group: {:?}", group.events);
        assert_eq!(screen(&group), "child\ngot it\n");
        for _ in 0..10 {
            assert_same(&run(supervisor, &group.schedule.steps.clone()), &group);
        }
    });
}

/// The command, in a folder of its own.
fn sigrace(words: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sigrace"));
    let ours = std::env::vars_os().map(|(name, _)| name);
    for name in ours.filter(|name| name.to_string_lossy().starts_with("SIGRACE_")) {
        command.env_remove(name);
    }
    copies::output(command.args(words).current_dir(folder)).unwrap()
}

/// A program that nobody has written a scenario for is typed at, resized and hung up by the search itself.
#[test]
fn a_search_does_by_itself_what_a_person_may_do() {
    let folder = tempfile::tempdir().unwrap();
    for (name, steps) in [
        ("working", "type \"^C\""),
        ("full_screen", "type \"^C\""),
        ("put_aside", "type \"^Z\""),
        ("key", "resize"),
        ("too_small", "resize"),
        ("hung_up", "hang up"),
    ] {
        let source = match name {
            "full_screen" | "put_aside" | "too_small" | "hung_up" => format!("../fixtures/broken/{name}.c"),
            _ => format!("../tests/programs/{name}.c"),
        };
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(source);
        let program = folder.path().join(name);
        let built =
            copies::output(Command::new("cc").args(["-g", "-O1", "-o"]).args([&program, &source])).unwrap();
        assert!(built.status.success());
        let program = format!("./{name}");
        let search = ["explore", "--tty", "--seed", "1", "--no-handler-checks", "--strategy", "exhaustive"];
        let words = [&search[..], &["--", &program]].concat();
        let output = sigrace(&words, folder.path());
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(
            output.status.code(),
            Some(100),
            "{name}: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(text.matches("finding:").count(), 1, "{text}");
        let minimal = text.split("minimal schedule, 1 step:").nth(1).unwrap_or_default();
        assert!(minimal.lines().nth(1).is_some_and(|line| line.contains(steps)), "{name}: {text}");
        // The trace says that there is a terminal, and its replay has one.
        let replay = text.lines().find_map(|line| line.strip_prefix("replay: sigrace replay ")).unwrap();
        assert!(fs::read_to_string(folder.path().join(replay)).unwrap().contains("tty: true"), "{replay}");
        let again = sigrace(&["replay", "--times", "20", replay], folder.path());
        assert_eq!(again.status.code(), Some(0), "{}", String::from_utf8_lossy(&again.stdout));
    }
}

/// What means something to a program is done in a search of its own, and what is thrown away is no finding.
#[test]
fn each_thing_that_a_person_does_is_a_search_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("asks.c", &[], folder.path());
    let search = ["explore", "--tty", "--seed", "1", "--no-handler-checks", "--runs", "60", "--"];
    let trap = "trap 'echo key' INT; trap 'exit 0' HUP; trap 'exit 1' TERM; read line; exit 0";
    let told = "typed \"^C\", hung up, typed \"^D\" and typed \"y\\n\"";
    for (command, told) in [
        (&["sh", "-c", trap][..], told),
        (&[program.to_str().unwrap(), "flush"], "typed \"^D\" and typed \"y\\n\""),
    ] {
        let output = sigrace(&[&search[..], command].concat(), folder.path());
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{text}");
        let first = text.lines().next().unwrap();
        assert_eq!(first, format!("{} is left alone at its terminal, and then in turn {told}", command[0]));
        assert!(text.contains(", typed \"^D\": pass, 0 findings"), "{text}");
        let left = text.lines().nth(1).is_some_and(|line| line == "not sent (--send): SIGTERM to p0");
        assert_eq!(left, command[0] == "sh", "{text}");
    }
}

#[test]
fn who_only_asks_on_after_a_hang_up_is_not_followed_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("asks.c", &[], folder.path());
    let hung_up = |times: &str| {
        on_terminal(&[program.to_str().unwrap(), times], |supervisor| {
            run(supervisor, &[when_quiet(1, Action::HangUp)])
        })
    };
    assert_eq!(hung_up("1500").outcome.end, EXITED);
    let End::Spinning(why) = hung_up("1000000").outcome.end else { panic!("it goes on") };
    assert!(why.ends_with("in a row at the terminal, which is hung up"), "{why}");
}

#[test]
fn a_search_sends_to_a_process_group() {
    let folder = tempfile::tempdir().unwrap();
    let script = "trap 'wait; exit 0' TERM; sleep 1 & wait";
    let words = ["explore", "--seed", "1", "--no-handler-checks", "--send", "TERM", "--send-to", "group:p0"];
    let output = sigrace(&[&words[..], &["--", "sh", "-c", script]].concat(), folder.path());
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        text.contains("p0 when everything sleeps: send SIGTERM to its process group): exit code 0"),
        "{text}"
    );
}

#[test]
fn keys_need_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    for words in [&["--type", "^C"][..], &["--resize", "40x12"], &["--hang-up"], &["--tty", "--resize", "40"]]
    {
        let output = sigrace(&[&["explore"], words, &["--", "true"]].concat(), folder.path());
        assert_eq!(output.status.code(), Some(2), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
