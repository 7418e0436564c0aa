//! Whether what is told to be typed next, such as `sigrace replay TRACE`, starts this very program.

use crate::resolve;
use std::env;
use std::path::Path;

/// What to type first, if it does not: none if it does, or if that is not known.
pub(super) fn remedy() -> Option<String> {
    let cwd = env::current_dir().ok()?;
    told(&env::var("PATH").ok()?, &cwd, &env::current_exe().ok()?)
}

fn told(path: &str, cwd: &Path, program: &Path) -> Option<String> {
    let (program, folder) = (program.canonicalize().ok()?, program.parent()?);
    let first = resolve::executable("sigrace", path, cwd);
    let found = first.ok().and_then(|found| found.canonicalize().ok());
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
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn another_one_or_none_is_told_with_what_to_type() {
        let folder = tempfile::tempdir().unwrap();
        let [own, other, none] = ["own one", "other", "none"].map(|name| folder.path().join(name));
        for folder in [&own, &other] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("sigrace"), "").unwrap();
            fs::set_permissions(folder.join("sigrace"), PermissionsExt::from_mode(0o755)).unwrap();
        }
        let with = |folders: &[&Path]| {
            let path = env::join_paths(folders).unwrap().into_string().unwrap();
            told(&path, folder.path(), &own.join("sigrace"))
        };
        let next = format!("next: export PATH='{}':\"$PATH\"", own.display());
        assert_eq!(with(&[&none, &own, &other]), None);
        assert_eq!(with(&[&other, &own]), Some(format!("`sigrace` is another one in PATH; {next}")));
        assert_eq!(with(&[&none]), Some(format!("`sigrace` is not in PATH; {next}")));
        assert_eq!(told("", folder.path(), &none.join("sigrace")), None);
    }
}
