//! Probes: places that the author of a program marks for sigrace, where no system call is.
//!
//! ```
//! sigrace_probe::probe!("tested");
//! ```
//!
//! is the point `Probe("tested")`: sigrace can hold the thread there, send a signal just there, or let another thread run.
//! Without sigrace it is one system call that the kernel refuses, well under a microsecond, and nothing else: `errno` stays
//! as it is and nothing is allocated, so it may stand in a signal handler too. Where it is not Linux on x86-64, it is nothing.

#![no_std]
#![expect(unsafe_code, reason = "a system call that leaves errno alone")]

use core::ffi::CStr;

/// Marks this place. The name is a literal: printable, of 1 to 64 bytes, without a zero byte.
#[macro_export]
macro_rules! probe {
    ($name:literal) => {{
        const NAME: &::core::ffi::CStr =
            match ::core::ffi::CStr::from_bytes_with_nul(::core::concat!($name, "\0").as_bytes()) {
                Ok(name) => name,
                Err(_) => panic!("the name of a probe holds a zero byte"),
            };
        $crate::at(NAME);
    }};
}

/// The same for a name that is not a literal.
#[inline(always)]
pub fn at(name: &CStr) {
    #[cfg(all(target_os = "linux", target_arch = "x86_64", target_pointer_width = "64"))]
    // SAFETY: prctl(0x53494752, 1, name, 0, 0), an option that Linux does not have: the kernel returns EINVAL in rax and
    // touches no memory. The `syscall` instruction changes rcx and r11. It counts as reading and writing all memory, since
    // a signal handler may run here.
    unsafe {
        core::arch::asm!(
            "syscall",
            inlateout("rax") 157_i64 => _,
            in("rdi") 0x5349_4752_i64,
            in("rsi") 1_i64,
            in("rdx") name.as_ptr(),
            in("r10") 0_i64,
            in("r8") 0_i64,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack)
        );
    }
    #[cfg(not(all(target_os = "linux", target_arch = "x86_64", target_pointer_width = "64")))]
    let _ = name;
}
