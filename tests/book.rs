//! The book of the scenarios: each family's page names its pairs as they are, and shows what the command prints of one.
//!
//! `SIGRACE_WRITE_BOOK=1 cargo test --test book` writes the outputs anew; without it they are compared.

mod found;
mod script;

use found::{AT_TERMINAL, FOUND, IN_OTHER_LANGUAGES, WHEN_TOLD};
use regex::Regex;
use sigrace::copies;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The families: the folders below `scenarios/`.
fn families() -> Vec<String> {
    let entries = fs::read_dir(root().join("scenarios")).unwrap().map(|entry| entry.unwrap().path());
    let folders = entries.filter(|path| path.is_dir());
    let mut names: Vec<String> =
        folders.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    assert!(names.len() > 5, "{names:?}");
    names
}

fn page(family: &str) -> PathBuf {
    root().join("scenarios").join(family).join("README.md")
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The pairs of a family, by the names of their files.
fn pairs(family: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(root().join("scenarios").join(family)).unwrap();
    let files = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let scenarios: BTreeSet<String> =
        files.filter_map(|file| file.strip_suffix(".ron").map(str::to_owned)).collect();
    let pairs: BTreeSet<String> =
        scenarios.iter().filter_map(|name| name.strip_suffix("_broken").map(str::to_owned)).collect();
    for name in &pairs {
        assert!(scenarios.contains(&format!("{name}_sound")), "{family}/{name} has no sound side");
    }
    assert_eq!(scenarios.len(), 2 * pairs.len(), "{family}: a scenario without its other side");
    pairs
}

/// The rows of a page's table: the cells of each, of which the first is the pair's name.
fn rows(page: &str) -> Vec<Vec<String>> {
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let cells = |row: &str| {
        let cells = row.trim_matches('|').split(" | ");
        cells.map(|cell| cell.trim().trim_matches('`').to_owned()).collect::<Vec<_>>()
    };
    rows.map(cells).collect()
}

#[test]
fn every_family_has_a_page_that_names_its_pairs_and_the_book_names_the_page() {
    let book = text(&root().join("scenarios/README.md"));
    for family in families() {
        assert!(book.contains(&format!("]({family}/README.md)")), "{family}");
        let page = text(&page(&family));
        let named: BTreeSet<String> = rows(&page).into_iter().map(|row| row[0].clone()).collect();
        assert_eq!(named, pairs(&family), "{family}");
    }
}

#[test]
fn what_the_pages_say_of_each_pair_is_so() {
    for family in families() {
        for row in rows(&text(&page(&family))) {
            let [name, bug, cure, steps, alone] = &row[..] else { panic!("{family}: {row:?}") };
            assert!(!bug.is_empty() && !cure.is_empty(), "{family}/{name}");
            let scenario = root().join(format!("scenarios/{family}/{name}_broken.ron"));
            let scenario = sigrace::store::read_scenario(&scenario).unwrap();
            let most = scenario.finds.iter().map(|known| known.schedule.steps.len()).max();
            let most = most.map_or("none: a warning".to_owned(), |most| most.to_string());
            assert_eq!(*steps, most, "{family}/{name}");
            let in_c = FOUND.iter().chain(&AT_TERMINAL).map(|(one, _)| one);
            let found = in_c.chain(IN_OTHER_LANGUAGES.iter().map(|(one, ..)| one)).any(|one| one == name);
            let told = WHEN_TOLD.iter().find(|(one, ..)| one == name).map(|(_, _, words)| words.join(" "));
            match (found, told) {
                (true, _) => assert_eq!(alone, "yes", "{family}/{name}"),
                (false, Some(words)) => assert_eq!(*alone, format!("with `{words}"), "{family}/{name}"),
                (false, None) => assert!(alone.starts_with("no: "), "{family}/{name}: {alone}"),
            }
        }
    }
}

/// What differs from machine to machine and is no part of what is shown: seconds, the place and name of the trace, offsets in
/// functions, and the C library's own calls before `main`.
fn neutral(output: &str) -> String {
    let mut text = output.to_owned();
    for (pattern, same) in [
        (r"\d+\.\d s\b", "N s"),
        (r"replay \S+\.ron", "replay TRACE"),
        (r"\+0x[0-9a-f]+", "+N"),
        (r"… \d+ calls?", "… calls"),
    ] {
        text = Regex::new(pattern).unwrap().replace_all(&text, same).into_owned();
    }
    let startup = |line: &&str| !["before prlimit64", "before set_robust_list"].contains(&line.trim());
    text.lines().filter(startup).map(str::trim_end).collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

/// What the commands of a block print.
fn printed(commands: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut printed = String::new();
    for command in commands {
        let command = command[2..].replace("fixtures/", &format!("{}/fixtures/", root().display()));
        let words: Vec<&str> = command.split_whitespace().collect();
        let output = if words[0] == "sigrace" {
            let mut command = script::command(folder.path(), &words[1..]);
            copies::output(command.env("SIGRACE_TRACE_DIR", "traces")).unwrap()
        } else {
            let output =
                copies::output(Command::new(words[0]).args(&words[1..]).current_dir(&folder)).unwrap();
            assert!(output.status.success(), "{command}: {}", script::stderr(&output));
            output
        };
        printed += &script::stdout(&output);
    }
    printed.replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn every_page_shows_what_the_command_prints() {
    let write = std::env::var_os("SIGRACE_WRITE_BOOK").is_some();
    for family in families() {
        let path = page(&family);
        let before = text(&path);
        let (head, rest) =
            before.split_once("```console\n").unwrap_or_else(|| panic!("{family} shows nothing"));
        let (block, tail) = rest.split_once("```").unwrap();
        let (commands, shown): (Vec<&str>, Vec<&str>) =
            block.lines().partition(|line| line.starts_with("$ "));
        assert!(commands.iter().any(|command| command.starts_with("$ sigrace ")), "{family}");
        let printed = printed(&commands);
        if write {
            let block = format!("{}\n{}\n", commands.join("\n"), printed.trim_end());
            fs::write(&path, format!("{head}```console\n{block}```{tail}")).unwrap();
        } else {
            assert_eq!(neutral(&shown.join("\n")), neutral(&printed), "{family}");
        }
    }
}
