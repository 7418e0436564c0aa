//! `hash:i/n`: the part of a suite, or of one search, that this machine runs.
//!
//! What belongs to which part follows from a text alone, by SHA-256: the name of a scenario, or a schedule as RON. So it is
//! the same on every machine, and does not change when others come or go. The parts are disjoint, and together they are
//! the whole.
//!
//! NOTE \[Parts of a search\] Every part makes the reference run. From there on:
//!
//! * A schedule belongs to the part that its text says, where a switch to one thread counts as the one to all, since what
//!   a switch to all shows decides whether those to one thread need be tried (NOTE \[Pruning\] in `exhaustive`).
//! * An exhaustive search knows the schedules of one step from the reference run, and those of more from runs of fewer. So
//!   every part makes every run that others are extended from, as a probe, which is neither judged nor counted where it
//!   belongs to another part. It costs each part what is small against the longest schedules, of which it only tries its
//!   own. The other way, to split by the first step, saves these runs, but two ways that lead to one schedule
//!   (NOTE \[Later than home\]) could then begin in two parts, and it would be counted twice.
//! * Chance draws until it has a schedule of its own part; each part has its share of the runs.
//! * Probabilistic concurrency testing makes a sample from runs that follow from one another, so it is split by samples:
//!   each part has its share of the runs, and chance of its own.

use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// One part of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Which, counted from 1.
    pub part: u64,
    /// Of how many.
    pub of: u64,
}

impl Partition {
    /// True if what has this name belongs to this part.
    pub fn holds(self, name: &str) -> bool {
        let hash = Sha256::digest(name.as_bytes());
        let number = hash.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        number % self.of == self.part - 1
    }

    /// This part's share of so many runs. The shares of all parts add up to them; as many as there are stay as many.
    pub fn share(self, runs: u64) -> u64 {
        if runs == u64::MAX { runs } else { runs / self.of + u64::from(self.part <= runs % self.of) }
    }
}

impl FromStr for Partition {
    type Err = String;

    fn from_str(text: &str) -> Result<Partition, String> {
        let read = || {
            let (part, of) = text.strip_prefix("hash:")?.split_once('/')?;
            let (part, of): (u64, u64) = (part.parse().ok()?, of.parse().ok()?);
            (1..=of).contains(&part).then_some(Partition { part, of })
        };
        read().ok_or_else(|| "expected hash:i/n with i from 1 to n, such as hash:1/4".to_owned())
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hash:{}/{}", self.part, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_in_exactly_one_part() {
        for of in 1..6 {
            let parts: Vec<Partition> = (1..=of).map(|part| Partition { part, of }).collect();
            for number in 0..100 {
                let name = format!("family/name{number}");
                assert_eq!(parts.iter().filter(|part| part.holds(&name)).count(), 1, "{name} of {of}");
            }
        }
        // Machines with different versions must agree.
        assert!("hash:1/2".parse::<Partition>().unwrap().holds("jobs/addjob_broken"));
    }

    #[test]
    fn the_shares_are_the_whole() {
        for (runs, of) in [(0, 3), (2, 3), (1000, 7), (6, 6)] {
            let shares = (1..=of).map(|part| Partition { part, of }.share(runs));
            assert_eq!(shares.sum::<u64>(), runs);
        }
        assert_eq!(Partition { part: 2, of: 3 }.share(u64::MAX), u64::MAX);
    }

    #[test]
    fn only_a_part_that_exists_is_one() {
        assert_eq!("hash:2/3".parse::<Partition>().unwrap().to_string(), "hash:2/3");
        for bad in ["", "1/2", "hash:0/2", "hash:3/2", "hash:1/0", "hash:1", "count:1/2", "hash:a/b"] {
            assert!(bad.parse::<Partition>().is_err(), "{bad}");
        }
    }
}
