//! How the terminal of a run was left.

use crate::schedule::ThreadName;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How the terminal of a run was left. What was on its screen is the run's standard output.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TerminalLeft {
    /// In which of its modes it was left otherwise than it was found, in the words of stty(1); none if that is not known.
    pub modes: Option<Vec<String>>,
    /// Which process group is in the foreground; none if the first process has ended, and with it its session, or after a hang-up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub foreground: Option<Foreground>,
}

/// A process group in the foreground, by the name of its leader.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Foreground {
    /// This one, of which some process lives.
    Group(ThreadName),
    /// This one, of which no process lives: nobody is reached by what is typed.
    Ended(ThreadName),
    /// None that is known.
    Nobody,
}

impl fmt::Display for Foreground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Foreground::Group(leader) => write!(f, "the process group of {leader}"),
            Foreground::Ended(leader) => {
                write!(f, "the process group of {leader}, of which no process is left")
            }
            Foreground::Nobody => f.write_str("no process group"),
        }
    }
}

impl TerminalLeft {
    /// Its modes in words; none if they are not known.
    pub fn modes_words(&self) -> Option<String> {
        let modes = self.modes.as_ref()?;
        Some(if modes.is_empty() { "as it was found".to_owned() } else { modes.join(" ") })
    }
}

/// What a person could do at the terminal that would mean something to a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Acts(u8);

impl Acts {
    /// Nothing.
    pub const NOTHING: Acts = Acts(0);
    /// The character for SIGINT, which the process catches or blocks.
    pub const INTERRUPT: Acts = Acts(1);
    /// The character for SIGQUIT, which it catches or blocks.
    pub const QUIT: Acts = Acts(2);
    /// The character for SIGTSTP, which it catches or blocks.
    pub const SUSPEND: Acts = Acts(4);
    /// Another size of the terminal: it catches or blocks SIGWINCH.
    pub const RESIZE: Acts = Acts(8);
    /// A hang-up: it leads the session, and SIGHUP does not end it at once.
    pub const HANG_UP: Acts = Acts(16);
    /// Text: it is in the foreground.
    pub const TEXT: Acts = Acts(32);
    /// No character causes a signal: all are text.
    pub const PLAIN: Acts = Acts(64);
    /// Characters that cause signals by default, and what they then are.
    pub const KEYS: [(u8, Acts); 3] = [(0x03, Acts::INTERRUPT), (0x1c, Acts::QUIT), (0x1a, Acts::SUSPEND)];

    /// True if all of `other` is in it.
    pub fn contains(self, other: Acts) -> bool {
        self.0 & other.0 == other.0
    }

    /// This as well.
    pub fn add(&mut self, other: Acts) {
        self.0 |= other.0;
    }

    /// True if there is nothing.
    pub fn is_empty(self) -> bool {
        self == Acts::NOTHING
    }
}

impl fmt::Display for Acts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [
            (Acts::INTERRUPT, "^C"),
            (Acts::QUIT, "^\\"),
            (Acts::SUSPEND, "^Z"),
            (Acts::RESIZE, "another size"),
            (Acts::HANG_UP, "a hang-up"),
            (Acts::TEXT, "text"),
        ];
        let words = words.into_iter().filter(|(act, _)| self.contains(*act)).map(|(_, word)| word);
        f.write_str(&words.collect::<Vec<_>>().join(", "))
    }
}
