//! From what a person names to how the program starts: the file, its arguments, its environment, its folder.
//!
//! The environment is small on purpose. It is part of what decides a run, and it is written into traces, which people
//! send to each other: nothing that may be a secret gets in unless it was named.

mod installed;

use crate::build::Build;
use crate::client::{self, Client};
use crate::code::CodeError;
use crate::compile::{self, CompileError};
use crate::program::{Launch, Program};
use crate::scenario::Scenario;
use nix::libc::major;
use nix::unistd::{AccessFlags, access};
use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// `PATH` where the harness itself has none.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// What a program on the command line gets of the harness's own environment, besides `LC_*`.
const INHERITED: [&str; 10] =
    ["PATH", "HOME", "LANG", "LANGUAGE", "TERM", "TMPDIR", "TZ", "USER", "LOGNAME", "SHELL"];

/// The major number of `/dev/null`, `/dev/zero` and their like.
const MEMORY_DEVICES: u32 = 1;

/// Why a program cannot be started, found out before anything is run.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// There is no program in an empty command.
    #[error("the command is empty: expected a program and its arguments")]
    Empty,
    /// A name without a slash that is nowhere in `PATH`.
    #[error("no program `{name}` in PATH ({path}){}", installed::remedy(name))]
    NotInPath {
        /// The name.
        name: String,
        /// What was looked through.
        path: String,
    },
    /// A file that cannot be run.
    #[error("cannot run {}: {reason}", file.display())]
    NotRunnable {
        /// The file.
        file: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A program, or what a script needs, that is named by its full path, and is not there.
    #[error("no program {name} here{}{}", script.as_ref().map_or(String::new(), |script| format!(", which {} needs", script.display())), installed::remedy(name))]
    NotInstalled {
        /// The program.
        name: String,
        /// The script that needs it, if it is not the program itself.
        script: Option<PathBuf>,
    },
    /// A source that is in none of the places where it may be.
    #[error("no source {}: looked for {}", name.display(), looked.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" and "))]
    NoSource {
        /// As the scenario names it.
        name: PathBuf,
        /// Where it was looked for.
        looked: Vec<PathBuf>,
    },
    /// A place in its code that is not there.
    #[error(transparent)]
    Code(#[from] CodeError),
    /// The source could not be built.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// A working directory or a file for stdin that is not there.
    #[error("cannot use {} as {role}: {reason}", path.display())]
    Path {
        /// The path.
        path: PathBuf,
        /// What it should have been.
        role: &'static str,
        /// Why not.
        reason: io::Error,
    },
    /// A path that is not UTF-8, which a trace could not hold.
    #[error("{} is not UTF-8, and a trace could not hold it", .0.display())]
    NotUtf8(PathBuf),
}

impl ResolveError {
    /// The name of the program that this machine lacks, if nothing is wrong with what was asked for but that. What is named by a path
    /// from the scenario's folder on is the project's own, and no matter of what is installed.
    pub fn lacks(&self) -> Option<&str> {
        match self {
            ResolveError::Compile(CompileError::NoGo(_)) => Some("go"),
            ResolveError::NotInPath { name, .. } | ResolveError::NotInstalled { name, .. } => {
                Some(installed::base(name))
            }
            _ => None,
        }
    }
}

/// What this machine lacks for a scenario, found out without building anything.
pub fn lacking(scenario: &Scenario, folder: &Path) -> Option<ResolveError> {
    let clients = || {
        let env = environment_of(scenario);
        let mut commands = scenario.world().clients.into_iter().filter_map(|client| match client {
            Client::Command(words) => Some(words),
            Client::Script(_) => None,
        });
        commands.find_map(|words| command(words, env.clone(), folder, None).err())
    };
    let program = match &scenario.program {
        Program::Command(_) => self::scenario(scenario, None, folder).err(),
        Program::Source(_) if scenario.program.is_go() => compile::go::missing().map(ResolveError::from),
        Program::Source(_) => None,
    };
    program.or_else(clients).filter(|error| error.lacks().is_some())
}

/// The environment of a scenario's program.
fn environment_of(scenario: &Scenario) -> BTreeMap<String, String> {
    let mut env = BTreeMap::from([
        ("PATH".to_owned(), env::var("PATH").unwrap_or_else(|_| DEFAULT_PATH.to_owned())),
        ("LANG".to_owned(), "C.UTF-8".to_owned()),
    ]);
    env.extend(scenario.env.clone());
    env
}

/// How the program of a scenario starts. `folder` is the scenario's own: relative paths start there.
/// `build` is the one of its builds that is meant; none for the usual one.
///
/// The program gets `PATH` as the harness has it, `LANG=C.UTF-8`, and the scenario's own variables, which win.
pub fn scenario(scenario: &Scenario, build: Option<&Build>, folder: &Path) -> Result<Launch, ResolveError> {
    let folder = directory(folder)?;
    let cwd = match &scenario.cwd {
        Some(cwd) => directory(&folder.join(cwd))?,
        None => folder.clone(),
    };
    let stdin = scenario.stdin.as_ref().map(|stdin| input(&folder.join(stdin))).transpose()?;
    let env = environment_of(scenario);
    match &scenario.program {
        Program::Command(words) => {
            let argv = words.iter().chain(&scenario.args).cloned().collect();
            command(argv, env, &cwd, stdin.as_deref())
        }
        Program::Source(name) => {
            let source = source(name, &folder)?;
            let file = utf8(compile::compile(&source, build)?)?;
            let argv0 = source.file_stem().map(|stem| stem.to_string_lossy().into_owned());
            let argv = argv0.into_iter().chain(scenario.args.iter().cloned()).collect();
            Ok(Launch { file, argv, env, cwd, stdin, source: Some(source), build: build.cloned() })
        }
    }
}

/// How a command starts, in this folder and with this environment, whose `PATH` is looked through.
///
/// A program's name with a slash is relative to the folder where the program will run, as execve(2) has it.
pub fn command(
    argv: Vec<String>,
    env: BTreeMap<String, String>,
    cwd: &Path,
    stdin: Option<&Path>,
) -> Result<Launch, ResolveError> {
    let cwd = directory(cwd)?;
    let stdin = stdin.map(input).transpose()?;
    let name = argv.first().filter(|name| !name.is_empty()).ok_or(ResolveError::Empty)?;
    let path = env.get("PATH").map_or(DEFAULT_PATH, String::as_str);
    let file = utf8(executable(name, path, &cwd)?)?;
    if let Some(name) = installed::missing_interpreter(&file, path, &cwd) {
        return Err(ResolveError::NotInstalled { name, script: Some(file) });
    }
    Ok(Launch { file, argv, env, cwd, stdin, source: None, build: None })
}

/// How the clients of a program start: in its folder, and with its environment.
pub fn clients(asked: &[Client], program: &Launch) -> Result<Vec<Launch>, ResolveError> {
    let start = |client: &Client| match client {
        Client::Command(words) => command(words.clone(), program.env.clone(), &program.cwd, None),
        Client::Script(_) => {
            let file = utf8(compile::compile_own("script", client::SOURCE)?)?;
            Ok(Launch {
                file,
                argv: client.argv(),
                source: None,
                build: None,
                stdin: None,
                ..program.clone()
            })
        }
    };
    asked.iter().map(start).collect()
}

/// The environment for a program on the command line: the few harmless variables of the harness's own, and those given, which win.
///
/// A variable that is not UTF-8 is left out.
pub fn environment(given: &[(String, String)]) -> BTreeMap<String, String> {
    let harmless = |name: &str| INHERITED.contains(&name) || name.starts_with("LC_");
    env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| harmless(name))
        .chain(given.iter().cloned())
        .collect()
}

