//! Holding a thread right after fork returns, where the program makes no call by itself.
//!
//! Before the fork is let happen, the instruction after it is overwritten with a `syscall` of our own, in the process's
//! private copy of its code. Parent and child each run into it: the notification comes from just behind the planted
//! instruction, its call number being what fork returned. Then the two bytes are put back, and the restart of the
//! "call" takes the thread back to the original instruction with its registers as fork left them.

use super::RunError;
use super::tree::Process;
use crate::sys::memory::Text;
use crate::sys::stage::remedy_of_lack;
use nix::errno::Errno;
use std::io;

/// The two bytes of `syscall`.
const SYSCALL: [u8; 2] = [0x0f, 0x05];

/// A planted instruction and what it replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plant {
    pub(super) address: u64,
    original: [u8; 2],
}

impl Process {
    fn memory(&mut self) -> io::Result<&Text> {
        match self.text {
            Some(ref text) => Ok(text),
            None => Ok(self.text.insert(Text::open(self.pid)?)),
        }
    }

    /// True if a thread that was notified from `ip` is held by a planted instruction.
    pub(super) fn planted_before(&self, ip: u64) -> bool {
        self.plants.iter().any(|plant| plant.address + 2 == ip)
    }

    /// Plants at `address`, unless that is done already.
    pub(super) fn plant(&mut self, address: u64) -> io::Result<Plant> {
        if let Some(plant) = self.plants.iter().find(|plant| plant.address == address) {
            return Ok(*plant);
        }
        let memory = self.memory()?;
        let original = memory.read(address)?;
        memory.write(address, &SYSCALL)?;
        let plant = Plant { address, original };
        self.plants.push(plant);
        Ok(plant)
    }

    /// Puts the original instruction back.
    pub(super) fn unplant(&mut self, address: u64) -> io::Result<()> {
        let Some(at) = self.plants.iter().position(|plant| plant.address == address) else { return Ok(()) };
        let plant = self.plants[at];
        self.memory()?.write(address, &plant.original)?;
        self.plants.remove(at);
        Ok(())
    }
}

/// Explains a refused write to a process's code.
pub(super) fn refused(error: &io::Error) -> RunError {
    let remedy = error.raw_os_error().map(Errno::from_raw).and_then(remedy_of_lack);
    let remedy = remedy.map_or_else(String::new, |remedy| format!("; {remedy}"));
    RunError::Unsupported(format!(
        "holding a process right after fork needs writes to /proc/PID/mem, which this host refuses: {error}{remedy}"
    ))
}
