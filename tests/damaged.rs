//! Scenarios, traces and reports that somebody or something has damaged: each is read or refused, soon and in little memory,
//! and never taken for a fault of the harness.

mod script;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use script::{LITTLE, limited};
use sigrace::show::{self, Page};
use sigrace::store::{self, FileError};
use std::fs;
use std::ops::Range;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Output;

/// One damage.
#[derive(Clone, Debug)]
enum Damage {
    Flip(Index, u8),
    Delete(Index, Index),
    Duplicate(Index, Index),
    Swap(Index, Index),
    /// Something else in the place of a word or number.
    Replace(Index, String),
    Truncate(Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    let numbers = [
        "0",
        "-1",
        "4000000000",
        "18446744073709551615",
        "99999999999999999999999",
        "1e308",
        "1e-300",
        "NaN",
        "inf",
        "0x7f",
        "1_000_000_000_000_000_000",
    ];
    let words = [
        "\"\"",
        "\"\\u{1b}[2J\\u{202e}\"",
        "\"\\0\"",
        "()",
        "[]",
        "{}",
        "None",
        "Some(Some(1))",
        "'x'",
        "/*",
        "//",
        "r#\"",
        "b\"\\xff\"",
        "p0.1.1.1.1/4294967295",
        "Switch(To(\"p0.9\"))",
        "At(\"\\u{7}\")",
        "\"日本語\"",
    ];
    let deep = ["(", "[", "{", "OneOf([", "Some(", "/*", "#![enable(", "\"", "r####"];
    prop_oneof![
        (at(), 1..=255u8).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        (at(), at()).prop_map(|(from, to)| Damage::Delete(from, to)),
        (at(), at()).prop_map(|(from, to)| Damage::Duplicate(from, to)),
        (at(), at()).prop_map(|(one, other)| Damage::Swap(one, other)),
        (at(), prop::sample::select(numbers.to_vec()))
            .prop_map(|(at, new)| Damage::Replace(at, new.to_owned())),
        (at(), prop::sample::select(words.to_vec()))
            .prop_map(|(at, new)| Damage::Replace(at, new.to_owned())),
        (at(), prop::sample::select(deep.to_vec()), many())
            .prop_map(|(at, open, times)| Damage::Replace(at, open.repeat(times))),
        (at(), any::<char>(), many())
            .prop_map(|(at, c, times)| Damage::Replace(at, format!("{:?}", c.to_string().repeat(times)))),
        at().prop_map(Damage::Truncate),
    ]
}

/// Mostly some, now and then very many.
fn many() -> impl Strategy<Value = usize> {
    prop_oneof![9 => 1..1_000usize, 1 => 1..200_000usize]
}

/// Texts between quotes, words, numbers: what a person would exchange.
fn tokens(text: &[u8]) -> Vec<Range<usize>> {
    let of_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.\"/-".contains(byte) || !byte.is_ascii();
    let mut tokens: Vec<Range<usize>> = Vec::new();
    for (index, _) in text.iter().enumerate().filter(|(_, byte)| of_word(byte)) {
        match tokens.last_mut() {
            Some(last) if last.end == index => last.end = index + 1,
            _ => tokens.push(index..index + 1),
        }
    }
    tokens
}

impl Damage {
    fn to(&self, text: &mut Vec<u8>) {
        let range = |from: &Index, to: &Index| {
            let (from, to) = (from.index(text.len() + 1), to.index(text.len() + 1));
            from.min(to)..from.max(to)
        };
        let tokens = tokens(text);
        match self {
            _ if text.is_empty() => {}
            Damage::Flip(at, bits) => {
                let at = at.index(text.len());
                text[at] ^= bits;
            }
            Damage::Delete(from, to) => drop(text.drain(range(from, to))),
            Damage::Duplicate(from, to) => {
                let range = range(from, to);
                let again = text[range.clone()].to_vec();
                text.splice(range.end..range.end, again);
            }
            _ if tokens.is_empty() => {}
            Damage::Swap(one, other) => {
                let (one, other) = (one.get(&tokens).clone(), other.get(&tokens).clone());
                let (first, last) = if one.start <= other.start { (one, other) } else { (other, one) };
                if first != last {
                    let (early, late) = (text[first.clone()].to_vec(), text[last.clone()].to_vec());
                    text.splice(last, early);
                    text.splice(first, late);
                }
            }
            Damage::Replace(at, new) => drop(text.splice(at.get(&tokens).clone(), new.bytes())),
            Damage::Truncate(at) => text.truncate(at.index(text.len())),
        }
    }
}

/// One of these texts, damaged once or a few times.
fn damaged(texts: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    (prop::sample::select(texts), prop::collection::vec(damage(), 1..4)).prop_map(|(mut text, damages)| {
        damages.iter().for_each(|damage| damage.to(&mut text));
        text
    })
}

/// The command with so little memory, and so few seconds of CPU time; a damaged file may have been made to ask for more.
fn sigrace(folder: &Path, words: &[&str]) -> Output {
    limited(folder, &format!("{LITTLE} && ulimit -t 5"), words)
}

/// Every scenario of the project, as it is.
fn scenarios() -> Vec<Vec<u8>> {
    let found = sigrace::suite::find(&[Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios")]).unwrap();
    found.iter().map(|found| fs::read(&found.path).unwrap()).collect()
}

/// Traces of runs of a program, recorded just now.
fn traces(folder: &Path, program: &[&str]) -> Vec<Vec<u8>> {
    let dir = folder.join("traces");
    let explore = ["explore", "--seed", "1", "--runs", "6", "--keep-all", "--trace-dir", "traces", "--"];
    sigrace(folder, &[&explore[..], program].concat());
    let names = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path());
    let files = names.filter(|path| path.extension().is_some_and(|ending| ending == "ron"));
    let texts: Vec<Vec<u8>> = files.map(|path| fs::read(path).unwrap()).collect();
    assert!(!texts.is_empty());
    fs::remove_dir_all(&dir).unwrap();
    texts
}

/// Has `look` see so many damaged files.
fn each(texts: Vec<Vec<u8>>, cases: u32, path: &Path, look: impl Fn(&Path) -> Result<(), TestCaseError>) {
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() };
    let test = |text: Vec<u8>| {
        fs::write(path, &text).unwrap();
        look(path)
    };
    TestRunner::new(config).run(&damaged(texts), test).unwrap_or_else(|error| panic!("{error}"));
}

fn is_clear(error: &FileError) -> Result<(), TestCaseError> {
    let text = error.to_string();
    let placed = matches!(error, FileError::Refused { place, .. } if place.line > 0 && place.column > 0);
    // What is a whole file of another kind is wrong at no place of it.
    let elsewhere = matches!(error, FileError::Io { .. } | FileError::Another { .. });
    prop_assert!(placed || elsewhere, "{text}");
    prop_assert!(text.len() < 10_000 && text.lines().count() <= 4, "{text}");
    prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    Ok(())
}

#[test]
fn a_damaged_scenario_is_read_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    each(scenarios(), 2_000, &folder.path().join("a.ron"), |path| {
        store::read_scenario(path).map_or_else(|error| is_clear(&error), |_| Ok(()))
    });
}

