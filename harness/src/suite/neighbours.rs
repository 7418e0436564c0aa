//! What is beside an instruction of a program, as a search asks for it.

use crate::checks;
use crate::code::{Function, Image, Place, Spot, near};
use crate::explore::{Beside, Neighbours};
use crate::schedule::Label;
use crate::supervise::images;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// The program's own code.
struct Own {
    image: Arc<Image>,
    /// Where errno is read, once somebody has asked.
    errno: OnceLock<Vec<Label>>,
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Own").field("file", &self.image.path()).finish_non_exhaustive()
    }
}

/// The neighbours in the program of this file; none if its code cannot be read.
pub(super) fn of(file: &Path) -> Option<Arc<dyn Neighbours>> {
    let image = images().open(file).ok()?;
    Some(Arc::new(Own { image, errno: OnceLock::new() }))
}

impl Own {
    /// The function and the address of an instruction that is named by them.
    fn found(&self, place: Label) -> Option<(Function, u64)> {
        let place: Place = place.as_str().parse().ok().filter(|place: &Place| place.module().is_none())?;
        let Spot::Function { name, .. } = place.spot() else { return None };
        let [function] = &self.image.functions_named(name)[..] else { return None };
        let [address] = self.image.resolve(&place).ok()?[..] else { return None };
        Some((function.clone(), address))
    }
}

impl Neighbours for Own {
    fn of(&self, place: Label) -> Option<Beside> {
        let (function, address) = self.found(place)?;
        let errno = self.errno.get_or_init(|| checks::reads_of_errno(self.image.path()));
        let near = near(&self.image.instructions(&function), address, errno.contains(&place))?;
        let label = |address: &u64| {
            Label::new(&Place::in_function(&function.name, address - function.start).to_string())
        };
        let labels = |addresses: &[u64]| addresses.iter().map(label).collect();
        Some(Beside { before: labels(&near.before), after: labels(&near.after) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    const SOURCE: &str = "
        #include <errno.h>
        #include <stdlib.h>
        volatile int count;
        __attribute__((noinline)) void add(void) { int before = count; count = before + 1; }
        __attribute__((noinline)) int large(const char *text)
        {
            errno = 0;
            (void)strtol(text, 0, 10);
            return errno == ERANGE;
        }
        int main(int argc, char **argv) { add(); return large(argv[argc - 1]); }
    ";

    #[test]
    fn what_is_beside_an_instruction_is_named_like_it() {
        let folder = tempfile::tempdir().unwrap();
        let (source, program) = (folder.path().join("beside.c"), folder.path().join("beside"));
        std::fs::write(&source, SOURCE).unwrap();
        let built = crate::copies::output(Command::new("cc").args(["-O1", "-o"]).arg(&program).arg(&source));
        assert!(built.unwrap().status.success());
        let own = of(&program).unwrap();
        let image = images().open(&program).unwrap();
        let labels = |name: &str| -> Vec<Label> {
            let function = image.functions_named(name).into_iter().next().unwrap();
            let names = image
                .instructions(&function)
                .into_iter()
                .map(|one| Place::in_function(name, one.address - function.start).to_string());
            names.map(|name| Label::new(&name)).collect()
        };
        let add = labels("add");
        let Beside { before, after } = own.of(add[1]).unwrap();
        assert_eq!((before, after), (vec![add[0]], add[2..].to_vec()));
        for elsewhere in ["add+0x3000", "nothing", "libc.so.6!malloc", "beside.c:6"] {
            assert_eq!(own.of(Label::new(elsewhere)), None, "{elsewhere}");
        }
        // Where errno is read, the call that has set it is beside that.
        let read = checks::reads_of_errno(&program);
        let [read] = read[..] else { panic!("{read:?}") };
        let large = labels("large");
        assert!(own.of(read).unwrap().before.len() > 3 && large.contains(&read));
    }
}
