//! The code that a search takes steps in: which functions were asked for, and how their instructions hang together.

use crate::code::{
    CodeError, Flow, Function, Image, Instruction, Place, Spot as PlaceSpot, Target, order_by_line,
};
use crate::explore::{Code, Spot, Stretch};
use crate::schedule::{Label, Site};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

/// The code of the program in `file` for these sweeps and, among the kinds of points, these places.
pub fn code(file: &Path, functions: &[String], all: bool, points: &[Site]) -> Result<Code, CodeError> {
    let mut places: Vec<Label> = points
        .iter()
        .filter_map(|site| match site {
            Site::At(place) => Some(*place),
            Site::Before(_)
            | Site::Entering(_)
            | Site::After(_)
            | Site::In(_)
            | Site::Probe(_)
            | Site::Quiet => None,
        })
        .collect();
    let mut code = Code::default();
    let mut own: Vec<&String> = Vec::new();
    for name in functions {
        let place: Place = name.parse()?;
        // What is in a library is only known when that is in memory.
        match place.module() {
            Some(_) => code.roots.push(Label::new(&place.to_string())),
            None if matches!(place.spot(), PlaceSpot::Function { offset: 0, .. }) => own.push(name),
            // One instruction, or a line's.
            None => places.push(Label::new(&place.to_string())),
        }
    }
    if own.is_empty() && !all && places.is_empty() {
        return Ok(code);
    }
    let image = Image::open(file)?;
    let mut swept: BTreeMap<u64, Function> = BTreeMap::new();
    for name in own {
        let place: Place = name.parse()?;
        // The error of a name that is none comes from here, with names that are close.
        image.resolve(&place)?;
        for function in image.functions_named(name) {
            swept.extend(image.own_callees(&function).into_iter().map(|callee| (callee.start, callee)));
            swept.insert(function.start, function);
        }
    }
    if all {
        let own = image.own_functions();
        if own.is_empty() {
            return Err(CodeError::NoSymbols { module: image.name().to_owned() });
        }
        swept.extend(own.into_iter().map(|function| (function.start, function)));
    }
    for place in places {
        let parsed: Place = place.as_str().parse()?;
        // A place in a library is only found when that is in memory.
        let addresses = if parsed.module().is_none() { image.resolve(&parsed)? } else { Vec::new() };
        let line = addresses.first().and_then(|address| image.describe(*address).line);
        let line = line.map(|line| Label::new(&line.to_string()));
        // One instruction has one name, also where it is swept as well.
        let own = match addresses[..] {
            [address] => image.function_at(address).map(|function| label(&function, address)),
            _ => None,
        };
        let spots = vec![Spot { place: own.unwrap_or(place), line, rank: 0 }];
        code.functions.push(vec![Stretch { spots, switches: true }]);
    }
    let bodies: Vec<(Function, Vec<Instruction>)> =
        swept.into_values().map(|function| (function.clone(), image.instructions(&function))).collect();
    let ordered = order_by_line(bodies.iter().flat_map(|(_, body)| body.clone()).collect());
    let ranks: HashMap<u64, usize> =
        ordered.iter().enumerate().map(|(rank, each)| (each.address, rank)).collect();
    for (function, body) in &bodies {
        code.functions.push(stretches(function, body, &ranks));
    }
    Ok(code)
}

/// The name of an instruction of a function.
fn label(function: &Function, address: u64) -> Label {
    Label::new(&Place::in_function(&function.name, address - function.start).to_string())
}

/// Cuts a function where something jumps to or from, and where it calls.
fn stretches(function: &Function, body: &[Instruction], ranks: &HashMap<u64, usize>) -> Vec<Stretch> {
    let mut firsts: BTreeSet<u64> = BTreeSet::new();
    for instruction in body {
        if let Flow::Jump { target: Target::Address(address), .. } = instruction.flow {
            firsts.insert(address);
        }
        if instruction.flow != Flow::Next {
            firsts.insert(instruction.address + u64::from(instruction.length));
        }
    }
    // Where a computed jump leads is not known: every instruction is counted by itself.
    let computed =
        |instruction: &Instruction| matches!(instruction.flow, Flow::Jump { target: Target::Computed, .. });
    let unknown = body.iter().any(computed);
    let mut stretches: Vec<Stretch> = Vec::new();
    for instruction in body {
        let spot = Spot {
            place: label(function, instruction.address),
            line: instruction.line.as_ref().map(|line| Label::new(&line.to_string())),
            rank: ranks.get(&instruction.address).copied().unwrap_or(usize::MAX),
        };
        match stretches.last_mut() {
            Some(stretch) if !unknown && !firsts.contains(&instruction.address) => stretch.spots.push(spot),
            _ => stretches.push(Stretch { spots: vec![spot], switches: false }),
        }
    }
    stretches
}