/// Finds the source that a scenario names: beside the scenario, else in the nearest `fixtures/` above it.
fn source(name: &Path, folder: &Path) -> Result<PathBuf, ResolveError> {
    let fixtures = folder.ancestors().map(|above| above.join("fixtures")).find(|fixtures| fixtures.is_dir());
    let places = [Some(folder.to_owned()), fixtures];
    let looked: Vec<PathBuf> = places.into_iter().flatten().map(|place| place.join(name)).collect();
    match looked.iter().find(|path| path.is_file()) {
        Some(path) => utf8(absolute(path)?),
        None => Err(ResolveError::NoSource { name: name.to_owned(), looked }),
    }
}

/// Finds the file of a program, as execvp(3) does, and makes sure that it can be run.
pub(crate) fn executable(name: &str, path: &str, cwd: &Path) -> Result<PathBuf, ResolveError> {
    if name.contains('/') {
        let file = cwd.join(name);
        return match runnable(&file) {
            Ok(()) => Ok(file),
            Err(_) if name.starts_with('/') && installed::is_missing(&file) => {
                Err(ResolveError::NotInstalled { name: name.to_owned(), script: None })
            }
            Err(reason) => Err(ResolveError::NotRunnable { file, reason }),
        };
    }
    // An empty element of PATH is the working directory.
    let files = path.split(':').map(|element| cwd.join(element).join(name));
    let mut refused = None;
    for file in files.filter(|_| !name.is_empty()) {
        match runnable(&file) {
            Ok(()) => return Ok(file),
            Err(reason) if file.exists() => {
                refused = refused.or(Some(ResolveError::NotRunnable { file, reason }));
            }
            Err(_) => {}
        }
    }
    Err(refused.unwrap_or_else(|| ResolveError::NotInPath { name: name.to_owned(), path: path.to_owned() }))
}

fn runnable(file: &Path) -> Result<(), String> {
    let metadata = fs::metadata(file).map_err(|error| error.to_string())?;
    if metadata.is_dir() {
        return Err("it is a directory".to_owned());
    }
    if !metadata.is_file() {
        return Err("it is no regular file".to_owned());
    }
    access(file, AccessFlags::X_OK).map_err(|error| error.desc().to_owned())
}

