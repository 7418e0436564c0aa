//! A `syscall` instruction with a known address, and a key.
//!
//! The filter that supervises the program is inherited from the run's init, so it applies to the init as well. It lets
//! through what is called from this instruction, the gate, with the key; the program's own calls come from elsewhere and are
//! notified.
//!
//! NOTE \[The key\] A program could map code of its own at the gate's address. So the address is not enough: a call passes only
//! with the key in the register of the sixth argument, which none of the init's calls has. It is 64 random bits that each
//! command chooses anew. The program does not come to know it: executing it clears the registers, nobody shows it the filter
//! (`PTRACE_SECCOMP_GET_FILTER` of ptrace(2) is refused to whoever is filtered), and it may not look into the init, nor
//! see the arguments of its calls (`init::set_up`).

use nix::errno::Errno;
use std::arch::global_asm;
use std::sync::atomic::{AtomicU64, Ordering};

/// Zero until it is chosen, and then always the same: copies of this process have it as well.
static KEY: AtomicU64 = AtomicU64::new(0);

global_asm!(
    ".text",
    ".balign 16",
    ".globl sigrace_gate",
    ".hidden sigrace_gate",
    ".type sigrace_gate, @function",
    "sigrace_gate:",
    "mov rax, rdi",
    "mov rdi, rsi",
    "mov rsi, rdx",
    "mov rdx, rcx",
    "mov r10, r8",
    "mov r8, r9",
    "mov r9, qword ptr [rip + {key}]",
    "syscall",
    ".globl sigrace_gate_after",
    ".hidden sigrace_gate_after",
    "sigrace_gate_after:",
    "ret",
    ".size sigrace_gate, . - sigrace_gate",
    key = sym KEY,
);

unsafe extern "C" {
    fn sigrace_gate(number: i64, a: usize, b: usize, c: usize, d: usize, e: usize) -> isize;
    static sigrace_gate_after: u8;
}

/// What seccomp sees as the instruction pointer of a call made through the gate.
pub(super) fn instruction_pointer() -> u64 {
    &raw const sigrace_gate_after as u64
}

/// The key, which is chosen when it is first asked for.
pub(super) fn key() -> Result<u64, Errno> {
    let mut chosen = 0u64;
    while KEY.load(Ordering::Acquire) == 0 {
        // SAFETY: `chosen` is as large as said and lives through the call.
        let got = unsafe { libc::getrandom((&raw mut chosen).cast(), size_of::<u64>(), 0) };
        match Errno::result(got) {
            // Another thread may have been faster.
            Ok(8) => drop(KEY.compare_exchange(0, chosen, Ordering::AcqRel, Ordering::Acquire)),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(KEY.load(Ordering::Acquire))
}

/// Makes a system call of up to five arguments; the result is negative for an error number, as the kernel returns it.
///
/// It touches neither `errno` nor any other thread-local: it may be used in a process that shares its creator's memory.
///
/// # Safety
///
/// As for the call itself: pointers must be valid for what the call does with them.
pub(super) unsafe fn call(number: i64, a: usize, b: usize, c: usize, d: usize, e: usize) -> isize {
    // SAFETY: the assembly follows the System V calling convention on its outside and syscall(2)'s on its inside; what the
    // call does with its arguments is the caller's promise.
    unsafe { sigrace_gate(number, a, b, c, d, e) }
}
