//! The text of a file: how it is read with its format first, and how it is laid out when it is written.

use super::check::{Complaint, Key};
use super::error::Fault;
use super::{SCENARIO_FORMAT, TRACE_FORMAT, command};
use crate::scenario::Scenario;
use crate::signal::Word;
use crate::trace::Trace;
use crate::world::{Clock, Files, Network};
use ron::Options;
use ron::error::{Position, SpannedError};
use ron::extensions::Extensions;
use ron::ser::PrettyConfig;
use serde::de::value::MapAccessDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::marker::PhantomData;
use std::path::Path;

/// `exit: Code(0)`, not `exit: Some(Code(0))`.
fn options() -> Options {
    Options::default().with_default_extension(Extensions::IMPLICIT_SOME)
}

/// A kind of file, and up to which format it is known.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    name: &'static str,
    newest: u32,
}

impl Kind {
    pub(super) const SCENARIO: Kind = Kind { name: "scenario", newest: SCENARIO_FORMAT };
    pub(super) const TRACE: Kind = Kind { name: "trace", newest: TRACE_FORMAT };

    /// What this is called.
    pub(super) fn name(self) -> &'static str {
        self.name
    }

    /// Reads `( format: N, ... )`: the number first, then all the rest as a `T`.
    pub(super) fn parse<T: DeserializeOwned>(self, text: &str) -> Result<T, Fault> {
        options()
            .from_str_seed(text, Envelope { kind: self, body: PhantomData })
            .map_err(|error| fault(text, error))
    }
}

/// The file as a whole. The body is read from the same map, so its errors keep their places.
struct Envelope<T> {
    kind: Kind,
    body: PhantomData<T>,
}

impl<'de, T: DeserializeOwned> DeserializeSeed<'de> for Envelope<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_struct("", &["format"], self)
    }
}

impl<'de, T: DeserializeOwned> Visitor<'de> for Envelope<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a {} that begins with `format: {}`", self.kind.name, self.kind.newest)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let Kind { name, newest } = self.kind;
        if map.next_key::<Word>()?.is_none_or(|Word(key)| key != "format") {
            return Err(de::Error::custom(format!(
                "expected `format: {newest}` before everything else in a {name}"
            )));
        }
        map.next_value_seed(self.kind)?;
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

/// The number behind `format:`, refused where it stands.
impl<'de> DeserializeSeed<'de> for Kind {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let Kind { name, newest } = self;
        let format = u64::deserialize(deserializer)?;
        if format > u64::from(newest) {
            let message =
                format!("{name} format {format}; this sigrace reads up to {newest}: upgrade sigrace");
            return Err(de::Error::custom(message));
        }
        if format == 0 {
            return Err(de::Error::custom(format!("there is no {name} format 0: expected {newest}")));
        }
        Ok(())
    }
}

/// Where in `text` the parser stood, without the blanks and commas around it.
fn fault(text: &str, error: SpannedError) -> Fault {
    let message = sentence(&error.code.to_string());
    let place = |position: &Position| (position.line, position.col);
    let (start, end) = (place(&error.span.start), place(&error.span.end));
    let (from, to) = (offset(text, start), offset(text, end).max(offset(text, start)));
    let part = text.get(from..to).unwrap_or_default();
    let skipped =
        part.len() - part.trim_start_matches(|c: char| c.is_whitespace() || c == ',' || c == ':').len();
    let kept = part.get(skipped..).unwrap_or_default().trim_end();
    if kept.is_empty() {
        return Fault { start: end, end, message };
    }
    let from = from + skipped;
    Fault { start: line_column(text, from), end: line_column(text, from + kept.len()), message }
}

/// The parser begins its messages with a capital; here they follow a colon.
fn sentence(message: &str) -> String {
    let mut chars = message.chars();
    let first = chars.next().map(char::to_lowercase).into_iter().flatten();
    first.chain(chars).collect::<String>().replace("unexpected missing field named", "missing field")
}

fn offset(text: &str, (line, column): (usize, usize)) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = text.get(start..).unwrap_or_default();
    start + rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.len(), |(index, _)| index)
}

fn line_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let column = before.chars().rev().take_while(|c| *c != '\n').count();
    (before.matches('\n').count() + 1, column + 1)
}

/// Finds the value that a complaint is about, or else the nearest value around it that the text holds, by reading the
/// text again as far as that value.
pub(super) fn locate(text: &str, complaint: &Complaint) -> Fault {
    let mut path = complaint.at.as_slice();
    loop {
        let stop =
            |behind| options().from_str_seed(text, Seek { path, behind }).err().map(|error| error.span.end);
        if let (Some(start), Some(end)) = (stop(false), stop(true)) {
            let (start, end) = ((start.line, start.col), (end.line, end.col));
            return Fault { start, end, message: complaint.message.clone() };
        }
        // The field was left out, and its default does not go with the rest.
        match path.split_last() {
            Some((_, shorter)) => path = shorter,
            None => return Fault { start: (1, 1), end: (1, 1), message: complaint.message.clone() },
        }
    }
}

