//! Where things are kept that can be made again: programs that were built, and what was read of debug information.

use crate::code::Memory;
use crate::store;
use nix::unistd::Uid;
use std::env;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The folders for things of this kind, best first: in cargo's target directory, the user's cache, a directory of this user for temporary files.
pub fn directories(kind: &str) -> Vec<PathBuf> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let target = target_directory().map(|target| target.join("sigrace"));
    let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
    let cache = cache.map(|cache| cache.join("sigrace"));
    let temporary = env::temp_dir().join(format!("sigrace-{}", Uid::effective()));
    // Anybody may have made this one.
    let temporary =
        Some(temporary).filter(|folder| fs::symlink_metadata(folder).map_or(true, |found| is_own(&found)));
    [target, cache, temporary].into_iter().flatten().map(|folder| folder.join(kind)).collect()
}

fn is_own(found: &fs::Metadata) -> bool {
    found.is_dir() && found.uid() == Uid::effective().as_raw()
}

/// Cargo's target directory, if this program was built in one: the marked folder (CACHEDIR.TAG) above it.
pub fn target_directory() -> Option<PathBuf> {
    let program = env::current_exe().ok()?;
    program.ancestors().skip(1).find(|folder| folder.join("CACHEDIR.TAG").is_file()).map(Path::to_owned)
}

/// Makes the directory. One that belongs to another user is refused: he could put anything there under our names.
pub fn own_directory(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let found = fs::metadata(directory)?;
    if is_own(&found) {
        return Ok(());
    }
    let why = format!("the directory belongs to user {}", found.uid());
    Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
}

/// No file that is kept is larger, in bytes.
const LARGEST: u64 = 64 << 20;

/// Files of one kind, each of which holds what was read elsewhere.
#[derive(Debug)]
pub struct Kept {
    folders: Vec<PathBuf>,
}

impl Kept {
    /// Those in the first of these folders that can be written to.
    pub fn new(folders: Vec<PathBuf>) -> Kept {
        Kept { folders }
    }
}

impl Memory for Kept {
    fn read(&self, name: &str) -> Option<Vec<u8>> {
        self.folders.iter().find_map(|folder| store::read(&folder.join(name), LARGEST).ok())
    }

    fn write(&self, name: &str, content: &[u8]) {
        let write = |folder: &Path| {
            own_directory(folder)?;
            let mut aside = tempfile::Builder::new().prefix(".kept-").tempfile_in(folder)?;
            aside.write_all(content)?;
            aside.persist(folder.join(name)).map(drop).map_err(|error| error.error)
        };
        let _ = self.folders.iter().find(|folder| write(folder).is_ok());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_lies_in_the_first_folder_that_takes_it() {
        let folder = tempfile::tempdir().unwrap();
        let (file, good) = (folder.path().join("file"), folder.path().join("good"));
        fs::write(&file, "").unwrap();
        let kept = Kept::new(vec![file.join("none"), good.clone()]);
        assert_eq!(kept.read("a"), None);
        kept.write("a", b"one");
        kept.write("a", b"two");
        assert_eq!((kept.read("a").unwrap(), fs::read_dir(good).unwrap().count()), (b"two".to_vec(), 1));
    }
}
