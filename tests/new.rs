//! First scenarios, the list of what there is, and how a suite did by family.

mod script;

use script::{GOOD, ends, folder_with_fixture, sigrace, stderr, stdout};
use std::fs;

#[test]
fn a_first_scenario_has_what_was_found_and_passes() {
    let folder = folder_with_fixture("broken/lost_wakeup.c");
    let folder = folder.path();
    let new = ["new", "waiting/prog", "--seed", "1", "--", "./prog"];
    let made = sigrace(folder, &new);
    ends(&made, 0);
    let file = "scenarios/waiting/prog-SIGUSR1.ron";
    assert!(stdout(&made).contains("finding: ./prog, sent SIGUSR1: it hangs"), "{}", stdout(&made));
    let last = format!("scenario: {file}\nnext: sigrace run {file}\n");
    assert!(stdout(&made).ends_with(&last), "{}", stdout(&made));
    let text = fs::read_to_string(folder.join(file)).unwrap();
    assert!(text.contains("breaks: Hang"), "{text}");
    ends(&sigrace(folder, &["run", file]), 0);

    // What is there stays as it is.
    let again = sigrace(folder, &new);
    ends(&again, 2);
    assert!(stderr(&again).contains(&format!("{file} is there already")), "{}", stderr(&again));
    assert_eq!(fs::read_to_string(folder.join(file)).unwrap(), text);
    for name in ["prog", "../prog", "a/b/c", "a/", "waiting/.."] {
        let refused = sigrace(folder, &["new", name, "--", "./prog"]);
        ends(&refused, 2);
        assert!(stderr(&refused).contains("expected FAMILY/NAME"), "{}", stderr(&refused));
    }
}

#[test]
fn a_sound_program_gets_a_scenario_too() {
    let folder = folder_with_fixture("sound/lost_wakeup.c");
    let words = ["new", "waiting/prog", "--seed", "1", "--send", "SIGUSR1", "--", "./prog"];
    let made = sigrace(folder.path(), &words);
    ends(&made, 0);
    assert!(stdout(&made).contains("scenario: scenarios/waiting/prog.ron\n"), "{}", stdout(&made));
    ends(&sigrace(folder.path(), &["run"]), 0);
}

#[test]
fn the_list_names_families_and_pairs_with_what_they_are_about() {
    let folder = tempfile::tempdir().unwrap();
    for (name, comment) in [
        ("ipc/fifo_broken.ron", "// A reader is never\n// opened. And more.\n"),
        ("ipc/fifo_sound.ron", "// The cure.\n"),
        ("ipc/alone.ron", ""),
        ("waiting/flag_sound.ron", "// It burns CPU.\n"),
    ] {
        let path = folder.path().join("scenarios").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("{comment}{GOOD}")).unwrap();
    }
    let listed = sigrace(folder.path(), &["list"]);
    ends(&listed, 0);
    let lines: Vec<Vec<String>> =
        stdout(&listed).lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect();
    let expected =
        ["ipc", "alone", "fifo broken, sound A reader is never opened", "waiting", "flag sound It burns CPU"];
    assert_eq!(lines, expected.map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>()));
    let filtered = sigrace(folder.path(), &["list", "flag"]);
    assert!(!stdout(&filtered).contains("fifo"), "{}", stdout(&filtered));
    ends(&sigrace(folder.path(), &["list", "nothing"]), 4);

    // Several families have a line each at the end of a run.
    let run = sigrace(folder.path(), &["run"]);
    let text = stdout(&run);
    assert!(text.contains("\nfamily   scenarios  passed  runs\nipc"), "{text}");
    let one = sigrace(folder.path(), &["run", "waiting"]);
    assert!(!stdout(&one).contains("family "), "{}", stdout(&one));
}

#[test]
fn the_memory_of_a_recorded_run_is_shown_on_request() {
    let folder = folder_with_fixture("broken/addjob.c");
    let words = ["explore", "--seed", "1", "--first", "--trace-dir", ".", "--", "./prog"];
    ends(&sigrace(folder.path(), &words), 100);
    let shown = sigrace(folder.path(), &["show", "latest", "--maps"]);
    ends(&shown, 0);
    let text = stdout(&shown);
    for process in ["p0", "p0.1"] {
        let (_, maps) = text.split_once(&format!("\nmemory of {process} (")).expect("each process has a map");
        assert!(maps.contains("[stack]") && maps.contains("/prog\n"), "{maps}");
    }
}
