//! How the run's init starts a program.
//!
//! A program's first step runs in memory that is shared with the init (vfork(2)), under the rules of `init`.

use super::gate::call;
use super::init::check;
use super::pty;
use super::stage::Stage;
use libc::c_char;
use std::ffi::CString;

/// How a program is started.
pub(super) struct Root {
    pub(super) file: CString,
    pub(super) argv: Vec<*const c_char>,
    pub(super) envp: Vec<*const c_char>,
    pub(super) cwd: CString,
    /// None where it is the terminal.
    pub(super) stdin: Option<CString>,
}

/// The first pid of every run is one more than this. High, because a planted `syscall` instruction makes the pid that
/// fork returns look like a call's number, and no real call has such a number.
const PID_BEFORE_FIRST: &[u8] = b"999";

/// The stack of the program's first step, until it executes.
const STACK: usize = 64 * 1024;

/// What the program's first step needs, where it finds it: it has no arguments.
static mut FIRST_STEP: FirstStep = FirstStep { start: std::ptr::null(), stage: 0, errno: 0 };

#[derive(Clone, Copy)]
struct FirstStep {
    start: *const Start<'static>,
    /// What of it failed, if anything did, and why.
    stage: i32,
    errno: i32,
}

/// A program to start, and its standard output and error.
pub(super) struct Start<'a> {
    pub(super) root: &'a Root,
    pub(super) outputs: [usize; 2],
    /// The terminal whose session it leads.
    pub(super) terminal: Option<usize>,
}

#[repr(align(16))]
struct Stack(#[expect(dead_code, reason = "used by address only")] [u8; STACK]);
static mut FIRST_STACK: Stack = Stack([0; STACK]);

impl Start<'_> {
    /// Starts the program, with the first pid if that can be set by this descriptor: it shares the init's memory until it
    /// executes, and the init waits for that. Gives the stage that failed, and the error number.
    pub(super) fn start(&self, pids: Option<usize>) -> Result<(), (i32, i32)> {
        // SAFETY: the init has one thread, so nobody else uses the two statics; the new process uses them, and what they point
        // to, while the init is suspended (CLONE_VFORK). Its stack has room for the entry's address at the top, 16-byte aligned
        // as a call leaves it.
        let (pid, FirstStep { stage, errno, .. }) = unsafe {
            if let Some(pids) = pids {
                let lseek = call(libc::SYS_lseek, pids, 0, libc::SEEK_SET as usize, 0, 0);
                let text = PID_BEFORE_FIRST;
                let set = if lseek < 0 {
                    lseek
                } else {
                    call(libc::SYS_write, pids, text.as_ptr() as usize, text.len(), 0, 0)
                };
                if set < 0 {
                    return Err((Stage::LastPid as i32, (-set) as i32));
                }
            }
            FIRST_STEP = FirstStep { start: std::ptr::from_ref(self).cast(), stage: 0, errno: 0 };
            let top = (&raw mut FIRST_STACK).cast::<u8>().add(STACK - 16).cast::<usize>();
            top.write(first_step as *const () as usize);
            let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
            let pid = call(libc::SYS_clone, flags as usize, top as usize, 0, 0, 0);
            (pid, (&raw const FIRST_STEP).read_volatile())
        };
        match stage {
            _ if pid < 0 => Err((Stage::Fork as i32, (-pid) as i32)),
            0 => Ok(()),
            stage => Err((stage, errno)),
        }
    }
}

/// The new process, before it is the program.
extern "C" fn first_step() -> ! {
    // SAFETY: `start` has set it, and waits.
    let step = unsafe { (&raw const FIRST_STEP).read_volatile() };
    // SAFETY: as above.
    let (stage, errno) = execute(unsafe { &*step.start });
    // SAFETY: as above.
    unsafe { (&raw mut FIRST_STEP).write_volatile(FirstStep { stage: stage as i32, errno, ..step }) };
    loop {
        // SAFETY: no pointers; the call does not return.
        unsafe { call(libc::SYS_exit_group, 127, 0, 0, 0, 0) };
    }
}

/// Returns only what went wrong.
fn execute(start: &Start<'_>) -> (Stage, i32) {
    let Start { root, outputs, terminal } = start;
    let steps = || -> Result<(), (Stage, i32)> {
        // SAFETY: pointers come from `start` or from locals that live through the call.
        unsafe {
            match terminal {
                Some(terminal) => pty::lead(*terminal)?,
                // As a shell starts a job: the leader of a process group, in a session that is not its own.
                None => check(Stage::ChildGroup, call(libc::SYS_setpgid, 0, 0, 0, 0, 0)).map(drop)?,
            }
            let cwd = root.cwd.as_ptr() as usize;
            check(Stage::WorkingDirectory, call(libc::SYS_chdir, cwd, 0, 0, 0, 0))?;
            pty::standard(root.stdin.as_deref(), *terminal, *outputs)?;
            let none = 0u64;
            call(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK as usize, &raw const none as usize, 0, 8, 0);
            let (argv, envp) = (root.argv.as_ptr() as usize, root.envp.as_ptr() as usize);
            let file = root.file.as_ptr() as usize;
            check(Stage::Execute, call(libc::SYS_execve, file, argv, envp, 0, 0))?;
        }
        Ok(())
    };
    steps().err().unwrap_or((Stage::Execute, 0))
}
