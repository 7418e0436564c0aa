//! The calls that lead to a place: unwinding by call frame information, never by guessing.
//!
//! Where no information covers an address, or where a register or a word of memory is needed that is not known, the stack
//! ends there and says why. One thing is derived where it is not known: the frame of a function that keeps it in rbp, from
//! rsp and the function's instructions, if these leave no doubt (`depth`). So what it shows is what there is, but it need not be all.

use super::frames::{Caller, Read};
use super::modules::Modules;
use super::{Flow, Registers};
use gimli::UnwindContext;
use std::fmt;

/// Stacks with more frames than this are cut off.
pub const MOST_FRAMES: usize = 512;

/// The calls that lead to a place, innermost first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    /// The frames that were found; the first is the place itself.
    pub frames: Vec<Frame>,
    /// Why there are no more.
    pub end: StackEnd,
}

/// Why a stack has no more frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StackEnd {
    /// The last frame is the thread's first function.
    Outermost,
    /// The last frame has a caller that is not known.
    Incomplete(String),
}

impl fmt::Display for StackEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StackEnd::Outermost => f.write_str("complete"),
            StackEnd::Incomplete(reason) => write!(f, "incomplete: {reason}"),
        }
    }
}

/// One frame of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Where execution goes on in this frame, in the process's memory.
    pub address: u64,
    /// The address is the one after a call, which need not belong to the function that called.
    pub returned_to: bool,
    /// The frame is what a signal handler returns to. The frame after it is what the signal interrupted: its address is that
    /// of the instruction that was not yet executed.
    pub signal: bool,
    /// Which of the process's files has the code: an index into [`Modules::all`].
    pub module: Option<usize>,
    /// The address for which that file was linked.
    pub link_address: Option<u64>,
}

impl Frame {
    /// How far the address is from one that belongs to the instruction that the frame is executing: that is the call, for a
    /// frame that was called from.
    pub(super) fn back(&self) -> u64 {
        u64::from(self.returned_to && !self.signal)
    }
}

/// Finds the calls that lead to the place with these registers, of which at least rip and rsp must be known. `read` fills
/// the whole buffer with the process's memory from an address on, or returns false.
pub fn unwind(registers: &Registers, modules: &Modules, read: &mut Read<'_>) -> Stack {
    callers(Vec::new(), registers, false, modules, read)
}

/// The same for a thread that was about to execute at an address where no code is. If it was called there, the address
/// behind the call is on top of its stack; that is believed if there is a call before it.
pub fn unwind_nowhere(registers: &Registers, modules: &Modules, read: &mut Read<'_>) -> Stack {
    let address = registers.get(Registers::RIP).unwrap_or_default();
    let frames = vec![Frame { address, returned_to: false, signal: false, module: None, link_address: None }];
    let mut caller = || {
        let top = registers.get(Registers::RSP)?;
        let mut word = [0; 8];
        let behind = read(top, &mut word).then(|| u64::from_le_bytes(word))?;
        let mut caller = *registers;
        caller.set(Registers::RIP, Some(behind));
        caller.set(Registers::RSP, Some(top.wrapping_add(8)));
        is_behind_call(behind, modules).then_some(caller)
    };
    match caller() {
        Some(caller) => callers(frames, &caller, true, modules, read),
        None => Stack { frames, end: StackEnd::Incomplete("what led there is not known".to_owned()) },
    }
}

fn is_behind_call(address: u64, modules: &Modules) -> bool {
    let call = || {
        let module = modules.at(address)?;
        let (image, link) = (module.image().ok()?, module.link_address(address)?);
        let instructions = image.instructions_alone(&image.function_at(link.checked_sub(1)?)?);
        let before = instructions.into_iter().find(|each| each.address + u64::from(each.length) == link)?;
        matches!(before.flow, Flow::Call(_)).then_some(())
    };
    call().is_some()
}

/// Goes on from the frame with these registers, after those that were found before.
fn callers(
    mut frames: Vec<Frame>,
    registers: &Registers,
    mut returned_to: bool,
    modules: &Modules,
    read: &mut Read<'_>,
) -> Stack {
    let mut memory = Memory { read, block: [0; Memory::SIZE], start: None };
    let mut context = UnwindContext::new();
    let mut registers = *registers;
    let end = loop {
        let Some(address) = registers.get(Registers::RIP) else {
            break StackEnd::Incomplete("the address of the instruction is not known".to_owned());
        };
        if frames.len() >= MOST_FRAMES {
            break StackEnd::Incomplete(format!("it has more than {MOST_FRAMES} frames"));
        }
        let (frame, caller) = step(address, returned_to, &registers, modules, &mut memory, &mut context);
        let signal = frame.signal;
        frames.push(frame);
        match caller {
            Ok(None) => break StackEnd::Outermost,
            Ok(Some(caller)) => {
                // A stack grows downwards; only a handler may have one of its own.
                if !signal && caller.get(Registers::RSP) <= registers.get(Registers::RSP) {
                    break StackEnd::Incomplete("the caller's frame is not above its own".to_owned());
                }
                registers = caller;
                returned_to = !signal;
            }
            Err(reason) => break StackEnd::Incomplete(reason),
        }
    };
    Stack { frames, end }
}

