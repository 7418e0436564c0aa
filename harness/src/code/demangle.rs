//! Names of C++ and Rust functions as people write them.

use std::fmt;

/// Demangled names longer than this are not used.
const LONGEST_NAME: usize = 1 << 16;

/// Symbols longer than this stay as they are: nobody writes them, and demangling can make them very much longer.
const LONGEST: usize = 4096;

/// The name as a person reads it: C++ with parameters and without the return type, Rust without the hash. What is no
/// mangled name stays as it is.
pub(super) fn demangle(symbol: &str) -> String {
    rust(symbol).or_else(|| cpp(symbol, false)).unwrap_or_else(|| symbol.to_owned())
}

/// The other names under which a person may ask for this function: a C++ function without its parameters, and a Rust
/// function with its hash.
pub(super) fn other_names(symbol: &str) -> Vec<String> {
    if rust(symbol).is_some() {
        return rustc_demangle::try_demangle(symbol).map(|name| name.to_string()).into_iter().collect();
    }
    cpp(symbol, true).into_iter().collect()
}

/// True if the symbol may be a mangled name.
pub(super) fn is_mangled(symbol: &str) -> bool {
    symbol.len() <= LONGEST && (symbol.starts_with("_Z") || symbol.starts_with("_R"))
}

fn rust(symbol: &str) -> Option<String> {
    if !is_mangled(symbol) || (symbol.starts_with("_Z") && !has_rust_hash(symbol)) {
        return None;
    }
    let name = rustc_demangle::try_demangle(symbol).ok()?;
    Some(format!("{name:#}"))
}

/// Rust's older mangling looks like C++'s, but its last part is a hash of 64 bits: `17h` and 16 digits.
fn has_rust_hash(symbol: &str) -> bool {
    symbol.rmatch_indices("17h").any(|(at, _)| {
        let hash = symbol.as_bytes().get(at + 3..at + 20);
        hash.is_some_and(|hash| hash[..16].iter().all(u8::is_ascii_hexdigit) && hash[16] == b'E')
    })
}

fn cpp(symbol: &str, bare: bool) -> Option<String> {
    if !is_mangled(symbol) {
        return None;
    }
    let options = cpp_demangle::DemangleOptions::new().no_return_type();
    let options = if bare { options.no_params() } else { options };
    let mut name = Bounded(String::new());
    cpp_demangle::Symbol::new(symbol).ok()?.structured_demangle(&mut name, &options).ok()?;
    Some(name.0)
}

/// A name that does not grow beyond all bounds: a short symbol can stand for a name that doubles with each of its letters.
struct Bounded(String);

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > LONGEST_NAME {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

/// True if `name` is `whole`, or the end of it after a `::` that is not inside of brackets.
pub(super) fn ends_in(whole: &str, name: &str) -> bool {
    let Some(head) = whole.strip_suffix(name) else { return false };
    let Some(head) = head.strip_suffix("::") else { return head.is_empty() };
    let depth = head.chars().fold(0i64, |depth, c| match c {
        '<' | '(' | '{' => depth + 1,
        '>' | ')' | '}' => depth - 1,
        _ => depth,
    });
    depth == 0
}

/// The function's name without the ending of a copy that the compiler specialised: `insert` for `insert.constprop.0`. Such a
/// copy begins where the function begins; `.part` and `.cold` are pieces of it and do not.
pub(super) fn without_clone(symbol: &str) -> &str {
    without_endings(symbol, &[".constprop", ".isra", ".lto_priv"])
}

/// The function's name as its source has it, without the endings that the compiler gives to copies and pieces of it.
pub(super) fn in_source(name: &str) -> &str {
    let name = name.split_once(" [clone ").map_or(name, |(name, _)| name);
    without_endings(name, &[".constprop", ".isra", ".lto_priv", ".part", ".cold"])
}

fn without_endings<'a>(symbol: &'a str, endings: &[&str]) -> &'a str {
    let mut name = symbol;
    loop {
        let number = name.rsplit_once('.');
        let number =
            number.filter(|(_, digits)| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()));
        let stem = number.map_or(name, |(stem, _)| stem);
        let Some(shorter) = endings.iter().find_map(|end| stem.strip_suffix(end)) else { return name };
        name = shorter;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_both_languages() {
        for (symbol, name) in [
            ("insert", "insert"),
            ("_ZN4list6insertEi", "list::insert(int)"),
            ("_ZN4list5countE", "list::count"),
            ("_ZN4list4main17h0123456789abcdefE", "list::main"),
            ("_RNvCs15kBYyAo9fc_4list6insert", "list::insert"),
            ("_Z", "_Z"),
            ("_ZN4list", "_ZN4list"),
        ] {
            assert_eq!(demangle(symbol), name, "{symbol}");
        }
        assert_eq!(other_names("_ZN4list6insertEi"), ["list::insert"]);
        assert_eq!(other_names("_ZN4list4main17h0123456789abcdefE"), ["list::main::h0123456789abcdef"]);
        assert!(other_names("insert").is_empty());
    }

    /// A function of a type that contains itself twice, to this depth. Each `B<..>` is named again by its number.
    fn doubling(depth: u32) -> String {
        let digit = |value: u32| char::from_digit(value, 36).unwrap().to_ascii_uppercase();
        let mut symbol = "_Z1fI1AIiiE".to_owned();
        for level in 0..depth {
            let last = 1 + 2 * level;
            symbol += &format!("1BIS{0}_S{0}_E", digit(last));
        }
        symbol + "Evv"
    }

    #[test]
    fn a_name_that_doubles_with_each_letter_stays_as_it_is() {
        let (short, longer) = (demangle(&doubling(6)), demangle(&doubling(7)));
        assert!(short.starts_with("f<A<int, int>, B<A<int, int>, A<int, int> >"), "{short}");
        assert!(longer.len() > short.len() * 3 / 2);
        assert_eq!(demangle(&doubling(17)), doubling(17));
    }

    #[test]
    fn the_end_of_a_name_begins_after_colons_outside_of_brackets() {
        assert!(ends_in("list::Node::insert", "Node::insert"));
        assert!(ends_in("insert", "insert"));
        assert!(!ends_in("reinsert", "insert"));
        assert!(!ends_in("get<list::insert", "insert"));
    }

    #[test]
    fn copies_are_named_after_their_function() {
        for (symbol, name) in [
            ("insert.constprop.0", "insert"),
            ("insert.isra.0.constprop.12", "insert"),
            ("insert.part.0", "insert.part.0"),
            ("insert.cold", "insert.cold"),
            ("insert", "insert"),
        ] {
            assert_eq!(without_clone(symbol), name);
        }
        for name in ["insert", "insert.part.0.cold", "insert.cold.3", "insert [clone .cold]"] {
            assert_eq!(in_source(name), "insert");
        }
    }
}
