//! The call frame information of one file: from a frame's registers to its caller's.

use super::depth::stack_depth;
use super::{Image, Registers};
use gimli::{
    BaseAddresses, CfaRule, CieOrFde, EndianSlice, EvaluationResult, LittleEndian, Location, RegisterRule,
    UnwindContext, UnwindExpression, UnwindSection, UnwindTableRow, Value,
};
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// An expression with more steps than this is taken for an endless one.
const LONGEST_EXPRESSION: u32 = 10_000;

/// Reads a process's memory; false if not all bytes could be read.
pub(super) type Read<'a> = dyn FnMut(u64, &mut [u8]) -> bool + 'a;

/// The frames of one file, by address, from `.eh_frame` and, for what that has not, `.debug_frame`.
#[derive(Debug)]
pub(super) struct Frames {
    eh: Table,
    debug: OnceLock<Table>,
    bases: BaseAddresses,
}

#[derive(Debug, Default)]
struct Table {
    data: Option<Arc<[u8]>>,
    /// Start, end and where the entry is in the section; by start.
    entries: Vec<(u64, u64, usize)>,
}

/// The registers of a frame's caller; `None` if it has none, and an error if it cannot be known.
pub(super) type Caller = Result<Option<Registers>, String>;

/// The rules for one address.
pub(super) struct Found {
    /// The code is what a signal handler returns to: the caller is what the signal interrupted.
    pub(super) signal: bool,
}

impl Frames {
    /// Finds all entries. Corrupt ones end the table.
    pub(super) fn read(image: &Image) -> Frames {
        let section = |name: &str| image.sections().iter().find(|section| section.name == name);
        let address = |name: &str| section(name).map_or(0, |section| section.address);
        let mut bases = BaseAddresses::default().set_text(address(".text")).set_got(address(".got"));
        let mut eh = Table::default();
        if let Some(section) = section(".eh_frame") {
            bases = bases.set_eh_frame(section.address);
            eh.data = image.bytes(section.address, section.size).map(Arc::from);
            if let Some(data) = &eh.data {
                eh.entries = entries(&eh_frame(data), &bases);
            }
        }
        Frames { eh, debug: OnceLock::new(), bases }
    }

    /// What `.debug_frame` has, read when `.eh_frame` has not what is looked for.
    fn debug(&self, image: &Image) -> &Table {
        self.debug.get_or_init(|| {
            let data = image.debug_frame();
            let entries = data.as_ref().map(|data| entries(&debug_frame(data), &self.bases));
            Table { data, entries: entries.unwrap_or_default() }
        })
    }

    /// Finds the rules for this address and applies them to the registers. `bias` is what the file's addresses have been
    /// moved by in the process. `None` if the address is not covered.
    pub(super) fn caller(
        &self,
        image: &Image,
        address: u64,
        bias: u64,
        registers: &Registers,
        read: &mut Read<'_>,
        context: &mut UnwindContext<usize>,
    ) -> Option<(Found, Caller)> {
        let mut step =
            Step { image, bases: &self.bases, address, bias, registers: *registers, read, context };
        if let (Some(data), Some(offset)) = (&self.eh.data, self.eh.entry_at(address)) {
            return Some(step.take(&eh_frame(data), offset));
        }
        let debug = self.debug(image);
        let (data, offset) = (debug.data.as_ref()?, debug.entry_at(address)?);
        Some(step.take(&debug_frame(data), offset))
    }
}

fn eh_frame(data: &[u8]) -> gimli::EhFrame<Slice<'_>> {
    let mut section = gimli::EhFrame::new(data, LittleEndian);
    section.set_address_size(8);
    section
}

fn debug_frame(data: &[u8]) -> gimli::DebugFrame<Slice<'_>> {
    let mut section = gimli::DebugFrame::new(data, LittleEndian);
    section.set_address_size(8);
    section
}

fn entries<'a, S>(section: &S, bases: &BaseAddresses) -> Vec<(u64, u64, usize)>
where
    S: UnwindSection<Slice<'a>, Offset: gimli::UnwindOffset<usize>>,
{
    let mut found = Vec::new();
    let mut known = HashMap::new();
    let mut iterator = section.entries(bases);
    while let Ok(Some(entry)) = iterator.next() {
        let CieOrFde::Fde(partial) = entry else { continue };
        let entry = partial.parse(|section, bases, offset| {
            let key: usize = gimli::UnwindOffset::into(offset);
            if let Some(known) = known.get(&key) {
                return Ok(Clone::clone(known));
            }
            let read = section.cie_from_offset(bases, offset)?;
            known.insert(key, read.clone());
            Ok(read)
        });
        // One that cannot be read covers nothing.
        if let Ok(entry) = entry {
            found.push((entry.initial_address(), entry.end_address(), entry.offset()));
        }
    }
    found.sort_unstable();
    found
}

