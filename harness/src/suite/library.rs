//! The code of libraries as a search follows it: which functions are swept, in which files those are, and what comes after what.

use super::shown::Shown;
use super::{neighbours, worker};
use crate::checks::{self, Asked, Reentered};
use crate::code::{CodeError, Flow, Function, Image, Instruction, Place, Target};
use crate::explore::{Block, Chart, Code, ExploreError, Plan, Spot, Stretch};
use crate::schedule::{Label, Schedule};
use crate::supervise::{RunError, Supervise, images};
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A plan that knows the code of libraries, and which of their functions are swept.
pub(super) struct Charted {
    pub(super) plan: Plan,
    pub(super) roots: Vec<Label>,
}

/// Why there is no such plan.
#[derive(Debug, thiserror::Error)]
pub(super) enum ChartError {
    /// The run that shows the files failed.
    #[error(transparent)]
    Explore(#[from] ExploreError),
    /// What was asked for is not there.
    #[error(transparent)]
    Code(#[from] CodeError),
}

/// Runs that looking for the handlers and the files may take: one, again if it is tainted.
const MOST_RUNS: u64 = 8;

/// Finds the functions of libraries that were asked for; and, if that is asked for, those that a handler may enter again, and the
/// places of the program where the rules for handlers would have a signal come. `file` is the program's.
pub(super) fn charted<S, F>(
    plan: &Plan,
    file: &Path,
    shown: &Shown,
    factory: &F,
) -> Result<Charted, ChartError>
where
    S: Supervise,
    F: Fn(usize) -> Result<S, RunError> + Sync,
{
    let Code { roots, reentered, .. } = &plan.code;
    let with = |code: Code, file: &Path| Plan {
        code: Code { neighbours: neighbours::of(file), ..code },
        ..plan.clone()
    };
    let as_it_is = || Charted { plan: with(plan.code.clone(), file), roots: Vec::new() };
    if roots.is_empty() && !reentered {
        return Ok(as_it_is());
    }
    let asked = Asked {
        rules: &[],
        signals: &plan.send,
        process: &plan.send_to.process,
        base: &Schedule::empty(),
        runs: MOST_RUNS,
        fits: false,
    };
    let look = || checks::handlers(&asked, &mut factory(0)?);
    let look = || worker::apart("that looks for what handlers call", look).flatten();
    let doing = |source| ExploreError::Run { doing: "looking for what handlers call".to_owned(), source };
    let handlers = match shown.handlers(asked.process, look) {
        // Who has not asked for it is told of it by the checks.
        Err(RunError::Unsupported(_)) if roots.is_empty() => return Ok(as_it_is()),
        other => other.map_err(doing)?,
    };
    let found = checks::reentered(&asked, &handlers);
    let mut code = plan.code.clone();
    let mut names = Vec::new();
    // Reading the files takes longer than a run.
    if !(roots.is_empty() && found.functions.is_empty()) {
        let mut library = Library::of(&found);
        for root in roots {
            library.add_asked(*root)?;
            names.push(*root);
        }
        for name in found.functions.iter().filter(|_| *reentered) {
            names.extend(library.add_named(name).filter(|label| !roots.contains(label)));
        }
        code.chart = (!library.roots.is_empty()).then(|| Arc::new(library) as Arc<dyn Chart>);
    }
    // Who says where to look in the program is not shown other places of it.
    let unasked = *reentered && code.functions.is_empty();
    for (place, line) in found.places.into_iter().filter(|_| unasked) {
        let spots = vec![Spot { place, line, rank: 0 }];
        code.functions.push(vec![Stretch { spots, switches: false }]);
        names.push(place);
    }
    let program = found.modules.first().map_or(file, PathBuf::as_path);
    Ok(Charted { plan: with(code, program), roots: names })
}

/// A file, by its number, and an address in it.
type At = (usize, u64);

/// The files of a process, and where the search begins in them.
struct Library {
    /// Each with its name, the program without.
    files: Vec<(Option<String>, Arc<Image>)>,
    roots: BTreeSet<At>,
    functions: Mutex<HashMap<At, Arc<[Followed]>>>,
}

/// A block, and the addresses where it may go on.
struct Followed {
    block: Block,
    after: Vec<At>,
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Library").field("roots", &self.roots).finish_non_exhaustive()
    }
}

impl Library {
    fn of(found: &Reentered) -> Library {
        let open = |(index, path): (usize, &PathBuf)| {
            let name = path.file_name()?.to_str()?;
            let image = images().open(path).ok()?;
            // What the dynamic loader has is for itself.
            let loader = index > 0 && name.starts_with("ld-");
            (!loader).then(|| ((index > 0).then(|| name.to_owned()), image))
        };
        let files = found.modules.iter().enumerate().filter_map(open).collect();
        Library { files, roots: BTreeSet::new(), functions: Mutex::default() }
    }

    /// Begins at a function that a person has named.
    fn add_asked(&mut self, label: Label) -> Result<(), CodeError> {
        let place: Place = label.as_str().parse()?;
        let module = || place.module().unwrap_or_default().to_owned();
        let file = self.files.iter().position(|(name, _)| name.as_deref() == place.module());
        let file = file.ok_or_else(|| CodeError::NoModule { module: module() })?;
        let addresses = self.files[file].1.resolve(&place)?;
        self.roots.extend(addresses.into_iter().map(|address| (file, address)));
        Ok(())
    }

