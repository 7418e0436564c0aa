//! Takes note of from which places in the code threads make their calls, and what each returns: see `Observe::Calls`.

use crate::code::Registers;
use crate::schedule::{Point, Site};
use crate::supervise::Observe;
use crate::supervise::books::held::Place;
use crate::supervise::books::ids::ThreadId;
use crate::supervise::books::thread::State;
use crate::supervise::code::called::Where;
use crate::supervise::state::Turns;
use syscalls::Sysno;

impl Turns<'_> {
    /// Takes note of where a held thread makes the call that it is about to be let make, if the run is looked at for that.
    pub(in crate::supervise) fn note_call(&mut self, id: ThreadId) {
        let Observe::Calls(wanted) = self.observe else { return };
        let calls = &mut self.code.calls;
        calls.pass(id);
        let thread = self.tree.thread(id);
        let State::Held(held) = &thread.state else { return };
        let (Place::Before(call, nth) | Place::Entering(call, nth)) = held.place() else { return };
        if [Sysno::execve, Sysno::execveat].into_iter().any(|execute| call == execute.into()) {
            calls.forget(id);
        }
        let name = thread.name.clone();
        if !wanted.contains(&(name.clone(), call)) {
            return;
        }
        let (tid, address) = (thread.door.tid(), held.ip());
        let Some(place) = self.place_of(id) else { return };
        let point = Point { thread: name, site: Site::Before(call), nth };
        self.code.calls.make((id, tid), point, place, address);
    }

    fn place_of(&mut self, id: ThreadId) -> Option<Where> {
        let registers = self.registers_of(id)?;
        let (stack, _) = self.stack(id, &registers)?;
        let frames = stack.frames.iter().map(|frame| frame.address).collect();
        Some((registers.get(Registers::RSP)?, frames))
    }

    /// A thread has come to its next call: what its last one has returned.
    pub(in crate::supervise) fn note_result(&mut self, id: ThreadId) {
        if matches!(self.observe, Observe::Calls(_)) {
            self.code.calls.returned(id);
        }
    }
}
