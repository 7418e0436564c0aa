//! The books of a run: processes, threads, what each is doing; what is told, and who goes next.

pub(super) mod clients;
pub(super) mod door;
pub(super) mod doubts;
pub(super) mod futexes;
pub(super) mod held;
pub(super) mod ids;
pub(super) mod journal;
pub(super) mod named;
pub(super) mod news;
pub(super) mod noted;
pub(super) mod pick;
pub(super) mod plant;
pub(super) mod ports;
pub(super) mod seat;
pub(super) mod thread;
pub(super) mod tree;
