//! Builds the program of a scenario, of C or of Go, once: what was built is kept, named after everything that went into it.
//!
//! The compiler runs in the source's own folder and the folder's path is mapped away, so that the program is the same byte for
//! byte wherever it is built: a trace that was recorded elsewhere finds its program again by its digest.

pub(crate) mod go;

use crate::build::Build;
use crate::copies;
use crate::kept;
use crate::store;
use nix::unistd::{AccessFlags, access};
use sha2::{Digest, Sha256};
use std::ffi::OsStr;
use std::fmt::Write;
use std::fs::{self, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// How every program is compiled. Debug information is for whoever attaches a debugger to a replay.
const FLAGS: [&str; 5] = ["-std=gnu17", "-g", "-O1", "-Wall", "-pthread"];

/// No program is larger: what is, is a file of another kind, or one with nothing in it.
const LARGEST: u64 = 4 << 30;

/// Why a program could not be built.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The source has no usable path.
    #[error("cannot read {}: {reason}", source_file.display())]
    Source {
        /// The source.
        source_file: PathBuf,
        /// Why not.
        reason: io::Error,
    },
    /// The compiler could not be started.
    #[error("cannot start the C compiler `cc`: {0}; install one (Debian: apt install gcc)")]
    NoCompiler(io::Error),
    /// There is no compiler for Go. Scenarios that need one are left out, which is said.
    #[error("cannot start the Go compiler `go`: {0}; install one (Debian: apt install golang-go)")]
    NoGo(io::Error),
    /// Flags of the C compiler for a program of Go.
    #[error("{} is a program of Go: `builds` holds flags of the C compiler", .0.display())]
    NoBuilds(PathBuf),
    /// The compiler refused the program.
    #[error("{compiler} refused {}:\n{text}", source_file.display())]
    Refused {
        /// The command.
        compiler: &'static str,
        /// The source.
        source_file: PathBuf,
        /// What the compiler said.
        text: String,
    },
    /// There is nothing to link the program with statically.
    #[error(
        "cannot link {} with {build}: the C library's archive (libc.a) is missing; install it (Debian: apt install libc6-dev, \
         Fedora: dnf install glibc-static), or leave this build out:\n{text}",
        source_file.display()
    )]
    NoArchive {
        /// The source.
        source_file: PathBuf,
        /// The build.
        build: Build,
        /// What the compiler said.
        text: String,
    },
    /// Nowhere could the program be kept.
    #[error("cannot keep the program built from {} in {}: {reason}", source_file.display(), directory.display())]
    Keep {
        /// The source.
        source_file: PathBuf,
        /// The last directory that was tried.
        directory: PathBuf,
        /// Why not.
        reason: io::Error,
    },
}

/// Builds this file, which is of Go if its name ends with `.go` and else of C, or finds it built already, and returns the program's absolute path. Without a `build` it is built in
/// the usual way, with `-O1`.
pub fn compile(source: &Path, build: Option<&Build>) -> Result<PathBuf, CompileError> {
    compile_into(source, build, &kept::directories("programs"))
}

/// Builds a C file of sigrace's own, which is in itself and not on the machine, under this name, or finds it built already. It
/// includes nothing but headers of the system.
pub fn compile_own(stem: &str, text: &str) -> Result<PathBuf, CompileError> {
    let directories = kept::directories("programs");
    let key = key_of(None, text.as_bytes())?;
    if let Some(kept) = find(&directories, &key, stem.as_ref()) {
        return Ok(kept);
    }
    let name = format!("{stem}.c");
    let written = || {
        let folder = tempfile::tempdir()?;
        let source = folder.path().join(&name);
        fs::write(&source, text)?;
        Ok((folder, source))
    };
    let unwritten = |reason| CompileError::Source { source_file: PathBuf::from(&name), reason };
    let (folder, source) = written().map_err(unwritten)?;
    let job = Job {
        source: &source,
        folder: folder.path(),
        name: name.as_ref(),
        stem: stem.as_ref(),
        build: None,
        flags: flags(folder.path(), None),
        go: false,
    };
    job.built(&directories, &key)
}

/// The same, with the places for what is built, best first.
fn compile_into(
    source: &Path,
    build: Option<&Build>,
    directories: &[PathBuf],
) -> Result<PathBuf, CompileError> {
    let unreadable = |reason| CompileError::Source { source_file: source.to_owned(), reason };
    let source = &fs::canonicalize(source).map_err(unreadable)?;
    // The compiler would wait for a FIFO, and read on and on from a device.
    store::open(source).map_err(unreadable)?;
    let (Some(folder), Some(name), Some(stem)) = (source.parent(), source.file_name(), source.file_stem())
    else {
        return Err(unreadable(io::ErrorKind::InvalidInput.into()));
    };
    let go = source.extension().is_some_and(|extension| extension == "go");
    if go && build.is_some() {
        return Err(CompileError::NoBuilds(source.clone()));
    }
    let job = Job { source, folder, name, stem, build, flags: flags(folder, build), go };
    let key = job.key()?;
    find(directories, &key, stem).map_or_else(|| job.built(directories, &key), Ok)
}

