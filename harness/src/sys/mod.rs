//! What sigrace asks of the kernel, and the only place of the product with `unsafe` code.
//!
//! Nothing here decides anything: each function does one thing and reports the error number when it fails.

pub mod allocator;
pub mod cell;
pub mod descriptors;
pub mod filter;
mod gate;
pub mod giving_way;
mod init;
mod ipc;
pub mod memory;
pub mod modes;
mod network;
pub mod notify;
mod order;
mod overlay;
pub mod own;
pub mod perf;
pub mod pidfd;
pub mod procfs;
pub mod procnet;
mod pty;
mod reaping;
pub mod sched;
mod skeleton;
pub mod sockdiag;
pub mod socket;
pub mod stage;
mod start;
pub mod stat;
pub mod terminal;
pub mod tick;
pub mod timer;
pub mod upper;

/// The number of an error of the system's; EIO for one that the library has found.
fn errno_of(error: std::io::Error) -> nix::errno::Errno {
    error.raw_os_error().map_or(nix::errno::Errno::EIO, nix::errno::Errno::from_raw)
}
