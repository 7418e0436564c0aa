//! A function's instructions: their boundaries, texts, and what they do to data that others may share.

use super::demangle::demangle;
use super::{Function, Image, SourceLine};
use iced_x86::{
    Decoder, DecoderOptions, FlowControl, Formatter, InstructionInfoFactory, IntelFormatter, Mnemonic,
    OpAccess, OpKind, Register, SymbolResolver, SymbolResult, UsedMemory,
};
use std::collections::{BTreeMap, HashMap};

/// One instruction of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// Its first byte.
    pub address: u64,
    /// How many bytes it has.
    pub length: u8,
    /// The source line that it comes from.
    pub line: Option<SourceLine>,
    /// Where it goes on.
    pub flow: Flow,
    /// The data with fixed addresses that it reads or writes.
    pub data: Vec<StaticAccess>,
    /// True if it reads or writes memory other than through the stack pointer: what others may share.
    pub shares: bool,
}

/// Where execution goes on after an instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flow {
    /// At the next instruction.
    Next,
    /// In another function, and later behind the call.
    Call(Target),
    /// At another place.
    Jump {
        /// Which one.
        target: Target,
        /// Or at the next instruction.
        conditional: bool,
    },
    /// In the function's caller.
    Return,
    /// In the kernel, and then at the next instruction.
    SystemCall,
    /// Nowhere: the processor raises an exception (`ud2`, `hlt`, `int3`, no instruction at all).
    Trap,
}

/// Where a call or jump leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// To this address in the same file.
    Address(u64),
    /// To a function of this name in another file, through a stub or through a slot that the loader fills.
    Import(String),
    /// To where a register or memory says at that moment.
    Computed,
}

/// An access to memory at a fixed address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaticAccess {
    /// The first byte.
    pub address: u64,
    /// How many bytes; zero if the instruction does not fix it.
    pub size: u32,
    /// Reads it.
    pub reads: bool,
    /// Writes it.
    pub writes: bool,
}

impl StaticAccess {
    /// True if this one instruction reads and writes it: no signal handler can run in between.
    pub fn is_read_modify_write(&self) -> bool {
        self.reads && self.writes
    }
}

impl Image {
    /// The function's instructions, by address: each begins where the one before it ends. Data between them (jump tables of
    /// hand-written code) would be taken for instructions.
    pub fn instructions(&self, function: &Function) -> Vec<Instruction> {
        let lines = self.line_ranges(function.start, function.end());
        let mut found = self.instructions_alone(function);
        for instruction in &mut found {
            let after = lines.partition_point(|range| range.0 <= instruction.address);
            let range = lines[..after].last().filter(|range| instruction.address < range.1);
            instruction.line = range.map(|range| range.2.clone());
        }
        found
    }

    /// The same without source lines: debug information, which takes long to read for a large library, is not asked.
    pub fn instructions_alone(&self, function: &Function) -> Vec<Instruction> {
        let mut facts = InstructionInfoFactory::new();
        let mut found = Vec::new();
        for instruction in self.decode(function) {
            let address = instruction.ip();
            let memory = facts.info(&instruction).used_memory();
            found.push(Instruction {
                address,
                length: instruction.len() as u8,
                line: None,
                flow: self.flow(&instruction),
                data: memory.iter().filter_map(static_access).collect(),
                shares: memory.iter().any(|memory| memory.base() != Register::RSP),
            });
        }
        found
    }

    /// The text of the function's instruction at this address, in Intel's syntax, with names instead of the addresses of functions
    /// and data; `(bad)` if it is no instruction. The tables of all texts are made for the first one.
    pub fn text_of(&self, function: &Function, address: u64) -> Option<String> {
        let instruction = self.decode(function).find(|instruction| instruction.ip() == address)?;
        let names = Names::of(self, std::iter::once(instruction));
        let mut formatter = IntelFormatter::with_options(Some(Box::new(names)), None);
        let options = formatter.options_mut();
        options.set_hex_prefix("0x");
        options.set_hex_suffix("");
        options.set_uppercase_hex(false);
        options.set_space_after_operand_separator(true);
        options.set_branch_leading_zeros(false);
        options.set_rip_relative_addresses(true);
        options.set_small_hex_numbers_in_decimal(true);
        options.set_show_branch_size(false);
        let mut text = String::new();
        formatter.format(&instruction, &mut text);
        Some(text)
    }