/// What is built already.
fn find(directories: &[PathBuf], key: &str, stem: &OsStr) -> Option<PathBuf> {
    let kept = directories.iter().map(|directory| directory.join(key).join(stem));
    kept.into_iter().find(|kept| access(kept, AccessFlags::X_OK).is_ok())
}

/// A name for what is built of this text in C, from the flags and the compiler's version as well.
fn key_of(build: Option<&Build>, text: &[u8]) -> Result<String, CompileError> {
    let flags: Vec<&str> = FLAGS.into_iter().chain(build.into_iter().flat_map(Build::flags)).collect();
    Ok(shortened(digest_of([compiler_version()?.as_bytes(), flags.join(" ").as_bytes(), text])))
}

/// As much of a digest as tells programs apart.
fn shortened(mut digest: String) -> String {
    digest.truncate(32);
    digest
}

/// One file to build.
struct Job<'a> {
    source: &'a Path,
    folder: &'a Path,
    name: &'a OsStr,
    stem: &'a OsStr,
    build: Option<&'a Build>,
    /// For the C compiler.
    flags: Vec<String>,
    go: bool,
}

impl Job<'_> {
    /// A name for what will be built: from the source with all that it includes, the flags, and the compiler's version.
    fn key(&self) -> Result<String, CompileError> {
        if self.go {
            return go::key(self.source).map(shortened);
        }
        // In which folder it is makes no other program of it.
        let source = self.cc(&["-E", "-fno-working-directory"], None)?.stdout;
        key_of(self.build, &source)
    }

    /// Builds it in the first of these places that can be used.
    fn built(&self, directories: &[PathBuf], key: &str) -> Result<PathBuf, CompileError> {
        let mut failed = None;
        for directory in directories {
            match self.build(directory, key) {
                Err(error @ CompileError::Keep { .. }) => failed = Some(error),
                other => return other,
            }
        }
        let nowhere = || {
            let reason = io::ErrorKind::NotFound.into();
            CompileError::Source { source_file: self.source.to_owned(), reason }
        };
        Err(failed.unwrap_or_else(nowhere))
    }

    /// Builds aside and renames, so that there is never half a program, and two builders at once do not clash.
    fn build(&self, directory: &Path, key: &str) -> Result<PathBuf, CompileError> {
        let keep = |reason| CompileError::Keep {
            source_file: self.source.to_owned(),
            directory: directory.to_owned(),
            reason,
        };
        kept::own_directory(directory).map_err(keep)?;
        let aside = tempfile::Builder::new().prefix(".build-").tempdir_in(directory).map_err(keep)?;
        let output = aside.path().join(self.stem);
        if self.go {
            go::build(self.folder, self.name, &output)?;
        } else {
            self.cc(&[], Some(&output))?;
        }
        // Other users replay what was built here.
        fs::set_permissions(aside.path(), Permissions::from_mode(0o755)).map_err(keep)?;
        let place = directory.join(key);
        let program = place.join(self.stem);
        match fs::rename(aside.path(), &place) {
            Ok(()) => Ok(program),
            // Somebody else was faster; his program has the same bytes.
            Err(_) if access(&program, AccessFlags::X_OK).is_ok() => Ok(program),
            Err(reason) => Err(keep(reason)),
        }
    }

    /// Runs the compiler in the source's folder.
    fn cc(&self, options: &[&str], output: Option<&Path>) -> Result<Output, CompileError> {
        let mut cc = Command::new("cc");
        cc.current_dir(self.folder).args(&self.flags).args(options).arg(self.name);
        if let Some(output) = output {
            cc.arg("-o").arg(output);
        }
        let result = copies::output(&mut cc).map_err(CompileError::NoCompiler)?;
        if result.status.success() {
            return Ok(result);
        }
        let mut text = String::from_utf8_lossy(&result.stderr).trim_end().to_owned();
        if text.is_empty() {
            text = result.status.to_string();
        }
        Err(self.refused(text))
    }

    /// What the compiler's words mean.
    fn refused(&self, text: String) -> CompileError {
        let source_file = self.source.to_owned();
        // GNU ld: "cannot find -lc"; lld: "unable to find library -lc"; mold: "library not found: c".
        let missing = |line: &str| {
            line.contains("find") && line.split([' ', ':']).any(|word| word == "-lc")
                || line.ends_with("library not found: c")
        };
        match self.build.filter(|build| build.is_static()) {
            Some(build) if text.lines().any(missing) => {
                CompileError::NoArchive { source_file, build: build.clone(), text }
            }
            _ => CompileError::Refused { compiler: "cc", source_file, text },
        }
    }
}

