//! `sigrace show`: a trace for a person.

use super::exit::{Exit, Stop};
use super::say::{page, say};
use crate::{show, store};
use std::path::PathBuf;

/// Show a recorded run to a person
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The trace
    trace: PathBuf,
    /// Write it as a page for a browser: one file, which needs no network
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub(super) fn main(args: &Args) -> Result<Exit, Stop> {
    let trace = store::read_trace(&args.trace).map_err(Stop::refused)?;
    match &args.html {
        Some(file) => {
            store::write_text(file, &show::html(&trace)).map_err(Stop::refused)?;
            say(format_args!("page: {}", show::path(file)))?;
        }
        None => say(show::terminal(&trace, page()).trim_end())?,
    }
    Ok(Exit::AsExpected)
}