/// Reads along a path of fields and items, and fails at the value at its end: before it or behind it.
#[derive(Clone, Copy)]
struct Seek<'a> {
    path: &'a [Key],
    behind: bool,
}

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.path.first() {
            None => {
                if self.behind {
                    deserializer.deserialize_ignored_any(IgnoredAny)?;
                }
                Err(de::Error::custom("here"))
            }
            Some(Key::Field(_)) => deserializer.deserialize_struct("", &["format"], self),
            Some(Key::Item(_)) => deserializer.deserialize_seq(self),
        }
    }
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what was read before")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Word(key)) = map.next_key::<Word>()? {
            match self.path.split_first() {
                Some((Key::Field(field), rest)) if *field == key => {
                    map.next_value_seed(Seek { path: rest, ..self })?;
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Some((Key::Item(wanted), rest)) = self.path.split_first() else { return Ok(()) };
        for _ in 0..*wanted {
            if items.next_element::<IgnoredAny>()?.is_none() {
                return Ok(());
            }
        }
        items.next_element_seed(Seek { path: rest, ..self })?;
        Ok(())
    }
}

/// A file under construction: `( format: N, field: value, ... )`.
struct Text {
    text: String,
}

impl Text {
    fn new(format: u32, comment: &str) -> Text {
        Text { text: format!("// {comment}\n(\n    format: {format},\n") }
    }

    /// Adds a field whose value is laid out over lines down to a depth, and on one line below that.
    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T, depth: usize) -> ron::Result<()> {
        let config = PrettyConfig::new().new_line("\n").depth_limit(depth).struct_names(false);
        // Line breaks inside of texts are escaped, so every line break here is one of the layout.
        let value = options().to_string_pretty(value, config)?.replace('\n', "\n    ");
        self.text += &format!("    {name}: {value},\n");
        Ok(())
    }

    fn end(mut self) -> String {
        self.text += ")\n";
        self.text
    }
}

/// A scenario's file: what is at its default is left out.
pub(super) fn scenario(scenario: &Scenario, path: &Path) -> ron::Result<String> {
    let Scenario {
        program,
        builds,
        args,
        env,
        stdin,
        cwd,
        explore,
        limits,
        network,
        clock,
        files,
        client,
        clients,
        tty,
        expect,
        finds,
        warns,
        kept,
    } = scenario;
    let mut text =
        Text::new(SCENARIO_FORMAT, &format!("What to expect of a program. Run it: {}", command("run", path)));
    text.field("program", program, 0)?;
    if !builds.is_empty() {
        text.field("builds", builds, 0)?;
    }
    if !args.is_empty() {
        text.field("args", args, 0)?;
    }
    if !env.is_empty() {
        text.field("env", env, 1)?;
    }
    if let Some(stdin) = stdin {
        text.field("stdin", stdin, 0)?;
    }
    if let Some(cwd) = cwd {
        text.field("cwd", cwd, 0)?;
    }
    text.field("explore", explore, 1)?;
    text.field("limits", limits, 0)?;
    if *network != Network::default() {
        text.field("network", network, 0)?;
    }
    if *clock != Clock::default() {
        text.field("clock", clock, 0)?;
    }
    if *files != Files::default() {
        text.field("files", files, 0)?;
    }
    if !client.is_empty() {
        text.field("client", client, 0)?;
    }
    if !clients.is_empty() {
        text.field("clients", clients, 1)?;
    }
    if *tty {
        text.field("tty", tty, 0)?;
    }
    text.field("expect", expect, 0)?;
    if !finds.is_empty() {
        text.field("finds", finds, 1)?;
    }
    if !warns.is_empty() {
        text.field("warns", warns, 1)?;
    }
    if !kept.is_empty() {
        text.field("kept", kept, 1)?;
    }
    Ok(text.end())
}

/// A trace's file: one event a line.
pub(super) fn trace(trace: &Trace, path: &Path) -> ron::Result<String> {
    let Trace {
        sigrace,
        kernel,
        arch,
        launch,
        digest,
        seed,
        limits,
        world,
        shared,
        always,
        breaks,
        search,
        schedule,
        events,
        outcome,
        places,
        seen,
        reference,
    } = trace;
    let comment = format!("One run, as sigrace recorded it. Again: {}", command("replay", path));
    let mut text = Text::new(TRACE_FORMAT, &comment);
    text.field("sigrace", sigrace, 0)?;
    text.field("kernel", kernel, 0)?;
    text.field("arch", arch, 0)?;
    text.field("launch", launch, 2)?;
    text.field("digest", digest, 0)?;
    text.field("seed", seed, 0)?;
    text.field("limits", limits, 0)?;
    text.field("world", world, 0)?;
    if !shared.is_empty() {
        text.field("shared", shared, 1)?;
    }
    if *always {
        text.field("always", always, 0)?;
    }
    text.field("breaks", breaks, 0)?;
    if let Some(search) = search {
        text.field("search", search, 0)?;
    }
    text.field("schedule", schedule, 1)?;
    text.field("events", events, 1)?;
    text.field("outcome", outcome, 2)?;
    if !places.is_empty() {
        text.field("places", places, 1)?;
    }
    if !seen.is_nothing() {
        text.field("seen", seen, 2)?;
    }
    if let Some(reference) = reference {
        text.field("reference", reference, 2)?;
    }
    Ok(text.end())
}
