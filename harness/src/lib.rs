//! sigrace finds signal races in programs that nobody prepared for it, and replays them exactly.
//!
//! The modules in the order of the story: a [`scenario`] asks, [`explore`] plans, a [`schedule`] decides, a [`trace`] tells.

pub mod explore;
pub mod program;
pub mod scenario;
pub mod schedule;
pub mod signal;
pub mod supervise;
pub mod trace;
