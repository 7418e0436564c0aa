//! Which script a program was started for.
//!
//! Two facts tell. The file that is executed is a script itself, so that the kernel executes its interpreter (execve(2),
//! "Interpreter scripts"). Or its first argument that is no option names a file whose first line says that this very program
//! executes it, by its path or by `env NAME`. An argument that is merely a file says nothing: a server reads its
//! configuration as well.

use crate::explore::is_shell;
use crate::program::Launch;
use crate::store;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The kernel looks at no more of the first line (execve(2)).
const LINE: u64 = 255;

/// The script's file, absolute; none if it is not known that it is one.
pub fn script(launch: &Launch) -> Option<PathBuf> {
    if first_line(&launch.file).is_some() {
        return Some(launch.file.components().collect());
    }
    let argument = launch.argv.iter().skip(1).find(|argument| !argument.starts_with('-'))?;
    let file = launch.cwd.join(argument);
    let interpreter = interpreter(&first_line(&file)?, launch)?;
    let same = interpreter.canonicalize().ok()? == launch.file.canonicalize().ok()?;
    // As it is told: without a `.` in between.
    same.then(|| file.components().collect())
}

/// True if what runs is a script, or a shell with what it was given to do.
pub fn is_interpreted(launch: &Launch) -> bool {
    script(launch).is_some() || launch.file.canonicalize().is_ok_and(|file| is_shell(&file))
}

/// What follows `#!` in the first line of a regular file, if it begins so.
fn first_line(file: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    store::open(file).ok()?.take(LINE).read_to_end(&mut bytes).ok()?;
    let line = bytes.split(|byte| *byte == b'\n').next()?.strip_prefix(b"#!")?;
    String::from_utf8(line.to_vec()).ok()
}

/// The program that this line names; for `env NAME` the one of that name.
fn interpreter(line: &str, launch: &Launch) -> Option<PathBuf> {
    let mut words = line.split_ascii_whitespace();
    let program = PathBuf::from(words.next()?);
    if program.file_name()? != "env" {
        return Some(program);
    }
    let name = words.find(|word| !word.starts_with('-') && !word.contains('='))?;
    let folders = launch.env.get("PATH")?.split(':');
    folders.map(|folder| launch.cwd.join(folder).join(name)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// In a folder with the programs `dash` and `sh`, its link, and these files, which script `words` mean.
    fn meant(files: &[(&str, &str)], words: &[&str]) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        fs::write(folder.join("dash"), "\x7fELF").unwrap();
        symlink("dash", folder.join("sh")).unwrap();
        for (name, text) in files {
            fs::write(folder.join(name), text.replace("HERE", folder.to_str().unwrap())).unwrap();
        }
        let path = ("PATH".to_owned(), folder.to_str().unwrap().to_owned());
        let launch = Launch {
            file: folder.join(words[0]),
            argv: words.iter().map(|word| (*word).to_owned()).collect(),
            env: [path].into(),
            cwd: folder.clone(),
            stdin: None,
            source: None,
            build: None,
        };
        let file = script(&launch)?;
        Some(file.strip_prefix(&folder).unwrap().to_str().unwrap().to_owned())
    }

    #[test]
    fn a_script_is_what_the_kernel_or_its_first_line_says() {
        let own = ("own", "#!HERE/sh -e\ntrue\n");
        let found = ("found", "#!/usr/bin/env -S A=b dash\n");
        let other = ("other", "#!/bin/another\n");
        let conf = ("server.conf", "listen 80\n");
        let files = [own, found, other, conf];
        assert_eq!(meant(&files, &["other"]).as_deref(), Some("other"));
        for words in [["dash", "own"], ["sh", "own"]] {
            assert_eq!(meant(&files, &words).as_deref(), Some("own"));
        }
        assert_eq!(meant(&files, &["sh", "-x", "found", "own"]).as_deref(), Some("found"));
        let none: [&[&str]; 6] = [
            &["dash"],
            &["dash", "server.conf"],
            &["dash", "other"],
            &["dash", "absent", "own"],
            &["dash", "-c", ". ./own", "own"],
            &["dash", "."],
        ];
        for words in none {
            assert_eq!(meant(&files, words), None, "{words:?}");
        }
    }
}
