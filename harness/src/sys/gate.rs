//! Two `syscall` instructions with known addresses.
//!
//! The filter that supervises the program is inherited from the run's init, so it applies to the init as well. It lets
//! through what is called from the first of them, the gate; the program's own calls come from elsewhere and are notified.
//!
//! NOTE \[The closed gate\] A program could map code of its own at the gate's address, and call from there unseen. So the gate
//! is closed for it: a second filter, which the program's process installs before it executes the program, refuses all
//! calls from there. What it then still has to do, to execute, it does from the second instruction, which is notified.

use std::arch::global_asm;

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
    "xor r9d, r9d",
    "syscall",
    ".globl sigrace_gate_after",
    ".hidden sigrace_gate_after",
    "sigrace_gate_after:",
    "ret",
    ".size sigrace_gate, . - sigrace_gate",
    ".balign 16",
    ".globl sigrace_notified",
    ".hidden sigrace_notified",
    ".type sigrace_notified, @function",
    "sigrace_notified:",
    "mov rax, rdi",
    "mov rdi, rsi",
    "mov rsi, rdx",
    "mov rdx, rcx",
    "syscall",
    ".globl sigrace_notified_after",
    ".hidden sigrace_notified_after",
    "sigrace_notified_after:",
    "ret",
    ".size sigrace_notified, . - sigrace_notified",
);

unsafe extern "C" {
    fn sigrace_gate(number: i64, a: usize, b: usize, c: usize, d: usize, e: usize) -> isize;
    static sigrace_gate_after: u8;
    fn sigrace_notified(number: i64, a: usize, b: usize, c: usize) -> isize;
    static sigrace_notified_after: u8;
}

/// What seccomp sees as the instruction pointer of a call made through the gate.
pub(super) fn instruction_pointer() -> u64 {
    &raw const sigrace_gate_after as u64
}

/// What it sees as that of a call made by [`call_notified`].
pub(super) fn notified_instruction_pointer() -> u64 {
    &raw const sigrace_notified_after as u64
}

/// Makes a system call of up to three arguments as a program does: not through the gate.
///
/// # Safety
///
/// As for [`call`].
pub(super) unsafe fn call_notified(number: i64, a: usize, b: usize, c: usize) -> isize {
    // SAFETY: as in `call`.
    unsafe { sigrace_notified(number, a, b, c) }
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