#[test]
fn a_damaged_trace_is_shown_or_refused_and_commands_no_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let texts = traces(folder.path(), &["sh", "-c", "true & kill $!; wait; echo done"]);
    let page = Page { color: false, width: 100 };
    each(texts, 2_000, &folder.path().join("a.ron"), |path| {
        let trace = match store::read_trace(path) {
            Ok(trace) => trace,
            Err(error) => return is_clear(&error),
        };
        let text = show::terminal(&trace, page);
        prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
        prop_assert!(text.len() < 1 << 20, "{} bytes", text.len());
        Ok(())
    });
}

#[test]
fn a_text_that_is_too_long_for_a_person_is_shown_in_part() {
    let folder = tempfile::tempdir().unwrap();
    let trace = String::from_utf8(traces(folder.path(), &["true"]).remove(0)).unwrap();
    let path = folder.path().join("a.ron");
    let (long, deep) = ("日".repeat(100_000), format!("p0{}", ".1".repeat(50_000)));
    for (short, long) in [("\"true\"", format!("{long:?}")), ("\"p0\"", format!("{deep:?}")), ("linux", long)]
    {
        let text = trace.replace(short, &long);
        fs::write(&path, text).unwrap();
        let trace = store::read_trace(&path).unwrap();
        for width in [20, 100] {
            let shown = show::terminal(&trace, Page { color: false, width });
            assert!(shown.lines().all(|line| line.chars().count() < 2_000), "{shown}");
        }
    }
}

/// That the command ended by itself, and blamed the file or nothing.
fn ended(output: &Output, words: &[&str]) -> Result<(), TestCaseError> {
    let error = String::from_utf8_lossy(&output.stderr);
    let code = output.status.code();
    let signal = output.status.signal();
    prop_assert!(matches!(code, Some(0 | 4 | 69 | 101 | 102)), "{words:?}: {code:?} {signal:?}: {error}");
    Ok(())
}

#[test]
fn the_command_ends_soon_and_in_little_memory_whatever_a_file_holds() {
    let folder = tempfile::tempdir().unwrap();
    let in_folder = |verbs: &'static [&'static [&'static str]]| {
        let folder = folder.path().to_owned();
        move |path: &Path| {
            for verb in verbs {
                let words = [&verb[..1], &[path.to_str().unwrap()], &verb[1..]].concat();
                ended(&sigrace(&folder, &words), &words)?;
            }
            Ok(())
        }
    };
    let file = |name: &str| -> PathBuf { folder.path().join(name) };
    each(scenarios(), 40, &file("scenario.ron"), in_folder(&[&["check"], &["run", "--list"]]));
    let recorded = traces(folder.path(), &["true"]);
    let missing =
        recorded.iter().map(|text| String::from_utf8_lossy(text).replace("/true\"", "/missing\"").into());
    let all = recorded.iter().cloned().chain(missing).collect();
    each(all, 40, &file("trace.ron"), in_folder(&[&["show"], &["replay"], &["shrink", "--trace-dir", "."]]));
    let report = |part: &str| {
        let explore = ["explore", "--seed", "1", "--runs", "6", "--format", "json", "--partition", part];
        let report =
            sigrace(folder.path(), &[&explore[..], &["--", "sh", "-c", "true & wait"]].concat()).stdout;
        assert!(report.starts_with(b"{"));
        report
    };
    fs::write(file("second.json"), report("hash:2/2")).unwrap();
    each(vec![report("hash:1/2")], 60, &file("first.json"), in_folder(&[&["merge", "second.json"]]));
}
