//! The broken fixtures that `explore` finds with no flag but the command, and what it says of each.

#![allow(dead_code, reason = "not everybody looks at all of them")]

/// The others need a terminal, or to be told where to look.
pub const FOUND: [(&str, &str); 90] = [
    ("abandoned", "an interrupted call is taken for its end"),
    ("aborted", "a process crashes"),
    ("accept", "an interrupted call is taken for its end"),
    ("addjob", "another exit than expected"),
    ("addjob_exec", "it hangs"),
    ("addjob_late", "another exit than expected"),
    ("addjob_path", "another exit than expected"),
    ("adopted", "zombies are left"),
    ("bad_configuration", "another exit than expected"),
    ("before_exec", "it hangs"),
    ("blocked_once", "it hangs"),
    ("broken_pipe", "another exit than expected"),
    ("busy_wait", "it spins for ever"),
    ("coalesced", "zombies are left"),
    ("competing_wait", "it hangs"),
    ("count", "another exit where a signal comes between two instructions"),
    ("counted", "it hangs"),
    ("dead_holder", "it hangs"),
    ("default_actions", "it hangs"),
    ("distracted", "what a signal cuts short is left undone"),
    ("early_jump", "a process crashes"),
    ("early_timer", "it hangs"),
    ("eintr", "an interrupted call is taken for its end"),
    ("errno", "another exit where a signal comes between two instructions"),
    ("event_loop", "it waits for the outside"),
    ("everybody", "it hangs"),
    ("fifo_end", "another exit than expected"),
    ("fifo_open", "an interrupted call is taken for its end"),
    ("flag", "it spins for ever"),
    ("forwarder", "it hangs"),
    ("given_up", "a process crashes"),
    ("grace", "an interrupted call is taken for its end"),
    ("half_written", "other files are left than should be"),
    ("handed_over", "a client ends otherwise than expected"),
    ("held_lock", "it hangs"),
    ("idle_workers", "it hangs"),
    ("ignored_late", "zombies are left"),
    ("in_flight", "a client ends otherwise than expected"),
    ("inherited_mask", "it hangs"),
    ("leaked", "descriptors are leaked"),
    ("leaking", "descriptors are leaked"),
    ("left_alone", "orphans are left"),
    ("list", "another exit where a signal comes between two instructions"),
    ("lost_end", "it hangs"),
    ("lost_mask", "another exit where a signal comes between two instructions"),
    ("lost_reload", "it hangs"),
    ("lost_update", "it hangs"),
    ("lost_wakeup", "it hangs"),
    ("message_queue", "an interrupted call is taken for its end"),
    ("misread", "a signal is lost that ends it elsewhere"),
    ("never_restarts", "an interrupted call is taken for its end"),
    ("not_yet_stopped", "it is left stopped"),
    ("notified_once", "it hangs"),
    ("once", "another exit than expected"),
    ("others_child", "another exit than expected"),
    ("overlooked", "a signal is handled and not acted on"),
    ("own_group", "it hangs"),
    ("own_lock", "it hangs"),
    ("parting", "another exit than expected"),
    ("passed_descriptor", "an interrupted call is taken for its end"),
    ("posix_queue", "an interrupted call is taken for its end"),
    ("raised", "it hangs"),
    ("reaping", "results are mixed up when children end in another order"),
    ("reentered", "another exit where a signal comes between two instructions"),
    ("reload", "a client ends otherwise than expected"),
    ("reopened", "another exit than expected"),
    ("restart_loop", "it hangs"),
    ("restarts", "an interrupted call is taken for its end"),
    ("running", "it hangs"),
    ("sem_wait", "an interrupted call is taken for its end"),
    ("semop", "an interrupted call is taken for its end"),
    ("short_count", "what a signal cuts short is left undone"),
    ("shutdown", "it waits for the outside"),
    ("signalfd", "it hangs"),
    ("stale_job", "it only lets time pass"),
    ("stale_lock", "other files are left than should be"),
    ("stream_pipe", "an interrupted call is taken for its end"),
    ("subreaper", "another exit than expected"),
    ("system_v", "another exit than expected"),
    ("taken_away", "another exit than expected"),
    ("temporary", "other files are left than should be"),
    ("test_then_sleep", "it ends late"),
    ("timed_wait", "an interrupted call is taken for its end"),
    ("torn_memory", "another exit than expected"),
    ("unblocked_suspend", "it hangs"),
    ("unreplaced", "it hangs"),
    ("unsafe_calls", "it hangs"),
    ("unstored", "other files are left than should be"),
    ("waiting_thread", "it hangs"),
    ("whole_group", "it hangs"),
];

/// Those that use a terminal, which it gives them.
pub const AT_TERMINAL: [(&str, &str); 7] = [
    ("background_read", "it is left stopped"),
    ("full_screen", "the terminal is left in other modes"),
    ("hung_up", "it spins for ever"),
    ("jobs_left", "orphans are left"),
    ("late_taker", "the terminal's foreground is another's"),
    ("put_aside", "the terminal is left in other modes"),
    ("too_small", "it hangs"),
];

/// Those that it finds with these clients as well as with its own.
pub const WITH_CLIENTS: [(&str, &str, &[&str]); 3] = [
    (
        "in_flight",
        "a client ends otherwise than expected",
        &["--client", "connect unix:@in flight; send two lines\\n; expect two\\n; wait-eof"],
    ),
    ("parting", "another exit than expected", &["--client", WELCOMED, "--client", WELCOMED]),
    (
        "reload",
        "a client ends otherwise than expected",
        &["--client", "connect tcp:8080; send hello?\\n; expect \\n; wait-eof"],
    ),
];

const WELCOMED: &str = "connect unix:@parting; expect welcome\\n; close";

/// Those that it finds when it is told this, and not otherwise.
pub const WHEN_TOLD: [(&str, &str, &[&str]); 9] = [
    // One signal ends the program, so no second one is tried.
    ("full_self_pipe", "it hangs", &["--send", "USR1", "--send", "USR1"]),
    ("second_int", "another exit than expected", &["--send", "INT", "--send", "INT", "--exit", "0"]),
    // It waits for both, and each is sent by itself.
    ("two_kinds", "another exit than expected", &["--send", "USR1", "--send", "USR2", "--exit", "0"]),
    // Who is ended by a signal about which it does nothing at the moment may be meant to be.
    ("over_exec", "another exit than expected", &["--send", "HUP", "--exit", "0"]),
    // What is typed by the way is no measure of the rest: it has to be what the reference run is sent as well.
    ("quit_key", "other files are left than should be", &["--tty", "--type", "^\\"]),
    // A timer that runs out, or a signal that is handled, may change how a program ends.
    ("left_armed", "another exit than expected", &["--exit", "0"]),
    ("lost_block", "another exit than expected", &["--exit", "0"]),
    ("soft_restart", "another exit than expected", &["--exit", "0"]),
    // A second is not late for everybody.
    ("sleepy_loop", "it ends late", &["--late", "100ms"]),
];

/// Those in other languages, with what starts them, which it finds with no other word. Who is ended by a signal about which it does nothing
/// at the moment may be meant to be, so `late_trap` is not among them.
pub const IN_OTHER_LANGUAGES: [(&str, &str, &[&str]); 3] = [
    ("cancelled", "it hangs", &["/usr/bin/python3", "cancelled.py"]),
    ("no_room", "it only lets time pass", &["./no_room"]),
    ("paused", "it hangs", &["/usr/bin/python3", "paused.py"]),
];
