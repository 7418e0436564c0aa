//! Each run has a network of its own, which is the same in every run.

mod script;
mod supervised;

use sigrace::copies;
use sigrace::schedule::Schedule;
use sigrace::supervise::{Settings, Supervise};
use sigrace::trace::{End, Run, Status};
use sigrace::world::{Network, World};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Three runs of `programs/network.c`, one after the other in one supervisor.
fn three(words: &[&str], network: Network) -> [Run; 3] {
    three_of("network.c", words, network)
}

fn three_of(source: &str, words: &[&str], network: Network) -> [Run; 3] {
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build(source, &[], folder.path());
    let argv = [&[program.to_str().unwrap()], words].concat();
    let launch = supervised::launch(&argv, folder.path());
    let settings = Settings { world: World { network, ..World::default() }, ..Settings::of(launch) };
    supervised::with_settings(settings, |supervisor| {
        [0; 3].map(|_| supervisor.run(&Schedule::empty()).unwrap())
    })
}

fn said(run: &Run) -> String {
    [&run.outcome.stdout, &run.outcome.stderr]
        .map(|text| String::from_utf8_lossy(text.bytes()).into_owned())
        .concat()
}

#[test]
fn ports_that_the_kernel_chooses_are_the_same_in_every_run() {
    let runs = three(&[], Network::Own);
    let text = said(&runs[0]);
    for run in &runs {
        assert_eq!(run.outcome.end, End::Ended(Status::Exited(0)), "{}", said(run));
        assert_eq!(said(run), text);
        assert_eq!(run.taint, None);
    }
    let words = text.split([' ', ',', '\n']);
    let chosen: Vec<u16> =
        words.filter_map(|word| word.parse().ok()).filter(|port| (2..40_000).contains(port)).collect();
    let different: BTreeSet<u16> = chosen.iter().copied().collect();
    assert_eq!((chosen.len(), different.len()), (14, 14), "{text}");
    assert!(!different.contains(&32769), "a port that was asked for is chosen: {text}");
    assert_eq!(text.matches("Connection refused").count(), 2, "{text}");
    assert!(!text.contains("another"), "{text}");
    assert!(text.contains("names 00000, 00001\n"), "{text}");
    let usual = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap();
    assert!(text.ends_with(&usual), "{text}");
}

#[test]
fn nothing_of_one_runs_connections_is_left_for_the_next() {
    for run in three(&["1"], Network::Own) {
        assert_eq!((said(&run).as_str(), run.outcome.end), ("served\n", End::Ended(Status::Exited(0))));
    }
}

/// Whether the network was kept. What is left of connections is seen as programs see it: in `/proc/net`, and by asking for their
/// addresses again.
fn is_kept(words: &[&str]) -> bool {
    let runs = three(&[&["connections"], words].concat(), Network::Own);
    let (mut networks, mut rest) = (Vec::new(), BTreeSet::new());
    for run in &runs {
        let text = said(run);
        assert_eq!(run.outcome.end, End::Ended(Status::Exited(0)), "{text}");
        let (network, text) = text.split_once('\n').unwrap();
        networks.push(network.to_owned());
        let headings = text.lines().filter(|line| line.contains("local_address"));
        let sockets = text.lines().filter(|line| !line.starts_with("to ") && !line.contains("local_address"));
        assert_eq!((headings.count(), sockets.collect::<Vec<_>>()), (2, Vec::<&str>::new()));
        rest.insert(text.to_owned());
    }
    assert_eq!(rest.len(), 1, "{rest:?}");
    // After the first run the loader is known, and there is another cell.
    networks[1] == networks[2]
}

#[test]
fn a_network_in_which_connections_were_ended_is_kept_and_has_nothing_of_them() {
    assert!(is_kept(&["4"]));
}

#[test]
fn a_network_whose_connections_are_too_many_or_not_known_is_not_kept() {
    assert!(!is_kept(&["50"]));
    assert!(!is_kept(&["1", "device"]));
    // Unless the machine forbids it, a client may send data with the first packet.
    let setting = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_fastopen").unwrap();
    if setting.trim().parse::<u32>().unwrap() & 1 != 0 {
        assert!(!is_kept(&["1", "fast"]));
    }
}

