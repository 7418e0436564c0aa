//! The file with another one's debug information, where distributions put it: under `/usr/lib/debug` by build id, or as
//! `.gnu_debuglink` says.

use super::image::read_file;
use object::read::elf::{ElfFile64, FileHeader};
use object::{LittleEndian, Object, elf};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// One such file, looked for and read when it is first asked for.
#[derive(Debug, Default)]
pub(super) struct Apart {
    candidates: Vec<PathBuf>,
    build_id: Option<Vec<u8>>,
    data: OnceLock<Option<Arc<[u8]>>>,
}

impl Apart {
    /// The one of this file.
    pub(super) fn of(path: &Path, file: &ElfFile64<'_, LittleEndian>) -> Apart {
        let root = Path::new("/usr/lib/debug");
        let mut candidates = Vec::new();
        if let Ok(Some([first, rest @ ..])) = file.build_id()
            && (1..64).contains(&rest.len())
        {
            let rest = hexadecimal(rest);
            candidates.push(root.join(format!(".build-id/{first:02x}/{rest}.debug")));
        }
        if let Ok(Some((name, _))) = file.gnu_debuglink()
            && let Ok(name) = std::str::from_utf8(name)
            && !name.contains('/')
            && let Some(folder) = path.canonicalize().ok().as_deref().and_then(Path::parent)
        {
            candidates.push(folder.join(name));
            candidates.push(folder.join(".debug").join(name));
            candidates.push(root.join(folder.strip_prefix("/").unwrap_or(folder)).join(name));
        }
        Apart { candidates, build_id: build_id(file), data: OnceLock::new() }
    }

    /// The build id of both; none if what belongs together is not told by one.
    pub(super) fn build_id(&self) -> Option<&[u8]> {
        self.build_id.as_deref()
    }

    /// Its content, if there is such a file.
    pub(super) fn data(&self) -> Option<&Arc<[u8]>> {
        let belongs = |data: &Arc<[u8]>| {
            let Ok(apart) = ElfFile64::<LittleEndian>::parse(&**data) else { return false };
            apart.elf_header().e_machine(LittleEndian) == elf::EM_X86_64 && build_id(&apart) == self.build_id
        };
        let find = || self.candidates.iter().filter_map(|path| read_file(path).ok()).find(belongs);
        self.data.get_or_init(find).as_ref()
    }
}

fn build_id(file: &ElfFile64<'_, LittleEndian>) -> Option<Vec<u8>> {
    file.build_id().ok().flatten().filter(|id| !id.is_empty()).map(<[u8]>::to_vec)
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
