//! The program's code: holding threads at instructions, handlers, and where threads are.

pub(super) mod ambush;
pub(super) mod beside;
pub(super) mod breakpoint;
pub(super) mod called;
pub(super) mod calling;
pub(super) mod counted;
pub(super) mod crash;
pub(super) mod dispositions;
pub(super) mod handlers;
pub(super) mod learnt;
pub(super) mod loader;
pub(super) mod loaders;
pub(super) mod lookout;
pub(super) mod obstacle;
pub(super) mod places;
pub(super) mod results;
pub(super) mod returning;
pub(super) mod round;
pub(super) mod sampled;
pub(super) mod seen;
pub(super) mod siblings;
pub(super) mod suspect;
pub(super) mod ticks;
pub(super) mod vdso;
pub(super) mod watched;
pub(super) mod whereabouts;
