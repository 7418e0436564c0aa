//! What a function does with a pointer that it was given: where it looks at what that points to.

use super::updates::{reads, slot, writes};
use super::{Function, Image};
use iced_x86::{FlowControl, InstructionInfoFactory, OpKind, Register};
use std::collections::HashSet;

impl Image {
    /// The instructions that read what the result of a call points to, where the function that called goes on at `after`. The
    /// code is read from there to the end of the function, without regard to jumps, and the pointer is followed
    /// through registers and the function's own stack.
    pub fn reads_through_result(&self, function: &Function, after: u64) -> Vec<u64> {
        let mut facts = InstructionInfoFactory::new();
        let mut registers = HashSet::from([Register::RAX]);
        let mut slots = HashSet::new();
        let mut found = Vec::new();
        for instruction in self.decode(function).filter(|instruction| instruction.ip() >= after) {
            if matches!(instruction.flow_control(), FlowControl::Call | FlowControl::IndirectCall) {
                registers.retain(|register| super::updates::KEPT.contains(register));
                continue;
            }
            let info = facts.info(&instruction);
            let memory = info.used_memory();
            let through = |base: Register| registers.contains(&base.full_register());
            if memory.iter().any(|memory| reads(memory.access()) && through(memory.base())) {
                found.push(instruction.ip());
            }
            let moves = instruction.mnemonic() == iced_x86::Mnemonic::Mov;
            let from_register = instruction.op1_kind() == OpKind::Register
                && registers.contains(&instruction.op1_register().full_register());
            let from_slot = memory.first().filter(|memory| reads(memory.access())).and_then(slot);
            let copies = moves && (from_register || from_slot.is_some_and(|slot| slots.contains(&slot)));
            for memory in memory.iter().filter(|memory| writes(memory.access())) {
                match slot(memory) {
                    Some(slot) if copies => slots.insert(slot),
                    Some(slot) => slots.remove(&slot),
                    None => false,
                };
            }
            for used in info.used_registers().iter().filter(|used| writes(used.access())) {
                let register = used.register().full_register();
                if copies {
                    registers.insert(register)
                } else {
                    registers.remove(&register)
                };
            }
        }
        found
    }
}
