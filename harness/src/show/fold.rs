//! Stretches of a list that say the same again and again.

/// A stretch that is longer than this is not looked for again.
const LONGEST: usize = 16;
/// Fewer lines than this are shown as they are: a line that counts them would not be shorter to read.
const FEWEST: usize = 8;

/// A part of a list: so many items from `start`, which come so many times in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Index of the first item.
    pub(super) start: usize,
    /// Items in one stretch.
    pub(super) length: usize,
    /// How many times the stretch comes; 1 for one that is not repeated.
    pub(super) times: usize,
}

/// The parts of a list of `count` items, in order; `same` is true for two indices whose items say the same.
pub(super) fn fold(count: usize, same: impl Fn(usize, usize) -> bool) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut start = 0;
    while start < count {
        let times = |length: usize| {
            let alike =
                (start..count.saturating_sub(length)).take_while(|&index| same(index, index + length));
            1 + alike.count() / length
        };
        let repeated = (1..=LONGEST)
            .map(|length| Part { start, length, times: times(length) })
            .find(|part| part.times > 2 && (part.times - 1) * part.length >= FEWEST);
        let part = repeated.unwrap_or(Part { start, length: 1, times: 1 });
        start += part.length * part.times;
        parts.push(part);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(text: &str) -> Vec<String> {
        let items: Vec<char> = text.chars().collect();
        let parts = fold(items.len(), |one, other| items[one] == items[other]);
        let told = parts.into_iter().map(|Part { start, length, times }| {
            let stretch: String = items[start..start + length].iter().collect();
            if times == 1 { stretch } else { format!("{times}x{stretch}") }
        });
        told.collect()
    }

    #[test]
    fn what_comes_again_and_again_is_told_once() {
        assert_eq!(folded(""), [""; 0]);
        assert_eq!(folded("abc"), ["a", "b", "c"]);
        assert_eq!(folded("aaaaaaaaab"), ["9xa", "b"]);
        assert_eq!(folded("xababababababy"), ["x", "6xab", "y"]);
        // The last stretch is not whole.
        assert_eq!(folded("abcabcabcabcab"), ["4xabc", "a", "b"]);
    }

    #[test]
    fn what_is_short_is_told_as_it_is() {
        assert_eq!(folded("aaaa").len(), 4);
        assert_eq!(folded("abcdefgabcdefg").len(), 14);
    }
}