impl Table {
    fn entry_at(&self, address: u64) -> Option<usize> {
        let after = self.entries.partition_point(|entry| entry.0 <= address);
        let entry = self.entries[..after].last()?;
        (address < entry.1).then_some(entry.2)
    }
}

/// One step from a frame to its caller.
struct Step<'a, 'r> {
    image: &'a Image,
    bases: &'a BaseAddresses,
    address: u64,
    bias: u64,
    registers: Registers,
    read: &'a mut Read<'r>,
    context: &'a mut UnwindContext<usize>,
}

impl Step<'_, '_> {
    fn take<'a, S: UnwindSection<Slice<'a>>>(&mut self, section: &S, offset: usize) -> (Found, Caller) {
        let corrupt = |error: gimli::Error| format!("its call frame information cannot be read: {error}");
        let entry = match section.fde_from_offset(self.bases, offset.into(), S::cie_from_offset) {
            Ok(entry) => entry,
            Err(error) => return (Found { signal: false }, Err(corrupt(error))),
        };
        let found = Found { signal: entry.is_signal_trampoline() };
        let encoding = entry.cie().encoding();
        let return_address = entry.cie().return_address_register();
        let row = entry.unwind_info_for_address(section, self.bases, self.context, self.address);
        let row = match row {
            Ok(row) => row.clone(),
            Err(error) => return (found, Err(corrupt(error))),
        };
        if let CfaRule::RegisterAndOffset { register, offset } = row.cfa()
            && self.registers.get(register.0).is_none()
            && let Some(cfa) = self.frame_above_stack(section, &entry)
        {
            self.registers.set(register.0, Some(cfa.wrapping_sub(offset.cast_unsigned())));
        }
        (found, self.apply(section, &row, encoding, return_address))
    }

    /// Where the frame is, from the stack pointer and what the function has put on the stack since its entry.
    fn frame_above_stack<'a, S: UnwindSection<Slice<'a>>>(
        &mut self,
        section: &S,
        entry: &gimli::FrameDescriptionEntry<Slice<'a>>,
    ) -> Option<u64> {
        let mut rows = entry.rows(section, self.bases, self.context).ok()?;
        let CfaRule::RegisterAndOffset { register, offset } = *rows.next_row().ok()??.cfa() else {
            return None;
        };
        if register.0 != Registers::RSP {
            return None;
        }
        let code = entry.initial_address()..entry.end_address();
        let depth = stack_depth(self.image, code, self.address)?;
        self.registers.get(Registers::RSP)?.checked_add_signed(depth)?.checked_add_signed(offset)
    }

    fn apply<'a, S: UnwindSection<Slice<'a>>>(
        &mut self,
        section: &S,
        row: &UnwindTableRow<usize>,
        encoding: gimli::Encoding,
        return_address: gimli::Register,
    ) -> Caller {
        if row.register(return_address) == Some(RegisterRule::Undefined) {
            return Ok(None);
        }
        let cfa = match row.cfa() {
            CfaRule::RegisterAndOffset { register, offset } => {
                self.known(register.0)?.wrapping_add_signed(*offset)
            }
            CfaRule::Expression(expression) => self.evaluate(section, expression, encoding, None)?,
        };
        let mut caller = Registers::default();
        for number in 0..Registers::COUNT as u16 {
            let rule = row.register(gimli::Register(number));
            // What cannot be read stays unknown; it matters only if it is needed.
            let value = match rule {
                None if number == Registers::RSP => Some(cfa),
                None if Registers::is_callee_saved(number) => self.registers.get(number),
                None | Some(RegisterRule::Undefined) => None,
                Some(RegisterRule::SameValue) => self.registers.get(number),
                Some(RegisterRule::Offset(offset)) => self.word(cfa.wrapping_add_signed(offset)),
                Some(RegisterRule::ValOffset(offset)) => Some(cfa.wrapping_add_signed(offset)),
                Some(RegisterRule::Register(register)) => self.registers.get(register.0),
                Some(RegisterRule::Expression(expression)) => {
                    let at = self.evaluate(section, &expression, encoding, Some(cfa)).ok();
                    at.and_then(|at| self.word(at))
                }
                Some(RegisterRule::ValExpression(expression)) => {
                    self.evaluate(section, &expression, encoding, Some(cfa)).ok()
                }
                Some(RegisterRule::Constant(value)) => Some(value),
                Some(_) => None,
            };
            caller.set(number, value);
        }
        if return_address.0 != Registers::RIP {
            caller.set(Registers::RIP, caller.get(return_address.0));
        }
        match caller.get(Registers::RIP) {
            // Nothing was called from there (System V ABI, "Initial Stack and Register State").
            Some(0) => Ok(None),
            Some(_) => Ok(Some(caller)),
            None => Err("its return address cannot be read".to_owned()),
        }
    }

