//! The registers that unwinding follows.

/// The values of the registers at one place, as far as they are known.
///
/// Numbered as in DWARF for x86-64 (System V ABI, "DWARF Register Number Mapping"): 0 to 15 are rax, rdx, rcx, rbx, rsi,
/// rdi, rbp, rsp, r8 to r15; 16 is the return address, which for a frame is rip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registers([Option<u64>; Registers::COUNT]);

impl Registers {
    /// How many there are.
    pub const COUNT: usize = 17;
    /// The number of rbx.
    pub const RBX: u16 = 3;
    /// The number of rbp.
    pub const RBP: u16 = 6;
    /// The number of rsp.
    pub const RSP: u16 = 7;
    /// The number of rip.
    pub const RIP: u16 = 16;

    /// What is known of a thread in a system call: `/proc/PID/syscall` tells these two (proc(5)).
    pub fn at(rip: u64, rsp: u64) -> Registers {
        let mut registers = Registers::default();
        registers.set(Registers::RIP, Some(rip));
        registers.set(Registers::RSP, Some(rsp));
        registers
    }

    /// All registers from the general registers of a `ucontext_t`, in its order (`REG_R8` to `REG_RIP` of
    /// `<sys/ucontext.h>`): r8 to r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip.
    pub fn from_ucontext(general: &[u64; Registers::COUNT]) -> Registers {
        const ORDER: [u16; Registers::COUNT] = [8, 9, 10, 11, 12, 13, 14, 15, 5, 4, 6, 3, 1, 0, 2, 7, 16];
        let mut registers = Registers::default();
        for (number, value) in ORDER.into_iter().zip(general) {
            registers.set(number, Some(*value));
        }
        registers
    }

    /// A register's value; `None` if it is unknown or there is no such register.
    pub fn get(&self, number: u16) -> Option<u64> {
        self.0.get(usize::from(number)).copied().flatten()
    }

    /// Sets a register. Numbers beyond the last are other registers, which nobody follows.
    pub fn set(&mut self, number: u16, value: Option<u64>) {
        if let Some(register) = self.0.get_mut(usize::from(number)) {
            *register = value;
        }
    }

    /// The register's name.
    pub fn name(number: u16) -> &'static str {
        const NAMES: [&str; Registers::COUNT] = [
            "rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13",
            "r14", "r15", "rip",
        ];
        NAMES.get(usize::from(number)).copied().unwrap_or("another register")
    }

    /// True for the registers that a function leaves as they were: rbx, rbp, r12 to r15 (System V ABI, "Registers").
    pub(super) fn is_callee_saved(number: u16) -> bool {
        matches!(number, 3 | 6 | 12..=15)
    }
}
