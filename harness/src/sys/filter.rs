//! The seccomp filter: every call of the program is notified (seccomp_unotify(2)).

use super::gate;
use libc::{
    BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, SECCOMP_RET_ALLOW, SECCOMP_RET_USER_NOTIF,
    sock_filter,
};

/// `AUDIT_ARCH_X86_64` of linux/audit.h: EM_X86_64, 64 bits, little endian.
pub const AUDIT_ARCH_X86_64: u32 = 0xC000_003E;

// Offsets in struct seccomp_data (seccomp(2)).
const NR: u32 = 0;
const ARCH: u32 = 4;
const IP_LOW: u32 = 8;
const IP_HIGH: u32 = 12;

const fn load(offset: u32) -> sock_filter {
    sock_filter { code: (BPF_LD | BPF_W | BPF_ABS) as u16, jt: 0, jf: 0, k: offset }
}

const fn equal(value: u32, yes: u8, no: u8) -> sock_filter {
    sock_filter { code: (BPF_JMP | BPF_JEQ | BPF_K) as u16, jt: yes, jf: no, k: value }
}

const fn give(action: u32) -> sock_filter {
    sock_filter { code: (BPF_RET | BPF_K) as u16, jt: 0, jf: 0, k: action }
}

/// The filter. Three things pass or are told apart:
///
/// * a call of a foreign architecture (int 0x80) is notified, so that it can be refused and the refusal be told;
/// * a call through the gate is the init's own and passes;
/// * rt_sigreturn passes: interrupted while it waits to be received, it would have nothing to go back to.
pub(super) fn program() -> [sock_filter; 10] {
    let ip = gate::instruction_pointer();
    [
        load(ARCH),
        equal(AUDIT_ARCH_X86_64, 0, 6),
        load(IP_LOW),
        equal(ip as u32, 0, 2),
        load(IP_HIGH),
        equal((ip >> 32) as u32, 3, 0),
        load(NR),
        equal(libc::SYS_rt_sigreturn as u32, 1, 0),
        give(SECCOMP_RET_USER_NOTIF),
        give(SECCOMP_RET_ALLOW),
    ]
}