/// Whoever is started has copies of all descriptors for a moment, those that the supervisor has of the program's as well.
#[test]
fn what_is_closed_is_closed_although_others_are_started() {
    let connections = || (0..5).flat_map(|_| three(&["connections", "20"], Network::Own)).collect();
    let done = AtomicBool::new(false);
    let runs: thread::Result<Vec<Run>> = thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    copies::output(&mut Command::new("true")).unwrap();
                }
            });
        }
        let runs = scope.spawn(connections).join();
        done.store(true, Ordering::Relaxed);
        runs
    });
    for run in runs.unwrap() {
        assert_eq!(run.outcome.end, End::Ended(Status::Exited(0)), "{}", said(&run));
    }
}

#[test]
fn within_a_run_an_address_stays_in_use_for_a_while() {
    for run in three(&["2"], Network::Own) {
        assert_eq!(said(&run), "served\nbind: Address already in use\n");
        assert_eq!(run.outcome.end, End::Ended(Status::Exited(1)));
    }
}

/// The kernel grants more or less as time passes, where it measures that.
#[test]
fn a_connection_takes_as_much_in_every_run_until_it_is_full() {
    let numbers = |run: &Run| -> Vec<u64> {
        assert_eq!(run.outcome.end, End::Ended(Status::Exited(0)), "{}", said(run));
        said(run).split([' ', ',', '\n']).filter_map(|word| word.parse().ok()).collect()
    };
    let runs = three_of("fill.c", &[], Network::Own);
    let first = numbers(&runs[0]);
    assert!(first.len() == 8 && first.iter().all(|number| (1..4 << 20).contains(number)), "{first:?}");
    for run in &runs {
        assert_eq!((numbers(run), run.reached.len()), (first.clone(), runs[0].reached.len()));
    }
    // Where another process reads, all that is sent comes to it.
    for run in &three_of("fill.c", &["forked"], Network::Own) {
        let numbers = numbers(run);
        assert_eq!(numbers[numbers.len() - 2], numbers[numbers.len() - 1], "{}", said(run));
    }
}

/// What is written is part of an outcome, and a replay compares it: with the machine's network no two runs have the same.
#[test]
fn a_finding_with_ports_in_it_is_confirmed_and_replayed() {
    let folder = tempfile::tempdir().unwrap();
    supervised::build("network.c", &[], folder.path());
    let explored = |network: &str| {
        let words =
            ["explore", "--network", network, "-j", "2", "--seed", "1", "--runs", "20", "--exit", "5"];
        script::sigrace(
            folder.path(),
            &[&words[..], &["--send", "none", "--", "sh", "-c", "./network & wait"]].concat(),
        )
    };
    let found = explored("own");
    script::ends(&found, 100);
    let text = script::stdout(&found);
    assert!(text.contains(", 1 distinct outcome") && text.contains("bind 32768, connect 32770"), "{text}");
    let trace = text.lines().find_map(|line| line.strip_prefix("replay: sigrace replay ")).unwrap();
    let replay = script::sigrace(folder.path(), &["replay", trace, "--times", "20"]);
    script::ends(&replay, 0);
    assert!(script::stdout(&replay).contains("20 of 20"), "{}", script::stdout(&replay));
    let text = script::stdout(&explored("host"));
    assert!(text.contains(" distinct outcomes in "), "{text}");
}

/// The kernel does not know that a minute has passed, so nothing is said of a program for which that matters.
#[test]
fn when_the_kernels_time_matters_the_run_is_no_finding() {
    let taints = |words| three(words, Network::Own).map(|run| run.taint.is_some());
    assert_eq!(taints(&["2", "30"]), [false; 3]);
    assert_eq!(taints(&["2", "61"]), [true; 3]);
}

/// As root a program may do what it likes with its network.
#[test]
fn what_root_changes_of_its_network_is_gone_for_the_next_run() {
    let script = "cat /proc/sys/net/core/somaxconn; echo 7 >/proc/sys/net/core/somaxconn; cat /proc/sys/net/core/somaxconn";
    let settings = Settings::of(supervised::launch(&["sh", "-c", script], Path::new("/")));
    let runs = supervised::with_settings(settings, |supervisor| {
        [0; 2].map(|_| said(&supervisor.run(&Schedule::empty()).unwrap()))
    });
    let usual = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
    assert!(runs[0].starts_with(&usual), "{}", runs[0]);
    assert_eq!(runs[0].ends_with("\n7\n"), nix::unistd::geteuid().is_root());
    assert_eq!(runs[0], runs[1]);
}