    /// Begins at the function that a call by this name leads to, if it is in one of the files; gives it as a place.
    fn add_named(&mut self, name: &str) -> Option<Label> {
        let (file, function) = self.named(name)?;
        self.roots.insert((file, function.start));
        Some(self.label(file, &function, function.start))
    }

    /// The function of this name, of the C library if it has one.
    fn named(&self, name: &str) -> Option<(usize, Function)> {
        let bare = name.split('@').next().unwrap_or(name);
        let libc = |file: &usize| {
            let name = self.files.get(*file).and_then(|(name, _)| name.as_deref());
            !name.is_some_and(|name| name.starts_with("libc.") || name.starts_with("libc-"))
        };
        let mut order: Vec<usize> = (0..self.files.len()).collect();
        order.sort_by_key(libc);
        order.into_iter().find_map(|file| {
            let function = self.files[file].1.functions_named(bare).into_iter().next()?;
            Some((file, function))
        })
    }

    fn label(&self, file: usize, function: &Function, address: u64) -> Label {
        let place = Place::in_function(&function.name, address - function.start);
        let module = self.files.get(file).and_then(|(name, _)| name.as_deref());
        Label::new(&place.in_module(module).to_string())
    }

    /// The blocks of the function that has this address.
    fn blocks(&self, (file, address): At) -> Option<Arc<[Followed]>> {
        let (_, image) = self.files.get(file)?;
        let function = image.function_at(address)?;
        let key = (file, function.start);
        let known = self.functions.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if known.is_some() {
            return known;
        }
        let blocks: Arc<[Followed]> = self.cut(file, &function).into();
        let mut functions = self.functions.lock().unwrap_or_else(PoisonError::into_inner);
        functions.insert(key, Arc::clone(&blocks));
        Some(blocks)
    }

    /// Cuts a function where something jumps to or from, and where it calls.
    fn cut(&self, file: usize, function: &Function) -> Vec<Followed> {
        let Some((_, image)) = self.files.get(file) else { return Vec::new() };
        let body = image.instructions_alone(function);
        let mut firsts: BTreeSet<u64> = BTreeSet::new();
        for instruction in &body {
            if let Flow::Jump { target: Target::Address(address), .. } = instruction.flow {
                firsts.insert(address);
            }
            if instruction.flow != Flow::Next {
                firsts.insert(end(instruction));
            }
        }
        let mut parts: Vec<&[Instruction]> = Vec::new();
        let mut rest = &body[..];
        while !rest.is_empty() {
            let size = rest.iter().skip(1).position(|one| firsts.contains(&one.address));
            let (part, others) = rest.split_at(size.map_or(rest.len(), |size| size + 1));
            parts.push(part);
            rest = others;
        }
        let follow = |part: &&[Instruction]| {
            let (first, last) = (part.first()?, part.last()?);
            let before = part.iter().zip(part.iter().skip(1));
            let shared = before.filter(|(before, _)| before.shares).map(|(_, one)| one.address);
            let spot =
                |address| Spot { place: self.label(file, function, address), line: None, rank: usize::MAX };
            let spots = std::iter::once(first.address).chain(shared).map(spot).collect();
            let block = Block { key: (file, first.address), stretch: Stretch { spots, switches: false } };
            Some(Followed { block, after: self.after_last(file, last) })
        };
        let mut blocks: Vec<Followed> = parts.iter().filter_map(follow).collect();
        // Where a computed jump leads is not known: wherever nothing else does.
        let led: BTreeSet<At> = blocks.iter().flat_map(|one| one.after.iter().copied()).collect();
        let keys = blocks.iter().map(|one| one.block.key).filter(|key| !led.contains(key));
        let others: Vec<At> = keys.collect();
        let computed = |part: &&[Instruction]| {
            let flow = part.last().map(|last| &last.flow);
            matches!(flow, Some(Flow::Jump { target: Target::Computed, .. }))
        };
        let computed: Vec<bool> = parts.iter().map(computed).collect();
        for (one, _) in blocks.iter_mut().zip(computed).filter(|(_, computed)| *computed) {
            one.after.extend(&others);
        }
        blocks
    }

    /// Where a block may go on whose last instruction this is.
    fn after_last(&self, file: usize, last: &Instruction) -> Vec<At> {
        let next = (file, end(last));
        let to = |target: &Target| match target {
            Target::Address(address) => Some((file, *address)),
            Target::Import(name) => self.named(name).map(|(file, function)| (file, function.start)),
            Target::Computed => None,
        };
        match &last.flow {
            Flow::Next | Flow::SystemCall => vec![next],
            Flow::Call(target) => to(target).into_iter().chain([next]).collect(),
            Flow::Jump { target, conditional } => {
                to(target).into_iter().chain(conditional.then_some(next)).collect()
            }
            Flow::Return | Flow::Trap => Vec::new(),
        }
    }

    fn block(&self, at: At) -> Option<Block> {
        let blocks = self.blocks(at)?;
        let after = blocks.partition_point(|one| one.block.key.1 <= at.1);
        blocks[..after].last().map(|one| one.block.clone())
    }
}

fn end(instruction: &Instruction) -> u64 {
    instruction.address + u64::from(instruction.length)
}

impl Chart for Library {
    fn entries(&self) -> Vec<Block> {
        self.roots.iter().filter_map(|root| self.block(*root)).collect()
    }

    fn after(&self, block: &Block) -> Vec<Block> {
        let Some(blocks) = self.blocks(block.key) else { return Vec::new() };
        let here = blocks.iter().find(|one| one.block.key == block.key);
        here.into_iter().flat_map(|one| &one.after).filter_map(|at| self.block(*at)).collect()
    }
}
