//! `sigrace replay`: exactly that run again.

use super::exit::{Exit, Stop};
use super::hold::Hold;
use super::say::{complain, page, say};
use super::{host, interrupt};
use crate::compile;
use crate::explore::{self, ExploreError, Replay};
use crate::program::Launch;
use crate::resolve;
use crate::show;
use crate::show::{Page, count};
use crate::slots::Seats;
use crate::store;
use crate::suite::worker;
use crate::supervise::{RunError, Settings};
use crate::trace::{Run, Trace};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Make a recorded run again, and say where it differs if it does
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The trace
    trace: PathBuf,
    /// How often
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    times: u64,
    #[command(flatten)]
    hold: Hold,
}

pub(super) fn main(args: &Args) -> Result<Exit, Stop> {
    let trace = store::read_trace(&args.trace).map_err(Stop::refused)?;
    let stop = interrupt::flag()?;
    let mut settings = settings(&trace, &stop)?;
    match args.hold.desk(&trace, &stop)? {
        None => again(&trace, settings, args.times),
        Some(desk) => {
            settings.standstill = Some(desk.standstill());
            desk.attend(|| again(&trace, settings, args.times))
        }
    }
}

/// What came of making a run again.
pub(super) enum Made {
    /// It was followed each time.
    Followed,
    /// It was not, after so many times that it was: what was otherwise.
    NotFollowed(u64, String),
    /// The user asked to stop, after so many times.
    Interrupted(u64),
}

/// Makes the run so often, as long as it is followed.
pub(super) fn made(trace: &Trace, settings: Settings, times: u64, page: Page) -> Result<Made, Stop> {
    let slots = host::slots()?;
    let mut supervisor = worker::supervisor(settings, &Seats::new(&slots, slots.waited()));
    for done in 0..times {
        match explore::replay(&mut supervisor, trace) {
            Ok((Replay::Followed, _)) => {}
            Ok((replay, run)) => {
                return Ok(Made::NotFollowed(
                    done,
                    differs(trace, &replay, &run, page).trim_end().to_owned(),
                ));
            }
            Err(ExploreError::Run { source: RunError::Interrupted, .. }) => {
                return Ok(Made::Interrupted(done));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Made::Followed)
}

/// What is told of a run that was not followed after so many times that it was.
pub(super) fn not_followed(done: u64, how: &str, times: u64) -> String {
    format!("{how}\nnot followed in run {} of {times}", done + 1)
}

/// The same, and tells what came of it.
fn again(trace: &Trace, settings: Settings, times: u64) -> Result<Exit, Stop> {
    match made(trace, settings, times, page())? {
        Made::Interrupted(done) => {
            say(format_args!("interrupted; followed in {done} of {}", count(times, "run")))?;
            Ok(Exit::Interrupted)
        }
        Made::NotFollowed(done, how) => {
            say(not_followed(done, &how, times))?;
            Ok(Exit::Unclear)
        }
        Made::Followed => {
            say(format_args!("{}", show::terminal(trace, page())))?;
            say(format_args!("followed in {} of {}, and ended as recorded", times, count(times, "run")))?;
            Ok(Exit::AsExpected)
        }
    }
}

/// The settings under which a trace was recorded, with the program where it is now.
pub(super) fn settings(trace: &Trace, stop: &Arc<AtomicBool>) -> Result<Settings, Stop> {
    trace.launch.stdin.as_deref().map(resolve::input).transpose()?;
    let launch = Launch { file: program(trace)?, ..trace.launch.clone() };
    Ok(Settings {
        clients: resolve::clients(&trace.world.clients, &launch)?,
        limits: trace.limits.clone(),
        world: trace.world.clone(),
        seed: trace.seed,
        always: trace.always,
        cancel: Arc::clone(stop),
        ..Settings::of(launch)
    })
}

/// The program's file: as recorded, or built again where this user cannot read that one.
///
/// A program that has changed since is run all the same, after a warning: whether a race is gone is what one wants to know.
fn program(trace: &Trace) -> Result<PathBuf, Stop> {
    let file = &trace.launch.file;
    let found = compile::digest(file);
    if found.as_ref().is_ok_and(|digest| *digest == trace.digest) {
        return Ok(file.clone());
    }
    let (file, digest) = match (&trace.launch.source, found) {
        (Some(source), _) => {
            let built = compile::compile(source, trace.launch.build.as_ref()).map_err(Stop::refused)?;
            let digest = compile::digest(&built).map_err(|error| unreadable(&built, &error))?;
            (built, digest)
        }
        (None, Ok(digest)) => (file.clone(), digest),
        (None, Err(error)) => return Err(unreadable(file, &error)),
    };
    if digest != trace.digest {
        complain(format_args!("sigrace: warning: {} is not the program that was recorded", file.display()));
    }
    Ok(file)
}

fn unreadable(file: &Path, error: &io::Error) -> Stop {
    Stop::refused(format_args!("cannot read the program {}: {error}", file.display()))
}

/// What a replay did otherwise than the recorded run.
fn differs(trace: &Trace, replay: &Replay, run: &Run, page: Page) -> String {
    match replay {
        Replay::Followed => String::new(),
        Replay::Tainted(why) => format!("the run proves nothing: {why}"),
        Replay::EndedOtherwise => {
            let told = show::told_apart(&[&trace.outcome, &run.outcome]);
            let lines =
                ["recorded", "replayed"].iter().zip(told).map(|(which, how)| format!("\n{which}: {how}"));
            format!("every event was as recorded, but the outcome is another{}", lines.collect::<String>())
        }
        Replay::Diverged { index, unreached, .. } => {
            let mut text = show::diverged(&trace.events, &run.events, *index, page);
            for step in unreached {
                text += &format!("not taken: {}\n", show::step_words(step));
            }
            text
        }
    }
}
