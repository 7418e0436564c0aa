//! Which dynamic loader a program asks for.

use object::LittleEndian;
use object::elf;
use object::read::elf::{FileHeader, ProgramHeader};
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Linkers put the headers and the loader's name at the beginning.
const BEGINNING: u64 = 4096;

/// The path of the dynamic loader (PT_INTERP in elf(5)) that a file asks for; none if it asks for none, or says so further in.
pub fn interpreter(program: &Path) -> Option<PathBuf> {
    if !program.metadata().ok()?.is_file() {
        return None;
    }
    let mut data = Vec::new();
    File::open(program).ok()?.take(BEGINNING).read_to_end(&mut data).ok()?;
    let header = elf::FileHeader64::<LittleEndian>::parse(&*data).ok()?;
    let headers = header.program_headers(LittleEndian, &*data).ok()?;
    let path = headers.iter().find_map(|one| one.interpreter(LittleEndian, &*data).ok()?)?;
    Some(PathBuf::from(OsStr::from_bytes(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_names_its_loader_and_a_text_none() {
        let loader = interpreter(&std::env::current_exe().unwrap()).unwrap();
        assert!(loader.is_file(), "{}", loader.display());
        assert_eq!(interpreter(Path::new("/etc/passwd")), None);
        assert_eq!(interpreter(&loader), None);
        assert_eq!(interpreter(Path::new("/")), None);
    }
}
