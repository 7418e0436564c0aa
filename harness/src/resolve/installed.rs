//! Programs that are not installed on this machine, and what has them.

use super::executable;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The kernel reads no more of a script's first line (execve(2)).
const FIRST_LINE: u64 = 256;

/// Programs that scenarios are often about or written for, and Debian's packages that have them.
const PACKAGES: [(&str, &str); 11] = [
    ("bash", "bash"),
    ("curl", "curl"),
    ("go", "golang-go"),
    ("nc", "netcat-openbsd"),
    ("nginx", "nginx"),
    ("node", "nodejs"),
    ("perl", "perl"),
    ("python3", "python3"),
    ("redis-server", "redis-server"),
    ("ruby", "ruby"),
    ("sshd", "openssh-server"),
];

/// Where Debian's programs are. What is elsewhere comes from somebody else.
const FOLDERS: [&str; 4] = ["/bin", "/sbin", "/usr/bin", "/usr/sbin"];

/// A program's name without its folder.
pub(super) fn base(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

/// What to do about a program that is not there, as the end of a sentence; nothing where that is not known.
pub(super) fn remedy(program: &str) -> String {
    let name = base(program);
    let folder = program.strip_suffix(name).unwrap_or_default().trim_end_matches('/');
    let package = PACKAGES.iter().find(|(program, _)| *program == name);
    let package = package.filter(|_| folder.is_empty() || FOLDERS.contains(&folder));
    package.map_or(String::new(), |(_, package)| format!("; install it (Debian: apt install {package})"))
}

/// The program of a script's first line that is not there: its interpreter, or what that is told to start if it is env(1).
pub(super) fn missing_interpreter(script: &Path, path: &str, cwd: &Path) -> Option<String> {
    let mut beginning = Vec::new();
    File::open(script).ok()?.take(FIRST_LINE).read_to_end(&mut beginning).ok()?;
    let line = beginning.strip_prefix(b"#!")?.split(|&byte| byte == b'\n').next()?;
    let mut words = line.split(|byte| b" \t".contains(byte)).filter(|word| !word.is_empty());
    let interpreter = PathBuf::from(OsStr::from_bytes(words.next()?));
    if is_missing(&interpreter) {
        return Some(interpreter.to_str()?.to_owned());
    }
    let name = std::str::from_utf8(words.next()?).ok()?;
    let is_name = !name.starts_with('-') && !name.contains(['=', '/']);
    (interpreter.file_name() == Some(OsStr::new("env")) && is_name && executable(name, path, cwd).is_err())
        .then(|| name.to_owned())
}

/// True if there is nothing at an absolute path.
pub(super) fn is_missing(file: &Path) -> bool {
    file.is_absolute() && fs::metadata(file).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_says_what_it_needs_in_its_first_line() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("script");
        let missing = |text: &str| {
            fs::write(&script, text).unwrap();
            missing_interpreter(&script, "/bin", folder.path())
        };
        assert_eq!(missing("#!/no/such -x\n").as_deref(), Some("/no/such"));
        assert_eq!(missing("#! /usr/bin/env no-such\n").as_deref(), Some("no-such"));
        for text in [
            "",
            "#!",
            "#!\n/no/such",
            "#!/bin/sh",
            "#!/usr/bin/env sh\n",
            "#!/usr/bin/env -S no-such",
            "echo",
        ] {
            assert_eq!(missing(text), None, "{text}");
        }
        assert_eq!(missing_interpreter(Path::new("/bin/sh"), "/bin", folder.path()), None);
    }

    #[test]
    fn what_to_install_is_told_by_the_name_of_the_package() {
        assert_eq!(remedy("/usr/bin/python3"), "; install it (Debian: apt install python3)");
        assert_eq!(remedy("go"), "; install it (Debian: apt install golang-go)");
        assert_eq!(remedy("/opt/x/nginx"), "");
        assert_eq!(remedy("no-such"), "");
    }
}
