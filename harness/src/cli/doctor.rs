//! `sigrace doctor`: what this host allows, and what is lost where it does not.

use super::exit::{Exit, Stop};
use super::interrupt;
use super::say::{page, say};
use crate::doctor::{self, Check, Found};
use crate::show::Page;
use crate::slots::Slots;
use crate::suite::worker::WAIT_FOR_CPU;
use std::fmt::Write;

/// Tell what this host allows, each by a self-test
#[derive(clap::Args, Debug)]
pub(super) struct Args {}

pub(super) fn main(_: &Args) -> Result<Exit, Stop> {
    let stop = interrupt::flag()?;
    let slot = Slots::new()?.take(WAIT_FOR_CPU, &stop)?;
    let checks = doctor::examine(slot.cpu, &stop)?;
    say(report(&checks, page()))?;
    Ok(if checks.iter().any(Check::hinders) { Exit::HostCannot } else { Exit::AsExpected })
}

/// One line for each check, what is lost below it, and a last line that sums up.
fn report(checks: &[Check], page: Page) -> String {
    let width = checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for check in checks {
        let name = check.name;
        // Writing to a String cannot fail.
        let _ = match &check.result {
            Found::Works => writeln!(text, "ok         {name}"),
            Found::Untried => writeln!(text, "untested   {name:width$}  needs what is missing above"),
            Found::Lost(why) => {
                let head = format!("{:9}", if check.needed { "MISSING" } else { "missing" });
                let head = if check.needed { page.wrong(head) } else { head };
                writeln!(text, "{head}  {name:width$}  {why}\n           lost: {}", check.loses)
            }
        };
    }
    let hindering: Vec<_> = checks.iter().filter(|check| check.hinders()).map(|check| check.name).collect();
    let notes = checks.iter().any(|check| check.result != Found::Works);
    text += &match (&hindering[..], notes) {
        ([], false) => "This host allows everything.".to_owned(),
        ([], true) => "This host allows everything that runs need.".to_owned(),
        (names, _) => format!("This host does not allow what runs need: {}.", names.join(", ")),
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &'static str, result: Found, needed: bool) -> Check {
        Check { name, result, loses: "All of it.", needed }
    }

    const PLAIN: Page = Page { color: false, width: 100 };

    #[test]
    fn what_is_lost_is_named() {
        let why = Found::Lost("refused".to_owned());
        let checks = [check("one", Found::Works, true), check("other", why, true)];
        let expected = "ok         one\n\
                        MISSING    other  refused\n           lost: All of it.\n\
                        This host does not allow what runs need: other.";
        assert_eq!(report(&checks, PLAIN), expected);
        assert!(checks[1].hinders() && !checks[0].hinders());
    }

    #[test]
    fn what_no_run_needs_is_a_note() {
        let checks = [check("one", Found::Lost("refused".to_owned()), false)];
        assert!(!checks[0].hinders());
        assert!(report(&checks, PLAIN).ends_with("This host allows everything that runs need."));
    }

    #[test]
    fn what_is_needed_and_could_not_be_tried_hinders() {
        let checks = [check("one", Found::Untried, true)];
        assert!(checks[0].hinders());
        assert!(report(&checks, PLAIN).ends_with("does not allow what runs need: one."));
    }
}
