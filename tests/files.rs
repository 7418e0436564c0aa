//! Each run finds the files as they were when the search began, and leaves the machine's alone.

mod supervised;

use sigrace::schedule::{Action, Point, Schedule, Site, Step, Syscall, ThreadName};
use sigrace::slots::Slots;
use sigrace::supervise::{Settings, Supervise, Supervisor};
use sigrace::world::{Files, World};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;
use syscalls::Sysno;

/// What two runs of a shell's script print, one after the other in one supervisor.
#[track_caller]
fn twice(script: &str, cwd: &Path, files: Files) -> [String; 2] {
    let launch = supervised::launch(&["sh", "-c", script], cwd);
    let settings = Settings { world: World { files, ..World::default() }, ..Settings::of(launch) };
    let runs = supervised::with_settings(settings, |supervisor| {
        [0, 1].map(|_| supervisor.run(&Schedule::empty()).unwrap())
    });
    runs.map(|run| String::from_utf8(run.outcome.stdout.bytes().to_vec()).unwrap())
}

/// Files as the scripts below find them.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::create_dir_all(path.join("deep/er")).unwrap();
    for (name, text) in [("log", "before\n"), ("gone", "still there\n"), ("deep/er/state", "1\n")] {
        fs::write(path.join(name), text).unwrap();
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o751)).unwrap();
    folder
}

/// It changes, makes, removes and renames, and tells first what it finds.
const BUSY: &str = "cat log gone deep/er/state; ls; stat -c %a . log; echo more >>log; echo 2 >deep/er/state; rm gone; \
    mkdir made; echo x >made/x; rm -r deep; mkdir deep; chmod 700 . log; touch new; mv new newer; cat log; ls . made deep";

#[test]
fn what_a_run_writes_is_gone_for_the_next() {
    for files in [Files::Own, Files::All] {
        let folder = folder();
        let before = fs::metadata(folder.path()).unwrap();
        let [first, second] = twice(BUSY, folder.path(), files);
        assert!(
            first.contains("still there") && first.contains("more") && first.contains("newer"),
            "{first}"
        );
        assert_eq!(first, second, "{files:?}");
        let after = fs::metadata(folder.path()).unwrap();
        assert_eq!((before.mode(), before.mtime_nsec()), (after.mode(), after.mtime_nsec()));
        assert_eq!(fs::read_to_string(folder.path().join("log")).unwrap(), "before\n");
        assert_eq!(fs::read_to_string(folder.path().join("deep/er/state")).unwrap(), "1\n");
    }
}

/// What one who comes later takes over is as new, which is not to be seen but by what nobody hides: the namespaces.
#[test]
fn supervisors_that_follow_one_another_use_one_cell() {
    let folder = folder();
    let script = format!("readlink /proc/self/ns/pid; {BUSY}");
    let settings = Settings::of(supervised::launch(&["sh", "-c", &script], folder.path()));
    let slots = Slots::new().unwrap();
    let slot = slots.take(Duration::from_secs(600), &AtomicBool::new(false)).unwrap();
    let run = || {
        let mut supervisor = Supervisor::new(settings.clone(), slot.cpu).unwrap();
        let run = supervisor.run(&Schedule::empty()).unwrap();
        String::from_utf8(run.outcome.stdout.bytes().to_vec()).unwrap()
    };
    let alone = || thread::scope(|scope| scope.spawn(run).join().unwrap());
    let outputs = [(); 4].map(|()| alone());
    let told = outputs.each_ref().map(|output| output.split_once('\n').unwrap());
    assert!(told.iter().all(|(_, files)| *files == told[0].1 && files.contains("newer")), "{told:?}");
    // Another is made only where what is known of the loader changes: an earlier command may have known it, or not, or have found it
    // elsewhere, as with other limits.
    let cells: BTreeSet<&str> = told.iter().map(|(namespace, _)| *namespace).collect();
    assert!(cells.len() < told.len(), "{told:?}");
}

#[test]
fn the_machines_files_are_changed_where_that_is_asked_for() {
    let folder = folder();
    let [first, second] = twice("cat log; echo more >>log", folder.path(), Files::Host);
    assert_eq!((first.as_str(), second.as_str()), ("before\n", "before\nmore\n"));
    assert_eq!(fs::read_to_string(folder.path().join("log")).unwrap(), "before\nmore\nmore\n");
}

#[test]
fn a_file_that_is_made_and_removed_leaves_no_trace() {
    let folder = folder();
    let [first, second] = twice("stat -c %Y.%y .; touch new; rm new; ls", folder.path(), Files::Own);
    assert_eq!(first, second);
}

#[test]
fn a_file_keeps_its_number_and_device_when_it_is_changed() {
    // An ordinary user's overlay cannot promise it.
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let folder = folder();
    fs::hard_link(folder.path().join("log"), folder.path().join("other")).unwrap();
    let script =
        "stat -c '%d %i %h' log; echo more >>log; stat -c '%d %i %h' log other; cat other; mv deep moved";
    let [first, _] = twice(script, folder.path(), Files::Own);
    let lines: Vec<&str> = first.lines().collect();
    assert_eq!(lines[0], lines[1], "{first}");
    assert_eq!((lines[1], &lines[3..]), (lines[2], &["before", "more"][..]), "{first}");
}

