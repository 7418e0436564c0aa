use super::*;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

const NOW: Duration = Duration::ZERO;
/// Longer than any test waits.
const LONG: Duration = Duration::from_secs(600);
const ALWAYS: fn() -> bool = || true;

fn slots(folder: &Path, cpus: &[usize]) -> Slots {
    Slots::in_directory(folder, cpus).unwrap()
}

/// Returns when so many have a ticket for CPU 0, the one who has the CPU among them: the queue tells, no time is waited for.
fn queued(folder: &Path, many: i64) {
    let path = folder.join("sigrace-slot-0");
    while Ticket::draw(open(&path).unwrap()).unwrap().is_none_or(|mine| mine.place() < many) {
        thread::yield_now();
    }
}

#[test]
fn each_cpu_is_given_once_and_again_when_it_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    let (mine, theirs) = (slots(folder.path(), &[3, 5]), slots(folder.path(), &[3, 5]));
    let first = mine.take(NOW, &stop).unwrap();
    let second = theirs.take(NOW, &stop).unwrap();
    assert_eq!([first.cpu, second.cpu], [3, 5]);
    assert!(matches!(mine.take(NOW, &stop), Err(SlotError::Busy { cpus: 2, .. })));
    drop(first);
    assert_eq!(theirs.take(NOW, &stop).unwrap().cpu, 3);
}

#[test]
fn who_comes_first_is_served_first_and_who_comes_again_is_last() {
    let folder = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    let order = Mutex::new(Vec::new());
    let serve = |name| {
        let slot = slots(folder.path(), &[0]).take(LONG, &stop).unwrap();
        order.lock().unwrap().push(name);
        drop(slot);
    };
    let first = slots(folder.path(), &[0]).take(LONG, &stop).unwrap();
    thread::scope(|scope| {
        for (name, before) in [("second", 1), ("third", 2), ("fourth", 3)] {
            queued(folder.path(), before);
            scope.spawn(move || serve(name));
        }
        queued(folder.path(), 4);
        drop(first);
        serve("first again");
    });
    assert_eq!(*order.lock().unwrap(), ["second", "third", "fourth", "first again"]);
}

#[test]
fn a_worker_gives_way_between_runs_to_who_waits_and_comes_back_to_its_cpu() {
    let folder = tempfile::tempdir().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let (mine, theirs) = (slots(folder.path(), &[0, 1]), slots(folder.path(), &[0]));
    let seats = Seats::new(&mine, &Waited::default()).with_batch(NOW);
    let mut worker = seats.turnstile(LONG, &stop);
    assert_eq!(worker.pass(&ALWAYS).unwrap(), Some(0));
    assert_eq!(worker.pass(&ALWAYS).unwrap(), Some(0), "nobody waits");
    let served = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let _slot = theirs.take(LONG, &stop).unwrap();
            served.store(true, Ordering::SeqCst);
        });
        queued(folder.path(), 2);
        assert!(!served.load(Ordering::SeqCst), "the worker has the CPU until it passes again");
        assert_eq!(worker.pass(&ALWAYS).unwrap(), Some(0), "the other CPU is free, but the cell is here");
        assert!(served.load(Ordering::SeqCst));
    });
}

#[test]
fn a_worker_in_the_middle_of_its_batch_keeps_its_cpu() {
    let folder = tempfile::tempdir().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let (mine, theirs) = (slots(folder.path(), &[0]), slots(folder.path(), &[0]));
    let waited = Waited::default();
    let seats = Seats::new(&mine, &waited).with_batch(LONG);
    let mut worker = seats.turnstile(LONG, &stop);
    worker.pass(&ALWAYS).unwrap();
    thread::scope(|scope| {
        let other = scope.spawn(|| theirs.take(LONG, &stop).map(drop));
        queued(folder.path(), 2);
        worker.pass(&ALWAYS).unwrap();
        assert!(!other.is_finished());
        worker.leave();
        other.join().unwrap().unwrap();
    });
}

#[test]
fn workers_of_one_search_have_different_cpus_and_no_more_than_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let slots = slots(folder.path(), &[0, 1]);
    let seats = Seats::new(&slots, &Waited::default());
    let [mut one, mut other, mut third] = [LONG, LONG, NOW].map(|bound| seats.turnstile(bound, &stop));
    assert_eq!([one.pass(&ALWAYS).unwrap(), other.pass(&ALWAYS).unwrap()], [Some(0), Some(1)]);
    one.leave();
    assert!(
        matches!(third.pass(&ALWAYS), Err(SlotError::Busy { .. })),
        "its CPU is free, but not of its cell"
    );
    assert_eq!(third.pass(&|| false).unwrap(), None, "nobody wants it any more");
    drop(one);
    assert_eq!(third.pass(&ALWAYS).unwrap(), Some(0));
}

