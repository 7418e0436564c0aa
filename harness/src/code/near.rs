//! The instructions that are executed just before and just after another one, whatever the program does.

use super::{Flow, Instruction, Target};
use std::collections::BTreeSet;

/// So many are looked at on each side.
const MOST: usize = 32;
/// So many calls may lie between where calls may.
const MOST_CALLS: usize = 2;

/// The neighbours of an instruction, the nearest first: those that are executed before it and after it each time that it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Near {
    /// Those before it, in its basic block: they are executed as often as it is.
    pub before: Vec<u64>,
    /// Those after it, up to a jump: the program may come to them in another way as well.
    pub after: Vec<u64>,
}

/// The neighbours of the instruction at `address` in the function of these instructions; none if that is none of them. With
/// `calls`, a few calls of other functions may lie between them.
pub fn near(body: &[Instruction], address: u64, calls: bool) -> Option<Near> {
    let here = body.iter().position(|one| one.address == address)?;
    let entered: BTreeSet<u64> = body.iter().filter_map(|one| entered_by(&one.flow)).collect();
    let mut near = Near::default();
    let mut left = if calls { MOST_CALLS } else { 0 };
    for (index, one) in body.iter().enumerate().take(here).rev().take(MOST) {
        let follower = body.get(index + 1).map(|next| next.address);
        let alone = follower.is_some_and(|next| !entered.contains(&next));
        if !alone || !goes_on(&one.flow, &mut left) {
            break;
        }
        near.before.push(one.address);
    }
    left = if calls { MOST_CALLS } else { 0 };
    for (one, next) in body.iter().zip(body.iter().skip(1)).skip(here).take(MOST) {
        if !goes_on(&one.flow, &mut left) {
            break;
        }
        near.after.push(next.address);
    }
    Some(near)
}

/// Where a jump leads within the file.
fn entered_by(flow: &Flow) -> Option<u64> {
    match flow {
        Flow::Jump { target: Target::Address(address), .. } => Some(*address),
        Flow::Jump { target: Target::Import(_) | Target::Computed, .. }
        | Flow::Next
        | Flow::Call(_)
        | Flow::Return
        | Flow::SystemCall
        | Flow::Trap => None,
    }
}

/// True if the next instruction always follows; a call counts as long as some are left.
fn goes_on(flow: &Flow, calls: &mut usize) -> bool {
    match flow {
        Flow::Next => true,
        Flow::Call(_) if *calls > 0 => {
            *calls -= 1;
            true
        }
        Flow::Call(_) | Flow::Jump { .. } | Flow::Return | Flow::SystemCall | Flow::Trap => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(flows: &[Flow]) -> Vec<Instruction> {
        let one = |(index, flow): (usize, &Flow)| Instruction {
            address: index as u64,
            length: 1,
            line: None,
            flow: flow.clone(),
            data: Vec::new(),
            shares: false,
        };
        flows.iter().enumerate().map(one).collect()
    }

    const NEXT: Flow = Flow::Next;
    const CALL: Flow = Flow::Call(Target::Computed);

    fn jump(address: u64) -> Flow {
        Flow::Jump { target: Target::Address(address), conditional: true }
    }

    #[test]
    fn the_neighbours_are_those_that_are_always_executed_too() {
        let code = body(&[NEXT, NEXT, NEXT, NEXT, Flow::Return, NEXT]);
        let found = near(&code, 2, false).unwrap();
        assert_eq!(found, Near { before: vec![1, 0], after: vec![3, 4] });
        // A block begins where something jumps to, and ends with a jump.
        let code = body(&[NEXT, NEXT, NEXT, NEXT, jump(1), NEXT]);
        let found = near(&code, 2, false).unwrap();
        assert_eq!(found, Near { before: vec![1], after: vec![3, 4] });
        // What is only jumped over is executed before the place to which the jump leads.
        let code = body(&[NEXT, jump(4), NEXT, NEXT, NEXT]);
        assert_eq!(near(&code, 2, false), Some(Near { before: vec![], after: vec![3, 4] }));
        assert_eq!(near(&code, 4, false), Some(Near::default()));
        assert_eq!(near(&code, 9, false), None);
        let code = body(&vec![NEXT; 100]);
        let found = near(&code, 50, false).unwrap();
        assert_eq!((found.before.len(), found.after.len()), (MOST, MOST));
    }

    #[test]
    fn a_few_calls_may_lie_between_where_they_may() {
        let code = body(&[CALL, CALL, NEXT, CALL, NEXT, NEXT, CALL, NEXT]);
        let found = near(&code, 5, false).unwrap();
        assert_eq!(found, Near { before: vec![4], after: vec![6] });
        let found = near(&code, 5, true).unwrap();
        assert_eq!(found, Near { before: vec![4, 3, 2, 1], after: vec![6, 7] });
        let code = body(&[NEXT, Flow::SystemCall, NEXT]);
        assert!(near(&code, 2, true).unwrap().before.is_empty());
    }
}
