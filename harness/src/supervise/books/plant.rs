//! Holding a thread right after fork returns, where the program makes no call by itself.
//!
//! Before the fork is let happen, the instruction after it is overwritten with a jump, in the process's private copy of its
//! code. It leads to a stub in the unused end of the vDSO's last page (vdso(7)): a `syscall` of our own, and a jump back.
//! Parent and child each run into it: the notification comes from just behind the stub's `syscall`, its call number being
//! what fork returned. Then the overwritten bytes are put back, and the answer to the "call" is that same number: the
//! thread comes to the original instruction with its registers as fork left them. Those that a call changes (rcx, r11) fork
//! itself has changed before.
//!
//! Nothing is restarted for it and no signal is needed, so it works whatever the process does with its signals, and also for
//! what the kernel never restarts (a call numbered -1, which is what a fork that fails with EPERM looks like).

use crate::supervise::RunError;
use crate::sys::memory::Text;
use crate::sys::stage::remedy_of_lack;
use nix::errno::Errno;
use std::io;
use std::ops::Range;

/// `syscall`.
const SYSCALL: [u8; 2] = [0x0f, 0x05];
/// `jmp [rip]`: to the address in the eight bytes that follow.
const JUMP: [u8; 6] = [0xff, 0x25, 0, 0, 0, 0];
/// A jump with its address.
const JUMP_SIZE: usize = JUMP.len() + 8;
/// A stub takes so many bytes.
const STUB_SIZE: u64 = (SYSCALL.len() + JUMP_SIZE) as u64;

/// A planted jump and what it replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::supervise) struct Plant {
    pub(in crate::supervise) address: u64,
    stub: u64,
    original: [u8; JUMP_SIZE],
}

impl Plant {
    /// Where a thread is notified from that has come here.
    fn notified_from(&self) -> u64 {
        self.stub + SYSCALL.len() as u64
    }
}

/// Where the stubs of a program are.
#[derive(Clone, Debug, Default)]
struct Stubs {
    room: Range<u64>,
    /// Where each leads back to.
    back: Vec<u64>,
}

/// What is planted in a memory, and the stubs: a copy of the memory has them, too.
#[derive(Clone, Debug, Default)]
pub(in crate::supervise) struct Planted {
    plants: Vec<Plant>,
    stubs: Stubs,
}

impl Stubs {
    /// The place of the stub that leads back to `address`, and whether it is still to be written; none without room.
    fn place(&mut self, address: u64) -> Option<(u64, bool)> {
        let known = self.back.iter().position(|back| *back == address);
        let index = known.unwrap_or(self.back.len());
        let stub = self.room.start.checked_add(STUB_SIZE.checked_mul(index as u64)?)?;
        if stub.checked_add(STUB_SIZE)? > self.room.end {
            return None;
        }
        if known.is_none() {
            self.back.push(address);
        }
        Some((stub, known.is_none()))
    }
}

/// The unused end of a vDSO that begins at `base`, from its ELF header in memory (elf(5)): its section headers come last, and
/// the kernel maps whole pages.
pub(in crate::supervise) fn room_in_vdso(base: u64, header: &[u8; 64]) -> Range<u64> {
    const PAGE: u64 = 4096;
    let half = |at: usize| u64::from(u16::from_le_bytes([header[at], header[at + 1]]));
    let mut offset = [0; 8];
    offset.copy_from_slice(&header[40..48]);
    let sections = half(58) * half(60);
    let end = u64::from_le_bytes(offset).saturating_add(sections).saturating_add(base);
    let aligned = end.div_ceil(16).saturating_mul(16);
    aligned..end.div_ceil(PAGE).saturating_mul(PAGE).max(aligned)
}

fn jump(to: u64) -> [u8; JUMP_SIZE] {
    let mut bytes = [0; JUMP_SIZE];
    bytes[..JUMP.len()].copy_from_slice(&JUMP);
    bytes[JUMP.len()..].copy_from_slice(&to.to_le_bytes());
    bytes
}

