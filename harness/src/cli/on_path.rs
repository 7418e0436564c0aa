//! Whether what is told to be typed next, such as `sigrace replay TRACE`, starts this very program.

use std::env;
use std::ffi::OsStr;
use std::path::Path;

/// What to type first, if it does not: none if it does, or if that is not known.
pub(super) fn remedy() -> Option<String> {
    told(&env::var_os("PATH").unwrap_or_default(), &env::current_exe().ok()?)
}

fn told(path: &OsStr, program: &Path) -> Option<String> {
    let (program, folder) = (program.canonicalize().ok()?, program.parent()?);
    let first = env::split_paths(path).map(|folder| folder.join("sigrace")).find(|found| found.is_file());
    let found = first.and_then(|found| found.canonicalize().ok());
    let what = match &found {
        Some(found) if *found == program => return None,
        Some(_) => "`sigrace` is another one in PATH",
        None => "`sigrace` is not in PATH",
    };
    let folder = shell_words::quote(folder.to_str()?).into_owned();
    Some(format!("{what}; next: export PATH={folder}:\"$PATH\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn another_one_or_none_is_told_with_what_to_type() {
        let folder = tempfile::tempdir().unwrap();
        let [own, other, none] = ["own one", "other", "none"].map(|name| folder.path().join(name));
        for folder in [&own, &other] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("sigrace"), "").unwrap();
        }
        let with = |folders: &[&Path]| told(&env::join_paths(folders).unwrap(), &own.join("sigrace"));
        let next = format!("next: export PATH='{}':\"$PATH\"", own.display());
        assert_eq!(with(&[&none, &own, &other]), None);
        assert_eq!(with(&[&other, &own]), Some(format!("`sigrace` is another one in PATH; {next}")));
        assert_eq!(with(&[&none]), Some(format!("`sigrace` is not in PATH; {next}")));
        assert_eq!(told(OsStr::new(""), &none.join("sigrace")), None);
    }
}
