//! Tables as Notation prints them: three spaces between the columns, and behind the last one too.

use std::io::{self, Write};

use bulla::report::Clean;

/// Writes a title line and the rows, each column as wide as its widest cell.
pub(super) fn write_table(
    titles: &[&str],
    rows: impl Iterator<Item = Vec<String>>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let head = titles.iter().map(|title| (*title).to_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(head)
        .chain(rows)
        .map(|row: Vec<String>| row.iter().map(|cell| Clean(cell).to_string()).collect())
        .collect();
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..titles.len()).map(width).collect();
    for row in &rows {
        for (cell, width) in row.iter().zip(&widths) {
            write!(out, "{cell:<width$}   ")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let mut out = Vec::new();
        let rows = [["* ä", "\u{7}"], ["a longer one", ""]];
        let rows = rows.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect());
        write_table(&["NAME", "B"], rows, &mut out).unwrap();
        let expected = "NAME           B   \n* ä            \u{fffd}   \na longer one       \n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
