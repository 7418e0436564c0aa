//! The processor's counter in programs of Go: their runtime seeds from it what its scheduler does by chance (`fastrand`), so two
//! runs of one schedule would not make the same calls.
//!
//! The instruction cannot be kept from a program without ptrace. But in a program of Go it is in one function,
//! `runtime.cputicks`, whose machine code is known; with virtual time that is overwritten in the process's copy of its text, as
//! the vDSO's functions are (`vdso`), by a time(2) that says what it asks for ([`COUNTER`]): the nanoseconds since the run
//! began, the same in every search. It is looked for by its bytes: a stripped program has it as well. Where it is not found, as in programs of newer compilers that no longer seed from it, nothing is done.

use crate::supervise::books::door::Door;
use nix::errno::Errno;
use std::collections::HashMap;
use std::sync::Mutex;

/// rdtscp; shl rdx, 32; add rax, rdx; mov [rsp+8], rax; ret; and where there is no rdtscp: mfence; lfence; rdtsc; jmp to the shl.
const CODE: [u8; 26] = [
    0x0f, 0x01, 0xf9, 0x48, 0xc1, 0xe2, 0x20, 0x48, 0x01, 0xd0, 0x48, 0x89, 0x44, 0x24, 0x08, 0xc3, 0x0f,
    0xae, 0xf0, 0x0f, 0xae, 0xe8, 0x0f, 0x31, 0xeb, 0xe9,
];
/// The address that time(2) is asked to write to, where none can be (EFAULT): it asks for the counter.
pub(in crate::supervise) const COUNTER: u64 = -99_i64 as u64;
/// What replaces it up to the `mov`: xor eax, eax; mov al, NUMBER; push COUNTER; pop rdi; syscall; nop. All registers are its own to
/// change, and Go has nothing below its stack pointer.
const ASKS: [u8; 10] = [0x31, 0xc0, 0xb0, libc::SYS_time as u8, 0x6a, COUNTER as u8, 0x5f, 0x0f, 0x05, 0x90];
/// And where the other way begins: a jump to that.
const JUMPS: [u8; 2] = [0xeb, 0xee];
const OTHER_WAY: u64 = 16;

/// The size of an ELF file's header.
const FILE_HEADER: u64 = 64;
const PT_LOAD: u32 = 1;
const PT_PHDR: u32 = 6;
const PF_X: u32 = 1;
const PF_W: u32 = 2;
/// What every program of Go has within so many bytes from the beginning of its data (package debug/buildinfo).
const BUILD_INFO: &[u8] = b"\xff Go buildinf:";
const BUILD_INFO_WITHIN: u64 = 64 << 10;
/// Text is read in pieces of so many bytes.
const PIECE: usize = 1 << 20;

/// A file as it was when it was looked at: inode, size, and when it was last changed. Not its device, of which each overlay has
/// one of its own.
pub(in crate::supervise) type FileId = (u64, u64, (i64, i64));

/// Where in its text a program has the code, from the address at which its headers would be without a bias; none if it has not.
/// Looked for once for each file.
#[derive(Debug, Default)]
pub(in crate::supervise) struct Ticks(Mutex<HashMap<FileId, Option<u64>>>);

impl Ticks {
    /// What is to be written, and where, in a process that has begun to run this file, with `count` program headers at `headers`.
    pub(in crate::supervise) fn patches(
        &self,
        door: &Door,
        file: FileId,
        (headers, count): (u64, u64),
    ) -> Result<Vec<(u64, &'static [u8])>, Errno> {
        let known = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).get(&file).copied();
        if known == Some(None) {
            return Ok(Vec::new());
        }
        let segments = segments(door, headers, count)?;
        let own = segments.iter().find(|segment| segment.kind == PT_PHDR).map(|segment| segment.address);
        // Without an entry for the headers themselves they are behind the file's own, at its beginning.
        let first = segments.iter().find(|segment| segment.kind == PT_LOAD && segment.offset == 0);
        let linked = own.or_else(|| Some(first?.address.wrapping_add(FILE_HEADER)));
        let bias = linked.map_or(0, |linked| headers.wrapping_sub(linked));
        let still = |at: u64| door.read_array(at.wrapping_add(bias)) == Ok(CODE);
        let found = match known {
            Some(found) if found.is_none_or(still) => found,
            _ => {
                let found = match find(door, &segments, bias) {
                    // Its headers tell something else than where it is: no program of Go's linker.
                    Err(Errno::EFAULT | Errno::EIO) => None,
                    found => found?,
                };
                self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).insert(file, found);
                found
            }
        };
        let Some(at) = found.map(|at| at.wrapping_add(bias)) else { return Ok(Vec::new()) };
        Ok(vec![(at, &ASKS), (at.wrapping_add(OTHER_WAY), &JUMPS)])
    }
}

