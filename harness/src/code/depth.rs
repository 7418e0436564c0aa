//! How far the stack pointer is below where it was when a function was entered.
//!
//! A frame that call frame information describes by rbp is lost where rbp is not known, as in a system call that is only
//! being watched. But in most functions every instruction has one distance between the stack pointer and the frame, which
//! follows from the instructions before it. Where it does not follow for certain, there is no answer: a stack pointer that
//! is computed or aligned, or two paths to one instruction that disagree.

use super::Image;
use iced_x86::{
    Code, Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess,
    OpKind, Register,
};
use std::collections::HashMap;
use std::ops::Range;

/// Longer functions are not looked at.
const LONGEST: u64 = 1 << 18;

/// How many bytes the function has put on the stack when the instruction around `address` begins, where `code` is the whole
/// function from its entry.
pub(super) fn stack_depth(image: &Image, code: Range<u64>, address: u64) -> Option<i64> {
    let size = code.end.checked_sub(code.start).filter(|size| *size <= LONGEST)?;
    let bytes = image.bytes(code.start, size)?;
    let mut facts = InstructionInfoFactory::new();
    let mut found: HashMap<u64, (Instruction, Effect)> = HashMap::new();
    for instruction in Decoder::with_ip(64, bytes, code.start, DecoderOptions::NONE) {
        found.insert(instruction.ip(), (instruction, effect(&instruction, &mut facts)?));
    }
    let mut depths = HashMap::from([(code.start, 0i64)]);
    let mut waiting = vec![code.start];
    let mut answer = None;
    while let Some(at) = waiting.pop() {
        let (instruction, effect) = found.get(&at)?;
        let depth = *depths.get(&at)?;
        if (at..instruction.next_ip()).contains(&address) {
            answer = Some(depth);
        }
        let Effect::Moves(by) = effect else { continue };
        for next in successors(instruction).into_iter().flatten().filter(|next| code.contains(next)) {
            let after = depth.checked_sub(*by)?;
            match depths.insert(next, after) {
                Some(before) if before != after => return None,
                Some(_) => {}
                None => waiting.push(next),
            }
        }
    }
    answer
}

/// What an instruction does to the stack pointer, seen from the next instruction of this function.
enum Effect {
    /// Adds this to it.
    Moves(i64),
    /// Takes it from rbp, to leave the function: what comes after that is not followed.
    Restores,
}

/// `None` if it does something to the stack pointer that only the processor knows.
fn effect(instruction: &Instruction, facts: &mut InstructionInfoFactory) -> Option<Effect> {
    let to_rsp = instruction.op0_kind() == OpKind::Register && instruction.op0_register() == Register::RSP;
    match instruction.mnemonic() {
        _ if instruction.code() == Code::INVALID => return None,
        // The function that is called leaves the stack as it was.
        Mnemonic::Call => return Some(Effect::Moves(0)),
        Mnemonic::Push | Mnemonic::Pop if !to_rsp => {
            return Some(Effect::Moves(i64::from(instruction.stack_pointer_increment())));
        }
        Mnemonic::Leave => return Some(Effect::Restores),
        Mnemonic::Mov if to_rsp && instruction.op1_register() == Register::RBP => {
            return Some(Effect::Restores);
        }
        Mnemonic::Lea if to_rsp && instruction.memory_base() == Register::RBP => {
            return Some(Effect::Restores);
        }
        Mnemonic::Add | Mnemonic::Sub if to_rsp && is_constant(instruction) => {
            let by = instruction.immediate(1).cast_signed();
            let adds = instruction.mnemonic() == Mnemonic::Add;
            return if adds { Some(Effect::Moves(by)) } else { by.checked_neg().map(Effect::Moves) };
        }
        // It leads to code that may be reached on no other path.
        Mnemonic::Jmp if instruction.flow_control() == FlowControl::IndirectBranch => {
            return instruction.is_ip_rel_memory_operand().then_some(Effect::Moves(0));
        }
        // Nothing of the function comes after it.
        Mnemonic::Ret => return Some(Effect::Moves(0)),
        _ => {}
    }
    let writes = |access| {
        !matches!(access, OpAccess::None | OpAccess::Read | OpAccess::CondRead | OpAccess::NoMemAccess)
    };
    let used = facts.info(instruction).used_registers();
    let touched =
        used.iter().any(|used| used.register().full_register() == Register::RSP && writes(used.access()));
    (!touched).then_some(Effect::Moves(0))
}

fn is_constant(instruction: &Instruction) -> bool {
    matches!(
        instruction.op1_kind(),
        OpKind::Immediate8to64 | OpKind::Immediate32to64 | OpKind::Immediate8 | OpKind::Immediate32
    )
}

/// Where it goes on within its function.
fn successors(instruction: &Instruction) -> [Option<u64>; 2] {
    let (next, target) = (Some(instruction.next_ip()), Some(instruction.near_branch_target()));
    match instruction.flow_control() {
        FlowControl::UnconditionalBranch => [target, None],
        FlowControl::ConditionalBranch => [next, target],
        FlowControl::Return | FlowControl::IndirectBranch | FlowControl::Exception => [None, None],
        _ => [next, None],
    }
}