/// The flags for a source in this folder, the build's own last, which win: no path of the machine gets into the program.
fn flags(folder: &Path, build: Option<&Build>) -> Vec<String> {
    let all = FLAGS.into_iter().chain(build.into_iter().flat_map(Build::flags));
    let mut flags: Vec<String> = all.map(str::to_owned).collect();
    if let Some(folder) = folder.to_str() {
        flags.push(format!("-ffile-prefix-map={folder}=."));
    }
    flags
}

/// What the compiler says that it is; asked once.
fn compiler_version() -> Result<&'static str, CompileError> {
    static VERSION: OnceLock<String> = OnceLock::new();
    if let Some(version) = VERSION.get() {
        return Ok(version);
    }
    let output = copies::output(Command::new("cc").arg("--version")).map_err(CompileError::NoCompiler)?;
    Ok(VERSION.get_or_init(|| String::from_utf8_lossy(&output.stdout).into_owned()))
}

/// The SHA-256 of a program's file, in hexadecimal.
pub fn digest(file: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    let file = store::open(file)?;
    if file.metadata()?.len() > LARGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {LARGEST} bytes")));
    }
    io::copy(&mut file.take(LARGEST), &mut HashWriter(&mut hash))?;
    Ok(hexadecimal(&hash.finalize()))
}

/// The SHA-256 of several parts, each with its length before it, in hexadecimal.
pub fn digest_of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hexadecimal(&hash.finalize())
}

/// A hash that is written to.
struct HashWriter<'a>(&'a mut Sha256);

