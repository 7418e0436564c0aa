//! The broken fixtures that `explore` finds with no flag but the command, and what it says of each.

/// The others need to be told what is wrong, or where to look.
pub const FOUND: [(&str, &str); 17] = [
    ("accept", "an interrupted call is taken for its end"),
    ("addjob", "another exit than expected"),
    ("coalesced", "zombies are left"),
    ("competing_wait", "it hangs"),
    ("early_timer", "it hangs"),
    ("eintr", "an interrupted call is taken for its end"),
    ("given_up", "a process crashes"),
    ("half_written", "other files are left than should be"),
    ("idle_workers", "it hangs"),
    ("lost_update", "it hangs"),
    ("lost_wakeup", "it hangs"),
    ("shutdown", "it waits for the outside"),
    ("stale_job", "it only lets time pass"),
    ("stale_lock", "other files are left than should be"),
    ("taken_away", "another exit than expected"),
    ("temporary", "other files are left than should be"),
    ("test_then_sleep", "it ends late"),
];
