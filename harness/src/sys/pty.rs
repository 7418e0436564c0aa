//! The terminal of a run: a pseudoterminal (pty(7)) of a devpts that only the cell has, so it is the first in every run.
//!
//! The functions here run in the cell's init, or in the program's first step; see there what these may do.

use super::gate::call;
use super::init::check;
use super::stage::Stage;
use std::ffi::CStr;

/// How large it is at first: rows, columns, and no size in pixels.
const SIZE: libc::winsize = libc::winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };

/// Mounts a devpts of the cell's own (Documentation/filesystems/devpts.rst of the kernel).
pub(super) fn mount() -> Result<(), (Stage, i32)> {
    let (name, at) = (c"devpts".as_ptr() as usize, c"/dev/pts".as_ptr() as usize);
    let flags = (libc::MS_NOSUID | libc::MS_NOEXEC) as usize;
    let options = c"newinstance,ptmxmode=0666,mode=0620".as_ptr() as usize;
    // SAFETY: literals with a zero byte.
    check(Stage::MountTerminals, unsafe { call(libc::SYS_mount, name, at, name, flags, options) }).map(drop)
}

/// Makes a pseudoterminal; gives the end where a person sits, and puts the end for the program at `slave`.
pub(super) fn pair(slave: usize) -> Result<usize, (Stage, i32)> {
    let stage = Stage::Terminal;
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    let (unlocked, size) = (0i32, SIZE);
    // SAFETY: throughout, numbers, a literal with a zero byte, and locals that live through the call.
    unsafe {
        let path = c"/dev/pts/ptmx".as_ptr() as usize;
        let master = check(stage, call(libc::SYS_open, path, flags as usize, 0, 0, 0))?;
        let ioctl = |request: libc::Ioctl, arg: usize| {
            check(stage, call(libc::SYS_ioctl, master, request as usize, arg, 0, 0))
        };
        ioctl(libc::TIOCSPTLCK, &raw const unlocked as usize)?;
        ioctl(libc::TIOCSWINSZ, &raw const size as usize)?;
        let end = ioctl(libc::TIOCGPTPEER, flags as usize)?;
        if end != slave {
            check(stage, call(libc::SYS_dup3, end, slave, libc::O_CLOEXEC as usize, 0, 0))?;
            call(libc::SYS_close, end, 0, 0, 0, 0);
        }
        Ok(master)
    }
}

/// Makes the caller the leader of a session that has `slave` as its controlling terminal.
pub(super) fn lead(slave: usize) -> Result<(), (Stage, i32)> {
    // SAFETY: only numbers.
    unsafe {
        check(Stage::ControllingTerminal, call(libc::SYS_setsid, 0, 0, 0, 0, 0))?;
        let take = call(libc::SYS_ioctl, slave, libc::TIOCSCTTY as usize, 0, 0, 0);
        check(Stage::ControllingTerminal, take).map(drop)
    }
}

/// Puts the program's standard input, output and error where it expects them: this file, or else the terminal; the terminal
/// twice, or else these two.
pub(super) fn standard(
    stdin: Option<&CStr>,
    terminal: Option<usize>,
    [stdout, stderr]: [usize; 2],
) -> Result<(), (Stage, i32)> {
    let put = |from: usize, to: usize| {
        // SAFETY: only numbers.
        check(Stage::Redirect, unsafe { call(libc::SYS_dup2, from, to, 0, 0, 0) }).map(drop)
    };
    if let Some(path) = stdin {
        let path = path.as_ptr() as usize;
        // SAFETY: the path lives through the call.
        let opened = unsafe { call(libc::SYS_open, path, libc::O_RDONLY as usize, 0, 0, 0) };
        let opened = check(Stage::StandardInput, opened)?;
        if opened != 0 {
            put(opened, 0)?;
            // SAFETY: only a number.
            check(Stage::Redirect, unsafe { call(libc::SYS_close, opened, 0, 0, 0, 0) })?;
        }
    } else if let Some(terminal) = terminal {
        put(terminal, 0)?;
    }
    put(terminal.unwrap_or(stdout), 1)?;
    put(terminal.unwrap_or(stderr), 2)
}