    fn known(&self, number: u16) -> Result<u64, String> {
        let value = self.registers.get(number);
        value.ok_or_else(|| {
            format!("its frame depends on {}, whose value is not known", Registers::name(number))
        })
    }

    fn word(&mut self, address: u64) -> Option<u64> {
        let mut bytes = [0; 8];
        (self.read)(address, &mut bytes).then(|| u64::from_le_bytes(bytes))
    }

    /// The value of an expression, or the address that it names.
    fn evaluate<'a, S: UnwindSection<Slice<'a>>>(
        &mut self,
        section: &S,
        expression: &UnwindExpression<usize>,
        encoding: gimli::Encoding,
        start: Option<u64>,
    ) -> Result<u64, String> {
        let corrupt =
            |error: gimli::Error| format!("an expression of its frame cannot be evaluated: {error}");
        let mut evaluation = expression.get(section).map_err(corrupt)?.evaluation(encoding);
        evaluation.set_max_iterations(LONGEST_EXPRESSION);
        if let Some(start) = start {
            evaluation.set_initial_value(start);
        }
        let mut result = evaluation.evaluate().map_err(corrupt)?;
        loop {
            result = match result {
                EvaluationResult::Complete => break,
                EvaluationResult::RequiresRegister { register, .. } => {
                    let value = self.known(register.0)?;
                    evaluation.resume_with_register(Value::Generic(value))
                }
                EvaluationResult::RequiresMemory { address, size, space: None, .. } if size <= 8 => {
                    let mut bytes = [0; 8];
                    let part = bytes.get_mut(..usize::from(size)).unwrap_or_default();
                    if !(self.read)(address, part) {
                        return Err(format!(
                            "its frame depends on memory at {address:#x}, which cannot be read"
                        ));
                    }
                    evaluation.resume_with_memory(Value::Generic(u64::from_le_bytes(bytes)))
                }
                EvaluationResult::RequiresRelocatedAddress(address) => {
                    evaluation.resume_with_relocated_address(address.wrapping_add(self.bias))
                }
                _ => return Err("its frame depends on something that is not known".to_owned()),
            }
            .map_err(corrupt)?;
        }
        match evaluation.as_result() {
            [piece] => match piece.location {
                Location::Address { address } => Ok(address),
                Location::Value { value: Value::Generic(value) | Value::U64(value) } => Ok(value),
                _ => Err("its frame is in no memory".to_owned()),
            },
            _ => Err("its frame is in pieces".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    /// All rows that know the frame from the stack pointer: the function, the row's first address, and how far the frame is
    /// above the stack pointer there beyond where it is at the function's entry.
    fn known_depths(frames: &Frames) -> Vec<(std::ops::Range<u64>, u64, i64)> {
        let data = frames.eh.data.as_ref().unwrap();
        let section = eh_frame(data);
        let mut context = UnwindContext::new();
        let mut found = Vec::new();
        for &(start, end, offset) in &frames.eh.entries {
            let entry =
                section.fde_from_offset(&frames.bases, offset.into(), gimli::EhFrame::cie_from_offset);
            let entry = entry.unwrap();
            let Ok(mut rows) = entry.rows(&section, &frames.bases, &mut context) else { continue };
            let mut first = None;
            while let Ok(Some(row)) = rows.next_row() {
                let CfaRule::RegisterAndOffset { register: gimli::Register(Registers::RSP), offset } =
                    *row.cfa()
                else {
                    first.get_or_insert(None);
                    continue;
                };
                if let Some(first) = *first.get_or_insert(Some(offset)) {
                    found.push((start..end, row.start_address(), offset - first));
                }
            }
        }
        found
    }

    #[test]
    fn instructions_and_frame_information_agree_about_the_stack_pointer() {
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let libc = maps
            .lines()
            .find_map(|line| Some(&line[line.find('/')?..]).filter(|path| path.contains("/libc.so")));
        let libc = libc.expect("tests are linked with a C library");
        let image = Image::open(Path::new(libc)).unwrap();
        let rows = known_depths(image.frames());
        let mut agreed = 0;
        // Every function has its rows in a run; some of each are enough.
        for (code, address, depth) in rows.iter().step_by(5) {
            if let Some(found) = stack_depth(&image, code.clone(), *address) {
                assert_eq!(found, *depth, "{}", image.describe(*address));
                agreed += 1;
            }
        }
        assert!(agreed > rows.len() / 10, "{agreed} of {}", rows.len() / 5);
    }
}