    /// The functions of this file that the function calls or jumps to directly, those that they call, and so on; by
    /// address, without the function itself. Calls through pointers are not seen, and other files are not entered. If the
    /// function has line information, functions that have none are not entered either: they are not the program's own, but
    /// were linked in from a library.
    pub fn own_callees(&self, function: &Function) -> Vec<Function> {
        let has_lines = |function: &Function| {
            self.line_ranges(function.start, function.start.saturating_add(1)).len() == 1
        };
        let with_lines = has_lines(function);
        let mut found: BTreeMap<u64, Function> = BTreeMap::new();
        let mut waiting = vec![function.clone()];
        while let Some(function) = waiting.pop() {
            for instruction in self.decode(&function) {
                let (Flow::Call(Target::Address(target))
                | Flow::Jump { target: Target::Address(target), .. }) = self.flow(&instruction)
                else {
                    continue;
                };
                if function.contains(target) {
                    continue;
                }
                let Some(callee) = self.symbols().function_at(target) else { continue };
                if found.contains_key(&callee.start) {
                    continue;
                }
                let callee = callee.function();
                if !with_lines || has_lines(&callee) {
                    waiting.push(callee.clone());
                    found.insert(callee.start, callee);
                }
            }
        }
        found.remove(&function.start);
        found.into_values().collect()
    }

    /// The functions that are the program's own, by address: those with line information. Where none has any, all but those
    /// that every program gets from its C runtime.
    pub fn own_functions(&self) -> Vec<Function> {
        let all = self.functions();
        let with_lines =
            |function: &&Function| self.line_ranges(function.start, function.start + 1).len() == 1;
        let own: Vec<Function> = all.iter().filter(with_lines).cloned().collect();
        if !own.is_empty() {
            return own;
        }
        const RUNTIME: [&str; 9] = [
            "_start",
            "_init",
            "_fini",
            "_dl_relocate_static_pie",
            "deregister_tm_clones",
            "register_tm_clones",
            "__do_global_dtors_aux",
            "frame_dummy",
            "__libc_csu_init",
        ];
        all.into_iter().filter(|function| !RUNTIME.contains(&function.name.as_str())).collect()
    }

    /// Where the function's instructions begin.
    pub(super) fn boundaries(&self, function: &Function) -> Vec<u64> {
        self.decode(function).map(|instruction| instruction.ip()).collect()
    }

    pub(super) fn decode(&self, function: &Function) -> impl Iterator<Item = iced_x86::Instruction> {
        let end = self.end_of_code(function.start).unwrap_or(function.start).min(function.end());
        let bytes = self.bytes(function.start, end - function.start).unwrap_or(&[]);
        Decoder::with_ip(64, bytes, function.start, DecoderOptions::NONE).into_iter()
    }

    fn flow(&self, instruction: &iced_x86::Instruction) -> Flow {
        match instruction.flow_control() {
            FlowControl::Call if instruction.mnemonic() == Mnemonic::Syscall => Flow::SystemCall,
            FlowControl::Call | FlowControl::IndirectCall => Flow::Call(self.target(instruction)),
            FlowControl::UnconditionalBranch | FlowControl::IndirectBranch => {
                Flow::Jump { target: self.target(instruction), conditional: false }
            }
            FlowControl::ConditionalBranch => {
                Flow::Jump { target: self.target(instruction), conditional: true }
            }
            FlowControl::Return => Flow::Return,
            FlowControl::Exception | FlowControl::Interrupt => Flow::Trap,
            FlowControl::Next | FlowControl::XbeginXabortXend => Flow::Next,
        }
    }

