//! The recipes in `ci/` for other test tools, and for a package: each is used as its first lines say, where the tool is installed.

mod script;

use sigrace::copies;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// True if there is a command of this name; else it is told what is left out.
fn is_there(name: &str, package: &str) -> bool {
    let found = Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("skipped: there is no {name} (Debian: {package})");
    }
    found
}

/// A command that finds the built `sigrace`.
fn tool(name: &str, folder: &Path, words: &[&str]) -> Output {
    let built = Path::new(env!("CARGO_BIN_EXE_sigrace")).parent().unwrap().to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(built).chain(std::env::split_paths(&path))).unwrap();
    let mut command = script::command_of(name, folder, words);
    copies::output(command.env("PATH", path).env("SIGRACE_SEED", "1")).unwrap()
}

fn recipe(name: &str) -> String {
    fs::read_to_string(root().join("ci").join(name)).unwrap()
}

/// A folder with this fixture, broken or sound, under that name.
fn folder_with(fixture: &str, name: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(root().join("fixtures").join(fixture), folder.path().join(name)).unwrap();
    folder
}

#[test]
fn pytest_fails_where_something_is_found_and_shows_how_to_see_it_again() {
    if !is_there("pytest", "python3-pytest") {
        return;
    }
    for (fixture, code) in [("broken/lost_wakeup.c", 1), ("sound/lost_wakeup.c", 0)] {
        let folder = folder_with(fixture, "server.c");
        script::ends(&tool("cc", folder.path(), &["-g", "-o", "server", "server.c"]), 0);
        fs::write(folder.path().join("test_races.py"), recipe("test_races.py")).unwrap();
        let output = tool("pytest", folder.path(), &["-k", "SIGUSR1", "test_races.py"]);
        script::ends(&output, code);
        let said = script::stdout(&output);
        let shown = said.contains("it hangs") && said.contains("replay: sigrace replay sigrace-results/");
        assert!(if code == 1 { shown } else { said.contains("1 passed") }, "{said}");
    }
    // What it cannot explore is no pass.
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("test_races.py"), recipe("test_races.py")).unwrap();
    let output = tool("pytest", folder.path(), &["-k", "shutdown", "test_races.py"]);
    script::ends(&output, 1);
    assert!(script::stdout(&output).contains("sigrace ended with 102"), "{}", script::stdout(&output));
}

#[test]
fn ctest_fails_where_something_is_found_and_shows_how_to_see_it_again() {
    if !is_there("cmake", "cmake") {
        return;
    }
    for (fixture, code) in [("broken/lost_wakeup.c", 8), ("sound/lost_wakeup.c", 0)] {
        let folder = folder_with(fixture, "server.c");
        fs::write(folder.path().join("sigrace.cmake"), recipe("sigrace.cmake")).unwrap();
        let lists = "cmake_minimum_required(VERSION 3.14)
project(server C)
enable_testing()
include(sigrace.cmake)
add_executable(server server.c)
sigrace_test(server ARGUMENTS --port 8080 OPTIONS --send SIGUSR1)
";
        fs::write(folder.path().join("CMakeLists.txt"), lists).unwrap();
        script::ends(&tool("cmake", folder.path(), &["-B", "build", "-D", "CMAKE_BUILD_TYPE=Debug"]), 0);
        script::ends(&tool("cmake", folder.path(), &["--build", "build"]), 0);
        let words = ["--test-dir", "build", "--output-on-failure", "--label-regex", "races"];
        let output = tool("ctest", folder.path(), &words);
        script::ends(&output, code);
        let said = script::stdout(&output);
        let shown = said.contains("it hangs") && said.contains("replay: sigrace replay ");
        assert!(if code == 0 { said.contains("100% tests passed") } else { shown }, "{said}");
    }
}

#[test]
fn meson_fails_where_something_is_found_and_shows_how_to_see_it_again() {
    if !is_there("meson", "meson") || !is_there("ninja", "ninja-build") {
        return;
    }
    for (fixture, code) in [("broken/lost_wakeup.c", 1), ("sound/lost_wakeup.c", 0)] {
        let folder = folder_with(fixture, "program.c");
        fs::write(folder.path().join("meson.build"), recipe("meson.build")).unwrap();
        script::ends(&tool("meson", folder.path(), &["setup", "build"]), 0);
        let words = ["test", "-C", "build", "--suite", "races", "--print-errorlogs"];
        let output = tool("meson", folder.path(), &words);
        script::ends(&output, code);
        let said = script::stdout(&output);
        let shown = said.contains("it hangs") && said.contains("replay: sigrace replay ");
        assert!(if code == 0 { said.contains("Ok:                 1") } else { shown }, "{said}");
    }
}

#[test]
fn the_package_has_the_command_its_manual_completions_and_guide() {
    if !is_there("dpkg-deb", "dpkg") || !is_there("strip", "binutils") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let results = folder.path().to_str().unwrap();
    let recipe = root().join("ci/deb.sh");
    let mut command = script::command_of(recipe.to_str().unwrap(), folder.path(), &[results]);
    script::ends(&copies::output(command.env("SIGRACE", env!("CARGO_BIN_EXE_sigrace"))).unwrap(), 0);
    let package = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let listed = tool("dpkg-deb", folder.path(), &["--contents", package.to_str().unwrap()]);
    let listed = script::stdout(&listed);
    let mut wanted = vec![
        "./usr/bin/sigrace".to_owned(),
        "./usr/share/man/man1/sigrace.1.gz".to_owned(),
        "./usr/share/bash-completion/completions/sigrace".to_owned(),
        "./usr/share/zsh/vendor-completions/_sigrace".to_owned(),
        "./usr/share/fish/vendor_completions.d/sigrace.fish".to_owned(),
        "./usr/share/sigrace/report.schema.json".to_owned(),
        "./usr/share/sigrace/sigrace.h".to_owned(),
        "./usr/share/doc/sigrace/README.md".to_owned(),
    ];
    for verb in ["explore", "run", "replay", "show"] {
        wanted.push(format!("./usr/share/man/man1/sigrace-{verb}.1.gz"));
    }
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        wanted.push(format!("./usr/share/doc/sigrace/docs/{}", entry.unwrap().file_name().display()));
    }
    for name in wanted {
        assert!(listed.lines().any(|line| line.ends_with(&format!(" {name}"))), "{name} is not in\n{listed}");
    }
    // What is in it runs.
    let unpacked = folder.path().join("unpacked");
    let words = ["--extract", package.to_str().unwrap(), unpacked.to_str().unwrap()];
    script::ends(&tool("dpkg-deb", folder.path(), &words), 0);
    let version = tool(unpacked.join("usr/bin/sigrace").to_str().unwrap(), folder.path(), &["--version"]);
    assert_eq!(script::stdout(&version), concat!("sigrace ", env!("CARGO_PKG_VERSION"), "\n"));
}
