//! `sigrace show`: a trace for a person.

use super::exit::{Exit, Stop};
use super::interrupt;
use super::replay::{self, Made};
use super::say::{page, say};
use crate::schedule::ThreadName;
use crate::suite::worker;
use crate::supervise::{Stand, Standing, Standstill, Visitor};
use crate::trace::Trace;
use crate::{show, store};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Show a recorded run to a person
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The trace
    trace: PathBuf,
    /// Write it as a page for a browser: one file, which needs no network
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Show the memory of each process as well (`maps` of proc(5)), just before the last step; for that the run is made again
    #[arg(long, conflicts_with = "html")]
    maps: bool,
}

pub(super) fn main(args: &Args) -> Result<Exit, Stop> {
    let trace = store::read_trace(&args.trace).map_err(Stop::refused)?;
    if let Some(file) = &args.html {
        let same = |path: &Path| fs::canonicalize(path).ok();
        if same(file).is_some_and(|file| same(&args.trace) == Some(file)) {
            return Err(Stop::new(
                Exit::Usage,
                format!("--html {}: that is the trace itself", file.display()),
            ));
        }
        store::write_text(file, &show::html(&trace)).map_err(Stop::refused)?;
        say(format_args!("page: {}", show::path(file)))?;
        return Ok(Exit::AsExpected);
    }
    say(show::terminal(&trace, page()).trim_end())?;
    if args.maps { maps(&trace) } else { Ok(Exit::AsExpected) }
}

/// Whoever reads what the processes have in their memory.
#[derive(Debug, Default)]
struct Reader(Mutex<String>);

impl Visitor for Reader {
    fn visit(&self, standing: &Standing) -> bool {
        let mut text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, pid, program) in &standing.processes {
            *text += &match fs::read_to_string(format!("/proc/{pid}/maps")) {
                Ok(maps) => format!("\nmemory of {name} ({program}), at {}:\n{maps}", standing.point),
                Err(error) => format!("\nthe memory of {name} ({program}) cannot be read: {error}\n"),
            };
        }
        true
    }

    fn waits_for(&self, _: &ThreadName, _: i32) -> bool {
        true
    }
}

/// Makes the run again, and shows what its processes have in their memory at its last step.
fn maps(trace: &Trace) -> Result<Exit, Stop> {
    let Some(last) = trace.schedule.steps.len().checked_sub(1) else {
        return Err(Stop::new(
            Exit::Usage,
            "--maps: the schedule has no step; next: sigrace replay TRACE --until POINT --exec 'cat /proc/$SIGRACE_PID/maps'",
        ));
    };
    let mut settings = replay::settings(trace, &interrupt::flag()?)?;
    let reader = Arc::new(Reader::default());
    settings.standstill = Some(Standstill { at: Stand::Step(last), visitor: reader.clone() });
    let made = worker::apart("that replays", || replay::made(trace, settings, 1, page()))??;
    let text = reader.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match made {
        Made::Followed if text.is_empty() => {
            say("the memory is not known: at its last step the run did not stand still")?;
            Ok(Exit::Unclear)
        }
        Made::Followed => say(text.trim_end()).map(|()| Exit::AsExpected),
        Made::NotFollowed(_, how) => say(how).map(|()| Exit::Unclear),
        Made::Interrupted(_) => Ok(Exit::Interrupted),
    }
}