impl Planted {
    /// Nothing yet; stubs go into these bytes, which nothing else uses.
    pub(in crate::supervise) fn within(room: Range<u64>) -> Planted {
        Planted { plants: Vec::new(), stubs: Stubs { room, back: Vec::new() } }
    }

    /// What is in a copy of this memory that was made while `plant` was there; it may be gone from here by now.
    pub(in crate::supervise) fn copied(&self, plant: Option<Plant>) -> Planted {
        let mut copy = self.clone();
        copy.plants.extend(plant.filter(|plant| !self.plants.contains(plant)));
        copy
    }

    /// A memory of its own that begins without plants, with the same room.
    pub(in crate::supervise) fn bare(&self) -> Planted {
        Planted { plants: Vec::new(), stubs: self.stubs.clone() }
    }

    /// What is planted there, of a thread that was notified from `ip`.
    pub(in crate::supervise) fn notified(&self, ip: u64) -> Option<Plant> {
        self.plants.iter().find(|plant| plant.notified_from() == ip).copied()
    }

    /// Plants at `address`, unless that is done already; none if there is no room for a stub.
    pub(in crate::supervise) fn plant(&mut self, memory: &Text, address: u64) -> io::Result<Option<Plant>> {
        if let Some(plant) = self.plants.iter().find(|plant| plant.address == address) {
            return Ok(Some(*plant));
        }
        let Some((stub, fresh)) = self.stubs.place(address) else { return Ok(None) };
        if fresh {
            memory.write(stub, &SYSCALL)?;
            memory.write(stub + SYSCALL.len() as u64, &jump(address))?;
        }
        let original = memory.read(address)?;
        memory.write(address, &jump(stub))?;
        let plant = Plant { address, stub, original };
        self.plants.push(plant);
        Ok(Some(plant))
    }

    /// Puts the original instructions back.
    pub(in crate::supervise) fn unplant(&mut self, memory: &Text, address: u64) -> io::Result<()> {
        let Some(at) = self.plants.iter().position(|plant| plant.address == address) else { return Ok(()) };
        memory.write(address, &self.plants[at].original)?;
        self.plants.remove(at);
        Ok(())
    }
}

/// Explains a refused write to a process's code.
pub(in crate::supervise) fn refused(error: &io::Error) -> RunError {
    let remedy = error.raw_os_error().map(Errno::from_raw).and_then(remedy_of_lack);
    let remedy = remedy.map_or_else(String::new, |remedy| format!("; {remedy}"));
    RunError::Unsupported(format!(
        "holding a process right after fork needs writes to /proc/PID/mem, which this host refuses: {error}{remedy}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stubs_have_a_place_for_each_way_back_as_long_as_there_is_room() {
        let mut stubs = Stubs { room: 0x1000..0x1028, back: Vec::new() };
        assert_eq!(stubs.place(7), Some((0x1000, true)));
        assert_eq!(stubs.place(8), Some((0x1010, true)));
        assert_eq!(stubs.place(7), Some((0x1000, false)));
        assert_eq!(stubs.place(9), None);
        assert_eq!(stubs.place(8), Some((0x1010, false)));
        assert_eq!(Stubs::default().place(7), None);
    }

    #[test]
    fn the_end_of_a_page_after_the_section_headers_is_unused() {
        let mut header = [0; 64];
        header[40..48].copy_from_slice(&0x15a0u64.to_le_bytes());
        header[58] = 64;
        header[60] = 18;
        assert_eq!(room_in_vdso(0x7fff_0000, &header), 0x7fff_1a20..0x7fff_2000);
        // A page that is used up, and a header that makes no sense.
        header[40..48].copy_from_slice(&(0x2000u64 - 64 * 18).to_le_bytes());
        assert!(room_in_vdso(0, &header).is_empty());
        header[40..48].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(room_in_vdso(0x7fff_0000, &header).start > 0);
    }
}
