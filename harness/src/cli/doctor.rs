//! `sigrace doctor`: what this host allows, and what is lost where it does not.

use super::exit::{Exit, Stop};
use super::say::{page, say};
use super::{host, interrupt};
use crate::doctor::{self, Check, Found};
use crate::show::Page;
use crate::suite::worker::WAIT_FOR_CPU;

/// Tell what this host allows, each by a self-test
#[derive(clap::Args, Debug)]
pub(super) struct Args {}

pub(super) fn main(_: &Args) -> Result<Exit, Stop> {
    let stop = interrupt::flag()?;
    let slot = host::slots()?.take(WAIT_FOR_CPU, &stop)?;
    let checks = doctor::examine(slot.cpu, &stop)?;
    say(report(&checks, page()))?;
    Ok(if checks.iter().any(Check::hinders) { Exit::HostCannot } else { Exit::AsExpected })
}

/// One line for each check, what is lost below it, and a last line that sums up.
fn report(checks: &[Check], page: Page) -> String {
    let mut text = String::new();
    for Check { name, result, loses, needed } in checks {
        text += &match result {
            Found::Works => format!("ok        {name}\n"),
            Found::Untried => format!("untested  {name}, which needs what is missing above\n"),
            Found::Lost(why) => {
                let (why, lost) = (indented("why:  ", why, page), indented("lost: ", loses, page));
                if *needed {
                    format!("{}   {name}\n{why}{lost}", page.wrong("MISSING"))
                } else {
                    format!("missing   {name}\n{why}{lost}")
                }
            }
        };
    }
    let missing: Vec<_> =
        checks.iter().filter(|check| check.hinders() && check.result != Found::Untried).collect();
    let names: Vec<_> = missing.iter().map(|check| check.name).collect();
    let all = checks.iter().all(|check| check.result == Found::Works);
    text += &match (&names[..], all) {
        ([], true) => "This host allows everything.".to_owned(),
        ([], false) => "This host allows everything that runs need.".to_owned(),
        (names, _) => format!("This host does not allow what runs need: {}.", names.join(", ")),
    };
    text
}

/// A sentence below a check, in lines no longer than the page is wide, the first of which begins with `label`.
fn indented(label: &str, sentence: &str, page: Page) -> String {
    let margin = " ".repeat(10);
    let room = page.width.saturating_sub(margin.len() + label.len()).max(20);
    let mut lines: Vec<String> = Vec::new();
    for word in sentence.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        let label = if number == 0 { label.to_owned() } else { " ".repeat(label.len()) };
        text += &format!("{margin}{label}{line}\n");
    }
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
        let expected = "ok        one\n\
                        MISSING   other\n          why:  refused\n          lost: All of it.\n\
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
        assert!(check("one", Found::Untried, true).hinders());
        assert!(!check("one", Found::Untried, false).hinders());
    }

    #[test]
    fn long_sentences_keep_to_the_page() {
        let page = Page { color: false, width: 40 };
        let expected = "          why:  one two three four five\n                six\n";
        assert_eq!(indented("why:  ", "one two three four five six", page), expected);
    }
}
