//! What this host has for runs of programs, looked at before there is one.

use super::exit::Stop;
use super::say::warn;
use crate::slots::Slots;

/// The CPUs; who has to wait for one is told so.
pub(super) fn slots() -> Result<Slots, Stop> {
    Ok(Slots::new()?.telling(told))
}

/// Says what the user has to know at once.
pub(super) fn told(text: &str) {
    warn(format_args!("sigrace: {text}"));
}
