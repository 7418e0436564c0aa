//! The command: one verb per file, exit codes in one place. Nothing else in sigrace writes to the terminal.

#![warn(clippy::wildcard_enum_match_arm)]

mod baseline;
mod check;
mod completions;
mod dashes;
mod diff;
mod doctor;
mod exit;
mod explore;
mod hold;
mod host;
mod interrupt;
mod limits;
mod man;
mod merge;
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
mod world;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use dashes::Missing;
use exit::{Exit, Stop};
use std::ffi::OsString;
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
    panic::watched(|| obey(words))
}

/// What the command line says; where it is clear that `--` is missing, with it, which is told.
fn parsed(words: &[OsString]) -> Result<Cli, clap::Error> {
    let refused = match Cli::try_parse_from(words) {
        Ok(cli) => return Ok(cli),
        Err(refused) => refused,
    };
    match dashes::missing(words, &refused) {
        Some(Missing::Here(meant)) => {
            let Ok(cli) = Cli::try_parse_from(&meant) else { return Err(refused) };
            let line = shell_words::join(meant.iter().skip(1).map(|word| word.to_string_lossy()));
            say::complain(format_args!("sigrace: taken as `sigrace {line}`: -- comes before the program"));
            Ok(cli)
        }
        Some(Missing::Somewhere(word)) => {
            let reason = format!("`--` is missing before the program, which may begin with `{word}`");
            Err(Cli::command().error(ErrorKind::UnknownArgument, reason))
        }
        None => Err(refused),
    }
}

fn obey(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let words: Vec<OsString> = words.into_iter().collect();
    let cli = match parsed(&words) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are errors to the parser, but not to us. Nobody is left to tell if printing fails.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::AsExpected.into() };
        }
    };
    let result = match cli.verb {
        Verb::Run(args) => run::main(&args),
        Verb::Explore(args) => explore::main(&args),
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
    match result {
        Ok(exit) => exit.into(),
        Err(Stop { exit, message }) => {
            say::complain(format_args!("sigrace: {message}"));
            exit.into()
        }
    }
}
