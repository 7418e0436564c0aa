//! A trace as one page for a browser: the run beside the one with which it was compared, as lanes with signals as arrows, the source,
//! and the process table at every event. It needs no network, and is read without its script as well.

mod data;
mod graph;
mod handlers;
mod rows;
mod signals;
mod source;
mod states;

use super::Page;
use super::ending::ending;
use super::layout::plain;
use super::place::{Places, of_event, of_steps};
use super::words::{count, outcome_words, step_words, words_at};
use crate::judge::title;
use crate::schedule::Schedule;
use crate::trace::{Event, Trace, What};
use data::Data;
use graph::{Graph, ROW};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use rows::{Look, Row, Rows};
use signals::arrows;
use source::{Source, anchor, line_of, sources};
use states::Table;

const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");

/// Columns of the text that tells how a run ended.
const WIDTH: usize = 100;

/// A whole trace as a page: one file, UTF-8.
pub fn html(trace: &Trace) -> String {
    let reference = trace.reference_trace();
    let sources = sources(trace, reference.as_ref());
    let apart = reference.as_ref().and_then(|one| first_apart(&one.events, &trace.events));
    let mut own = Rows::new(trace);
    let mut others = reference.as_ref().map(Rows::new);
    if let Some(others) = &mut others {
        let same = apart.unwrap_or(trace.events.len());
        own.fold_as(others, same);
        others.fold_as(&own, same);
    }
    if let Some(apart) = apart {
        own.part(apart);
        others.iter_mut().for_each(|others| others.part(apart));
    }
    let failing = Side { id: "event", name: "this run", trace, rows: own, apart };
    let compared = reference.as_ref().zip(others);
    let compared =
        compared.map(|(trace, rows)| Side { id: "reference", name: "reference run", trace, rows, apart });
    let sides: Vec<&Side<'_>> = compared.iter().chain([&failing]).collect();
    let both: Vec<&Rows> = sides.iter().map(|side| &side.rows).collect();
    let graph = Graph::new(&both, sides.iter().any(|side| side.is_disturbed()));
    let drawn: Vec<Drawn> = sides.iter().map(|side| side.drawn(&graph, &sources)).collect();
    let data: Vec<(&str, &Data)> =
        sides.iter().zip(&drawn).map(|(side, drawn)| (side.id, &drawn.data)).collect();
    let name = program(trace);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (name) ": " (about(trace)) }
                style { (PreEscaped(STYLE)) }
            }
            body style={ "--row:" (ROW) "px" } {
                svg.defined width="0" height="0" aria-hidden="true" {
                    defs {
                        marker #head viewBox="0 0 8 8" refX="6.5" refY="4" markerWidth="5" markerHeight="5" orient="auto" { path d="M0,0L8,4L0,8z" {} }
                    }
                }
                (head(trace, &name, compared.as_ref(), &failing))
                main {
                    div.runs.two[compared.is_some()] {
                        @for (side, drawn) in sides.iter().zip(&drawn) { (side.markup(&graph, drawn, &sources)) }
                    }
                    aside { div.side {
                        section #now hidden aria-label="The event that is chosen" {}
                        (legend())
                    } }
                }
                (ends(&sides))
                (listing(&sources))
                (footer(trace))
                (help())
                script #data type="application/json" { (PreEscaped(json(&data))) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

/// A run, as it is shown.
struct Side<'a> {
    /// What its events are called in the page: `event-12`.
    id: &'static str,
    name: &'static str,
    trace: &'a Trace,
    rows: Rows,
    /// The index of the first event in which the two differ.
    apart: Option<usize>,
}

/// What is drawn of it.
struct Drawn {
    picture: Markup,
    data: Data,
}

