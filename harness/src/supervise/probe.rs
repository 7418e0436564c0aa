//! Probes: calls that mean nothing to the kernel, by which a program says where it is (`include/sigrace.h`).
//!
//! `prctl(0x53494752, 1, name, 0, 0)` has an option that Linux does not have, so without control it is refused with EINVAL.
//! Under control its caller is held as before any call, and then the kernel refuses it as well: the program sees no
//! difference. What is no name, or cannot be read, makes it a call like any other, before which the thread is held.
//!
//! A shell makes no prctl, but `kill -0 1397311314` sends nothing, to a pid beyond all pids (PID_MAX_LIMIT is 4194304).

use crate::probe::{LONGEST, ProbeName};
use crate::supervise::books::door::Door;
use crate::sys::notify::Notification;

/// `SIGR`, in the order in which it is read.
const MAGIC: u64 = 0x5349_4752;
/// Of the memory, in bytes: reading stops at its end.
const PAGE: u64 = 4096;

/// The name of the probe that this call of a process is, if it is one.
pub(super) fn name(door: &Door, call: &Notification) -> Option<ProbeName> {
    let [option, version, address, ..] = call.args;
    match i64::from(call.number) {
        libc::SYS_prctl if option == MAGIC && version == 1 => text(door, address)?.parse().ok(),
        // Of a pid the kernel takes the lower half, and of a signal too.
        libc::SYS_kill if option as u32 == MAGIC as u32 && version as u32 == 0 => Some(ProbeName::SHELL),
        _ => None,
    }
}

/// The text at this address up to its zero byte; none if it is longer than a name may be, or is no text.
fn text(door: &Door, address: u64) -> Option<String> {
    let mut bytes = Vec::new();
    while bytes.len() <= LONGEST {
        let from = address.checked_add(bytes.len() as u64)?;
        // Up to the end of a page, since behind it there may be nothing.
        let left = (PAGE - from % PAGE).min((LONGEST + 1 - bytes.len()) as u64);
        let mut buffer = vec![0; usize::try_from(left).ok()?];
        let read = door.read(from, &mut buffer).ok()?;
        let read = buffer.get(..read).filter(|read| !read.is_empty())?;
        if let Some(end) = read.iter().position(|byte| *byte == 0) {
            bytes.extend(read.get(..end)?);
            return String::from_utf8(bytes).ok();
        }
        bytes.extend(read);
    }
    None
}
