//! Clocks without a call: the functions of the vDSO (vdso(7)), which read the machine's time where nobody is told of it.
//!
//! With virtual time their first instructions are overwritten in each new program, in its private copy of the vDSO, by the
//! system call that they stand for. That is done at the program's first notified call, before any code of its own has read
//! a clock: the dynamic loader and the C libraries make calls before they read one.

use object::read::elf::ElfFile64;
use object::{LittleEndian, Object, ObjectSymbol};

/// What each function becomes: `mov eax, NUMBER; syscall; ret`.
const CALLS: [(&str, i64); 4] = [
    ("__vdso_clock_gettime", libc::SYS_clock_gettime),
    ("__vdso_gettimeofday", libc::SYS_gettimeofday),
    ("__vdso_time", libc::SYS_time),
    ("__vdso_clock_getres", libc::SYS_clock_getres),
];

/// Random bytes that would not be the seed's: it says that it cannot, and its callers ask the kernel (getrandom(2)).
const RANDOM: &str = "__vdso_getrandom";

/// Instructions that are to be written, from the beginning of the vDSO on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::supervise) struct Patch {
    pub(in crate::supervise) offset: u64,
    pub(in crate::supervise) code: Vec<u8>,
}

/// What is to be written into the vDSO with this image; none if it is not understood.
pub(in crate::supervise) fn patches(image: &[u8]) -> Option<Vec<Patch>> {
    let file = ElfFile64::<LittleEndian>::parse(image).ok()?;
    let mut patches = Vec::new();
    for symbol in file.dynamic_symbols() {
        let name = symbol.name().ok()?;
        let code = match CALLS.iter().find(|(function, _)| *function == name) {
            Some((_, number)) => [&[0xb8][..], &(*number as u32).to_le_bytes(), &[0x0f, 0x05, 0xc3]].concat(),
            // mov rax, -ENOSYS; ret
            None if name == RANDOM => {
                [&[0x48, 0xc7, 0xc0][..], &(-libc::ENOSYS).to_le_bytes(), &[0xc3]].concat()
            }
            None => continue,
        };
        if symbol.size() < code.len() as u64 || symbol.address() >= image.len() as u64 {
            return None;
        }
        patches.push(Patch { offset: symbol.address(), code });
    }
    Some(together(image, patches))
}

/// The same as one piece, with what is between, if that is not much: each write costs as much as a page of it.
fn together(image: &[u8], patches: Vec<Patch>) -> Vec<Patch> {
    const PAGE: u64 = 4096;
    let end = |patch: &Patch| patch.offset + patch.code.len() as u64;
    let (first, last) = (patches.iter().map(|patch| patch.offset).min(), patches.iter().map(end).max());
    let Some(range) = first.zip(last).filter(|(first, last)| last - first <= PAGE) else { return patches };
    let Some(between) = image.get(range.0 as usize..range.1 as usize) else { return patches };
    let mut code = between.to_vec();
    for patch in &patches {
        let at = (patch.offset - range.0) as usize;
        code[at..at + patch.code.len()].copy_from_slice(&patch.code);
    }
    vec![Patch { offset: range.0, code }]
}
