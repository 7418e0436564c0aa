//! What a program's machine code is called and where it comes from: functions, source lines, instructions, data, and the
//! calls that lead to a place.
//!
//! Everything is read from ELF files for x86-64 and their DWARF. Nothing here touches a process: registers, memory and the
//! list of mappings are given by the caller. Addresses are those for which a file was linked, unless a name says `runtime`.
//! A file may be corrupt or hostile: that gives an error or less knowledge, and the work is bounded by the file's size.

mod apart;
mod data;
mod debug;
mod demangle;
mod depth;
mod frames;
mod image;
mod instructions;
mod interpreter;
mod lines;
mod location;
mod modules;
mod near;
mod place;
mod plt;
mod registers;
mod remembered;
mod resolve;
mod results;
mod round;
mod source;
mod symbols;
mod unwind;
mod updates;

pub use data::{DataObject, TypeFacts};
pub use image::{Image, Segment};
pub use instructions::{Flow, Instruction, StaticAccess, Target, order_by_line};
pub use interpreter::interpreter;
pub use location::{Inlined, Location, SourceLine};
pub use modules::{Images, Module, Modules, Version, version};
pub use near::{Near, near};
pub use place::{Place, PlaceError, Spot};
pub use plt::Import;
pub use registers::Registers;
pub use remembered::Memory;
pub use round::Round;
pub use source::snippet;
pub use symbols::Function;
pub use unwind::{Frame, MOST_FRAMES, Stack, StackEnd, unwind, unwind_nowhere};
pub use updates::Update;

use std::io;
use std::path::PathBuf;

/// Why code cannot be read, or a place is not in it.
#[derive(Debug, thiserror::Error)]
pub enum CodeError {
    /// The file cannot be read.
    #[error("cannot read the code of {}: {reason}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why not.
        reason: io::Error,
    },
    /// The file is no program or library for this kind of machine.
    #[error("{} is no ELF program or library for x86-64: {reason}", file.display())]
    NotCode {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A text names no place.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// A place is in a file that is not there.
    #[error("no file {module} is in the program's memory")]
    NoModule {
        /// The file's name.
        module: String,
    },
    /// There is nothing to sweep.
    #[error("{module} has no functions of its own: it has no symbols")]
    NoSymbols {
        /// The file's name.
        module: String,
    },
    /// No function has this name.
    #[error("{module} has no function {name}{hint}")]
    NoFunction {
        /// The file's name.
        module: String,
        /// The name that was asked for.
        name: String,
        /// Names that are close, or why there is none; may be empty.
        hint: String,
    },
    /// The offset is not in the function, or within an instruction.
    #[error("{function}+{offset:#x} is not where an instruction begins: {nearest}")]
    NotAnInstruction {
        /// The function.
        function: String,
        /// The offset that was asked for.
        offset: u64,
        /// The nearest places where one begins.
        nearest: String,
    },
    /// The file has no line information at all.
    #[error("{module} has no line information; compile it with -g, or name a function")]
    NoLines {
        /// The file's name.
        module: String,
    },
    /// No code comes from a source file of this name.
    #[error("no code of {module} comes from a file {file}{hint}")]
    NoFile {
        /// The file's name.
        module: String,
        /// The source file that was asked for.
        file: String,
        /// Source files that there are.
        hint: String,
    },
    /// No statement begins on this line.
    #[error("no code of {module} begins at {file}:{line}; the nearest lines with code are {nearest}")]
    NoCode {
        /// The file's name.
        module: String,
        /// The source file.
        file: String,
        /// The line that was asked for.
        line: u32,
        /// The nearest lines, in words.
        nearest: String,
    },
    /// The debug information contradicts itself.
    #[error("the debug information of {module} cannot be read: {reason}")]
    Debug {
        /// The file's name.
        module: String,
        /// What is wrong with it.
        reason: String,
    },
}

#[cfg(test)]
mod tests;
