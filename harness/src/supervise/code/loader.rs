//! Where the dynamic loader's code is, which the first run shows, or bears out if an earlier command knew it (`loaders`).
//!
//! Starting a dynamic program is mostly the loader finding and mapping files, and setting up a thread. Those calls wake
//! nobody and send nothing, so control loses nothing by not being told of them, and the filter of the later runs lets
//! them pass: by their number and by the address that they come from (`sys::filter`). Addresses are not randomised, so
//! all programs with the same loader have it in the same place. If one has none there, its own code may be in that place:
//! then the run is thrown away, and from then on every call is notified. Either way these calls are no points, so that
//! both see the same points.

use crate::supervise::books::door::Door;
use std::ops::Range;

/// What is known of the dynamic loaders of the programs that run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::supervise) enum Loader {
    /// No run yet.
    #[default]
    Unknown,
    /// No run yet, but an earlier command has found it here.
    Remembered(Range<u64>),
    /// All programs have it here.
    At(Range<u64>),
    /// Some program has none, or has it elsewhere.
    Varies,
}

impl Loader {
    /// Where calls need not be notified.
    pub(in crate::supervise) fn known(&self) -> Option<Range<u64>> {
        match self {
            Loader::At(range) | Loader::Remembered(range) => Some(range.clone()),
            Loader::Unknown | Loader::Varies => None,
        }
    }

    /// Some program has it elsewhere: what only an earlier command knew is found out anew.
    pub(in crate::supervise) fn refute(&mut self) {
        *self = if matches!(self, Loader::Remembered(_)) { Loader::Unknown } else { Loader::Varies };
    }

    /// Takes in where the programs of a run, one after the other, had their loaders; empty for none.
    pub(in crate::supervise) fn learn(&mut self, seen: &[Range<u64>]) {
        if matches!(self, Loader::At(_) | Loader::Varies) {
            return;
        }
        *self = match seen.split_first() {
            Some((first, rest)) if !first.is_empty() && rest.iter().all(|other| other == first) => {
                Loader::At(first.clone())
            }
            _ => Loader::Varies,
        };
    }
}

/// How many bytes the dynamic loader's segments span, from its program headers in memory (elf(5)).
pub(in crate::supervise) fn size(door: &Door, base: u64) -> u64 {
    const PT_LOAD: u32 = 1;
    let span = || -> Option<u64> {
        // The program headers follow the file's header, and all of them fit into the first page.
        let page: [u8; 4096] = door.read_array(base).ok()?;
        let offset = usize::try_from(u64::from_le_bytes(page[32..40].try_into().ok()?)).ok()?;
        let count = usize::from(u16::from_le_bytes(page[56..58].try_into().ok()?));
        let mut end = 0;
        for entry in page.get(offset..)?.chunks_exact(56).take(count) {
            let word = |at: usize| entry[at..at + 8].try_into().map(u64::from_le_bytes).unwrap_or(0);
            if entry[..4] == PT_LOAD.to_le_bytes() {
                end = end.max(word(16).saturating_add(word(40)));
            }
        }
        Some(end)
    };
    // Without headers nothing counts as the loader's, and its calls are points like any other.
    span().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_place_for_all_programs_is_believed() {
        let learnt = |seen: &[Range<u64>]| {
            let mut loader = Loader::Unknown;
            loader.learn(seen);
            loader.known()
        };
        assert_eq!(learnt(&[1..5, 1..5]), Some(1..5));
        assert_eq!(learnt(&[1..5, 2..6]), None);
        assert_eq!(learnt(&[1..5, 0..0]), None);
        assert_eq!(learnt(&[0..0, 0..0]), None);
        assert_eq!(learnt(&[]), None);
    }

    #[test]
    fn what_was_remembered_is_borne_out_or_found_out_anew() {
        let mut loader = Loader::Remembered(1..5);
        assert_eq!(loader.known(), Some(1..5));
        loader.learn(std::slice::from_ref(&(1..5)));
        assert_eq!(loader, Loader::At(1..5));
        loader.refute();
        assert_eq!(loader, Loader::Varies);
        let mut loader = Loader::Remembered(1..5);
        loader.refute();
        loader.learn(std::slice::from_ref(&(2..6)));
        assert_eq!(loader, Loader::At(2..6));
    }
}
