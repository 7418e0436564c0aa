//! sigrace finds signal races in programs that nobody prepared for it, and replays them exactly.
//!
//! As a library it serves one's own tests: [`explore()`] and [`replay()`] are the verbs of the command as builders. Two bodies of tests:
//!
//! ```no_run
//! use std::process::Command;
//!
//! fn the_server_loses_no_signal() {
//!     sigrace::explore(Command::new("./server").arg("--foreground")).send("SIGTERM").assert_no_findings();
//! }
//!
//! fn the_race_of_last_week_is_still_there() {
//!     sigrace::replay("tests/server-hang-4545467f.ron").assert_followed();
//! }
//! ```
//!
//! Everything else is the command's own, and may change with every version. The modules in the order of the story: a `scenario` asks, the
//! module `explore` plans, a `schedule` decides, a `trace` tells; `code` knows what the machine code of a program is called and where it
//! comes from.

#[cfg(test)]
mod arbitrary;
#[doc(hidden)]
pub mod build;
#[doc(hidden)]
pub mod checks;
#[doc(hidden)]
pub mod cli;
#[doc(hidden)]
pub mod client;
#[doc(hidden)]
pub mod code;
#[doc(hidden)]
pub mod compile;
#[doc(hidden)]
pub mod copies;
#[doc(hidden)]
pub mod doctor;
#[doc(hidden)]
pub mod explore;
#[doc(hidden)]
pub mod judge;
#[doc(hidden)]
pub mod kept;
mod own_tests;
#[doc(hidden)]
pub mod probe;
#[doc(hidden)]
pub mod program;
#[doc(hidden)]
pub mod resolve;
#[doc(hidden)]
pub mod scenario;
#[doc(hidden)]
pub mod schedule;
#[doc(hidden)]
pub mod show;
#[doc(hidden)]
pub mod signal;
#[doc(hidden)]
pub mod slots;
#[doc(hidden)]
pub mod store;
#[doc(hidden)]
pub mod suite;
#[doc(hidden)]
pub mod supervise;
#[doc(hidden)]
pub mod trace;
#[doc(hidden)]
pub mod world;

#[expect(unsafe_code, reason = "the one place that talks to the kernel")]
mod sys;

pub use own_tests::{Exploration, Explored, Finding, Replay, Untold, explore, replay};

/// Has what the guide shows of the library compiled.
#[cfg(doctest)]
#[doc = include_str!("../../docs/library.md")]
struct Guide;
