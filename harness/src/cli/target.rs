//! The program on the command line.

use super::exit::{Exit, Stop};
use super::limits::Limits;
use super::world::World;
use crate::program::{self, Launch};
use crate::{resolve, world};
use clap::Args;
use std::collections::BTreeMap;
use std::env;
use std::path::PathBuf;

/// What to run, and how it starts.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Program")]
pub(super) struct Target {
    /// A file for the program's standard input [default: /dev/null]
    #[arg(long, value_name = "FILE")]
    stdin: Option<PathBuf>,
    /// A variable for the program, besides the few harmless ones that it inherits (PATH, HOME, LANG, ...); repeatable
    #[arg(long = "env", value_name = "K=V", value_parser = variable)]
    env: Vec<(String, String)>,
    /// The folder where the program runs [default: this one]
    #[arg(long, value_name = "DIR")]
    cwd: Option<PathBuf>,
    #[command(flatten)]
    limits: Limits,
    #[command(flatten)]
    world: World,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    program: Vec<String>,
}

impl Target {
    /// The variables given on the command line.
    pub(super) fn given_env(&self) -> BTreeMap<String, String> {
        self.env.iter().cloned().collect()
    }

    /// True if somebody has said how far a run goes on the program's own clock.
    pub(super) fn has_limit_of_clock(&self) -> bool {
        self.limits.has_clock()
    }

    /// How far one run may go.
    pub(super) fn limits(&self) -> program::Limits {
        self.limits.limits()
    }

    /// The world of each run.
    pub(super) fn world(&self) -> world::World {
        self.world.world()
    }

    /// True if nobody has said whether there is to be a terminal.
    pub(super) fn may_have_tty(&self) -> bool {
        self.world.may_have_tty()
    }

    /// True if nobody has said who its clients are, or that there are none.
    pub(super) fn may_have_visitors(&self) -> bool {
        self.world.may_have_visitors()
    }

    /// How the clients of the program start.
    pub(super) fn clients(&self, launch: &Launch) -> Result<Vec<Launch>, Stop> {
        Ok(resolve::clients(&self.world().clients, launch)?)
    }

    /// How the program starts.
    pub(super) fn launch(&self) -> Result<Launch, Stop> {
        let cwd = match &self.cwd {
            Some(cwd) => cwd.clone(),
            None => env::current_dir().map_err(|error| {
                Stop::new(Exit::Harness, format!("cannot tell the current folder: {error}"))
            })?,
        };
        let env = resolve::environment(&self.env);
        Ok(resolve::command(self.program.clone(), env, &cwd, self.stdin.as_deref())?)
    }
}

/// `NAME=VALUE`
fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}