    fn target(&self, instruction: &iced_x86::Instruction) -> Target {
        if matches!(
            instruction.op0_kind(),
            OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64
        ) {
            let address = instruction.near_branch_target();
            let import = self.import_at(address).filter(|import| import.stub == address);
            return import.map_or(Target::Address(address), |import| Target::Import(import.name.clone()));
        }
        if instruction.is_ip_rel_memory_operand()
            && let Some(name) = self.slots().get(&instruction.ip_rel_memory_address())
        {
            return Target::Import(name.clone());
        }
        Target::Computed
    }
}

/// The access, if its address is fixed: no register but the instruction pointer makes it, and no segment.
pub(super) fn static_access(memory: &UsedMemory) -> Option<StaticAccess> {
    let fixed = matches!(memory.base(), Register::None | Register::RIP | Register::EIP)
        && memory.index() == Register::None
        && !matches!(memory.segment(), Register::FS | Register::GS);
    let (reads, writes) = match memory.access() {
        OpAccess::Read | OpAccess::CondRead => (true, false),
        OpAccess::Write | OpAccess::CondWrite => (false, true),
        OpAccess::ReadWrite | OpAccess::ReadCondWrite => (true, true),
        OpAccess::None | OpAccess::NoMemAccess => return None,
    };
    let size = u32::try_from(memory.memory_size().size()).unwrap_or(0);
    fixed.then_some(StaticAccess { address: memory.displacement(), size, reads, writes })
}

/// Orders instructions so that the first of every source line comes first, then the second of every line, and so on: who
/// cannot try them all has then tried every line. Lines come in the order in which they appear; what has no line counts as
/// one line.
pub fn order_by_line(instructions: Vec<Instruction>) -> Vec<Instruction> {
    let mut lines: HashMap<Option<SourceLine>, (usize, usize)> = HashMap::new();
    let mut keyed: Vec<((usize, usize), Instruction)> = Vec::with_capacity(instructions.len());
    for instruction in instructions {
        let next = lines.len();
        let (line, count) = lines.entry(instruction.line.clone()).or_insert((next, 0));
        keyed.push(((*count, *line), instruction));
        *count += 1;
    }
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, instruction)| instruction).collect()
}

/// Names for the addresses that occur in a function: each with the address that has the name.
struct Names(HashMap<u64, (u64, String)>);

impl Names {
    /// The names for the addresses in these instructions.
    fn of(image: &Image, instructions: impl Iterator<Item = iced_x86::Instruction>) -> Names {
        let mut names = HashMap::new();
        for instruction in instructions {
            let name = if instruction.is_ip_rel_memory_operand() {
                let address = instruction.ip_rel_memory_address();
                let slot = image.slots().get(&address).map(|name| (address, format!("{name}@got")));
                let data = image.symbols().data_at(address).map(|data| (data.address, data.name.clone()));
                slot.or(data).or_else(|| function_name(image, address)).map(|name| (address, name))
            } else if instruction.near_branch_target() != 0 {
                let address = instruction.near_branch_target();
                function_name(image, address).map(|name| (address, name))
            } else {
                None
            };
            names.extend(name);
        }
        Names(names)
    }
}

fn function_name(image: &Image, address: u64) -> Option<(u64, String)> {
    let import =
        image.import_at(address).map(|import| (import.stub, format!("{}@plt", demangle(&import.name))));
    let function = || image.symbols().function_at(address);
    import.or_else(|| function().map(|function| (function.start, demangle(&function.symbol))))
}

impl SymbolResolver for Names {
    fn symbol(
        &mut self,
        instruction: &iced_x86::Instruction,
        _operand: u32,
        _instruction_operand: Option<u32>,
        address: u64,
        _size: u32,
    ) -> Option<SymbolResult<'_>> {
        let meant = instruction.is_ip_rel_memory_operand() && address == instruction.ip_rel_memory_address();
        if !meant && address != instruction.near_branch_target() {
            return None;
        }
        let (start, name) = self.0.get(&address)?;
        Some(SymbolResult::with_str(*start, name))
    }
}
