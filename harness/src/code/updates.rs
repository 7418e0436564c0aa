//! Stores whose value was made from an earlier load of the same data: `count = count + 1` in several instructions, or a node
//! that points to what the list began with and then becomes its beginning.
//!
//! A function is read once from its first instruction to its last, without regard to jumps, and values are followed
//! through registers, the function's own stack, and one store through a pointer. So what is found is only likely: whether
//! load and store follow each other in this way is for a run to show. What is not found: a load that comes after the store
//! in a loop, values that pass through another function or other memory, and data without a fixed address.

use super::instructions::static_access;
use super::{Function, Image, StaticAccess};
use iced_x86::{
    FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register, UsedMemory,
};
use std::collections::{BTreeSet, HashMap};

/// A load and a later store of the same data, where what is stored was made from what was loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Update {
    /// The instruction that loads.
    pub load: u64,
    /// The instruction that stores.
    pub store: u64,
    /// The data's address.
    pub address: u64,
    /// How many bytes are stored.
    pub size: u32,
}

impl Image {
    /// The function's updates, by load and store.
    pub fn updates(&self, function: &Function) -> Vec<Update> {
        let mut values = Values::default();
        let mut facts = InstructionInfoFactory::new();
        for instruction in self.decode(function) {
            values.step(&instruction, &mut facts);
        }
        values.found.into_iter().collect()
    }
}

/// What a function leaves as it was (System V ABI, "Registers").
pub(super) const KEPT: [Register; 7] =
    [Register::RBX, Register::RBP, Register::RSP, Register::R12, Register::R13, Register::R14, Register::R15];

/// What is known of values at one place of the code. A value is an index of `made_from`.
#[derive(Debug, Default)]
struct Values {
    registers: HashMap<Register, usize>,
    /// On the stack, by the register and the offset from it.
    slots: HashMap<(Register, u64), usize>,
    /// For each value the loads that it was made from, as indices.
    made_from: Vec<BTreeSet<usize>>,
    loads: Vec<(u64, StaticAccess)>,
    found: BTreeSet<Update>,
}

impl Values {
    fn step(&mut self, instruction: &Instruction, facts: &mut InstructionInfoFactory) {
        if matches!(instruction.flow_control(), FlowControl::Call | FlowControl::IndirectCall) {
            self.call();
            return;
        }
        let moves = matches!(
            instruction.mnemonic(),
            Mnemonic::Mov | Mnemonic::Movzx | Mnemonic::Movsx | Mnemonic::Movsxd
        );
        let (to, from) = (instruction.op0_kind(), instruction.op1_kind());
        if moves && (to, from) == (OpKind::Register, OpKind::Register) {
            let value = self.of_register(instruction.op1_register());
            self.registers.insert(instruction.op0_register().full_register(), value);
            return;
        }
        let info = facts.info(instruction);
        let memory = info.used_memory();
        if let (true, Some(slot), OpKind::Register) = (moves, memory.first().and_then(slot), from) {
            let value = self.of_register(instruction.op1_register());
            self.slots.insert(slot, value);
            return;
        }
        if let (true, Some(slot), OpKind::Register) = (moves, memory.first().and_then(slot), to) {
            let fresh = self.fresh(BTreeSet::new());
            let value = *self.slots.entry(slot).or_insert(fresh);
            self.registers.insert(instruction.op0_register().full_register(), value);
            return;
        }
        let mut sources = BTreeSet::new();
        for used in info.used_registers() {
            if reads(used.access()) {
                let value = self.of_register(used.register());
                sources.extend(self.made_from[value].iter().copied());
            }
        }
        for memory in memory {
            if let Some(slot) = slot(memory).filter(|_| reads(memory.access()))
                && let Some(value) = self.slots.get(&slot)
            {
                sources.extend(self.made_from[*value].iter().copied());
            }
        }
        let accesses: Vec<StaticAccess> = memory.iter().filter_map(static_access).collect();
        for access in accesses.iter().filter(|access| access.writes && !access.reads) {
            self.store(instruction.ip(), access, &sources);
        }
        for access in accesses.into_iter().filter(|access| access.reads && !access.writes) {
            sources.insert(self.loads.len());
            self.loads.push((instruction.ip(), access));
        }
        for memory in memory.iter().filter(|memory| writes(memory.access())) {
            if let Some(slot) = slot(memory) {
                let value = self.fresh(sources.clone());
                self.slots.insert(slot, value);
            } else if memory.base() != Register::None && static_access(memory).is_none() {
                // Who has the pointer has what was stored through it.
                let value = self.of_register(memory.base());
                self.made_from[value].extend(sources.iter().copied());
            }
        }
        for used in info.used_registers().iter().filter(|used| writes(used.access())) {
            let value = self.fresh(sources.clone());
            self.registers.insert(used.register().full_register(), value);
        }
    }

    fn store(&mut self, at: u64, access: &StaticAccess, sources: &BTreeSet<usize>) {
        let loads = sources.iter().filter_map(|load| self.loads.get(*load));
        let same = |(_, load): &&(u64, StaticAccess)| {
            load.address < access.address.saturating_add(u64::from(access.size))
                && access.address < load.address.saturating_add(u64::from(load.size))
        };
        let updates = loads.filter(same).map(|(load, _)| Update {
            load: *load,
            store: at,
            address: access.address,
            size: access.size,
        });
        let updates: Vec<Update> = updates.collect();
        self.found.extend(updates);
    }

    /// What a function may change is not known afterwards.
    fn call(&mut self) {
        self.registers.retain(|register, _| KEPT.contains(register));
    }

    fn of_register(&mut self, register: Register) -> usize {
        let register = register.full_register();
        match self.registers.get(&register) {
            Some(value) => *value,
            None => {
                let value = self.fresh(BTreeSet::new());
                self.registers.insert(register, value);
                value
            }
        }
    }

    fn fresh(&mut self, made_from: BTreeSet<usize>) -> usize {
        self.made_from.push(made_from);
        self.made_from.len() - 1
    }
}

/// The place on the function's own stack that is used.
pub(super) fn slot(memory: &UsedMemory) -> Option<(Register, u64)> {
    let own = matches!(memory.base(), Register::RBP | Register::RSP) && memory.index() == Register::None;
    own.then_some((memory.base(), memory.displacement()))
}

pub(super) fn reads(access: OpAccess) -> bool {
    matches!(access, OpAccess::Read | OpAccess::CondRead | OpAccess::ReadWrite | OpAccess::ReadCondWrite)
}

pub(super) fn writes(access: OpAccess) -> bool {
    matches!(access, OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite)
}
