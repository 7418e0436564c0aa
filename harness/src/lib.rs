//! sigrace finds signal races in programs that nobody prepared for it, and replays them exactly.
//!
//! The modules in the order of the story: a [`scenario`] asks, a [`schedule`] decides, a [`trace`] tells.

pub mod compile;
#[cfg(test)]
mod arbitrary;
pub mod judge;
pub mod program;
pub mod resolve;
pub mod scenario;
pub mod schedule;
pub mod show;
pub mod signal;
pub mod slots;
pub mod store;
pub mod supervise;
pub mod trace;
