//! sigrace finds signal races in programs that nobody prepared for it, and replays them exactly.
//!
//! The modules in the order of the story: a [`scenario`] asks, [`explore`] plans, a [`schedule`] decides, a [`trace`] tells;
//! [`code`] knows what the machine code of a program is called and where it comes from.

#[cfg(test)]
mod arbitrary;
pub mod build;
pub mod checks;
pub mod cli;
pub mod client;
pub mod code;
pub mod compile;
pub mod copies;
pub mod doctor;
pub mod explore;
pub mod judge;
pub mod kept;
pub mod probe;
pub mod program;
pub mod resolve;
pub mod scenario;
pub mod schedule;
pub mod show;
pub mod signal;
pub mod slots;
pub mod store;
pub mod suite;
pub mod supervise;
pub mod trace;
pub mod world;

#[expect(unsafe_code, reason = "the one place that talks to the kernel")]
mod sys;
