//! The lanes of a run as lines: who runs, waits and sleeps, what handlers take, and signals as arrows.
//!
//! All is made of paths of the forms `Mx,yVy`, `Mx,yHxVyHx` and `Mx,yh.1`, in rows of one height: a script that folds rows moves them by
//! their numbers alone.

use super::handlers::Stretch;
use super::rows::{Look, Rows};
use super::signals::Arrow;
use super::states::{Span, State};
use crate::trace::{Event, What};
use maud::{Markup, html};
use std::collections::BTreeMap;

/// How high a row is.
pub(super) const ROW: usize = 24;
/// Lanes of which each has its name written above it; more have them written upwards.
const FEW: usize = 3;
const MANY: usize = 40;
/// How far beside its receiver's lane a signal waits.
const BESIDE: usize = 9;
/// Up to which handlers in handlers are drawn as narrower ones.
const DEEPEST: usize = 2;

/// Where lanes are.
pub(super) struct Graph {
    /// From one lane to the next.
    pitch: usize,
    /// Where the first lane is.
    first: usize,
    /// Where what comes from outside is, if anything does.
    outside: Option<usize>,
    /// How high the names are, where they are written upwards.
    high: Option<usize>,
    pub(super) width: usize,
}

impl Graph {
    /// For runs that are shown beside each other: what is in both is at one place in both.
    pub(super) fn new(runs: &[&Rows], from_outside: bool) -> Graph {
        let names = runs.iter().flat_map(|rows| &rows.lanes).map(|name| name.to_string().len());
        let longest = names.max().unwrap_or_default();
        let count = runs.iter().map(|rows| rows.lanes.len()).max().unwrap_or_default();
        let upright = count > FEW;
        let pitch = match count {
            0..=FEW => (longest * 8 + 8).clamp(34, 80),
            _ if count <= MANY => 24,
            _ => 12,
        };
        let outside = from_outside.then_some(20);
        let first = outside.map_or(pitch / 2, |x| x + 24 + pitch / 2);
        let longest = longest.max(if from_outside { "outside".len() } else { 0 });
        let high = upright.then_some(longest * 8 + 10);
        Graph { pitch, first, outside, high, width: first + count.saturating_sub(1) * pitch + 18 }
    }

    fn x(&self, lane: usize) -> usize {
        self.first + lane * self.pitch
    }

    fn sender(&self, lane: Option<usize>) -> usize {
        lane.map_or(self.outside.unwrap_or_default(), |lane| self.x(lane))
    }

    /// The names above the lanes.
    pub(super) fn names(&self, rows: &Rows) -> Markup {
        let high = self.high.map(|high| format!("height:{high}px"));
        html! {
            div.names.upright[self.high.is_some()] style=[high] aria-hidden="true" {
                @if let Some(x) = self.outside { span.out style={ "left:" (x) "px" } { "outside" } }
                @for (lane, name) in rows.lanes.iter().enumerate() {
                    span style={ "left:" (self.x(lane)) "px" } { (name) }
                }
            }
        }
    }

    /// The picture: beside the rows, which say the same in words.
    pub(super) fn picture(
        &self,
        rows: &Rows,
        events: &[Event],
        spans: &[Span],
        stretches: &[Stretch],
        arrows: &[Arrow],
    ) -> Markup {
        let lines = self.lines(spans);
        let dots = self.dots(rows, events);
        let height = rows.rows.len() * ROW;
        html! {
            svg width=(self.width) height=(height) aria-hidden="true" { g {
                @for (depth, path) in self.stretches(stretches) { path class={ "handler d" (depth) } d=(path) {} }
                @for (class, path) in &lines { path class=(class) d=(path) {} }
                @for arrow in arrows {
                    path.arrow.lost[arrow.handled.is_none()] d=(self.arrow(arrow)) {
                        title { (told(rows, arrow)) }
                    }
                }
                @for (class, path) in &dots { path class=(class) d=(path) {} }
            } }
        }
    }

    fn lines(&self, spans: &[Span]) -> BTreeMap<&'static str, String> {
        let mut lines: BTreeMap<&str, String> = BTreeMap::new();
        for Span { lane, from, to, state } in spans {
            if let Some(class) = class(*state) {
                let path = format!("M{},{}V{}", self.x(*lane), middle(*from), middle(*to));
                *lines.entry(class).or_default() += &path;
            }
        }
        lines
    }

    fn dots(&self, rows: &Rows, events: &[Event]) -> BTreeMap<&'static str, String> {
        let mut dots: BTreeMap<&str, String> = BTreeMap::new();
        for (index, row) in rows.rows.iter().enumerate() {
            let what = events.get(row.at).filter(|_| row.is_event).map(|event| &event.what);
            let from_outside = matches!(what, Some(What::Step(action)) if action.is_from_outside());
            let x = if from_outside { self.sender(None) } else { self.x(row.lane) };
            let class = match row.look {
                Look::Step => "dot step",
                Look::Handler => "dot signal",
                Look::Telling if matches!(what, Some(What::End(_))) => "dot end",
                Look::Telling => "dot telling",
                Look::Plain | Look::Quiet | Look::Said => "dot",
                Look::Gap | Look::Apart => continue,
            };
            *dots.entry(class).or_default() += &format!("M{x},{}h.1", middle(index));
        }
        dots
    }

    /// Handlers, by how many each interrupts.
    fn stretches(&self, stretches: &[Stretch]) -> BTreeMap<usize, String> {
        let mut paths: BTreeMap<usize, String> = BTreeMap::new();
        for Stretch { lane, from, to, depth } in stretches {
            let path = format!("M{},{}V{}", self.x(*lane), middle(*from), middle(*to));
            *paths.entry((*depth).min(DEEPEST)).or_default() += &path;
        }
        paths
    }

    /// Across to its receiver at once, down beside it for as long as it is pending, and into it where it is handled.
    fn arrow(&self, arrow: &Arrow) -> String {
        let (from, to) = (self.sender(arrow.sender), self.x(arrow.receiver));
        let (start, end) = (middle(arrow.from), middle(arrow.to));
        if start == end {
            let near = if from < to { to.saturating_sub(5) } else { to + 5 };
            return format!("M{from},{start}H{near}");
        }
        let (beside, near) =
            if from < to { (to.saturating_sub(BESIDE), to.saturating_sub(5)) } else { (to + BESIDE, to + 5) };
        format!("M{from},{start}H{beside}V{end}H{near}")
    }
}

/// How a state is drawn; none if it is not.
fn class(state: State) -> Option<&'static str> {
    match state {
        State::Runs => Some("runs"),
        State::Held => Some("held"),
        State::HeldBack => Some("back"),
        State::Asleep(_) => Some("asleep"),
        State::Past(_) => Some("past"),
        State::Stopped => Some("stopped"),
        State::Ended(_) => Some("zombie"),
        State::WaitedFor(_) => None,
    }
}

fn middle(row: usize) -> usize {
    row * ROW + ROW / 2
}

/// An arrow in words.
fn told(rows: &Rows, arrow: &Arrow) -> String {
    let name = |lane: usize| rows.lanes.get(lane).map(ToString::to_string).unwrap_or_default();
    let from = arrow.sender.map_or_else(|| "outside".to_owned(), name);
    let after = match arrow.handled {
        Some(_) => "",
        None => "; where it is handled is not known",
    };
    format!("{} from {from} to {}{after}", arrow.signal, name(arrow.receiver))
}
