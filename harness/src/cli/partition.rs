//! `--partition hash:i/n`: the part of a suite that this machine runs.
//!
//! The part of a scenario, and of each build of one, follows from its name alone, by SHA-256, so it is the same on every
//! machine and does not change when other scenarios come or go. The parts are disjoint, and together they are the whole suite.

use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// One part of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Partition {
    /// Which, counted from 1.
    pub(super) part: u64,
    /// Of how many.
    pub(super) of: u64,
}

impl Partition {
    /// True if the scenario of this name belongs to this part.
    pub(super) fn holds(self, name: &str) -> bool {
        let hash = Sha256::digest(name.as_bytes());
        let number = hash.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        number % self.of == self.part - 1
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
    fn only_a_part_that_exists_is_one() {
        assert_eq!("hash:2/3".parse::<Partition>().unwrap().to_string(), "hash:2/3");
        for bad in ["", "1/2", "hash:0/2", "hash:3/2", "hash:1/0", "hash:1", "count:1/2", "hash:a/b"] {
            assert!(bad.parse::<Partition>().is_err(), "{bad}");
        }
    }
}
