//! `sigrace completions`: what a shell needs to complete the command line.

use super::Cli;
use super::exit::{Exit, Stop};
use super::say::say;
use clap::CommandFactory;
use clap_complete::Shell;

/// Print what a shell needs to complete this command's words
///
/// Bash: `sigrace completions bash > ~/.local/share/bash-completion/completions/sigrace`. Zsh: a file `_sigrace` in a folder of `fpath`.
/// Fish: `sigrace completions fish > ~/.config/fish/completions/sigrace.fish`.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The shell
    shell: Shell,
}

pub(super) fn main(args: &Args) -> Result<Exit, Stop> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "sigrace", &mut script);
    say(String::from_utf8_lossy(&script).trim_end()).map(|()| Exit::AsExpected)
}
