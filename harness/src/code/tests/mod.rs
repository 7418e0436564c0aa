//! Programs that are built here, and what is read from them.

mod followed;
mod resolved;
mod unwound;

use super::*;
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// The program that most tests look at.
const LIST: &str = include_str!("list.c");

/// A program that was built for a test, and goes with it.
struct Built {
    folder: TempDir,
    path: PathBuf,
}

impl Built {
    fn image(&self) -> Image {
        Image::open(&self.path).unwrap()
    }
}

/// Builds a file with a compiler in a folder of its own; its paths are relative to that folder.
fn build_with(compiler: &str, file: &str, text: &str, flags: &[&str]) -> Built {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(file), text).unwrap();
    let path = folder.path().join("list");
    let map = format!("-ffile-prefix-map={}=.", folder.path().display());
    let mut command = Command::new(compiler);
    command.current_dir(folder.path()).args([&map, file, "-o", "list"]).args(flags);
    let output = crate::copies::output(&mut command).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Built { folder, path }
}

fn build(flags: &[&str]) -> Built {
    build_with("cc", "list.c", LIST, flags)
}

/// The line of the program on which this text is.
fn line_of(text: &str) -> u32 {
    let index = LIST.lines().position(|line| line.contains(text)).unwrap();
    index as u32 + 1
}

fn place(text: &str) -> Place {
    text.parse().unwrap()
}

const WAYS: [&[&str]; 6] = [
    &["-O0"],
    &["-O2"],
    &["-O0", "-static"],
    &["-O2", "-static"],
    &["-O2", "-no-pie", "-fno-plt"],
    &["-O0", "-Wl,-z,now", "-fcf-protection=full"],
];

fn with<'a>(way: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [way, more].concat()
}
