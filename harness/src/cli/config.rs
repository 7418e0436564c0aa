//! `sigrace.toml`: a project's usual flags.
//!
//! NOTE \[Usual flags\] The file has a table for each verb, whose keys are the long options of that verb. What it says becomes words of
//! the command line, before the user's own, and so each option is known in one place, its parser's. An option that the user gives, on
//! the command line or in the environment, or that conflicts with one, is not taken from the file. A verb takes its flags from the file
//! if it has `--no-config`: replay and shrink do not, since a trace says all of it.
//!
//! A file that is found, and not named, is taken only if it belongs to the user or to root: it decides what is executed (`--client`), and
//! a folder above this one may be anybody's.

use super::exit::{Exit, Stop};
use super::say::complain;
use crate::store;
use clap::builder::ValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command};
use nix::unistd::Uid;
use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What such a file is called.
const NAME: &str = "sigrace.toml";

/// It may have so many bytes.
const MOST: u64 = 1 << 20;

/// A name is near another if they are as alike as this.
const ALIKE: f64 = 0.6;

/// Which file the usual flags come from.
#[derive(Args, Clone, Debug)]
#[allow(dead_code, reason = "both are looked at before the whole command line is parsed")]
pub(super) struct Config {
    /// Take usual flags from this file [default: sigrace.toml, in this folder or one above it, up to the root of the repository]
    #[arg(long, value_name = "FILE", conflicts_with = "no_config")]
    config: Option<PathBuf>,
    /// Take no flags from a file
    #[arg(long)]
    no_config: bool,
}

/// A command line with what a file has added to it.
pub(super) struct Configured {
    /// All of its words.
    pub(super) words: Vec<OsString>,
    /// What is from the file, for people; none if nothing is.
    pub(super) told: Option<String>,
}

/// The command line with a project's usual flags.
pub(super) fn configured(mut command: Command, words: Vec<OsString>) -> Result<Configured, Stop> {
    command.build();
    let plain = |words| Ok(Configured { words, told: None });
    // What is wrong with the user's own words is told when all of them are parsed.
    let lenient = command.clone().ignore_errors(true);
    let Ok(matches) = lenient.try_get_matches_from(&words) else { return plain(words) };
    let Some((verb, matches)) = matches.subcommand() else { return plain(words) };
    let takes = |command: &&Command| command.get_name() == verb && takes_flags(command);
    let Some(options) = command.get_subcommands().find(takes) else { return plain(words) };
    if matches!(matches.try_get_one("no_config"), Ok(Some(true))) {
        return plain(words);
    }
    let named = matches.get_one::<PathBuf>("config").cloned();
    let Some(path) = named.map_or_else(found, |path| Ok(Some(path)))? else { return plain(words) };
    let file = File::read(path)?;
    let mut added: Vec<OsString> = Vec::new();
    for (table, entries) in file.tables(&command)? {
        for entry in entries {
            let more = file.words(&command, &table, &entry)?;
            if table == table_of(verb) && !is_given(options, matches, entry.arg) {
                added.extend(more);
            }
        }
    }
    if added.is_empty() {
        return plain(words);
    }
    let shown = added.iter().map(shown).collect::<Vec<_>>().join(" ");
    let told = format!("from {}: {shown} (--no-config leaves it out)", file.path.display());
    let place = words.iter().skip(1).position(|word| word == verb).map_or(words.len(), |at| at + 2);
    let mut all = words;
    all.splice(place..place, added);
    Ok(Configured { words: all, told: Some(told) })
}

/// The table that a verb's flags stand in: who watches explores.
fn table_of(verb: &str) -> &str {
    if verb == "watch" { "explore" } else { verb }
}

/// True if this verb may have flags from a file.
fn takes_flags(command: &Command) -> bool {
    command.get_arguments().any(|arg| arg.get_id() == "no_config")
}

/// True if the user has said something that this option would say as well, or would contradict.
fn is_given(command: &Command, matches: &ArgMatches, arg: &Arg) -> bool {
    let from_user = |other: &Arg| {
        let source = matches.value_source(other.get_id().as_str());
        matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable))
    };
    let conflicts = |one: &Arg, other: &Arg| {
        command.get_arg_conflicts_with(one).iter().any(|conflict| conflict.get_id() == other.get_id())
    };
    command.get_arguments().any(|other| {
        from_user(other) && (other.get_id() == arg.get_id() || conflicts(arg, other) || conflicts(other, arg))
    })
}

