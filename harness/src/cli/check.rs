//! `sigrace check`: are these scenarios well-formed? Nothing is run.

use super::exit::{Exit, Stop};
use super::say::{complain, say};
use crate::show::count;
use crate::suite;
use std::path::PathBuf;

/// Validate scenario files without running anything
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Scenario files, or folders with scenarios
    #[arg(required = true, value_name = "SCENARIO|DIR")]
    paths: Vec<PathBuf>,
}

pub(super) fn main(args: &Args) -> Result<Exit, Stop> {
    let files = suite::find(&args.paths).map_err(Stop::refused)?;
    let total = files.len() as u64;
    let mut refused = 0;
    for file in files {
        if let Err(error) = suite::Case::read(file) {
            complain(error);
            refused += 1;
        }
    }
    match (total, refused) {
        (0, _) => Err(Stop::new(Exit::Nothing, "no scenario (*.ron) there")),
        (_, 0) => say(format_args!("{}: well-formed", count(total, "scenario"))).map(|()| Exit::AsExpected),
        (_, _) => {
            say(format_args!("{}: {refused} refused", count(total, "scenario"))).map(|()| Exit::Refused)
        }
    }
}
