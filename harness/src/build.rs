//! A build of a C source: the flags that the compiler gets on top of the usual ones.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

/// Flags for the C compiler, at least one, with a blank between any two: `-O2 -static`.
///
/// They change what the compiler makes of the source, and nothing else: no flag names a file to read or write, loads code
/// into the compiler or hands words on to another program. A scenario or a trace may come from anybody.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Build(String);

impl Build {
    /// The flags, one by one.
    pub fn flags(&self) -> impl Iterator<Item = &str> {
        self.0.split(' ')
    }

    /// True if the program is linked without shared libraries, for which the C library's archive has to be there.
    pub fn is_static(&self) -> bool {
        self.flags().any(|flag| flag == "-static" || flag == "-static-pie")
    }
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is no build.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadBuild {
    /// There is no flag in it.
    #[error("no flag: expected the compiler's flags for a build, such as \"-O2 -static\"")]
    Empty,
    /// A word that is no flag which a build may have.
    #[error(
        "`{0}` is no flag for a build: expected -O…, -f…, -m…, -D…, -U…, -std=…, -g…, -static, -static-pie, -pie or -no-pie, \
         and none that reads or writes a file"
    )]
    Flag(String),
}

impl FromStr for Build {
    type Err = BadBuild;

    fn from_str(text: &str) -> Result<Build, BadBuild> {
        let flags: Vec<&str> = text.split_whitespace().collect();
        match flags.iter().find(|flag| !allowed(flag)) {
            Some(flag) => Err(BadBuild::Flag((*flag).to_owned())),
            None if flags.is_empty() => Err(BadBuild::Empty),
            None => Ok(Build(flags.join(" "))),
        }
    }
}

/// Options of the `-f` group that write files, read files, load code or make no program (gcc's manual, "Option Summary";
/// clang's "Command Line Argument Reference"): their first words, with `-fno-` left out.
const KEPT_OUT: [&str; 23] = [
    "diagnostics",
    "plugin",
    "pass-plugin",
    "dump",
    "profile",
    "auto-profile",
    "branch-probabilities",
    "test-coverage",
    "coverage",
    "save",
    "stack-usage",
    "callgraph-info",
    "opt-info",
    "compare-debug",
    "syntax-only",
    "preprocessed",
    "use-ld",
    "crash-diagnostics",
    "modules",
    "module",
    "working-directory",
    "compilation-dir",
    "time-",
];

fn allowed(flag: &str) -> bool {
    let plain = |text: &str, more: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c));
    let Some(word) = flag.strip_prefix('-') else { return false };
    if matches!(word, "static" | "static-pie" | "pie" | "no-pie" | "pthread") {
        return true;
    }
    if let Some(language) = word.strip_prefix("std=") {
        return !language.is_empty() && plain(language, ":");
    }
    let mut chars = word.chars();
    let (first, rest) = (chars.next(), chars.as_str());
    match first {
        Some('O') => plain(rest, ""),
        // -gdwarf-4, -g0; but -gsplit-dwarf writes another file.
        Some('g') => plain(rest, "-") && !rest.starts_with("split"),
        // -mllvm hands the next word on.
        Some('m') => !rest.is_empty() && plain(rest, "-=.,+") && rest != "llvm",
        Some('D' | 'U') => {
            rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && plain(rest, "_=.-")
        }
        Some('f') => {
            let name = rest.strip_prefix("no-").unwrap_or(rest);
            // A prefix map ends in the program, where it would hide the path that a trace is found again by.
            let kept_out = KEPT_OUT.iter().any(|kept_out| name.starts_with(kept_out));
            !name.is_empty() && plain(rest, "-=,") && !kept_out && !name.contains("prefix-map")
        }
        _ => false,
    }
}

impl Serialize for Build {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Build {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Build, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_split_at_blanks() {
        let build: Build = " -O2\t-static ".parse().unwrap();
        assert_eq!(build.to_string(), "-O2 -static");
        assert_eq!(build.flags().collect::<Vec<_>>(), ["-O2", "-static"]);
        assert!(build.is_static() && !"-O2 -no-pie".parse::<Build>().unwrap().is_static());
        assert_eq!("  ".parse::<Build>(), Err(BadBuild::Empty));
    }

    #[test]
    fn what_changes_the_program_is_allowed() {
        for good in [
            "-O",
            "-O0",
            "-O3",
            "-Os",
            "-Ofast",
            "-static",
            "-static-pie",
            "-pie",
            "-no-pie",
            "-g",
            "-g3",
            "-gdwarf-4",
            "-std=gnu11",
            "-m32",
            "-march=x86-64-v2",
            "-mno-red-zone",
            "-DNDEBUG",
            "-DSIZE=10",
            "-UNDEBUG",
            "-fno-omit-frame-pointer",
            "-fsanitize=address,undefined",
            "-flto",
            "-fcf-protection=none",
            "-fstack-protector-strong",
            "-fno-strict-aliasing",
        ] {
            assert!(good.parse::<Build>().is_ok(), "{good}");
        }
    }

    #[test]
    fn what_reads_or_writes_files_or_starts_programs_is_not() {
        for bad in [
            "O2",
            "-",
            "--",
            "-o",
            "-ox",
            "-c",
            "-S",
            "-E",
            "-I.",
            "-L.",
            "-lm",
            "-include",
            "-x",
            "-B.",
            "-Wl,-o,x",
            "-Wall",
            "-Xlinker",
            "-wrapper",
            "-specs=x",
            "-save-temps",
            "--sysroot=x",
            "@x",
            "-fplugin=x",
            "-fplugin-arg-x-y",
            "-fdump-tree-all",
            "-fprofile-generate",
            "-fprofile-use=x",
            "-ftest-coverage",
            "-fsave-optimization-record",
            "-fno-syntax-only",
            "-ffile-prefix-map=a=b",
            "-fuse-ld=x",
            "-fopt-info-all=x",
            "-gsplit-dwarf",
            "-O2;x",
            "-O2,x",
            "-DX=$(x)",
            "-DX='1'",
            "-D",
            "-f",
            "-m",
            "-m/x",
            "-mllvm",
            "-fdiagnostics-format=sarif-file",
            "-fsanitize-ignorelist=/x",
            "-std=",
            "-ünix",
        ] {
            assert_eq!(bad.parse::<Build>(), Err(BadBuild::Flag(bad.to_owned())), "{bad}");
        }
    }
}
