//! What a duplicate of a terminal tells: termios(3).

use std::os::fd::{AsRawFd, BorrowedFd};

nix::ioctl_read_bad!(tcgets, libc::TCGETS, libc::termios);

/// True if time may end a read of it: in non-canonical mode with VTIME, unless it waits for a first byte that is enough.
/// False for what is no terminal.
pub fn reads_by_time(terminal: BorrowedFd<'_>) -> bool {
    let mut mode = std::mem::MaybeUninit::<libc::termios>::uninit();
    // SAFETY: the descriptor is borrowed, so it is open; TCGETS writes one struct termios or fails (ioctl_tty(2)).
    if unsafe { tcgets(terminal.as_raw_fd(), mode.as_mut_ptr()) }.is_err() {
        return false;
    }
    // SAFETY: the call has succeeded, so the structure was written; every byte of it is a plain number.
    let mode = unsafe { mode.assume_init() };
    mode.c_lflag & libc::ICANON == 0 && mode.c_cc[libc::VTIME] > 0 && mode.c_cc[libc::VMIN] != 1
}
