//! `sigrace diff`: two reports compared.

use super::exit::{Exit, Stop};
use super::reports;
use super::say::say;
use crate::show::count;
use crate::suite;
use crate::suite::report::{Confirmed, Warned, in_words};
use crate::suite::{Compared, Coverage, Difference, Tried};
use std::path::PathBuf;

/// Compare two JSON reports: which findings are new, gone and the same, and what is covered better or worse
///
/// Findings are known again as with --baseline: by what they break, what is sent, and the call and the function where that
/// happens. The exit code is 100 if a finding is new, 101 if they differ otherwise, 0 if nothing differs.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The earlier report, or `-` for standard input
    #[arg(value_name = "OLD.json")]
    old: PathBuf,
    /// The later report, or `-` for standard input
    #[arg(value_name = "NEW.json")]
    new: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn main(args: &Args) -> Result<Exit, Stop> {
    if args.old == args.new && reports::is_stdin(&args.old) {
        return Err(Stop::new(Exit::Usage, "standard input is one report: the other one has to be a file"));
    }
    let old = reports::read(&args.old)?;
    let new = reports::read(&args.new)?;
    let difference = suite::diff((&args.old, old), (&args.new, new)).map_err(Stop::refused)?;
    if args.json {
        let text = serde_json::to_string_pretty(&difference);
        say(text.map_err(|error| Stop::new(Exit::Harness, format!("cannot write JSON: {error}")))?)?;
    } else {
        say(text(&difference).trim_end())?;
    }
    Ok(match (difference.new_findings, difference.same) {
        (0, true) => Exit::AsExpected,
        (0, false) => Exit::Unclear,
        (_, _) => Exit::Failed,
    })
}

/// What differs, search by search, and a last line that counts.
pub(super) fn text(difference: &Difference) -> String {
    let mut text = String::new();
    for compared in &difference.searches {
        let lines = lines(compared);
        if !lines.is_empty() {
            text += &format!("{}\n", compared.name);
            text.extend(lines.iter().map(|line| format!("  {line}\n")));
        }
    }
    let Difference { old, new, new_findings, gone_findings, same_findings, same, .. } = difference;
    let findings = count(*new_findings, "new finding");
    let end = if *same { "; nothing differs" } else { "" };
    text + &format!("{old} and {new}: {findings}, {gone_findings} gone, {same_findings} the same{end}\n")
}

fn lines(compared: &Compared) -> Vec<String> {
    let mut lines = Vec::new();
    match (&compared.old_verdict, &compared.new_verdict) {
        (None, _) => lines.push("only in the later report".to_owned()),
        (_, None) => lines.push("only in the earlier report".to_owned()),
        (Some(old), Some(new)) if old != new => lines.push(format!("{new}, was {old}")),
        (Some(_), Some(_)) => {}
    }
    for finding in &compared.new {
        lines.push(format!("new: {}", sentence(finding)));
        lines.extend(finding.replay.as_ref().map(|command| format!("     replay: {command}")));
    }
    lines.extend(compared.gone.iter().map(|finding| format!("gone: {}", sentence(finding))));
    lines.extend(compared.same.iter().map(|finding| format!("same: {}", sentence(finding))));
    let warning =
        |what: &'static str| move |warned: &Warned| format!("{what} warning: {}", warned.explanation);
    lines.extend(compared.new_warnings.iter().map(warning("new")));
    lines.extend(compared.gone_warnings.iter().map(warning("gone")));
    if let Some(Coverage { old_schedules, new_schedules, old_points, new_points }) = compared.coverage {
        lines.extend(covered("one-step schedules", old_schedules, new_schedules));
        lines.extend(covered("points", old_points, new_points));
    }
    lines
}

/// `Hang by p0 before pause: send SIGUSR1 in main (lost_wakeup.c:35)`
fn sentence(finding: &Confirmed) -> String {
    let place = finding.landings.first().map_or_else(String::new, |landing| {
        let function = landing.function.as_deref().unwrap_or("?");
        let name = |file: &str| file.rsplit('/').next().unwrap_or_default().to_owned();
        let line = landing.file.as_deref().zip(landing.line);
        let line = line.map_or_else(String::new, |(file, line)| format!(" ({}:{line})", name(file)));
        format!(" in {function}{line}")
    });
    format!("{} by {}{place}", finding.breaks, in_words(&finding.schedule))
}

/// What is covered better or worse: what was left untried counts.
fn covered(what: &str, old: Tried, new: Tried) -> Option<String> {
    if old == new {
        return None;
    }
    let how = match new.left().cmp(&old.left()) {
        std::cmp::Ordering::Less => "better covered",
        std::cmp::Ordering::Greater => "worse covered",
        std::cmp::Ordering::Equal => "covered as well",
    };
    Some(format!("{how}: {} of {} {what}, was {} of {}", new.tried, new.of, old.tried, old.of))
}
