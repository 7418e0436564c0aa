//! Loops that change nothing but registers.
//!
//! NOTE \[Round\] The instructions here are those of one function that can come to each other again, and none of them writes to memory,
//! calls, or gives something that is another each time (clocks, random numbers, devices). So if such a loop is found twice
//! in the same state, with no way out of it taken in between, it goes round for ever, unless somebody else changes its memory or a signal comes.

use super::{Flow, Image, Instruction, Target};
use iced_x86::{CpuidFeature, InstructionInfoFactory, OpAccess};
use std::collections::{BTreeMap, BTreeSet};

/// A loop that writes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// The addresses of its instructions.
    pub inside: BTreeSet<u64>,
    /// Where it can be left for.
    pub exits: BTreeSet<u64>,
}

impl Image {
    /// The largest such loop of one function that the instruction at this address is in; none if it is in none.
    pub fn round_of(&self, address: u64) -> Option<Round> {
        let function = self.function_at(address)?;
        let mut facts = InstructionInfoFactory::new();
        let silent: BTreeSet<u64> = self
            .decode(&function)
            .filter(|instruction| is_silent(instruction, &mut facts))
            .map(|instruction| instruction.ip())
            .collect();
        round(&self.instructions_alone(&function), &silent, address)
    }
}

/// True if the instruction does nothing but compute from registers and memory, in general registers.
fn is_silent(instruction: &iced_x86::Instruction, facts: &mut InstructionInfoFactory) -> bool {
    use CpuidFeature as C;
    let plain = |feature: &CpuidFeature| {
        matches!(
            feature,
            C::INTEL8086
                | C::INTEL8086_ONLY
                | C::INTEL186
                | C::INTEL286
                | C::INTEL386
                | C::INTEL486
                | C::X64
                | C::CMOV
                | C::MULTIBYTENOP
                | C::PAUSE
                | C::CET_IBT
        )
    };
    let reads = |access| {
        matches!(access, OpAccess::None | OpAccess::NoMemAccess | OpAccess::Read | OpAccess::CondRead)
    };
    !instruction.is_privileged()
        && instruction.cpuid_features().iter().all(plain)
        && facts.info(instruction).used_memory().iter().all(|memory| reads(memory.access()))
}

/// The loop around `address` among the instructions of a function, of which only the silent ones may be in it.
fn round(body: &[Instruction], silent: &BTreeSet<u64>, address: u64) -> Option<Round> {
    let mut after: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for one in body.iter().filter(|one| silent.contains(&one.address)) {
        let next = one.address + u64::from(one.length);
        let to = match &one.flow {
            Flow::Next => vec![next],
            Flow::Jump { target: Target::Address(to), conditional: true } => vec![*to, next],
            Flow::Jump { target: Target::Address(to), conditional: false } => vec![*to],
            Flow::Jump { target: Target::Import(_) | Target::Computed, .. }
            | Flow::Call(_)
            | Flow::Return
            | Flow::SystemCall
            | Flow::Trap => continue,
        };
        after.insert(one.address, to);
    }
    let mut before: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for (from, to) in after.iter().flat_map(|(from, to)| to.iter().map(move |to| (*from, *to))) {
        before.entry(to).or_default().push(from);
    }
    let forth = reached(&after, address);
    let inside: BTreeSet<u64> = reached(&before, address)
        .intersection(&forth)
        .copied()
        .filter(|one| after.contains_key(one))
        .collect();
    if !inside.contains(&address) {
        return None;
    }
    let ways = inside.iter().filter_map(|one| after.get(one)).flatten();
    let exits = ways.filter(|to| !inside.contains(to)).copied().collect();
    Some(Round { inside, exits })
}

/// All that comes after this one, in one step or more.
fn reached(ways: &BTreeMap<u64, Vec<u64>>, from: u64) -> BTreeSet<u64> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![from];
    while let Some(one) = waiting.pop() {
        waiting.extend(ways.get(&one).into_iter().flatten().filter(|to| found.insert(**to)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    const SOURCE: &str = "
        volatile int flag, count;
        __attribute__((noinline)) void waits(void) { while (!flag); }
        __attribute__((noinline)) void counts(void) { while (!flag) count++; }
        __attribute__((noinline)) void looks(void) { while (!flag) __builtin_ia32_rdtsc(); }
        __attribute__((noinline)) void calls(void) { while (!flag) waits(); }
        __attribute__((noinline)) int nested(int n) { while (!flag) for (int i = n; i; i--) __builtin_ia32_pause(); return n; }
        int main(void) { waits(); counts(); looks(); calls(); return nested(3); }
    ";

    #[test]
    fn a_loop_that_writes_nothing_is_found_whole_with_its_exits() {
        let folder = tempfile::tempdir().unwrap();
        let (source, program) = (folder.path().join("rounds.c"), folder.path().join("rounds"));
        std::fs::write(&source, SOURCE).unwrap();
        let built = crate::copies::output(Command::new("cc").args(["-O1", "-o"]).arg(&program).arg(&source));
        assert!(built.unwrap().status.success());
        let image = Image::open(&program).unwrap();
        let rounds = |name: &str| {
            let function = image.functions_named(name).into_iter().next().unwrap();
            let body = image.instructions_alone(&function);
            let found: Vec<Round> = body.iter().filter_map(|one| image.round_of(one.address)).collect();
            (body, found)
        };
        for name in ["counts", "looks", "calls"] {
            assert_eq!(rounds(name).1, [], "{name}");
        }
        for name in ["waits", "nested"] {
            let (body, found) = rounds(name);
            // One loop, whichever of its instructions is asked about, left for what is no part of it.
            assert!(found.len() >= 3, "{name}: {found:?}");
            assert!(
                found.iter().all(|round| *round == found[0] && round.inside.len() == found.len()),
                "{name}: {found:?}"
            );
            let reads = body.iter().filter(|one| one.data.iter().any(|data| data.reads));
            assert!(reads.into_iter().any(|one| found[0].inside.contains(&one.address)), "{name}");
            assert!(
                !found[0].exits.is_empty() && found[0].exits.is_disjoint(&found[0].inside),
                "{name}: {found:?}"
            );
        }
    }
}