/// An existing directory, absolute.
fn directory(path: &Path) -> Result<PathBuf, ResolveError> {
    // An empty path is what is above a bare file name.
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let bad = |reason| ResolveError::Path { path: path.to_owned(), role: "working directory", reason };
    let full = fs::canonicalize(path).map_err(bad)?;
    if full.is_dir() { utf8(full) } else { Err(bad(io::ErrorKind::NotADirectory.into())) }
}

/// A readable file for standard input, absolute. It is read from its beginning in every run, so it cannot be a FIFO, a socket
/// or a terminal; of the devices, those will do that give the same every time without waiting (mem(4)).
pub fn input(path: &Path) -> Result<PathBuf, ResolveError> {
    let bad = |reason| ResolveError::Path { path: path.to_owned(), role: "standard input", reason };
    access(path, AccessFlags::R_OK).map_err(|error| bad(error.into()))?;
    if path.is_dir() {
        return Err(bad(io::ErrorKind::IsADirectory.into()));
    }
    let metadata = fs::metadata(path).map_err(bad)?;
    let endless = metadata.file_type().is_char_device() && major(metadata.rdev()) == MEMORY_DEVICES;
    if !metadata.is_file() && !endless {
        let words = "it is no regular file, and every run reads it from its beginning: write what it gives into a file";
        return Err(bad(io::Error::new(io::ErrorKind::InvalidInput, words)));
    }
    utf8(absolute(path)?)
}

fn absolute(path: &Path) -> Result<PathBuf, ResolveError> {
    fs::canonicalize(path).map_err(|reason| ResolveError::Path {
        path: path.to_owned(),
        role: "a file",
        reason,
    })
}

fn utf8(path: PathBuf) -> Result<PathBuf, ResolveError> {
    if path.to_str().is_some() { Ok(path) } else { Err(ResolveError::NotUtf8(path)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    fn with_path(path: &str) -> BTreeMap<String, String> {
        BTreeMap::from([("PATH".to_owned(), path.to_owned())])
    }

    #[test]
    fn a_bare_name_is_looked_up_in_the_programs_own_path() {
        let launch =
            command(words(&["sh", "-c", ":"]), with_path("/nowhere:/bin"), Path::new("/"), None).unwrap();
        assert_eq!(launch.file, Path::new("/bin/sh"));
        assert_eq!(launch.argv, ["sh", "-c", ":"]);
        let error = command(words(&["sh"]), with_path("/nowhere"), Path::new("/"), None).unwrap_err();
        assert_eq!(error.to_string(), "no program `sh` in PATH (/nowhere)");
    }

    #[test]
    fn a_name_with_a_slash_is_relative_to_the_programs_folder() {
        let launch = command(words(&["./bin/sh"]), with_path(""), Path::new("/"), None).unwrap();
        assert_eq!(launch.file, Path::new("/./bin/sh"));
    }

    #[test]
    fn what_cannot_be_run_is_refused_with_the_reason() {
        let refuse = |name: &str| {
            command(words(&[name]), with_path("/bin"), Path::new("/"), None).unwrap_err().to_string()
        };
        assert_eq!(refuse("/etc"), "cannot run /etc: it is a directory");
        assert_eq!(refuse("/etc/passwd"), "cannot run /etc/passwd: Permission denied");
        assert_eq!(refuse("./no/such"), "cannot run /./no/such: No such file or directory (os error 2)");
        assert_eq!(refuse(""), "the command is empty: expected a program and its arguments");
        assert_eq!(refuse("/usr/bin/no/nginx"), "no program /usr/bin/no/nginx here");
        assert_eq!(refuse("/no/such"), "no program /no/such here");
    }

    #[test]
    fn a_source_beside_the_scenario_comes_before_the_nearest_fixtures() {
        let top = tempfile::tempdir().unwrap();
        let top = fs::canonicalize(top.path()).unwrap();
        let family = top.join("scenarios/family");
        fs::create_dir_all(&family).unwrap();
        fs::create_dir_all(top.join("fixtures/broken")).unwrap();
        let shared = top.join("fixtures/broken/x.c");
        fs::write(&shared, "").unwrap();
        let name = Path::new("broken/x.c");
        assert_eq!(source(name, &family).unwrap(), shared);
        fs::create_dir_all(family.join("broken")).unwrap();
        fs::write(family.join(name), "").unwrap();
        assert_eq!(source(name, &family).unwrap(), family.join(name));
        let error = source(Path::new("y.c"), &family).unwrap_err().to_string();
        assert!(error.contains("scenarios/family/y.c and ") && error.contains("fixtures/y.c"), "{error}");
    }

    #[test]
    fn a_given_variable_wins_and_no_other_gets_in() {
        let given = [("LC_ALL".to_owned(), "tlh".to_owned()), ("TOKEN".to_owned(), "given".to_owned())];
        let env = environment(&given);
        assert_eq!(env.get("LC_ALL").map(String::as_str), Some("tlh"));
        assert_eq!(env.get("TOKEN").map(String::as_str), Some("given"));
        assert!(env.keys().all(|name| {
            INHERITED.contains(&name.as_str()) || name.starts_with("LC_") || name == "TOKEN"
        }));
    }
}
