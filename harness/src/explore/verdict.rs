//! The verdicts.

use std::fmt;

/// The verdict of a scenario. Only `Pass` is green.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// As expected: no finding, or exactly those that are known.
    Pass,
    /// A finding that is not known, or a known one that was not found.
    Fail,
    /// Nothing was controlled, or the search did not get as far as it was to get, so that a pass would mean nothing.
    Unreached,
    /// A replay left its recording.
    Diverged,
    /// Something broke, or was tainted, and did not repeat itself.
    Unstable,
    /// This host, or this program, does not allow what is needed.
    Unsupported,
}

impl Verdict {
    /// That of several searches of one program: the gravest. One in which nothing was controlled says nothing beside others
    /// in which something was. None of none.
    pub fn together(verdicts: impl Iterator<Item = Verdict>) -> Option<Verdict> {
        let gravity = |verdict: &Verdict| match verdict {
            Verdict::Unreached => 0,
            Verdict::Pass => 1,
            Verdict::Unsupported => 2,
            Verdict::Diverged | Verdict::Unstable => 3,
            Verdict::Fail => 4,
        };
        verdicts.max_by_key(gravity)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::Unreached => "unreached",
            Verdict::Diverged => "diverged",
            Verdict::Unstable => "unstable",
            Verdict::Unsupported => "unsupported",
        })
    }
}
