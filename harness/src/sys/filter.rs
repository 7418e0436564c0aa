//! The seccomp filter: every call of the program is notified (seccomp_unotify(2)).

use super::gate;
use libc::{
    BPF_ABS, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, SECCOMP_RET_ALLOW,
    SECCOMP_RET_USER_NOTIF, sock_filter,
};
use std::ops::Range;

/// `AUDIT_ARCH_X86_64` of linux/audit.h: EM_X86_64, 64 bits, little endian.
pub const AUDIT_ARCH_X86_64: u32 = 0xC000_003E;

// Offsets in struct seccomp_data (seccomp(2)).
const NR: u32 = 0;
const ARCH: u32 = 4;
const IP_LOW: u32 = 8;
const IP_HIGH: u32 = 12;
/// The sixth argument.
const KEY_LOW: u32 = 56;
const KEY_HIGH: u32 = 60;

const fn load(offset: u32) -> sock_filter {
    sock_filter { code: (BPF_LD | BPF_W | BPF_ABS) as u16, jt: 0, jf: 0, k: offset }
}

const fn equal(value: u32, yes: u8, no: u8) -> sock_filter {
    sock_filter { code: (BPF_JMP | BPF_JEQ | BPF_K) as u16, jt: yes, jf: no, k: value }
}

const fn give(action: u32) -> sock_filter {
    sock_filter { code: (BPF_RET | BPF_K) as u16, jt: 0, jf: 0, k: action }
}

const fn at_least(value: u32, yes: u8, no: u8) -> sock_filter {
    sock_filter { code: (BPF_JMP | BPF_JGE | BPF_K) as u16, jt: yes, jf: no, k: value }
}

/// Calls by which the dynamic loader finds and maps files, and sets up the first thread. They wake nobody and send nothing,
/// so control loses nothing by not being told of them, and starting a program is mostly made of them.
pub const LOADER_CALLS: [i64; 14] = [
    libc::SYS_access,
    libc::SYS_openat,
    libc::SYS_read,
    libc::SYS_pread64,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_munmap,
    libc::SYS_close,
    libc::SYS_arch_prctl,
    libc::SYS_set_tid_address,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
];

/// The filter. What passes or is told apart:
///
/// * a call of a foreign architecture (int 0x80) is notified, so that it can be refused and the refusal be told;
/// * a call through the gate with the key is the init's own and passes (NOTE [The key] of `gate`);
/// * rt_sigreturn passes: interrupted while it waits to be received, it would have nothing to go back to;
/// * the dynamic loader's calls of [`LOADER_CALLS`] pass, where its code is known to be (`loader`) and nobody else's can be.
pub(super) fn program(loader: Option<Range<u64>>, key: u64) -> Vec<sock_filter> {
    let ip = gate::instruction_pointer();
    let mut program = vec![
        load(ARCH),
        // Two instructions from the end: the notification.
        equal(AUDIT_ARCH_X86_64, 0, 0),
        load(IP_LOW),
        equal(ip as u32, 0, 7),
        load(IP_HIGH),
        equal((ip >> 32) as u32, 0, 5),
        load(KEY_LOW),
        equal(key as u32, 0, 3),
        load(KEY_HIGH),
        equal((key >> 32) as u32, 0, 1),
        give(SECCOMP_RET_ALLOW),
    ];
    // The comparisons are of 32 bits: a range across their border is not worth more of them.
    if let Some(range) = loader.filter(|range| range.start >> 32 == range.end >> 32) {
        let calls = LOADER_CALLS.len() as u8;
        program.extend([
            load(IP_HIGH),
            equal((range.start >> 32) as u32, 0, calls + 5),
            load(IP_LOW),
            at_least(range.start as u32, 0, calls + 3),
            at_least(range.end as u32, calls + 2, 0),
            load(NR),
        ]);
        for (index, call) in LOADER_CALLS.iter().enumerate() {
            // To the permission behind the last of them; the last, when it does not match, goes past it.
            let last = index + 1 == LOADER_CALLS.len();
            program.push(equal(*call as u32, calls - 1 - index as u8, u8::from(last)));
        }
        program.push(give(SECCOMP_RET_ALLOW));
    }
    program.extend([
        load(NR),
        equal(libc::SYS_rt_sigreturn as u32, 1, 0),
        give(SECCOMP_RET_USER_NOTIF),
        give(SECCOMP_RET_ALLOW),
    ]);
    // From the second instruction to the notification.
    program[1].jf = (program.len() - 2 - 2) as u8;
    program
}
