//! Seeded chance, by proptest's runner.

use super::error::ExploreError;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, Reason, RngAlgorithm, TestRng, TestRunner};

/// Where the `index`th strategy of a plan with this seed has its chance from; with another number in `part`, other chance.
pub(super) fn runner(seed: u64, index: u64, part: u64) -> TestRunner {
    let mut bytes = [0; 32];
    let given = [seed, index, part].into_iter().flat_map(u64::to_le_bytes);
    for (place, byte) in bytes.iter_mut().zip(given) {
        *place = byte;
    }
    TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

pub(super) fn planning(reason: Reason) -> ExploreError {
    ExploreError::Planning(reason.to_string())
}

/// One of these; none if there is none.
pub(super) fn pick<'a, T>(runner: &mut TestRunner, from: &'a [T]) -> Result<Option<&'a T>, Reason> {
    if from.is_empty() { Ok(None) } else { Ok(from.get(below(runner, from.len())?)) }
}

/// A number below `count`, which is not 0.
pub(super) fn below(runner: &mut TestRunner, count: usize) -> Result<usize, Reason> {
    Ok((0..count).new_tree(runner)?.current())
}
