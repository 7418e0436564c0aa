//! sigrace finds signal races in programs that nobody prepared for it, and replays them exactly.
//!
//! The modules in the order of the story: a [`scenario`] asks, a [`schedule`] decides, a [`trace`] tells.

pub mod program;
pub mod scenario;
pub mod schedule;
pub mod signal;
pub mod supervise;
pub mod trace;

#[expect(unsafe_code, reason = "the one place that talks to the kernel")]
mod sys;
