//! Time: what ends by it, and what the program believes to be armed.

pub(super) mod armed;
pub(super) mod asked;
pub(super) mod changed;
pub(super) mod clock;
pub(super) mod cpu_time;
pub(super) mod dates;
pub(super) mod deadline;
pub(super) mod due;
pub(super) mod face;
pub(super) mod left;
pub(super) mod slept;
pub(super) mod stretch;
pub(super) mod timeout;
pub(super) mod timers;
pub(super) mod uptime;
pub(super) mod wait;