/// The nearest file, in this folder or above it, up to the root of the repository; in no repository only in this folder.
fn found() -> Result<Option<PathBuf>, Stop> {
    let here = env::current_dir()
        .map_err(|error| Stop::new(Exit::Harness, format!("cannot tell the current folder: {error}")))?;
    let above: Vec<&Path> = here.ancestors().collect();
    let folders = above.iter().position(|folder| folder.join(".git").exists()).map_or(1, |root| root + 1);
    // As one would type it from here, and so are paths in it.
    let mut way = PathBuf::new();
    for _ in 0..folders {
        let path = way.join(NAME);
        way.push("..");
        let Ok(link) = fs::symlink_metadata(&path) else { continue };
        let owners = [Some(link.uid()), fs::metadata(&path).ok().map(|file| file.uid())];
        let own = |owner: &u32| *owner == 0 || *owner == Uid::effective().as_raw();
        match owners.into_iter().flatten().find(|owner| !own(owner)) {
            None => return Ok(Some(path)),
            Some(other) => complain(format_args!(
                "sigrace: {0} is left alone, since it belongs to user {other}; --config {0} takes it",
                path.display()
            )),
        }
    }
    Ok(None)
}

/// A file that is read.
struct File {
    path: PathBuf,
    text: String,
}

/// A key with its value, and the option of that name.
struct Entry<'a> {
    arg: &'a Arg,
    name: String,
    place: usize,
    value: Spanned<DeValue<'a>>,
}

impl File {
    fn read(path: PathBuf) -> Result<File, Stop> {
        let text = store::read(&path, MOST).map_err(Stop::refused)?;
        let text = String::from_utf8(text)
            .map_err(|error| Stop::refused(format_args!("{}: it is no text: {error}", path.display())))?;
        Ok(File { path, text })
    }

    /// Refuses what stands there.
    fn bad(&self, place: usize, what: impl std::fmt::Display) -> Stop {
        let before = self.text.get(..place).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Stop::refused(format_args!("{}:{line}:{column}: {what}", self.path.display()))
    }

