//! `sigrace man`: its pages of the manual.

use super::Cli;
use super::exit::{Exit, Stop};
use super::say::say;
use crate::store;
use clap::{Command, CommandFactory};
use clap_mangen::Man;
use std::path::PathBuf;

/// Print a page of the manual, or write them all
///
/// To read one: `sigrace man explore | man -l -`. To have them all: `sigrace man --dir ~/.local/share/man/man1`, then `man sigrace`.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The verb that the page is about, such as `explore` [default: none; the page about the command]
    #[arg(conflicts_with = "dir")]
    verb: Option<String>,
    /// Write all pages into this folder, which is there
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn main(args: &Args) -> Result<Exit, Stop> {
    let mut pages = pages();
    if let Some(dir) = &args.dir {
        for page in pages {
            let text = rendered(&page)?;
            store::write_text(&dir.join(format!("{}.1", page.get_name())), &text).map_err(Stop::refused)?;
        }
        return Ok(Exit::AsExpected);
    }
    let name = args.verb.as_ref().map_or("sigrace".to_owned(), |verb| format!("sigrace-{verb}"));
    let Some(index) = pages.iter().position(|page| page.get_name() == name) else {
        let verbs: Vec<&str> =
            pages.iter().filter_map(|page| page.get_name().strip_prefix("sigrace-")).collect();
        let verb = args.verb.as_deref().unwrap_or_default();
        let message = format!("there is no verb `{verb}`; there are {}", verbs.join(", "));
        return Err(Stop::new(Exit::Usage, message));
    };
    say(rendered(&pages.swap_remove(index))?.trim_end()).map(|()| Exit::AsExpected)
}

/// The command, and each of its verbs, by the names that their pages have.
fn pages() -> Vec<Command> {
    let mut command = Cli::command();
    // Options that all verbs have, and the names by which they are called.
    command.build();
    let verbs = command.get_subcommands().filter(|verb| verb.get_name() != "help").map(|verb| {
        let name = format!("sigrace-{}", verb.get_name());
        verb.clone().name(name)
    });
    let mut pages: Vec<Command> = verbs.collect();
    pages.insert(0, command);
    pages
}

fn rendered(page: &Command) -> Result<String, Stop> {
    let mut text = Vec::new();
    Man::new(page.clone()).render(&mut text).map_err(|error| {
        Stop::new(Exit::Harness, format!("cannot make the page of {}: {error}", page.get_name()))
    })?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}
