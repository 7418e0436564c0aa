//! The broken fixtures that `explore` finds with no flag but the command, and what it says of each.

#![allow(dead_code, reason = "not everybody looks at all of them")]

/// The others need a terminal, or to be told where to look.
pub const FOUND: [(&str, &str); 50] = [
    ("abandoned", "an interrupted call is taken for its end"),
    ("accept", "an interrupted call is taken for its end"),
    ("addjob", "another exit than expected"),
    ("broken_pipe", "another exit than expected"),
    ("coalesced", "zombies are left"),
    ("competing_wait", "it hangs"),
    ("count", "another exit where a signal comes between two instructions"),
    ("dead_holder", "it hangs"),
    ("distracted", "what a signal cuts short is left undone"),
    ("early_jump", "a process crashes"),
    ("early_timer", "it hangs"),
    ("eintr", "an interrupted call is taken for its end"),
    ("errno", "another exit where a signal comes between two instructions"),
    ("fifo_end", "another exit than expected"),
    ("fifo_open", "an interrupted call is taken for its end"),
    ("flag", "it spins for ever"),
    ("given_up", "a process crashes"),
    ("half_written", "other files are left than should be"),
    ("idle_workers", "it hangs"),
    ("in_flight", "a client ends otherwise than expected"),
    ("leaked", "descriptors are leaked"),
    ("left_alone", "orphans are left"),
    ("list", "another exit where a signal comes between two instructions"),
    ("lost_mask", "another exit where a signal comes between two instructions"),
    ("lost_update", "it hangs"),
    ("lost_wakeup", "it hangs"),
    ("message_queue", "an interrupted call is taken for its end"),
    ("misread", "a signal is lost that ends it elsewhere"),
    ("notified_once", "it hangs"),
    ("once", "another exit than expected"),
    ("overlooked", "a signal is handled and not acted on"),
    ("own_lock", "it hangs"),
    ("parting", "another exit than expected"),
    ("passed_descriptor", "an interrupted call is taken for its end"),
    ("reaping", "results are mixed up when children end in another order"),
    ("reentered", "another exit where a signal comes between two instructions"),
    ("reload", "a client ends otherwise than expected"),
    ("running", "it hangs"),
    ("semop", "an interrupted call is taken for its end"),
    ("short_count", "what a signal cuts short is left undone"),
    ("shutdown", "it waits for the outside"),
    ("stale_job", "it only lets time pass"),
    ("stale_lock", "other files are left than should be"),
    ("stream_pipe", "an interrupted call is taken for its end"),
    ("taken_away", "another exit than expected"),
    ("temporary", "other files are left than should be"),
    ("test_then_sleep", "it ends late"),
    ("torn_memory", "another exit than expected"),
    ("unsafe_calls", "it hangs"),
    ("unstored", "other files are left than should be"),
];

/// Those that use a terminal, which it gives them.
pub const AT_TERMINAL: [(&str, &str); 5] = [
    ("full_screen", "the terminal is left in other modes"),
    ("hung_up", "it spins for ever"),
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
