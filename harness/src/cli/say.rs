//! Writing to the terminal, and what becomes of it when nobody reads.

use super::exit::{Exit, Stop};
use crate::show::Page;
use std::fmt::Display;
use std::io::{self, Write};

/// Writes a line to standard output. A reader that has gone away has seen enough: that is no error, and no reason to stop.
pub(super) fn say(text: impl Display) -> Result<(), Stop> {
    let mut stdout = anstream::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Stop::new(Exit::Harness, format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Writes a line to standard error. If that fails there is nobody left to tell.
pub(super) fn warn(text: impl Display) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// The same with a text that may quote names of files, which may hold anything: a terminal obeys none of it.
pub(super) fn complain(text: impl Display) {
    let text = text.to_string();
    let quoted = |c: char| c.is_control() && !"\n\t".contains(c);
    let shown: String = text
        .chars()
        .map(|c| if quoted(c) { c.escape_default().to_string() } else { c.to_string() })
        .collect();
    warn(shown);
}

/// The page that standard output is. Colours are always asked for: they are left out where no terminal shows them.
pub(super) fn page() -> Page {
    let width = terminal_size::terminal_size().map_or(100, |(width, _)| usize::from(width.0));
    Page { color: true, width: width.clamp(40, 200) }
}
