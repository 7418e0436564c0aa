//! `sigrace list`: what scenarios there are, by family, with what each is about.

use super::exit::{Exit, Stop};
use super::families::{selected, split};
use super::say::{page, say};
use crate::show::{padded, short};
use crate::store;
use crate::suite::{Found, Selection};
use std::collections::BTreeMap;
use std::path::Path;

/// List scenarios by family, with what each is about
///
/// A scenario of a broken program and that of its cure, `NAME_broken` and `NAME_sound`, are one line. What is said of them is how
/// the comment begins at the top of the file.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Scenario files, folders, and parts of scenario names [default: the folder `scenarios`]
    #[arg(value_name = "SCENARIO|DIR|FILTER")]
    words: Vec<String>,
}

/// A line of the list.
#[derive(Default)]
struct Row {
    kinds: Vec<&'static str>,
    about: String,
}

pub(super) fn main(args: &Args) -> Result<Exit, Stop> {
    let selection = Selection { words: args.words.clone(), ..Selection::default() };
    let found = selected(&selection)?;
    let mut families: BTreeMap<String, BTreeMap<String, Row>> = BTreeMap::new();
    for Found { scenario, path, .. } in &found {
        let (family, name) = split(scenario);
        let (name, kind) = [("_broken", "broken"), ("_sound", "sound")]
            .into_iter()
            .find_map(|(ending, kind)| Some((name.strip_suffix(ending)?, kind)))
            .unwrap_or((name, ""));
        let row = families.entry(family.to_owned()).or_default().entry(name.to_owned()).or_default();
        if !row.kinds.contains(&kind) {
            row.kinds.push(kind);
        }
        // The broken one says what goes wrong.
        if row.about.is_empty() || kind == "broken" {
            row.about = about(path)?;
        }
    }
    let width = page().width;
    for (family, rows) in &families {
        say(if family.is_empty() { "(no family)" } else { family })?;
        let widest = rows.keys().map(|name| name.chars().count()).max().unwrap_or(0);
        for (name, Row { kinds, about }) in rows {
            let line = format!("  {}  {:13}  {about}", padded(name, widest), kinds.join(", "));
            say(short(&line, width).trim_end())?;
        }
    }
    Ok(Exit::AsExpected)
}

/// The comment at the top of a scenario, up to the end of its first sentence.
fn about(path: &Path) -> Result<String, Stop> {
    let text = store::read(path, store::MOST_OF_SCENARIO).map_err(Stop::refused)?;
    let text = String::from_utf8_lossy(&text);
    let comment = text.lines().map_while(|line| line.trim_start().strip_prefix("//"));
    let comment = comment.map(str::trim).collect::<Vec<_>>().join(" ");
    Ok(comment.split_once(". ").map_or(comment.trim_end_matches('.'), |(first, _)| first).to_owned())
}