#[test]
fn who_is_asked_to_stop_waits_no_longer_and_leaves_the_queue() {
    let folder = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    let slots = slots(folder.path(), &[0]);
    let held = slots.take(NOW, &stop).unwrap();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| slots.take(LONG, &stop).map(drop));
        queued(folder.path(), 2);
        stop.store(true, Ordering::Relaxed);
        assert!(matches!(waiting.join().unwrap(), Err(SlotError::Interrupted)));
    });
    drop(held);
    stop.store(false, Ordering::Relaxed);
    assert!(slots.take(NOW, &stop).is_ok());
}

/// Runs itself once more as the process that has the CPU, and kills it.
#[test]
fn what_a_killed_process_held_is_free_and_its_pid_is_told_before() {
    const INSIDE: &str = "SIGRACE_TEST_HOLDS_A_SLOT";
    let stop = AtomicBool::new(false);
    if let Some(folder) = std::env::var_os(INSIDE) {
        let _slot = slots(Path::new(&folder), &[0]).take(LONG, &stop).unwrap();
        println!("holds it");
        // Until the kill: nobody writes to this.
        let _ = std::io::stdin().read_line(&mut String::new());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let test = "slots::tests::what_a_killed_process_held_is_free_and_its_pid_is_told_before";
    let mut other = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(INSIDE, folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(other.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.ends_with("holds it")), "it never held the CPU");
    let slots = slots(folder.path(), &[0]);
    assert!(matches!(slots.take(NOW, &stop), Err(SlotError::Busy { .. })));
    let path = folder.path().join("sigrace-slot-0");
    assert_eq!(holder(&open(&path).unwrap()), Some(other.id().to_string()));
    other.kill().unwrap();
    other.wait().unwrap();
    assert!(slots.take(NOW, &stop).is_ok());
    assert_eq!(holder(&open(&path).unwrap()), None);
}

#[test]
fn a_copy_of_the_descriptor_does_not_keep_a_slot() {
    let folder = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    let slots = slots(folder.path(), &[0]);
    let slot = slots.take(NOW, &stop).unwrap();
    let _copy = slot.ticket.file().try_clone().unwrap();
    drop(slot);
    assert!(slots.take(NOW, &stop).is_ok());
}

#[test]
fn a_removed_file_is_made_again_and_others_can_open_it() {
    let folder = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    let slots = slots(folder.path(), &[0]);
    let path = folder.path().join("sigrace-slot-0");
    fs::remove_file(&path).unwrap();
    let _slot = slots.take(NOW, &stop).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o666);
}

#[test]
fn a_link_in_the_place_of_a_lock_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("sigrace-slot-0")).unwrap();
    assert!(matches!(Slots::in_directory(folder.path(), &[0]), Err(SlotError::Open { cpu: 0, .. })));
}

#[test]
fn only_allowed_cpus_are_given() {
    let slots = Slots::new().unwrap();
    let mask = sched_getaffinity(getpid()).unwrap();
    assert!(slots.count() > 0);
    assert!(slots.cpus.iter().all(|(cpu, _)| mask.is_set(*cpu).unwrap()));
}

#[test]
fn time_counts_as_waited_as_far_as_it_was_waited() {
    let waited = Waited::default();
    let clock = Stopwatch::start(&waited);
    let spend = |time: Duration| {
        let start = Instant::now();
        while start.elapsed() < time {
            thread::yield_now();
        }
    };
    let some = Duration::from_millis(20);
    spend(some);
    assert_eq!(waited.total(), NOW, "nobody waits");
    waited.waiting(|| spend(some));
    let alone = waited.total();
    assert!(alone >= some);
    waited.has();
    let start = Instant::now();
    waited.waiting(|| spend(some));
    let half = waited.total() - alone;
    assert!(half >= some / 2 && half <= start.elapsed() / 2, "one of two waited: {half:?}");
    waited.has_no_more();
    let wall = waited.total() + clock.elapsed();
    assert!(wall >= 3 * some, "{wall:?}");
}
