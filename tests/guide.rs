//! The documents: what they show is what the command prints, what they name exists, and each page is listed.

mod script;

use regex::Regex;
use sigrace::copies;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Every page there is: its path from the top, and its text.
fn pages() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if entry.file_type().unwrap().is_dir() {
                if name != "target" && !name.starts_with('.') {
                    folders.push(entry.path());
                }
            } else if name.ends_with(".md") {
                let path = entry.path().strip_prefix(root()).unwrap().display().to_string();
                found.push((path, fs::read_to_string(entry.path()).unwrap()));
            }
        }
    }
    found.sort();
    assert!(found.len() > 10, "{found:?}");
    found
}

/// What differs from machine to machine and is no part of what an example shows: seconds, the name of the
/// trace, offsets in functions, and the C library's own calls before `main`.
fn neutral(output: &str) -> Vec<String> {
    let seconds = Regex::new(r"in \d+\.\d s").unwrap();
    let trace = Regex::new(r"replay \S+").unwrap();
    let offset = Regex::new(r"\+0x[0-9a-f]+").unwrap();
    let build = Regex::new(r"-[0-9a-f]{8}\.").unwrap();
    let output = seconds.replace_all(output, "in N s");
    let output = trace.replace_all(&output, "replay TRACE");
    let output = offset.replace_all(&output, "+N");
    let output = build.replace_all(&output, "-BUILD.");
    let mut startup = false;
    let kept = output.lines().filter(|line| {
        let line = line.trim();
        if line.starts_with("before rt_sigaction") {
            startup = false;
        }
        let skip = startup;
        if line.starts_with("runs ") {
            startup = true;
        }
        !skip
    });
    kept.map(|line| line.trim_end().to_owned()).collect()
}

/// Whether this was printed: line by line, where `…` stands for any lines.
fn is_shown(shown: &[String], printed: &[String]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((first, rest)) if first == "…" => {
            (0..=printed.len()).any(|skip| is_shown(rest, &printed[skip..]))
        }
        Some((first, rest)) => printed.first() == Some(first) && is_shown(rest, &printed[1..]),
    }
}

/// A command, `$ ` before it, and the lines that are shown below it.
fn examples(page: &str) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    for block in page.split("```console\n").skip(1).filter_map(|rest| rest.split("```").next()) {
        for line in block.lines() {
            match line.strip_prefix("$ ") {
                Some(command) => found.push((command.to_owned(), Vec::new())),
                None => found.last_mut().expect("a block begins with a command").1.push(line.to_owned()),
            }
        }
    }
    found
}

#[test]
fn the_documents_show_what_the_commands_print() {
    // A trace is named after the program's build, which is another on each machine.
    let build = Regex::new(r"-[0-9a-f]{8}\.ron").unwrap();
    let mut seen = 0;
    // Those of the catalogue are made by the test of the book.
    for (name, text) in pages().into_iter().filter(|(name, _)| !name.starts_with("scenarios/")) {
        // One page is one story: what a command has made is there for the next one.
        let folder = tempfile::tempdir().unwrap();
        symlink(root().join("fixtures"), folder.path().join("fixtures")).unwrap();
        fs::create_dir(folder.path().join("scenarios")).unwrap();
        for (command, shown) in examples(&text) {
            seen += 1;
            let command = build
                .replace_all(&command, "-*.ron")
                .replace("sigrace ", &format!("{} ", shell_words::quote(env!("CARGO_BIN_EXE_sigrace"))));
            let mut shell = script::command_of("sh", folder.path(), &["-c", &command]);
            shell.env("SIGRACE_TRACE_DIR", "sigrace-traces");
            let output = copies::output(&mut shell).unwrap();
            let printed = script::stdout(&output);
            let said = script::complaints(&output).join("\n");
            // What is told on standard error is shown where it is what the example is about.
            let both = format!("{said}\n{printed}");
            let shown_is = |text: &str| is_shown(&neutral(&shown.join("\n")), &neutral(text));
            assert!(
                shown_is(&printed) || shown_is(&both),
                "{name}: {command}\n{}\nis shown, and this is printed:\n{printed}\n{said}",
                shown.join("\n")
            );
        }
    }
    assert!(seen >= 8, "{seen} commands");
}

#[test]
fn what_the_documents_link_to_is_there() {
    let link = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let word = Regex::new(r"[^\w\- ]").unwrap();
    let anchors = |text: &str| -> BTreeSet<String> {
        let headings = text.lines().filter_map(|line| line.trim_start_matches('#').strip_prefix(' '));
        headings.map(|line| word.replace_all(&line.to_lowercase(), "").replace(' ', "-")).collect()
    };
    let mut followed = 0;
    for (name, text) in pages() {
        for found in link.captures_iter(&text).map(|found| found[1].to_owned()) {
            if found.contains("://") {
                continue;
            }
            followed += 1;
            let (file, anchor) = found.split_once('#').unwrap_or((&found, ""));
            let path = match file {
                "" => root().join(&name),
                file => root().join(&name).parent().unwrap().join(file),
            };
            assert!(path.exists(), "{name}: there is no {found}");
            let there = || fs::read_to_string(&path).unwrap();
            assert!(anchor.is_empty() || anchors(&there()).contains(anchor), "{name}: there is no {found}");
        }
    }
    assert!(followed > 20, "{followed} links");
}

/// Words of other commands that the documents name, by the command's name.
const OF_OTHERS: [(&str, &[&str]); 2] =
    [("cargo", &["--bench", "--path", "--release"]), ("parallel", &["--halt"])];

#[test]
fn every_option_that_the_documents_name_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let help = |words: &[&str]| script::stdout(&script::sigrace(folder.path(), words));
    let option = Regex::new(r"(?:^|[\s`(\[|])(--[a-z][a-z-]*)").unwrap();
    let verb = Regex::new(r"(?m)^  ([a-z]+)  ").unwrap();
    let mut known: BTreeSet<String> =
        OF_OTHERS.iter().flat_map(|(_, words)| words.iter().map(|word| (*word).to_owned())).collect();
    for found in verb.captures_iter(&help(&["--help"])) {
        let text = help(&[&found[1], "--help"]);
        known.extend(option.captures_iter(&text).map(|found| found[1].to_owned()));
    }
    assert!(known.contains("--limit-time") && known.contains("--times"), "{known:?}");
    let ours =
        |name: &str| name == "README.md" || name.starts_with("docs/") || name.starts_with("scenarios/");
    for (name, text) in pages().into_iter().filter(|(name, _)| ours(name)) {
        for found in option.captures_iter(&text) {
            assert!(known.contains(&found[1]), "{name} names {}, which is no option", &found[1]);
        }
    }
}

#[test]
fn the_readme_fits_a_first_look_and_lists_every_page() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(readme.lines().count() <= 120);
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(readme.contains(&format!("](docs/{name})")), "README.md does not list {name}");
    }
}
