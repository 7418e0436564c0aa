//! Scenarios that are selected, and their families: the folders in which they are.

use super::exit::{Exit, Stop};
use crate::show::{padded, widths};
use crate::suite::{Found, Selection};

/// The scenarios that are selected, of which there is one.
pub(super) fn selected(selection: &Selection) -> Result<Vec<Found>, Stop> {
    let found = selection.find().map_err(Stop::refused)?;
    if found.is_empty() {
        return Err(Stop::new(Exit::Nothing, nothing(selection.near().map_err(Stop::refused)?.as_deref())));
    }
    Ok(found)
}

/// What is said where nothing is selected, by names that may have been meant.
fn nothing(near: Option<&[String]>) -> String {
    let Some(near) = near else {
        return "there is no scenario (*.ron), so nothing was tested; sigrace explore --save scenarios/NAME.ron -- PROGRAM writes one"
            .to_owned();
    };
    let meant = if near.is_empty() { String::new() } else { format!("; near are {}", near.join(", ")) };
    format!("no scenario selected, so nothing was tested{meant}; next: sigrace run --list")
}

/// The family of a scenario, and its name there.
pub(super) fn split(name: &str) -> (&str, &str) {
    name.split_once('/').unwrap_or(("", name))
}

/// Rows as columns as wide as their widest cell: the first to the left, all others to the right.
pub(super) fn table(rows: &[Vec<String>]) -> Vec<String> {
    let widths = widths(rows);
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
            0 => padded(cell, *width),
            _ => format!("{cell:>width$}"),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_below_each_other() {
        let rows = [["family", "runs"], ["ipc", "7"], ["handlers", "4120"]];
        let rows: Vec<Vec<String>> = rows.iter().map(|row| row.map(str::to_owned).to_vec()).collect();
        assert_eq!(table(&rows), ["family    runs", "ipc          7", "handlers  4120"]);
        assert_eq!(split("ipc/fifo_open_broken [-O2]"), ("ipc", "fifo_open_broken [-O2]"));
        assert_eq!(split("alone"), ("", "alone"));
    }
}
