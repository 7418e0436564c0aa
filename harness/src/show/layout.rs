//! Texts in columns of a terminal, in which a character may take two places or none.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A text that somebody else wrote is shown no wider than this: nobody reads on, and who needs all of it has the trace.
const MOST: usize = 1000;

/// How many places of a line a text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// Has the character before it shown as a picture, which takes two places (Unicode Technical Standard 51, "emoji presentation").
const AS_PICTURE: char = '\u{fe0f}';

/// How many places a character takes at most. One that is shown takes none only if it combines with the one before it.
pub(super) fn width_of(c: char) -> usize {
    if c == AS_PICTURE { 1 } else { c.width().unwrap_or_default() }
}

/// The text, and blanks up to this width. Not by a format, which panics where a width is above 65535.
pub fn padded(text: &str, to: usize) -> String {
    format!("{text}{}", " ".repeat(to.saturating_sub(width(text))))
}

/// How wide each column of these rows is: as its widest cell.
pub fn widths(rows: &[Vec<String>]) -> Vec<usize> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let widest = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| width(cell)).max().unwrap_or_default()
    };
    (0..columns).map(widest).collect()
}

/// As much of a text as has room, with a mark where something was left out.
pub fn short(text: &str, room: usize) -> String {
    let mut end = 0;
    let mut taken = 0;
    for (index, c) in text.char_indices() {
        if taken + width_of(c) > room {
            let cut = text.get(..end).unwrap_or_default();
            return format!("{cut}…");
        }
        taken += width_of(c);
        // Where the mark would still have room.
        if taken < room {
            end = index + c.len_utf8();
        }
    }
    text.to_owned()
}

/// A foreign text without anything that a terminal would obey, or that would reorder the line, and not too long for a person.
pub fn plain(text: &str) -> String {
    let obeyed = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let mut plain = String::new();
    // What combines with the character before it takes no room, so it is counted as well.
    for c in text.chars().take(MOST + 1) {
        if obeyed(c) { plain.extend(c.escape_default()) } else { plain.push(c) }
    }
    if text.chars().nth(MOST + 1).is_some() {
        plain.push('…');
    }
    short(&plain, MOST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_wide_character_takes_two_places_and_a_combining_one_none() {
        assert_eq!(padded("日本", 6), "日本  ");
        assert_eq!(padded("e\u{301}", 3), "e\u{301}  ");
        assert_eq!(short("日本語", 6), "日本語");
        assert_eq!(short("日本語", 5), "日本…");
        assert_eq!(short("0\u{fe0f}0\u{fe0f}", 3), "0\u{fe0f}…");
        assert_eq!(short("abc", 2), "a…");
        assert_eq!(short("abc", 0), "…");
    }

    #[test]
    fn a_width_that_no_format_can_hold_is_no_panic() {
        assert_eq!(padded("a", 100_000).len(), 100_000);
    }

    proptest! {
        #[test]
        fn a_foreign_text_commands_nothing_and_has_an_end(text in ".{0,9}|\\PC{0,20}", times in 1usize..300) {
            let shown = plain(&text.repeat(times));
            prop_assert!(!shown.chars().any(char::is_control), "{shown:?}");
            prop_assert!(width(&shown) <= MOST, "{}", width(&shown));
        }

        #[test]
        fn what_was_cut_has_room(text in "\\PC{0,20}", room in 1usize..30) {
            let cut = short(&text, room);
            // A sequence may take less than its characters, never more.
            prop_assert!(width(&cut) <= room, "{cut:?}");
            prop_assert!(cut == text || cut.ends_with('…'));
        }
    }
}
