//! Where a program waits to be connected to: see `Observe::Signals`.

use super::state::Turns;
use super::{Observe, RunError};
use crate::sys::{procfs, socket};
use std::os::fd::AsFd;

impl Turns<'_> {
    /// Everything sleeps: takes note of the addresses of the sockets at which the program listens, as a client's script has them.
    pub(super) fn note_listening(&mut self) -> Result<(), RunError> {
        if !matches!(self.observe, Observe::Signals(_)) {
            return Ok(());
        }
        for (id, fd) in self.open_descriptors()? {
            let thread = self.tree.thread(id);
            if thread.name.client_of().is_some() {
                continue;
            }
            let link = match thread.door.descriptor(fd) {
                Ok(link) => link,
                Err(error) if procfs::gone(&error) => continue,
                Err(error) => {
                    let what = format!("reading descriptor {fd} of {}: {error}", thread.name);
                    return Err(RunError::Fault(what));
                }
            };
            // One that this host does not let be duplicated is not told of.
            let Some(copy) = link.starts_with("socket:").then(|| thread.door.duplicate(fd).ok()).flatten()
            else {
                continue;
            };
            let address = socket::listens_at(copy.as_fd());
            let known = &mut self.journal.listens;
            known.extend(address.filter(|address| !known.contains(address)));
        }
        Ok(())
    }
}