impl Side<'_> {
    /// True if something comes from outside.
    fn is_disturbed(&self) -> bool {
        let acts = |event: &Event| matches!(&event.what, What::Step(action) if action.is_from_outside());
        self.trace.events.iter().any(acts)
    }

    fn drawn(&self, graph: &Graph, sources: &[Source]) -> Drawn {
        let Side { trace, rows, .. } = self;
        let arrows = arrows(trace, rows);
        let stretches = handlers::stretches(trace, rows);
        let table = Table::new(trace, rows, &arrows);
        let picture = graph.picture(rows, &trace.events, &table.spans, &stretches, &arrows);
        Drawn { picture, data: Data::new(trace, rows, &table, sources) }
    }

    fn markup(&self, graph: &Graph, drawn: &Drawn, sources: &[Source]) -> Markup {
        let Side { id, name, trace, rows, apart } = self;
        let outcome = outcome_words(&trace.outcome);
        let broken = if *id == "event" && !trace.breaks.is_empty() { "bad" } else { "good" };
        html! {
            section.run id={ (id) "s" } data-id=(id) aria-label=(name) {
                header {
                    h2 title=(plain(&outcome)) { (name) ": " span class=(broken) { (plain(&outcome)) } }
                    (graph.names(rows))
                }
                @if rows.rows.is_empty() { p { "no event" } }
                div.lanes style={ "--graph:" (graph.width) "px;--tall:" (rows.rows.len() * ROW) "px" } {
                    (drawn.picture)
                    ol {
                        @for row in &rows.rows { (self.row(row, *apart, sources)) }
                    }
                }
            }
        }
    }

    fn row(&self, row: &Row, apart: Option<usize>, sources: &[Source]) -> Markup {
        let Side { id, trace, rows, .. } = self;
        let class = match row.look {
            Look::Step => "x",
            Look::Handler => "h",
            Look::Telling => "t",
            Look::Plain => "p",
            Look::Quiet => "p q",
            Look::Said => "p s",
            Look::Gap => "g",
            Look::Apart => "apart",
        };
        let thread = rows.lanes.get(row.lane).map(ToString::to_string).unwrap_or_default();
        let first = row.is_event && apart == Some(row.at);
        let mut lines = row.text.lines().map(str::trim);
        let text = lines.next().unwrap_or_default();
        let more: Vec<&str> = lines.collect();
        let source = of_event(&trace.events, &trace.places, row.at)
            .filter(|_| !row.source.is_empty() && row.look != Look::Said)
            .and_then(line_of)
            .and_then(|(file, line)| anchor(sources, file, line));
        let inside = html! {
            b { (thread) } " "
            span { (text) @if !more.is_empty() { " " small { (more.join("; ")) } } }
            @match source {
                Some(anchor) => { " " a href={ "#" (anchor) } { (row.source) } }
                // The row after it is at the same place.
                None if !row.source.is_empty() && row.look != Look::Said => { " " i { (row.source) } }
                None => {}
            }
        };
        // Numbers are those of the events.
        if row.is_event {
            html! { li id={ (id) "-" (row.at + 1) } class={ (class) @if first { " first" } } value=(row.at + 1) { (inside) } }
        } else {
            html! { li class={ (class) " n" } data-at=(row.at) { (inside) } }
        }
    }
}

/// The first event in which two runs differ, by who does what; none if there is none.
fn first_apart(one: &[Event], other: &[Event]) -> Option<usize> {
    let same = |(one, other): &(&Event, &Event)| one.thread == other.thread && one.what == other.what;
    let alike = one.iter().zip(other).take_while(same).count();
    (alike < one.len().max(other.len())).then_some(alike)
}

fn program(trace: &Trace) -> String {
    let launch = &trace.launch;
    let name = launch.source.as_deref().unwrap_or(&launch.file).file_name().unwrap_or_default();
    plain(&name.to_string_lossy())
}

/// What is wrong, in a few words.
fn about(trace: &Trace) -> String {
    let titles: Vec<_> = trace.breaks.iter().copied().map(title).collect();
    if titles.is_empty() { "nothing broke".to_owned() } else { titles.join("; ") }
}

fn head(trace: &Trace, name: &str, compared: Option<&Side<'_>>, failing: &Side<'_>) -> Markup {
    let command: Vec<_> = trace.launch.argv.iter().map(|word| plain(word)).collect();
    html! {
        header.top {
            h1 { (name) ": " span.bad[!trace.breaks.is_empty()] { (about(trace)) } }
            p.command { code { (command.join(" ")) } @if let Some(build) = &trace.launch.build { " built with " code { (plain(&build.to_string())) } } }
            div.facts {
                div {
                    h2 { "What the schedule did" }
                    (schedule(&trace.schedule, failing))
                }
                div {
                    h2 { "Where the runs part" }
                    (parting(compared, failing))
                }
            }
            nav #tools hidden {
                label { "Search " input #find type="search" autocomplete="off" placeholder="a call, a signal, a thread, a file"; }
                output #hits {}
                button #fold type="button" { "Show every call" }
                @if compared.is_some() { button #part type="button" { "First difference" } }
                button #keys type="button" { "Keys" kbd { "?" } }
            }
        }
    }
}

fn schedule(schedule: &Schedule, failing: &Side<'_>) -> Markup {
    let taken = of_steps(&schedule.steps, &failing.trace.events);
    html! {
        @if schedule.steps.is_empty() { p { "Nothing: this is the run that nobody disturbs." } }
        ol.steps {
            @for (step, event) in schedule.steps.iter().zip(taken) {
                li {
                    @match event {
                        Some(event) => a href={ "#" (failing.id) "-" (event + 1) } { (step_words(step)) },
                        None => { (step_words(step)) " (not taken)" },
                    }
                }
            }
        }
    }
}

/// Where the two runs part, in a sentence.
fn parting(compared: Option<&Side<'_>>, failing: &Side<'_>) -> Markup {
    let Some(compared) = compared else {
        return html! { p { "This trace holds no reference run: it was recorded without one, or that run was too long to be kept." } };
    };
    let done = |side: &Side<'_>, index: usize| match (
        side.trace.events.get(index),
        words_at(&side.trace.events, index),
    ) {
        (Some(event), Some(words)) => format!("{}: {words}", event.thread),
        _ => "the run is over".to_owned(),
    };
    let steps: Vec<String> = compared.trace.schedule.steps.iter().map(step_words).collect();
    html! {
        p { "The reference run: " @if steps.is_empty() { "nothing disturbed it." } @else { (steps.join("; ")) "." } }
        @match failing.apart {
            Some(apart) => p {
                "Up to "
                a href={ "#" (failing.id) "-" (apart + 1) } { "event " (apart + 1) }
                " both do the same. There this run has " q { (done(failing, apart)) }
                ", the reference run " q { (done(compared, apart)) } "."
            },
            None => p { "Both do the same from the first event to the last." },
        }
    }
}

