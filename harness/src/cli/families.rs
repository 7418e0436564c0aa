//! Scenarios by family: the folder in which they are.

use crate::show::padded;

/// The family of a scenario, and its name there.
pub(super) fn split(name: &str) -> (&str, &str) {
    name.split_once('/').unwrap_or(("", name))
}

/// Rows as columns as wide as their widest cell: the first to the left, all others to the right.
pub(super) fn table(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max())
        .map(Option::unwrap_or_default)
        .collect();
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
