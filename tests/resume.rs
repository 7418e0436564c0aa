//! A search that was interrupted goes on where it was.

mod script;

use script::{ends, folder_with_fixture, sigrace, stderr, stdout};
use std::fs;
use std::path::Path;

/// Explores with runs kept in this folder, and gives the report and how many runs are kept now.
fn explored(folder: &Path, kept: &str, words: &[&str]) -> (String, usize) {
    let always = ["explore", "--format", "json", "--trace-dir", ".", "--resume", kept];
    let output = sigrace(folder, &[&always, words, &["--", "./prog"]].concat());
    ends(&output, 100);
    let runs = fs::read_to_string(folder.join(kept).join("runs")).unwrap();
    (stdout(&output), runs.lines().count() - 1)
}

#[test]
fn what_was_interrupted_goes_on_and_comes_to_the_same_report() {
    let folder = folder_with_fixture("broken/coalesced.c");
    let folder = folder.path();

    let (whole, runs) = explored(folder, "whole", &["--seed", "3"]);
    assert!(runs > 20, "{runs} runs");
    // As a kill leaves it: some of the runs, and half of the next one.
    let text = fs::read_to_string(folder.join("whole/runs")).unwrap();
    let (first, rest): (Vec<&str>, Vec<&str>) =
        (text.lines().take(9).collect(), text.lines().skip(9).collect());
    fs::create_dir(folder.join("cut")).unwrap();
    fs::write(folder.join("cut/runs"), format!("{}\n{}", first.join("\n"), &rest[0][..rest[0].len() / 2]))
        .unwrap();
    // The seed is the journal's, and so is the moment at which runs begin.
    let (again, now) = explored(folder, "cut", &[]);
    assert_eq!(again, whole);
    // What was there is not made again; what is missing is, and once more where the machine's load has tainted it.
    let kept = fs::read_to_string(folder.join("cut/runs")).unwrap();
    assert!(kept.starts_with(&first.join("\n")) && now > 9, "{now} runs");
    let (once_more, then) = explored(folder, "cut", &[]);
    assert_eq!((once_more, then), (whole, now));

    let told = sigrace(folder, &["explore", "--trace-dir", ".", "--resume", "cut", "--", "./prog"]);
    assert!(
        stdout(&told).contains(&format!("{now} runs of an earlier search are taken")),
        "{}",
        stdout(&told)
    );
    let other = sigrace(folder, &["explore", "--resume", "cut", "--seed", "4", "--", "./prog"]);
    ends(&other, 102);
    assert!(stderr(&other).contains("were made with the seed 3; remove it"), "{}", stderr(&other));
    let build = sigrace(folder, &["explore", "--resume", "cut", "--", "true"]);
    ends(&build, 102);
    assert!(stderr(&build).contains("another build of the program"), "{}", stderr(&build));
}