impl io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    const ANSWER: &str = "#include <assert.h>\nint main(void) { assert(1); return 42; }\n";

    fn source(folder: &Path, text: &str) -> PathBuf {
        let path = folder.join("answer.c");
        fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn a_program_is_the_same_wherever_it_is_built() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let deeper = two.path().join("a folder = with a longer name");
        fs::create_dir(&deeper).unwrap();
        let first = compile_into(&source(one.path(), ANSWER), None, &[one.path().join("kept")]).unwrap();
        let second = compile_into(&source(&deeper, ANSWER), None, &[deeper.join("kept")]).unwrap();
        // So it is built once.
        let again = compile_into(&source(&deeper, ANSWER), None, &[one.path().join("kept")]).unwrap();
        assert_eq!(again, first);
        assert_ne!(first, second);
        assert_eq!(digest(&first).unwrap(), digest(&second).unwrap());
        assert_eq!(first.file_name(), Some(OsStr::new("answer")));
        assert_eq!(copies::output(&mut Command::new(first)).unwrap().status.code(), Some(42));
    }

    #[test]
    fn what_is_the_commands_own_is_built_once() {
        let program = |text: &str| compile_own("answer", text).unwrap();
        let first = program(ANSWER);
        assert_eq!(program(ANSWER), first);
        assert_eq!(copies::output(&mut Command::new(&first)).unwrap().status.code(), Some(42));
        assert_ne!(program("int main(void) { return 7; }"), first);
    }

    #[test]
    fn what_is_built_is_kept_until_the_source_or_what_it_includes_changes() {
        let folder = tempfile::tempdir().unwrap();
        let kept = [folder.path().join("kept")];
        let path = source(folder.path(), "#include \"value.h\"\nint main(void) { return VALUE; }\n");
        fs::write(folder.path().join("value.h"), "#define VALUE 1\n").unwrap();
        let first = compile_into(&path, None, &kept).unwrap();
        let inode = fs::metadata(&first).unwrap().ino();
        assert_eq!(compile_into(&path, None, &kept).unwrap(), first);
        assert_eq!(fs::metadata(&first).unwrap().ino(), inode);
        fs::write(folder.path().join("value.h"), "#define VALUE 2\n").unwrap();
        assert_ne!(compile_into(&path, None, &kept).unwrap(), first);
        let names: Vec<_> = fs::read_dir(&kept[0]).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names.len(), 2, "nothing but the two programs is left: {names:?}");
    }

    #[test]
    fn a_program_of_go_is_the_same_wherever_it_is_built() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let built = |folder: &Path, text: &str, build: Option<&Build>| {
            let source = folder.join("answer.go");
            fs::write(&source, text).unwrap();
            compile_into(&source, build, &[folder.join("kept")])
        };
        const ANSWER: &str = "package main\n\nimport \"os\"\n\nfunc main() { os.Exit(42) }\n";
        let first = match built(one.path(), ANSWER, None) {
            Err(error @ CompileError::NoGo(_)) => return println!("skipped: {error}"),
            built => built.unwrap(),
        };
        let second = built(two.path(), ANSWER, None).unwrap();
        assert_ne!(first, second);
        assert_eq!(digest(&first).unwrap(), digest(&second).unwrap());
        assert_eq!(built(one.path(), ANSWER, None).unwrap(), first);
        assert_eq!(copies::output(&mut Command::new(&first)).unwrap().status.code(), Some(42));
        let build: Build = "-O2".parse().unwrap();
        let refused = built(one.path(), ANSWER, Some(&build)).unwrap_err();
        assert!(matches!(refused, CompileError::NoBuilds(_)), "{refused}");
        let refused = built(one.path(), "package main\n\nfunc main() { x }\n", None).unwrap_err().to_string();
        assert!(refused.starts_with("go refused ") && refused.contains("answer.go:3:"), "{refused}");
    }

    #[test]
    fn a_place_that_cannot_be_used_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = source(folder.path(), ANSWER);
        let good = folder.path().join("kept");
        let program = compile_into(&path, None, &[path.join("below a file"), good.clone()]).unwrap();
        assert!(program.starts_with(good));
        let error =
            compile_into(&source(folder.path(), "int main(void) { return 7; }"), None, &[path.join("x")])
                .unwrap_err();
        assert!(matches!(error, CompileError::Keep { .. }), "{error}");
    }

    #[test]
    fn an_error_shows_what_the_compiler_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = source(folder.path(), "int main(void) { return x; }\n");
        let error = compile_into(&path, None, &[folder.path().join("kept")]).unwrap_err().to_string();
        assert!(error.contains("answer.c:1:25: error: 'x' undeclared") || error.contains("‘x’"), "{error}");
    }

    #[test]
    fn builders_at_once_do_not_clash() {
        let folder = tempfile::tempdir().unwrap();
        let path = source(folder.path(), ANSWER);
        let kept = [folder.path().join("kept")];
        let programs: Vec<PathBuf> = std::thread::scope(|scope| {
            let builders: Vec<_> = (0..4).map(|_| scope.spawn(|| compile_into(&path, None, &kept))).collect();
            builders.into_iter().map(|builder| builder.join().unwrap().unwrap()).collect()
        });
        assert!(programs.iter().all(|program| *program == programs[0]));
        assert_eq!(fs::read_dir(&kept[0]).unwrap().count(), 1);
    }

    #[test]
    fn each_build_is_another_program() {
        let folder = tempfile::tempdir().unwrap();
        let path = source(folder.path(), "#ifndef N\n#define N 1\n#endif\nint main(void) { return N; }\n");
        let kept = [folder.path().join("kept")];
        let builds = [None, Some("-DN=2"), Some("-DN=2 -O0"), Some("-O2 -static")];
        let builds = builds.map(|build| build.map(|build| build.parse::<Build>().unwrap()));
        let programs = builds.each_ref().map(|build| compile_into(&path, build.as_ref(), &kept).unwrap());
        let codes = programs
            .each_ref()
            .map(|program| copies::output(&mut Command::new(program)).unwrap().status.code().unwrap());
        assert_eq!(codes, [1, 2, 2, 1]);
        assert_eq!(fs::read_dir(&kept[0]).unwrap().count(), 4);
        for (build, program) in builds.iter().zip(&programs) {
            assert_eq!(compile_into(&path, build.as_ref(), &kept).unwrap(), *program);
        }
        let size = |program: &PathBuf| fs::metadata(program).unwrap().len();
        assert!(size(&programs[3]) > 4 * size(&programs[0]), "the C library is in the static program");
    }

    #[test]
    fn a_missing_archive_is_named() {
        let build: Build = "-O2 -static".parse().unwrap();
        let path = Path::new("/x/answer.c");
        let name = OsStr::new("answer.c");
        let job =
            |build| Job { source: path, folder: path, name, stem: name, build, flags: Vec::new(), go: false };
        let text = "/usr/bin/ld: cannot find -lc: No such file or directory\ncollect2: error: ld returned 1 exit status";
        let error = job(Some(&build)).refused(text.to_owned());
        let said = error.to_string();
        assert!(matches!(error, CompileError::NoArchive { .. }), "{said}");
        assert!(
            said.starts_with("cannot link /x/answer.c with -O2 -static: ")
                && said.contains("libc.a")
                && said.ends_with(text)
        );
        for (build, text) in
            [(None, text), (Some(&build), "x.c:1: cannot find -lcrypt"), (Some(&build), "x.c:1: error")]
        {
            assert!(matches!(job(build).refused(text.to_owned()), CompileError::Refused { .. }), "{text}");
        }
    }
}
