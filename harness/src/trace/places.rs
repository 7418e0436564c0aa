//! Where in its code a thread was: functions, lines, and what called them.

use crate::schedule::ThreadName;
use serde::{Deserialize, Serialize};

/// Where in its code a thread was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Whereabouts {
    /// When.
    pub at: Moment,
    /// Which thread.
    pub thread: ThreadName,
    /// The place itself, and the calls that led to it, innermost first.
    pub stack: Vec<Frame>,
    /// False if the last frame has a caller that is not known or was left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub complete: bool,
}

/// A moment of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Moment {
    /// That of the event with this index, from 0.
    Event(usize),
    /// When its process was ended by a signal for what the thread did: at the instruction that did it.
    Crash,
    /// When it was known how the run ended. A thread that spins was somewhere in its loop.
    End,
}

/// A function in which a thread is, or from which it called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frame {
    /// The function that has the code, as a person reads it; none if the file does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// Bytes after the function's start; without a function the address for which the file was linked. In a caller it is
    /// where the call returns to.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub offset: u64,
    /// The source file, as the compiler wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line in it, from 1: in a caller that of the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The name of the file that has the code: only where that is not the process's program, or where no function is
    /// known. `?` for code that is in no file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// The code is not the process's program's, but a library's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub foreign: bool,
    /// Functions that the compiler put in here, innermost first: the line above is in the first of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inlined: Vec<InlinedCall>,
    /// What a signal handler returns to: the next frame is what the signal interrupted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub signal: bool,
    /// At a code point, the instruction that is not yet executed, in Intel's syntax.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instruction: Option<String>,
}

/// A line of source, and the function that it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The function, as a person reads it.
    pub function: Option<&'a str>,
    /// The source file, as the compiler wrote it.
    pub file: &'a str,
    /// The line in it, from 1.
    pub number: u32,
}

impl Frame {
    /// The lines of the functions whose code is here, innermost first; none where one is not known. The last is that of the
    /// function that the compiler put the others into.
    pub fn lines(&self) -> impl Iterator<Item = Option<Line<'_>>> + Clone {
        let callees = self.inlined.iter().map(|call| call.function.as_str());
        let functions = callees.map(Some).chain([self.function.as_deref()]);
        let calls = self.inlined.iter().map(|call| (call.file.as_deref(), call.line));
        let lines = [(self.file.as_deref(), self.line)].into_iter().chain(calls);
        functions
            .zip(lines)
            .map(|(function, (file, number))| Some(Line { function, file: file?, number: number? }))
    }

    /// The line that says most to those who wrote the program: the innermost of those whose code is here, but not one of a
    /// library that comes with a compiler, if the program's own code is around it.
    pub fn line_of_program(&self) -> Option<Line<'_>> {
        let mut lines = self.lines().flatten();
        let comes_with_compiler = |line: &Line<'_>| {
            ["/rustc/", "/usr/include/", "/usr/lib/"].iter().any(|folder| line.file.starts_with(folder))
        };
        lines.clone().find(|line| !comes_with_compiler(line)).or_else(|| lines.next())
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A function that the compiler put in place of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InlinedCall {
    /// Its name.
    pub function: String,
    /// The source file of the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line of the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}
