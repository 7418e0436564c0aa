//! What this host has for runs of programs, looked at before there is one.

use super::exit::{Exit, Stop};
use super::say::warn;
use crate::slots::Slots;
use nix::sys::resource::{Resource, getrlimit};
use std::fs;
use std::process;

/// Bytes of address space without which not even the threads of a search can be made; how much it takes after that depends on
/// the program.
const MEMORY: u64 = 256 << 20;

/// The CPUs; who has to wait for one is told so. Refused if something is missing without which no run could be made.
pub(super) fn slots() -> Result<Slots, Stop> {
    if let Some(missing) = missing() {
        return Err(Stop::new(Exit::HostCannot, missing));
    }
    Ok(Slots::new()?.telling(told))
}

/// Says what the user has to know at once.
fn told(text: &str) {
    warn(format_args!("sigrace: {text}"));
}

/// What is missing, and the remedy.
fn missing() -> Option<String> {
    let own = fs::read_link("/proc/self");
    if !own.as_ref().is_ok_and(|own| own.to_str() == Some(&process::id().to_string())) {
        let why = own.map_or_else(|error| error.to_string(), |_| "it is of other processes".to_owned());
        return Some(format!(
            "unsupported: no run can be followed without /proc ({why}): mount /proc (mount -t proc proc /proc)"
        ));
    }
    let soft = |resource| getrlimit(resource).map_or(u64::MAX, |(soft, _)| soft);
    let memory = soft(Resource::RLIMIT_AS).min(soft(Resource::RLIMIT_DATA));
    if memory < MEMORY {
        return Some(format!(
            "unsupported: this process may have {} KiB of memory, and a search needs {} KiB: raise the limit where it is set (ulimit -v {})",
            memory >> 10,
            MEMORY >> 10,
            MEMORY >> 10
        ));
    }
    None
}
