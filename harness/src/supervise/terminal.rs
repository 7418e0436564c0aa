//! The run's terminal: reading its screen, typing, and seeing that nothing is on its way through it.
//!
//! NOTE \[On its way\] What is typed is taken in by the kernel a moment later, in a thread of the kernel's own (`flush_to_ldisc`
//! of drivers/tty/tty_buffer.c). Polling the program's end waits for that, as long as there is nothing to read there. Else
//! something else tells: a character that causes a signal empties what there is to read after it has sent the signal
//! (`isig` of drivers/tty/n_tty.c), and where the modes say that it does not, the signal is sent without the character.
//! What the program has written is all there when reading says so. The same holds of the program's own pseudoterminals, which
//! are polled before anything is claimed, and after each call that may have written to one.

use super::RunError;
use crate::schedule::Action;
use crate::signal::Signal;
use crate::supervise::books::ids::{ProcessId, ThreadId};
use crate::supervise::books::seat::Seat;
use crate::supervise::group::Members;
use crate::supervise::patience::{NEWS, UnderWay};
use crate::supervise::state::Turns;
use crate::sys::modes::Modes;
use crate::sys::pidfd::Duplicate;
use crate::sys::terminal;
use crate::trace::{Acts, Foreground, TerminalLeft};
use nix::errno::Errno;
use nix::sys::stat::fstat;
use std::os::fd::{AsFd, BorrowedFd};

fn fault(doing: &str, errno: Errno) -> RunError {
    RunError::Fault(format!("{doing} the run's terminal: {errno}"))
}

