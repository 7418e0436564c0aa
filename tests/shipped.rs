//! What comes with the command: completions for shells, and pages of the manual.

mod script;

use script::{complaints, ends, sigrace, stdout};
use sigrace::copies;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The verbs that `sigrace --help` lists.
fn verbs() -> Vec<String> {
    let help = stdout(&sigrace(Path::new("."), &["--help"]));
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let listed = listed.take_while(|line| !line.is_empty());
    // What goes on in a further line is indented further.
    let verbs = listed.filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
    verbs.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// What a shell prints that obeys these lines, where there is such a shell.
fn shell(shell: &str, options: &[&str], lines: &str) -> Option<String> {
    let there = |folder: &str| Path::new(folder).join(shell).exists();
    if !["/bin", "/usr/bin", "/usr/local/bin"].into_iter().any(there) {
        println!("skipped: there is no {shell}");
        return None;
    }
    let output = copies::output(Command::new(shell).args(options).args(["-c", lines])).unwrap();
    assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{shell}");
    Some(String::from_utf8(output.stdout).unwrap())
}

/// Writes the completions for this shell to a file; gives its path.
fn completions(name: &str, folder: &Path) -> String {
    let output = sigrace(folder, &["completions", name]);
    ends(&output, 0);
    let file = folder.join(name);
    fs::write(&file, stdout(&output)).unwrap();
    file.to_string_lossy().into_owned()
}

#[test]
fn bash_completes_verbs_options_and_their_values() {
    let folder = tempfile::tempdir().unwrap();
    let file = completions("bash", folder.path());
    let complete = |words: &[&str]| {
        let last = words.len() - 1;
        let lines = format!(
            ". {file}; COMP_WORDS=({}); COMP_CWORD={last}; _sigrace sigrace '{}' '{}'; echo \"${{COMPREPLY[@]}}\"",
            words.join(" "),
            words[last],
            words[last - 1]
        );
        shell("bash", &["--norc"], &lines)
    };
    for (words, wanted) in [
        (&["sigrace", "exp"][..], "explore\n"),
        (&["sigrace", "explore", "--send-"], "--send-to\n"),
        (&["sigrace", "explore", "--network", "h"], "host\n"),
        (&["sigrace", "completions", "z"], "zsh\n"),
    ] {
        if let Some(completed) = complete(words) {
            assert_eq!(completed, wanted, "{words:?}");
        }
    }
    let mut all = verbs();
    all.push("help".to_owned());
    if let Some(completed) = complete(&["sigrace", "ANY"]) {
        assert_eq!(completed, "\n");
    }
    if let Some(completed) = complete(&["sigrace", "''"]) {
        let completed: Vec<&str> = completed.split_whitespace().collect();
        assert!(all.iter().all(|verb| completed.contains(&verb.as_str())), "{completed:?}, not {all:?}");
    }
}

#[test]
fn other_shells_read_their_completions() {
    let folder = tempfile::tempdir().unwrap();
    let file = completions("zsh", folder.path());
    fs::rename(&file, folder.path().join("_sigrace")).unwrap();
    let lines = format!(
        "fpath=({} $fpath); autoload -U compinit; compinit -u -D; echo $_comps[sigrace]; autoload +X -Uz _sigrace",
        folder.path().display()
    );
    assert!(shell("zsh", &["-f"], &lines).is_none_or(|told| told == "_sigrace\n"));
    let file = completions("fish", folder.path());
    let lines = format!("source {file}; complete --do-complete 'sigrace shri'");
    if let Some(told) = shell("fish", &["--no-config"], &lines) {
        assert!(told.starts_with("shrink\t") && told.lines().count() == 1, "{told}");
    }
    ends(&sigrace(folder.path(), &["completions", "tcsh"]), 2);
}

/// The long options that `--help` of this verb names at the beginning of a line.
fn options(verb: &str) -> Vec<String> {
    let help = stdout(&sigrace(Path::new("."), &[verb, "--help"]));
    let named = |line: &str| {
        let line = line.trim_start().strip_prefix('-')?;
        let long = line.split_once("--").map_or_else(|| line.strip_prefix('-'), |(_, long)| Some(long))?;
        let end = long.find(|c: char| !c.is_ascii_lowercase() && c != '-').unwrap_or(long.len());
        Some(long[..end].to_owned())
    };
    help.lines().filter_map(named).filter(|name| !name.is_empty()).collect()
}

#[test]
fn every_verb_has_a_page_of_the_manual_with_all_its_options() {
    let folder = tempfile::tempdir().unwrap();
    ends(&sigrace(folder.path(), &["man", "--dir", "."]), 0);
    let verbs = verbs();
    assert!(verbs.len() >= 12, "{verbs:?}");
    let pages: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(pages.len(), verbs.len(), "one for each verb but help, and the command's own");
    let whole = fs::read_to_string(folder.path().join("sigrace.1")).unwrap();
    for verb in verbs.iter().filter(|verb| *verb != "help") {
        assert!(whole.contains(&format!("sigrace\\-{verb}(1)")), "{verb}");
        let page = fs::read_to_string(folder.path().join(format!("sigrace-{verb}.1"))).unwrap();
        let printed = sigrace(folder.path(), &["man", verb]);
        ends(&printed, 0);
        assert_eq!(stdout(&printed).trim_end(), page.trim_end());
        let options = options(verb);
        assert!(options.contains(&"help".to_owned()), "{verb}: {options:?}");
        for option in options {
            assert!(page.contains(&option.replace('-', "\\-")), "{verb}: --{option}");
        }
    }
    let lines = format!("cd {} && groff -man -Tutf8 -ww -z *.1", folder.path().display());
    let groff = Command::new("groff").arg("--version").output().is_ok();
    assert!(!groff || shell("sh", &[], &lines).is_some_and(|told| told.is_empty()));
}

#[test]
fn a_page_that_there_is_none_of_and_a_folder_that_is_not_there_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let output = sigrace(folder.path(), &["man", "exploration"]);
    ends(&output, 2);
    assert!(
        complaints(&output).concat().contains("there is no verb `exploration`; there are run, explore, ")
    );
    let output = sigrace(folder.path(), &["man", "--dir", "nowhere"]);
    ends(&output, 102);
    assert!(complaints(&output).concat().contains("nowhere/sigrace.1"), "{:?}", complaints(&output));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