/// One frame, and the registers of its caller.
fn step(
    address: u64,
    returned_to: bool,
    registers: &Registers,
    modules: &Modules,
    memory: &mut Memory<'_, '_>,
    context: &mut UnwindContext<usize>,
) -> (Frame, Caller) {
    let mut frame = Frame { address, returned_to, signal: false, module: None, link_address: None };
    let mut read = |address: u64, buffer: &mut [u8]| memory.read(address, buffer);
    frame.module = modules.index_at(address);
    let module = frame.module.and_then(|index| modules.all().get(index));
    let Some(module) = module else {
        let caller = after_sigreturn(address, registers, &mut read, &mut frame);
        return (frame, caller.unwrap_or_else(|| Err("its code belongs to no file".to_owned())));
    };
    let image = match module.image_in_memory(&mut read) {
        Ok(image) => image,
        Err(error) => return (frame, Err(error.to_string())),
    };
    let Some(bias) = module.bias() else {
        return (frame, Err(format!("the file {} is not mapped as it says", module.name())));
    };
    let link_address = address.wrapping_sub(bias);
    frame.link_address = Some(link_address);
    let frames = image.frames();
    // What a handler returns to was never called from, so the byte before it may be another function's.
    let before = link_address.wrapping_sub(u64::from(returned_to));
    if let Some((found, caller)) = frames.caller(image, before, bias, registers, &mut read, context) {
        frame.signal = found.signal;
        return (frame, caller);
    }
    if returned_to
        && let Some((found, caller)) = frames.caller(image, link_address, bias, registers, &mut read, context)
        && found.signal
    {
        frame.signal = true;
        return (frame, caller);
    }
    let caller = after_sigreturn(address, registers, &mut read, &mut frame);
    let none = || Err(format!("no call frame information of {} covers it", module.name()));
    (frame, caller.unwrap_or_else(none))
}

/// Not every C library describes the code to which a handler returns, but its bytes tell what it is: the system call
/// rt_sigreturn, which takes all registers from the ucontext_t at the top of the stack (sigreturn(2)).
fn after_sigreturn(
    address: u64,
    registers: &Registers,
    read: &mut Read<'_>,
    frame: &mut Frame,
) -> Option<Caller> {
    const FORMS: [&[u8]; 2] =
        [&[0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05], &[0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05]];
    let is_form = |form: &&&[u8]| {
        let mut code = [0; 9];
        let code = code.get_mut(..form.len()).unwrap_or_default();
        read(address, code) && code == **form
    };
    FORMS.iter().find(is_form)?;
    frame.signal = true;
    // The general registers come after uc_flags, uc_link and uc_stack.
    let at = registers.get(Registers::RSP)?.wrapping_add(40);
    let mut bytes = [0; 8 * Registers::COUNT];
    if !read(at, &mut bytes) {
        return Some(Err("what the signal interrupted cannot be read".to_owned()));
    }
    let mut general = [0; Registers::COUNT];
    for (value, bytes) in general.iter_mut().zip(bytes.as_chunks().0) {
        *value = u64::from_le_bytes(*bytes);
    }
    Some(Ok(Some(Registers::from_ucontext(&general))))
}

/// The process's memory, read in blocks: the words that unwinding needs lie close together, and each reading is a call.
struct Memory<'a, 'r> {
    read: &'a mut Read<'r>,
    block: [u8; Memory::SIZE],
    start: Option<u64>,
}

impl Memory<'_, '_> {
    /// A part of a page, so that all of a block can be read or nothing of it.
    const SIZE: usize = 512;

    fn read(&mut self, address: u64, buffer: &mut [u8]) -> bool {
        let start = address & !(Memory::SIZE as u64 - 1);
        let offset = (address - start) as usize;
        if offset + buffer.len() > Memory::SIZE {
            return (self.read)(address, buffer);
        }
        if self.start != Some(start) {
            self.start = None;
            if !(self.read)(start, &mut self.block) {
                return (self.read)(address, buffer);
            }
            self.start = Some(start);
        }
        let Some(bytes) = self.block.get(offset..offset + buffer.len()) else { return false };
        buffer.copy_from_slice(bytes);
        true
    }
}