/// A program header (elf(5)).
#[derive(Clone, Copy, Debug)]
struct Segment {
    kind: u32,
    flags: u32,
    offset: u64,
    address: u64,
    size: u64,
}

fn segments(door: &Door, headers: u64, count: u64) -> Result<Vec<Segment>, Errno> {
    const ENTRY: usize = 56;
    // The kernel starts no program with more than fit into a page or two.
    let bytes = door.read_bytes(headers, usize::try_from(count.min(256)).unwrap_or(0) * ENTRY)?;
    let segment = |entry: &[u8]| {
        let word = |at: usize| entry[at..at + 8].try_into().map(u64::from_le_bytes).unwrap_or(0);
        let half = |at: usize| entry[at..at + 4].try_into().map(u32::from_le_bytes).unwrap_or(0);
        Segment { kind: half(0), flags: half(4), offset: word(8), address: word(16), size: word(32) }
    };
    Ok(bytes.chunks_exact(ENTRY).map(segment).collect())
}

/// The code in the text of a program, if that is of Go.
fn find(door: &Door, segments: &[Segment], bias: u64) -> Result<Option<u64>, Errno> {
    let at = |segment: &Segment| segment.address.wrapping_add(bias);
    let mut go = false;
    for data in segments.iter().filter(|segment| segment.kind == PT_LOAD && segment.flags & PF_W != 0) {
        let begins = door.read_bytes(at(data), data.size.min(BUILD_INFO_WITHIN) as usize)?;
        go |= position(&begins, BUILD_INFO).is_some();
    }
    if !go {
        return Ok(None);
    }
    for text in segments.iter().filter(|segment| segment.kind == PT_LOAD && segment.flags & PF_X != 0) {
        let mut from = 0;
        while from < text.size {
            // Pieces overlap, so that nothing is cut in two.
            let length = (text.size - from).min((PIECE + CODE.len()) as u64) as usize;
            let piece = door.read_bytes(at(text) + from, length)?;
            if let Some(place) = position(&piece, &CODE) {
                return Ok(Some(text.address + from + place as u64));
            }
            from += PIECE as u64;
        }
    }
    Ok(None)
}

/// Where `wanted` is in `bytes`.
fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let (first, rest) = wanted.split_first()?;
    let mut from = 0;
    while let Some(next) = bytes.get(from..)?.iter().position(|byte| byte == first) {
        if bytes.get(from + next + 1..)?.starts_with(rest) {
            return Some(from + next);
        }
        from += next + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use iced_x86::{Code, Decoder, DecoderOptions, Instruction};

    fn decoded(code: &[u8]) -> Vec<Instruction> {
        Decoder::with_ip(64, code, 0x1000, DecoderOptions::NONE).into_iter().collect()
    }

    #[test]
    fn what_is_written_ends_where_the_code_that_stays_begins() {
        let mut code = CODE;
        code[..ASKS.len()].copy_from_slice(&ASKS);
        code[OTHER_WAY as usize..][..JUMPS.len()].copy_from_slice(&JUMPS);
        let starts = |code: &[u8]| decoded(code).iter().map(Instruction::ip).collect::<Vec<_>>();
        let store = 0x1000 + ASKS.len() as u64;
        assert!(starts(&CODE).contains(&store) && starts(&code).contains(&store));
        let jump = decoded(&code).into_iter().find(|one| one.ip() == 0x1000 + OTHER_WAY).unwrap();
        assert_eq!((jump.code(), jump.near_branch_target()), (Code::Jmp_rel8_64, 0x1000));
        assert!(!decoded(&code[..ASKS.len() + 6]).iter().any(|one| one.code() == Code::Rdtscp));
        let push = decoded(&code).into_iter().find(|one| one.code() == Code::Pushq_imm8).unwrap();
        assert_eq!(push.immediate8to64() as u64, COUNTER);
    }

    #[test]
    fn bytes_are_found_at_the_end_and_after_what_begins_alike() {
        assert_eq!(position(&[0x0f, 0x0f, 0x01, 0xf9], &[0x0f, 0x01, 0xf9]), Some(1));
        assert_eq!(position(&[0x0f, 0x01], &[0x0f, 0x01, 0xf9]), None);
    }
}