impl Turns<'_> {
    /// Reads what the program has written to the terminal.
    pub(super) fn read_screen(&mut self) -> Result<(), RunError> {
        let Some(seat) = &mut self.seat else { return Ok(()) };
        let Some(person) = seat.terminal.person() else { return Ok(()) };
        match self.stdout.drain(person) {
            Ok(_) => {}
            Err(Errno::EIO) => seat.silent = true,
            Err(errno) => return Err(fault("reading", errno)),
        }
        Ok(())
    }

    /// All threads have settled: notes the terminal's modes, as long as its session lives. When that ends they are reset.
    pub(super) fn note_terminal(&mut self) {
        let alive = !self.tree.processes.first().is_some_and(|process| process.ended());
        let Some(seat) = self.seat.as_mut().filter(|seat| alive && !seat.hung_up) else { return };
        seat.modes = seat.terminal.modes().ok();
    }

    /// The first process has ended, and with it its session: everybody in it may have been signalled.
    pub(super) fn session_ended(&mut self) {
        let first = self.tree.leader(ProcessId(0));
        let changed = self.tree.thread(first).released.map(i64::from) == Some(libc::SYS_ioctl);
        let Some(seat) = &mut self.seat else { return };
        if changed {
            // In the same moment it may have changed them.
            seat.modes = None;
        }
        seat.typing.clear();
        self.anybody_may_notice();
    }

    /// How the terminal is left, if there is one.
    pub(super) fn terminal_left(&self) -> Result<Option<TerminalLeft>, RunError> {
        let Some(seat) = &self.seat else { return Ok(None) };
        let modes = seat.modes.as_ref().map(|modes| modes.beside(&seat.began));
        let lives = self.tree.processes.first().is_some_and(|process| !process.ended());
        let foreground = if lives && !seat.hung_up { Some(self.foreground(seat)?) } else { None };
        Ok(Some(TerminalLeft { modes, foreground }))
    }

    fn foreground(&self, seat: &Seat) -> Result<Foreground, RunError> {
        let number = seat.terminal.foreground().map_err(|errno| fault("looking at", errno))?;
        let Some(leader) = self.tree.group_leader(number) else { return Ok(Foreground::Nobody) };
        let mut members = false;
        for id in self.tree.live() {
            members |= self.proc_status(id)?.is_some_and(|status| status.own_group == leader.own_pid);
        }
        let name = leader.name.clone();
        Ok(if members { Foreground::Group(name) } else { Foreground::Ended(name) })
    }

    /// What a person could do at the terminal that would mean something to this thread's process.
    pub(super) fn meaningful_acts(&self, thread: ThreadId) -> Result<Acts, RunError> {
        let mut acts = Acts::NOTHING;
        let Some(seat) = self.seat.as_ref().filter(|seat| !seat.hung_up) else { return Ok(acts) };
        let Some(status) = self.proc_status(thread)? else { return Ok(acts) };
        let process = self.tree.thread(thread).process;
        let handled = self.heard(thread, &status);
        // The leader of the session gets the hang-up; who ignores it meets the end of its input instead.
        if process == ProcessId(0) && handled.union(status.ignored).contains(Signal::HUP) {
            acts.add(Acts::HANG_UP);
        }
        let Ok(number) = seat.terminal.foreground() else { return Ok(acts) };
        if self.tree.group_leader(number).is_none_or(|leader| status.own_group != leader.own_pid) {
            return Ok(acts);
        }
        acts.add(Acts::TEXT);
        if handled.contains(Signal::WINCH) {
            acts.add(Acts::RESIZE);
        }
        let Some(modes) = &seat.modes else { return Ok(acts) };
        if Acts::KEYS.into_iter().all(|(key, _)| modes.signal_of(key).is_none()) {
            acts.add(Acts::PLAIN);
        }
        for (key, act) in Acts::KEYS {
            let signal = modes.signal_of(key).and_then(Signal::from_number);
            if signal.is_some_and(|signal| handled.contains(signal)) {
                acts.add(act);
            }
        }
        Ok(acts)
    }

    /// Does what a person does at the terminal; false if there is none, or it is hung up. While a thread is stopped at an
    /// instruction nothing is done: that stop would be undone, or taken for what was typed.
    pub(super) fn act(&mut self, thread: ThreadId, action: &Action) -> Result<bool, RunError> {
        let there = self.seat.as_ref().is_some_and(|seat| !seat.hung_up);
        if !there || self.anybody_parked() {
            return Ok(false);
        }
        self.read_screen()?;
        self.note_there()?;
        // Whoever gets a signal by what is done has gone on from there.
        self.look_where(thread);
        let Some(seat) = &mut self.seat else { return Ok(false) };
        match action {
            Action::Type(keys) => seat.typing.extend(keys.bytes()),
            Action::Resize(columns, rows) => {
                seat.terminal.resize(*columns, *rows).map_err(|errno| fault("resizing", errno))?;
            }
            Action::HangUp => {
                seat.terminal.hang_up();
                seat.typing.clear();
                seat.hung_up = true;
            }
            Action::Switch(_) | Action::Send(_) | Action::SendGroup(_) | Action::Fire => return Ok(false),
        }
        self.came_from_outside();
        self.step_event(thread, action.clone(), &[]);
        if !self.tree.is_held(thread) {
            self.code.lookout.goes_on(thread);
        }
        self.type_on()?;
        Ok(true)
    }

    /// Somebody outside has done something that anybody of the run may notice.
    pub(super) fn came_from_outside(&mut self) {
        self.note_sent();
        self.anybody_may_notice();
    }

    /// Each thread may have been signalled or woken.
    fn anybody_may_notice(&mut self) {
        self.all_signalled();
        self.tree.all_stale();
    }

    /// Types the next of what is to be typed, up to and without the next character that causes a signal, or that alone. True
    /// if something was typed: then all have to settle before the rest is.
    pub(super) fn type_on(&mut self) -> Result<bool, RunError> {
        if self.seat.as_ref().is_none_or(|seat| seat.typing.is_empty()) {
            return Ok(false);
        }
        // A character that causes a signal throws away output that was not read.
        self.read_screen()?;
        let Some(seat) = &self.seat else { return Ok(false) };
        let modes = seat.terminal.modes().map_err(|errno| fault("looking at", errno))?;
        let Some(first) = seat.typing.front().copied() else { return Ok(false) };
        terminal::flush(seat.terminal.program());
        let unread = seat.terminal.readable().unwrap_or(0);
        let signal = modes.signal_of(first);
        let members = self.foreground_members(seat, signal)?;
        if let Some((signal, members)) = members.filter(|(_, members)| members.are_mixed()) {
            return self.type_for(signal, members, modes);
        }
        let Some(seat) = &mut self.seat else { return Ok(false) };
        if let Some(signal) = signal.filter(|_| unread > 0 && !modes.signals_flush()) {
            seat.typing.pop_front();
            seat.terminal.signal(signal).map_err(|errno| fault("signalling through", errno))?;
            self.came_from_outside();
            return Ok(true);
        }
        let count = seat.typing.iter().take_while(|byte| modes.signal_of(**byte).is_none()).count().max(1);
        let bytes: Vec<u8> = seat.typing.iter().take(count).copied().collect();
        let taken = match seat.terminal.type_bytes(&bytes) {
            Ok(taken) => taken,
            // Full, or at its end: nobody reads what is typed.
            Err(Errno::EAGAIN | Errno::EIO) => return Ok(false),
            Err(errno) => return Err(fault("typing at", errno)),
        };
        for byte in seat.typing.drain(..taken) {
            // What causes a signal has output go on as well.
            seat.stopped = modes.stops_output(byte).unwrap_or(seat.stopped && signal.is_none());
        }
        let mut wait = UnderWay::new();
        while terminal::flush(seat.terminal.program()) && signal.is_some() {
            if wait.is_overdue() {
                self.doubts.taint("a character that was typed was not taken in".to_owned());
                break;
            }
            let given = self.cell.giving_way.give_way(NEWS);
            given.map_err(|errno| fault("giving the CPU to what passes on", errno))?;
        }
        self.came_from_outside();
        Ok(true)
    }

    /// Whom of the foreground a character reaches that causes this signal.
    fn foreground_members(
        &self,
        seat: &Seat,
        signal: Option<i32>,
    ) -> Result<Option<(Signal, Members)>, RunError> {
        let Some(signal) = signal.and_then(Signal::from_number) else { return Ok(None) };
        let Ok(number) = seat.terminal.foreground() else { return Ok(None) };
        let members =
            self.tree.group_leader(number).map(|leader| self.members(signal, leader.own_pid)).transpose()?;
        Ok(members.map(|members| (signal, members)))
    }

    /// Does what a character does that causes this signal, but for the order of those whom it reaches.
    fn type_for(&mut self, signal: Signal, members: Members, modes: Modes) -> Result<bool, RunError> {
        let Some(seat) = &mut self.seat else { return Ok(false) };
        let Some(byte) = seat.typing.pop_front() else { return Ok(false) };
        if modes.signals_flush() {
            seat.terminal.throw_away().map_err(|errno| fault("emptying", errno))?;
        }
        self.stdout.take(&modes.echo_of(byte));
        self.send_to_members(signal, members)?;
        self.came_from_outside();
        Ok(true)
    }

    /// True if this descriptor of the program's is the run's terminal.
    pub(super) fn is_terminal_of_run(&self, copy: &Duplicate) -> bool {
        let device = |fd: BorrowedFd<'_>| fstat(fd).ok().map(|stat| stat.st_rdev);
        let Some(seat) = &self.seat else { return false };
        let (own, this) = (device(seat.terminal.program()), device(copy.as_fd()));
        this.is_some() && (own == this || this == Some(libc::makedev(5, 0)))
    }

    /// Reads the screen, and has the kernel hand on what was typed. True if there is a terminal.
    pub(super) fn flush_terminal_of_run(&mut self) -> Result<bool, RunError> {
        self.read_screen()?;
        let Some(seat) = &self.seat else { return Ok(false) };
        terminal::flush(seat.terminal.program());
        Ok(true)
    }

    /// Lets pass what is on its way through pseudoterminals of the program's own, after a call that may have written to one.
    /// True if somebody may have been woken or signalled by it.
    pub(super) fn flush_own_terminals(&mut self) -> Result<bool, RunError> {
        let written = std::mem::take(&mut self.kernel.terminal_written);
        if !written || !self.flush_terminals()? {
            return Ok(false);
        }
        self.anybody_may_notice();
        Ok(true)
    }
}