    /// The tables for verbs, each with its entries in their order.
    fn tables<'a>(&'a self, command: &'a Command) -> Result<Vec<(String, Vec<Entry<'a>>)>, Stop> {
        let table = DeTable::parse(&self.text)
            .map_err(|error| self.bad(error.span().map_or(0, |span| span.start), error.message()))?;
        let has_table = |verb: &&Command| takes_flags(verb) && table_of(verb.get_name()) == verb.get_name();
        let verbs: Vec<&Command> = command.get_subcommands().filter(has_table).collect();
        let mut tables = Vec::new();
        for (name, value) in table.into_inner() {
            let place = name.span().start;
            let Some(verb) = verbs.iter().find(|verb| verb.get_name() == name.get_ref()) else {
                let names: Vec<&str> = verbs.iter().map(|verb| verb.get_name()).collect();
                let near = near(name.get_ref(), names.iter().copied());
                let (name, names) = (name.get_ref(), names.join("], ["));
                let what =
                    format!("no table `{name}`{near}; options stand in a table of their verb: [{names}]");
                return Err(self.bad(place, what));
            };
            let DeValue::Table(entries) = value.into_inner() else {
                let name = verb.get_name();
                return Err(self.bad(
                    place,
                    format_args!("`{name}` is no option: options of a verb stand in its table, [{name}]"),
                ));
            };
            let mut known = Vec::new();
            for (key, value) in entries {
                let place = key.span().start;
                let name = key.into_inner().into_owned();
                known.push(Entry { arg: self.option(verb, &name, place)?, name, place, value });
            }
            known.sort_by_key(|entry| entry.place);
            tables.push((verb.get_name().to_owned(), known));
        }
        Ok(tables)
    }

    /// The option of this name.
    fn option<'a>(&self, verb: &'a Command, name: &str, place: usize) -> Result<&'a Arg, Stop> {
        let own = ["help", "config", "no-config"];
        let options =
            || verb.get_arguments().filter(|arg| arg.get_long().is_some_and(|long| !own.contains(&long)));
        options().find(|arg| arg.get_long() == Some(name)).ok_or_else(|| {
            let near = near(name, options().filter_map(Arg::get_long));
            let verb = verb.get_name();
            self.bad(
                place,
                format_args!(
                    "no option `{name}` of `sigrace {verb}`{near}; sigrace {verb} --help lists them"
                ),
            )
        })
    }

    /// What one would type instead of an entry, after the parser has found its values to be good ones.
    fn words(&self, command: &Command, verb: &str, entry: &Entry<'_>) -> Result<Vec<OsString>, Stop> {
        let Entry { arg, name, value, .. } = entry;
        let flag = matches!(arg.get_action(), ArgAction::SetTrue);
        let place = value.span().start;
        if flag {
            return match value.get_ref().as_bool() {
                Some(true) => Ok(vec![format!("--{name}").into()]),
                Some(false) => Ok(Vec::new()),
                None => Err(self.bad(place, format_args!("`{name}` is true or false"))),
            };
        }
        let values = match value.get_ref().as_array() {
            Some(values) if matches!(arg.get_action(), ArgAction::Append) => values.iter().collect(),
            Some(_) => return Err(self.bad(place, format_args!("`{name}` takes one value"))),
            None => vec![value],
        };
        let mut words = Vec::new();
        for value in values {
            let place = value.span().start;
            let text = match value.get_ref() {
                DeValue::String(text) => text.to_string(),
                DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                    .map_err(|error| self.bad(place, format_args!("{}: {error}", number.as_str())))?
                    .to_string(),
                DeValue::Float(_)
                | DeValue::Boolean(_)
                | DeValue::Datetime(_)
                | DeValue::Array(_)
                | DeValue::Table(_) => {
                    return Err(self.bad(place, format_args!("`{name}` takes a text or a whole number")));
                }
            };
            let mut word = OsString::from(format!("--{name}="));
            // A path is one from the folder of the file.
            if is_path(arg.get_value_parser()) {
                word.push(self.path.parent().unwrap_or(Path::new("")).join(&text));
            } else {
                word.push(&text);
            }
            self.try_value(command, [verb, name, &text], &word, place)?;
            words.push(word);
        }
        Ok(words)
    }

    /// Has the parser look at one word. What else is missing or contradicts it is another matter.
    fn try_value(
        &self,
        command: &Command,
        [verb, name, text]: [&str; 3],
        word: &OsString,
        place: usize,
    ) -> Result<(), Stop> {
        let words = [OsString::from(command.get_name()), verb.into(), word.clone()];
        let Err(error) = command.clone().try_get_matches_from(words) else { return Ok(()) };
        // The environment may hold a bad value of another option.
        let option = format!("--{name}");
        let own = |text: &String| text.split([' ', '=']).next() == Some(option.as_str());
        if !matches!(error.get(ContextKind::InvalidArg), Some(ContextValue::String(text)) if own(text)) {
            return Ok(());
        }
        let why = if error.kind() == ErrorKind::ValueValidation {
            error.source().map(ToString::to_string)
        } else if error.kind() != ErrorKind::InvalidValue {
            return Ok(());
        } else if let Some(ContextValue::Strings(valid)) = error.get(ContextKind::ValidValue) {
            Some(format!("possible values are {}", valid.join(", ")))
        } else {
            Some("a value is missing".to_owned())
        };
        let why = why.unwrap_or_else(|| "it is refused".to_owned());
        Err(self.bad(place, format_args!("`{text}` is no value of `{name}`: {why}")))
    }
}

fn is_path(parser: &ValueParser) -> bool {
    parser.type_id() == std::any::TypeId::of::<PathBuf>()
}

/// `; near is NAME`, if a name may have been meant.
fn near<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> String {
    let like = |other: &str| strsim::normalized_damerau_levenshtein(name, other);
    let near: Vec<(f64, &str)> =
        names.map(|other| (like(other), other)).filter(|(like, _)| *like >= ALIKE).collect();
    let best = near.iter().map(|(like, _)| *like).fold(0.0, f64::max);
    let best: Vec<String> =
        near.iter().filter(|(like, _)| *like >= best).map(|(_, name)| format!("`{name}`")).collect();
    match best.len() {
        0 => String::new(),
        1 => format!("; near is {}", best.concat()),
        _ => format!("; near are {}", best.join(" and ")),
    }
}

/// A word as one would type it.
fn shown(word: &OsString) -> String {
    let word = word.to_string_lossy();
    match word.split_once('=') {
        Some((name, value)) => format!("{name}={}", shell_words::quote(value)),
        None => word.into_owned(),
    }
}
