//! `sigrace new`: a first scenario of a program.

use super::exit::{Exit, Stop};
use super::explore;
use super::say::say;
use crate::store;
use crate::suite::DEFAULT_FOLDER;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Explore a program, and write down as its first scenario what came of it
///
/// `sigrace new FAMILY/NAME -- PROGRAM` writes scenarios/FAMILY/NAME.ron, or one file for each signal that was sent, NAME-SIGNAL.ron: what the
/// reference run did is expected, and what was found is known. No file is overwritten. Takes what `sigrace explore` takes.
#[derive(clap::Args, Debug)]
#[group(skip)]
pub(super) struct Args {
    /// The scenario's name: a folder below `scenarios`, and a name there, of letters, digits, `_` and `-`
    #[arg(value_name = "FAMILY/NAME", value_parser = name)]
    name: String,
    #[command(flatten)]
    explore: explore::Args,
}

fn name(text: &str) -> Result<String, String> {
    let is_word = |word: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    };
    match text.split_once('/') {
        Some((family, name)) if is_word(family) && is_word(name) => Ok(text.to_owned()),
        _ => Err("expected FAMILY/NAME, like waiting/my_server".to_owned()),
    }
}

pub(super) fn main(args: &Args) -> Result<Exit, Stop> {
    let path = Path::new(DEFAULT_FOLDER).join(format!("{}.ron", args.name));
    if let Some(there) = written(&path)?.first() {
        return Err(Stop::new(
            Exit::Usage,
            format!("{} is there already: take another name, or remove it first", there.display()),
        ));
    }
    path.parent().map(store::make_directory).transpose().map_err(Stop::refused)?;
    let exit = explore::main(&args.explore.saving(&path))?;
    let files = written(&path)?;
    for file in &files {
        say(format_args!("scenario: {}", file.display()))?;
    }
    if let Some(file) = files.first() {
        say(format_args!("next: sigrace run {}", file.display()))?;
    }
    // What was found is known now.
    Ok(if exit == Exit::Failed && !files.is_empty() { Exit::AsExpected } else { exit })
}

/// The scenarios of this name that are there: itself, and those of what was sent.
fn written(path: &Path) -> Result<Vec<PathBuf>, Stop> {
    let folder = path.parent().unwrap_or(Path::new(DEFAULT_FOLDER));
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let unreadable =
        |error| Stop::refused(format_args!("cannot read the folder {}: {error}", folder.display()));
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let file = entry.map_err(unreadable)?.path();
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let ours = name.strip_prefix(&stem).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
        if ours && file.extension().is_some_and(|ending| ending == "ron") {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}