/// A folder that is covered for itself, unless all of this lies below one that is, and one within another that is covered.
const PLACES: [&str; 2] = [env!("CARGO_TARGET_TMPDIR"), "/tmp"];

/// What runs of `programs/worn.c` print, one after the other in one supervisor, in such a place; a signal comes in those of which
/// that is said.
fn worn(place: &str, words: &[&str], signals: &[bool]) -> Vec<String> {
    let folder = tempfile::tempdir_in(place).unwrap();
    let path = &folder.path().join("within");
    fs::create_dir_all(path.join("deep/er")).unwrap();
    for (name, text) in [("log", "before\n"), ("gone", "still there\n"), ("deep/er/state", "1\n")] {
        fs::write(path.join(name), text).unwrap();
    }
    let program = tempfile::tempdir().unwrap();
    let program = supervised::build("worn.c", &[], program.path());
    fs::set_permissions(path, fs::Permissions::from_mode(0o751)).unwrap();
    let is = fs::metadata(path).unwrap();
    let dated = format!(", changed {}.{:09}, made ", is.ctime(), is.ctime_nsec());
    let argv = [&[program.to_str().unwrap()], words].concat();
    let site = Site::Before(Syscall::from(Sysno::getppid));
    let point = Point { thread: ThreadName::root(), site, nth: 1 };
    let step = Step::new(point, Action::Send("SIGUSR1".parse().unwrap()));
    supervised::with_settings(Settings::of(supervised::launch(&argv, path)), |supervisor| {
        let steps = signals.iter().map(|comes| if *comes { vec![step.clone()] } else { Vec::new() });
        let run = steps.map(|steps| supervisor.run(&Schedule { steps }).unwrap());
        let said = run.map(|run| String::from_utf8(run.outcome.stdout.bytes().to_vec()).unwrap());
        said.inspect(|said| assert!(said.contains(&dated), "{dated}: {said}")).collect()
    })
}

/// Whatever it is, with or without something left in the upper layer.
#[test]
fn what_a_run_did_to_its_folder_is_not_seen_by_the_next() {
    let all = [
        "listed",
        "passing",
        "left",
        "held",
        "gone",
        "again",
        "moved",
        "written",
        "mode",
        "copied",
        "attribute",
        "linked",
    ];
    let around = ["beside", "around", "replaced"].map(|how| (PLACES[1], how));
    for (place, how) in PLACES.into_iter().flat_map(|place| all.map(|how| (place, how))).chain(around) {
        let said = worn(place, &[how], &[false; 4]);
        let first = "log 0, gone 0, deep 0, moved -1, left -1, attribute -1\n40751 ";
        assert!(said[0].starts_with(first), "{place}, {how}: {said:?}");
        assert!(said.iter().all(|other| *other == said[0]), "{place}, {how}: {said:#?}");
    }
}

/// Neither what a run has removed again nor a few files that it has left cost the next another upper layer; and who asks by
/// stat(2) does not see it.
#[test]
fn a_layer_from_which_all_is_gone_is_kept_and_its_files_have_the_same_numbers() {
    for (place, how) in PLACES.into_iter().flat_map(|place| ["passing", "left"].map(|how| (place, how))) {
        let fresh = worn(place, &[how, "mount"], &[true]);
        let said = worn(place, &[how, "mount"], &[true; 5]);
        let line =
            |text: &str, word: &str| text.lines().find(|line| line.starts_with(word)).map(str::to_owned);
        let number = line(&fresh[0], "number ");
        assert!(number.is_some(), "{fresh:?}");
        assert!(said.iter().all(|text| line(text, "number ") == number), "{place}, {how}: {said:#?}");
        // After the first run the loader is known, and there is another cell.
        let mounts: Vec<_> = said[1..].iter().map(|text| line(text, "mount ")).collect();
        assert!(mounts.iter().all(|mount| *mount == mounts[0]), "{place}, {how}: {said:#?}");
    }
}

#[test]
fn files_have_the_same_numbers_whatever_runs_were_before() {
    for (place, by) in PLACES.into_iter().flat_map(|place| ["stat", "names", "map"].map(|by| (place, by))) {
        let fresh = worn(place, &["passing", by], &[true]);
        let lines =
            [("stat", 7), ("names", 6), ("map", 5)].into_iter().find(|(how, _)| *how == by).unwrap().1;
        assert_eq!(fresh[0].lines().count(), lines, "{by}: {fresh:?}");
        let said = worn(place, &["passing", by], &[false, false, false, true, true, false]);
        let told = |text: &str| text.lines().skip(4).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(
            [told(&said[3]), told(&said[4])],
            [told(&fresh[0]), told(&fresh[0])],
            "{place}, {by}: {said:#?}"
        );
    }
}
