//! The command: one verb per file, exit codes in one place. Nothing else in sigrace writes to the terminal.

#![warn(clippy::wildcard_enum_match_arm)]

mod baseline;
pub(crate) mod called;
mod check;
mod completions;
mod config;
mod dashes;
mod diff;
mod doctor;
mod exit;
mod explore;
mod families;
mod hold;
mod host;
mod interrupt;
mod limits;
mod list;
mod man;
mod merge;
mod new;
mod on_path;
mod options;
mod panic;
mod points;
mod progress;
mod replay;
mod report;
mod reports;
mod run;
mod say;
mod show;
mod shrink;
mod signals;
mod target;
mod watch;
mod world;

use crate::supervise;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use config::Configured;
use dashes::Missing;
use exit::{Exit, Stop};
use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::process::ExitCode;

/// Finds signal races in programs that nobody prepared for it, and replays them exactly
#[derive(Parser, Debug)]
#[command(name = "sigrace", version, after_help = exit::HELP, arg_required_else_help = true, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    Run(run::Args),
    Explore(Box<explore::Args>),
    Watch(Box<watch::Args>),
    New(Box<new::Args>),
    List(list::Args),
    Points(points::Args),
    Replay(replay::Args),
    Shrink(shrink::Args),
    Merge(merge::Args),
    Diff(diff::Args),
    Show(show::Args),
    Check(check::Args),
    Doctor(doctor::Args),
    Signals(signals::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// Does what the command line says, and tells how that ended.
pub fn main(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    supervise::give_back_large();
    panic::watched(|| obey(words))
}

/// Why a command line was not taken.
enum Refused {
    /// By its parser.
    Words(clap::Error),
    /// For what a file says.
    File(Stop),
}

/// The command line as it was meant: with the `--` that is missing, where that is clear, which is told.
fn dashed(words: Vec<OsString>) -> Result<Vec<OsString>, clap::Error> {
    let Err(refused) = Cli::try_parse_from(&words) else { return Ok(words) };
    match dashes::missing(&words, &refused) {
        Some(Missing::Here(meant)) => {
            if Cli::try_parse_from(&meant).is_err() {
                return Err(refused);
            }
            let line = typed(&meant);
            say::complain(format_args!("sigrace: taken as `sigrace {line}`: -- comes before the program"));
            Ok(meant)
        }
        Some(Missing::Somewhere(word, meant)) => {
            let mut reason = format!("`--` is missing before the program, which may begin with `{word}`");
            if Cli::try_parse_from(&meant).is_ok() {
                reason += &format!(": sigrace {}", typed(&meant));
            }
            Err(Cli::command().error(ErrorKind::UnknownArgument, reason))
        }
        None => Ok(words),
    }
}

/// A command line as one would type it, without its first word.
fn typed(words: &[OsString]) -> String {
    shell_words::join(words.iter().skip(1).map(|word| word.to_string_lossy()))
}

/// What the command line says, with a project's usual flags.
fn parsed(words: Vec<OsString>) -> Result<Cli, Refused> {
    let words = dashed(words).map_err(Refused::Words)?;
    let Configured { words, told } = config::configured(Cli::command(), words).map_err(Refused::File)?;
    let cli = Cli::try_parse_from(words);
    if let Some(told) =
        told.filter(|_| cli.as_ref().is_ok() || cli.as_ref().is_err_and(|error| error.use_stderr()))
    {
        say::complain(format_args!("sigrace: {told}"));
    }
    cli.map_err(Refused::Words)
}

/// How a verb ended, told if it ended early.
fn ended(result: Result<Exit, Stop>) -> ExitCode {
    match result {
        Ok(exit) => exit.into(),
        Err(Stop { exit, message }) => {
            say::complain(format_args!("sigrace: {message}"));
            exit.into()
        }
    }
}

fn obey(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match parsed(words.into_iter().collect()) {
        Ok(cli) => cli,
        Err(Refused::File(stop)) => return ended(Err(stop)),
        Err(Refused::Words(error)) => {
            // Help and version are errors to the parser, but not to us. Nobody is left to tell if printing fails.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::AsExpected.into() };
        }
    };
    let ends_in_a_line_to_paste = matches!(cli.verb, Verb::Run(_) | Verb::Explore(_) | Verb::Merge(_));
    let result = match cli.verb {
        Verb::Run(args) => run::main(&args),
        Verb::Explore(args) => explore::main(&args),
        Verb::Watch(args) => watch::main(&args),
        Verb::New(args) => new::main(&args),
        Verb::List(args) => list::main(&args),
        Verb::Points(args) => points::main(&args),
        Verb::Replay(args) => replay::main(&args),
        Verb::Shrink(args) => shrink::main(&args),
        Verb::Merge(args) => merge::main(&args),
        Verb::Diff(args) => diff::main(&args),
        Verb::Show(args) => show::main(&args),
        Verb::Check(args) => check::main(&args),
        Verb::Doctor(args) => doctor::main(&args),
        Verb::Signals(args) => signals::main(&args),
        Verb::Completions(args) => completions::main(&args),
        Verb::Man(args) => man::main(&args),
    };
    if ends_in_a_line_to_paste
        && result.as_ref().is_ok_and(|exit| *exit == Exit::Failed)
        && io::stderr().is_terminal()
    {
        on_path::remedy().iter().for_each(|remedy| say::complain(format_args!("sigrace: {remedy}")));
    }
    ended(result)
}
