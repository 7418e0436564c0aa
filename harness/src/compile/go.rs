//! Programs of Go: one file, which needs nothing but the standard library.

use super::{CompileError, digest_of};
use crate::copies;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::OnceLock;

/// No path of the machine gets into the program (`go help build`); the build's own number would hold one in a digest.
const FLAGS: [&str; 2] = ["-trimpath", "-ldflags=-buildid=sigrace"];

/// What would change the program behind the source's back: settings of the user's, modules around the file, a C compiler, another
/// version of Go that would be fetched (`go help environment`).
const SETTINGS: [(&str, &str); 5] = [
    ("CGO_ENABLED", "0"),
    ("GO111MODULE", "off"),
    ("GOFLAGS", ""),
    ("GOTOOLCHAIN", "local"),
    ("GOWORK", "off"),
];

/// A name for what will be built: from the source, the settings, and the compiler's version.
pub(super) fn key(source: &Path) -> Result<String, CompileError> {
    let text =
        fs::read(source).map_err(|reason| CompileError::Source { source_file: source.to_owned(), reason })?;
    let settings = SETTINGS.map(|(name, value)| format!("{name}={value}")).join(" ");
    let flags = FLAGS.join(" ");
    Ok(digest_of([version()?.as_bytes(), flags.as_bytes(), settings.as_bytes(), &text]))
}

/// Builds the file with this name in this folder.
pub(super) fn build(folder: &Path, name: &OsStr, output: &Path) -> Result<(), CompileError> {
    let result = go(&["build"], |go| {
        go.current_dir(folder).args(FLAGS).arg("-o").arg(output).arg(Path::new(".").join(name));
    })?;
    if result.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&result.stderr).trim_end().to_owned();
    let text = if text.is_empty() { result.status.to_string() } else { text };
    Err(CompileError::Refused { compiler: "go", source_file: folder.join(name), text })
}

/// Why there is no compiler, if there is none.
pub(crate) fn missing() -> Option<CompileError> {
    version().err()
}

/// What the compiler says that it is; asked once.
fn version() -> Result<&'static str, CompileError> {
    static VERSION: OnceLock<String> = OnceLock::new();
    if let Some(version) = VERSION.get() {
        return Ok(version);
    }
    let output = go(&["version"], |_| ())?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
        return Err(CompileError::NoGo(io::Error::other(text)));
    }
    Ok(VERSION.get_or_init(|| String::from_utf8_lossy(&output.stdout).into_owned()))
}

fn go(words: &[&str], with: impl Fn(&mut Command)) -> Result<Output, CompileError> {
    let mut go = Command::new("go");
    go.args(words).envs(SETTINGS);
    with(&mut go);
    copies::output(&mut go).map_err(CompileError::NoGo)
}
