//! Rules of the code, as tests: where unsafe is, who may name whom, that every fixture is used.

use regex::Regex;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every file below `folder` with this ending, relative to the project's root, with its text.
fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                let text = fs::read_to_string(&path).unwrap();
                let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
                found.push((name, text));
            }
        }
    }
    assert!(!found.is_empty(), "no {ending} file below {folder}");
    found
}

/// The product's own code: without unit tests and what only they use.
fn sources() -> Vec<(String, String)> {
    let tests = ["/tests.rs", "/arbitrary.rs", "/model.rs"];
    let mut files = files("harness/src", ".rs");
    files.retain(|(name, _)| !name.contains("/tests/") && !tests.iter().any(|test| name.ends_with(test)));
    for (_, text) in &mut files {
        let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
        text.truncate(end);
    }
    files
}

/// Files in whose code (comments aside) the pattern occurs, except where it is allowed.
fn offenders(pattern: &str, allowed: impl Fn(&str) -> bool) -> Vec<String> {
    let pattern = Regex::new(pattern).unwrap();
    let code = |text: &str| {
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        lines.collect::<Vec<_>>().join("\n")
    };
    let mut found: Vec<String> = sources()
        .into_iter()
        .filter(|(name, text)| !allowed(name) && pattern.is_match(&code(text)))
        .map(|(name, _)| name)
        .collect();
    found.sort();
    found
}

#[test]
fn unsafe_code_has_one_address() {
    assert_eq!(offenders(r"\bunsafe\b", |name| name.starts_with("harness/src/sys/")), [""; 0]);
    // The crate that programs use has the one call that it is for.
    let probe: String = files("harness/probe", ".rs").into_iter().map(|(_, text)| text).collect();
    assert_eq!(Regex::new(r"\bunsafe \{").unwrap().find_iter(&probe).count(), 1);
}

#[test]
fn only_the_supervisor_and_the_doctor_talk_to_the_kernel_interface() {
    let may = ["harness/src/sys/", "harness/src/supervise/", "harness/src/doctor"];
    assert_eq!(
        offenders(r"\b(crate|super)::sys\b", |name| may.iter().any(|may| name.starts_with(may))),
        [""; 0]
    );
}

#[test]
fn the_supervisor_knows_no_scenario_and_no_verdict() {
    let others = |name: &str| !name.starts_with("harness/src/supervise/");
    assert_eq!(offenders(r"crate::(scenario|judge|explore|suite|show|store|cli)\b|Verdict", others), [""; 0]);
}

#[test]
fn machine_code_is_read_without_processes_and_schedules() {
    let others = |name: &str| !name.starts_with("harness/src/code/");
    assert_eq!(offenders(r"\bcrate::|std::process|\bnix::", others), [""; 0]);
}

#[test]
fn only_the_command_prints() {
    assert_eq!(offenders(r"\be?println!|\be?print!", |name| name.starts_with("harness/src/cli/")), [""; 0]);
}

#[test]
fn values_do_no_input_or_output() {
    let values = ["signal", "probe", "build", "schedule", "program", "scenario", "trace"];
    let others = |name: &str| !values.iter().any(|value| name == format!("harness/src/{value}.rs"));
    assert_eq!(offenders(r"std::(fs|process|net|io)\b|\bnix::|\blibc::", others), [""; 0]);
}