fn legend() -> Markup {
    let line = |class: &str, words: &str| {
        html! { li { svg width="28" height="16" aria-hidden="true" { path class=(class) d="M14,0V16" {} } (words) } }
    };
    let dot = |class: &str, words: &str| {
        html! { li { svg width="28" height="16" aria-hidden="true" { path class={ "dot " (class) } d="M14,8h.1" {} } (words) } }
    };
    html! {
        section.legend {
            h2 { "How to read it" }
            p { "Time goes down, a lane for each process and thread: p0.1 is the first child of p0, p0/2 its second thread." }
            ul {
                (line("runs", "runs"))
                (line("held", "held: could run, and another does"))
                (line("back", "held back by the schedule"))
                (line("asleep", "asleep in a call"))
                (line("past", "in a call or on its way, cannot run"))
                (line("stopped", "stopped by job control"))
                (line("zombie", "ended, not waited for yet"))
                (line("handler d0", "in a signal handler, as far as stacks tell it"))
                li { svg width="28" height="16" aria-hidden="true" { path.arrow d="M3,4H14V13H22" {} } "a signal: sent, pending, handled" }
                li { svg width="28" height="16" aria-hidden="true" { path.arrow.lost d="M3,8H22" {} } "sent; where it is handled is not known" }
                (dot("step", "what the schedule does"))
                (dot("signal", "a handler begins"))
                (dot("telling", "something happens"))
                (dot("", "one call among others"))
                (dot("end", "the end of a process or thread"))
            }
        }
    }
}

fn ends(sides: &[&Side<'_>]) -> Markup {
    let page = Page { color: false, width: WIDTH };
    let text = |trace: &Trace| {
        let mut places = Places::new(trace, page);
        let places = places.crashes() + &places.end();
        page.bounded(&ending(&trace.outcome, &places, page))
    };
    html! {
        section.ends.two[sides.len() > 1] {
            @for side in sides {
                div { h2 { "How " @if side.id == "event" { "this run" } @else { "the reference run" } " ended" } pre { (text(side.trace)) } }
            }
        }
    }
}

/// The source, with a name for each line at which a thread was.
fn listing(sources: &[Source]) -> Markup {
    html! {
        @if !sources.is_empty() {
            section #source {
                h2 { "Source, as it is now" }
                @for (index, source) in sources.iter().enumerate() {
                    @let digits = source.lines.keys().next_back().map_or(1, |last| last.to_string().len());
                    h3 { (source.name) }
                    pre {
                        @for (number, text) in &source.lines {
                            @if number.checked_sub(1).is_some_and(|before| before > 0 && !source.lines.contains_key(&before)) { span.gap { "⋯\n" } }
                            @if source.named.contains(number) {
                                span.named id={ "s" (index) "-" (number) } { (format!("{number:>digits$}  {text}\n")) }
                            } @else {
                                span { (format!("{number:>digits$}  {text}\n")) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn footer(trace: &Trace) -> Markup {
    let (sigrace, kernel, arch) = (plain(&trace.sigrace), plain(&trace.kernel), plain(&trace.arch));
    html! {
        footer {
            p { "Recorded by sigrace " (sigrace) " on Linux " (kernel) " " (arch) ", seed " (trace.seed) "; "
                (count(trace.events.len() as u64, "event")) "." }
            @for folder in &trace.shared { p { "Note: " (plain(folder)) } }
            @if let Some(search) = &trace.search { p { "Found by a search of " (plain(search)) "." } }
        }
    }
}

fn help() -> Markup {
    let keys: [(&[&str], &str); 9] = [
        (&["j", "↓"], "next event"),
        (&["k", "↑"], "event before"),
        (&["h", "l", "←", "→"], "the other run"),
        (&["g", "G"], "first event, last event"),
        (&["d"], "first difference"),
        (&["s"], "next step of the schedule"),
        (&["f"], "show every call, or fold them"),
        (&["/", "n", "N"], "search, next hit, hit before"),
        (&["?", "Esc"], "this list"),
    ];
    html! {
        dialog #help aria-labelledby="help-title" {
            h2 #help-title { "Keys" }
            dl { @for (names, does) in keys { div { dt { @for name in names { kbd { (name) } " " } } dd { (does) } } } }
            form method="dialog" { button { "Close" } }
        }
    }
}

/// Values for a script within a page: nothing in them ends it.
fn json(data: &[(&str, &Data)]) -> String {
    let map: std::collections::BTreeMap<&str, &Data> = data.iter().copied().collect();
    serde_json::to_string(&map).unwrap_or_else(|_| "{}".to_owned()).replace('<', "\\u003c")
}

#[cfg(test)]
mod tests;