#[test]
fn no_file_is_too_long_to_read() {
    let long = |(name, text): &(String, String)| {
        (text.lines().count() > 650).then(|| format!("{name}: {} lines", text.lines().count()))
    };
    assert_eq!(sources().iter().filter_map(long).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn every_fixture_is_used_and_every_broken_one_has_a_cure() {
    let scenarios: String = files("scenarios", ".ron").into_iter().map(|(_, text)| text).collect();
    for (name, _) in [".c", ".go", ".py", ".sh"].into_iter().flat_map(|ending| files("fixtures", ending)) {
        let name = name.trim_start_matches("fixtures/").to_owned();
        let is_script = name.ends_with(".py") || name.ends_with(".sh");
        let used =
            if is_script { format!("\"../../fixtures/{name}\"") } else { format!("Source(\"{name}\")") };
        assert!(scenarios.contains(&used), "no scenario uses {name}");
        let twin = match name.split_once('/') {
            Some(("broken", file)) => format!("fixtures/sound/{file}"),
            Some(("sound", file)) => format!("fixtures/broken/{file}"),
            _ => panic!("{name} is neither broken nor sound"),
        };
        assert!(root().join(&twin).exists(), "{twin} is missing");
    }
}

#[test]
fn the_readme_has_the_two_commands_and_ci_runs_the_second() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(readme.contains("\n    cargo run --release -- run\n") && readme.contains("\n    cargo test\n"));
    let ci = fs::read_to_string(root().join(".ci/run")).unwrap();
    assert!(ci.lines().any(|line| line.starts_with("cargo test")), ".ci/run does not run the tests");
}

/// The files of one folder that name each other, as edges by their names without the ending.
fn neighbours(folder: &str) -> Vec<(String, String)> {
    let prefix = format!("harness/src/{folder}/");
    let import = Regex::new(r"\bsuper::([a-z_]+)").unwrap();
    let mut edges = Vec::new();
    for (name, text) in sources() {
        let Some(file) = name.strip_prefix(&prefix).and_then(|file| file.strip_suffix(".rs")) else {
            continue;
        };
        // What the door of a room names is the room itself; a folder below it belongs to the file of its name.
        if file == "mod" || file.contains('/') {
            continue;
        }
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let code = code.filter(|line| !line.contains("pub(in super") && !line.contains("pub(super"));
        for line in code {
            edges.extend(import.captures_iter(line).map(|found| (file.to_owned(), found[1].to_owned())));
        }
    }
    assert!(!edges.is_empty(), "nobody in {folder} names anybody");
    edges
}

/// A way from a file back to itself, if there is one.
fn circle(edges: &[(String, String)], way: &mut Vec<String>) -> bool {
    let here = way.last().unwrap().clone();
    for (_, next) in edges.iter().filter(|(from, _)| *from == here) {
        let closed = *next == way[0];
        if !closed && way.contains(next) {
            continue;
        }
        way.push(next.clone());
        if closed || circle(edges, way) {
            return true;
        }
        way.pop();
    }
    false
}

#[test]
fn files_of_one_room_do_not_need_each_other_in_a_circle() {
    for room in ["explore", "judge", "suite", "show", "cli", "checks", "store"] {
        let edges = neighbours(room);
        for (file, _) in &edges {
            let mut way = vec![file.clone()];
            assert!(!circle(&edges, &mut way), "{room}: {}", way.join(" -> "));
        }
    }
    // A name that comes by the room's door would hide whose it is.
    let by_the_door = |name: &str| !name.starts_with("harness/src/explore/") || name.ends_with("/mod.rs");
    assert_eq!(offenders(r"use super::(\{|[A-Z])", by_the_door), [""; 0]);
}

/// Supervision has rooms in its room, whose files name each other by their whole paths.
#[test]
fn files_of_supervision_do_not_need_each_other_in_a_circle() {
    let import = Regex::new(r"\bcrate::supervise::([a-z_]+)(?:::([a-z_]+))?").unwrap();
    let path = |name: &str| {
        let inside = name.strip_prefix("harness/src/supervise/")?.strip_suffix(".rs")?;
        let inside = inside.strip_suffix("/mod").unwrap_or(inside).replace('/', "::");
        (inside != "mod" && !inside.ends_with("::tests")).then_some(inside)
    };
    let files: Vec<(String, String)> =
        sources().into_iter().filter_map(|(name, text)| Some((path(&name)?, text))).collect();
    let named = |text: &str| -> Vec<String> {
        let code = text.split("#[cfg(test)]").next().unwrap_or_default().lines();
        let code = code.filter(|line| !line.trim_start().starts_with("//"));
        let both = code.flat_map(|line| {
            import.captures_iter(line).flat_map(|found| {
                let room = found[1].to_owned();
                let file = found.get(2).map(|file| format!("{room}::{}", file.as_str()));
                [Some(room), file].into_iter().flatten().collect::<Vec<_>>()
            })
        });
        both.filter(|name| files.iter().any(|(file, _)| file == name)).collect()
    };
    let mut left: Vec<(&String, Vec<String>)> = files
        .iter()
        .map(|(file, text)| (file, named(text).into_iter().filter(|name| name != file).collect()))
        .collect();
    assert!(left.len() > 40 && left.iter().any(|(_, names)| !names.is_empty()));
    // Whoever needs nobody that is left can be read and put aside.
    loop {
        let before = left.len();
        let there: Vec<String> = left.iter().map(|(file, _)| (*file).clone()).collect();
        left.retain(|(_, names)| names.iter().any(|name| there.contains(name)));
        if left.len() == before {
            break;
        }
    }
    let circle: Vec<_> = left.iter().map(|(file, _)| file).collect();
    assert!(circle.is_empty(), "{circle:?}");
}

#[test]
fn what_makes_and_judges_a_run_knows_no_search() {
    let upper = ["search", "follow", "cover", "strategy", "findings"];
    let known: Vec<_> = neighbours("explore")
        .into_iter()
        .filter(|(file, named)| {
            ["crew", "ledger", "shrink", "confirm"].contains(&file.as_str())
                && upper.contains(&named.as_str())
        })
        .collect();
    assert_eq!(known, []);
}

#[test]
fn a_strategy_and_an_expectation_are_listed_in_one_place() {
    let but_in = |room: &'static str, list: &'static str| {
        move |name: &str| {
            !name.starts_with(&format!("harness/src/{room}")) || name == format!("harness/src/{list}.rs")
        }
    };
    let planners = files("harness/src/explore", ".rs");
    let planners = planners.iter().filter(|(_, text)| text.contains("\nimpl Planner for "));
    let planners: Vec<&str> =
        planners.map(|(name, _)| name.rsplit('/').next().unwrap().trim_end_matches(".rs")).collect();
    assert!(planners.len() >= 4, "{planners:?}");
    let named = format!(r"\bsuper::({})::", planners.join("|"));
    assert_eq!(offenders(&named, but_in("explore", "explore/strategy")), [""; 0]);
    let judged = files("harness/src/judge", ".rs");
    let judged = judged.iter().filter(|(_, text)| text.contains(": Kind = Kind {"));
    let judged: Vec<&str> =
        judged.map(|(name, _)| name.rsplit('/').next().unwrap().trim_end_matches(".rs")).collect();
    assert!(judged.len() >= 10, "{judged:?}");
    let named = format!(r"\b({})::[A-Z]+\b", judged.join("|"));
    assert_eq!(offenders(&named, but_in("judge", "judge")), [""; 0]);
}
