//! A process runs another program from here on.

use super::RunError;
use crate::signal::SignalSet;
use crate::supervise::books::ids::ThreadId;
use crate::supervise::books::news::News;
use crate::supervise::books::plant::{Planted, room_in_vdso};
use crate::supervise::code::loader;
use crate::supervise::code::vdso::{self, Patch};
use crate::supervise::state::Turns;
use crate::sys::{memory, procfs};
use crate::trace::What;
use nix::errno::Errno;
use rand::Rng;
use std::ffi::CString;
use std::fs::Metadata;
use std::io;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;

// Keys of the auxiliary vector (getauxval(3)).
const AT_PHDR: u64 = 3;
const AT_PHNUM: u64 = 5;
const AT_BASE: u64 = 7;
const AT_ENTRY: u64 = 9;
const AT_RANDOM: u64 = 25;
const AT_SYSINFO_EHDR: u64 = 33;

impl Turns<'_> {
    /// The first notification after execve was let happen: is it a new program?
    ///
    /// Every program gets fresh random bytes from the kernel (AT_RANDOM), which are replaced here by those of the run's
    /// seed. So bytes that are not the run's own are a new program's; and from then on they are the same in every run.
    pub(super) fn after_execute(&mut self, id: ThreadId) -> Result<(), RunError> {
        let process = self.tree.thread(id).process;
        let pid = self.tree.process(process).pid;
        let name = self.tree.process(process).name.clone();
        self.tree.process_mut(process).executing = false;
        let unreadable = |what: &str, error: &dyn std::fmt::Display| {
            RunError::Unsupported(format!("{name} runs a program whose {what} cannot be read: {error}"))
        };
        let wanted = [AT_BASE, AT_RANDOM, AT_ENTRY, AT_SYSINFO_EHDR, AT_PHDR, AT_PHNUM];
        let found = match procfs::auxiliary(pid, &wanted) {
            Err(error) if procfs::gone(&error) => return Ok(()),
            other => other.map_err(|error| unreadable("auxiliary vector", &error))?,
        };
        let (base, random) = (found[0].unwrap_or(0), found[1].unwrap_or(0));
        let mut own = [0; 16];
        self.generator(0).fill_bytes(&mut own);
        let door = &self.tree.thread(id).door;
        let bytes: [u8; 16] = door.read_array(random).map_err(|errno| unreadable("memory", &errno))?;
        if bytes == own {
            return Ok(());
        }
        door.write(random, &own).map_err(|errno| unreadable("memory", &errno))?;
        // Without a vDSO there is no place for a stub, and nobody is held right after fork.
        let room = found[3].and_then(|base| Some(room_in_vdso(base, &door.read_array(base).ok()?)));
        self.tree.became_leader(id)?;
        if let (Some(base), Some(room)) = (found[3].filter(|_| self.clock.is_virtual()), &room) {
            self.take_clocks(id, base..room.end)?;
        }
        let is = std::fs::metadata(format!("/proc/{pid}/exe"));
        if let (Some(headers), Some(count), true) = (found[4], found[5], self.clock.is_virtual()) {
            self.take_ticks(id, &is, (headers, count))?;
        }
        self.clock.forget_posix(process);
        let file = procfs::executable(pid).map_err(|error| unreadable("file name", &error))?;
        self.privileges(id, &file, is)?;
        // What was started as the program or a client, not what that executes later.
        let own = self.tree.process_of(id).parent.is_none() && self.tree.process_of(id).program.is_empty();
        let blocked = if own {
            // Read just now, when the process was first seen.
            self.tree.process(process).last_blocked
        } else {
            self.proc_status(id)?.map_or(SignalSet::EMPTY, |status| status.blocked)
        };
        let inherited =
            self.tree.process(process).parent.map(|parent| self.tree.process(parent).initial_blocked);
        // The program itself goes by the name that it was started with: where its file lies is not what happened.
        let client = self.clients.number(&self.tree.thread(id).name);
        let launch = client.map_or(&self.settings.launch, |number| &self.settings.clients[number]);
        let name = launch.argv.first().filter(|_| own).cloned().unwrap_or_else(|| file.clone());
        let loader =
            if base == 0 { 0..0 } else { base..base + loader::size(&self.tree.thread(id).door, base) };
        self.code.loaders.push(loader.clone());
        let process = self.tree.process_mut(process);
        process.planted = Planted::within(room.unwrap_or_default());
        process.borrows_memory = false;
        process.opens_alone = true;
        process.loading = !loader.is_empty();
        process.loader = loader;
        process.exec_blocked = inherited.map_or(SignalSet::EMPTY, |inherited| blocked.without(inherited));
        process.initial_blocked = blocked;
        process.last_blocked = blocked;
        process.program.clone_from(&file);
        process.entry = found[2].unwrap_or(0);
        process.handlers = Default::default();
        process.may_catch = false;
        (process.ever_caught, process.lapsed) = (SignalSet::EMPTY, SignalSet::EMPTY);
        self.code.lookout.new_program(self.tree.thread(id).process);
        self.journal.news.push((id, News::Told(What::Exec(name))));
        self.set_breakpoints(id)
    }

    /// Has the functions of the vDSO ask: they would tell the machine's time.
    fn take_clocks(&mut self, id: ThreadId, vdso: Range<u64>) -> Result<(), RunError> {
        /// The same for all programs: it is the kernel's.
        static PATCHES: OnceLock<Vec<Patch>> = OnceLock::new();
        let thread = self.tree.thread(id);
        let unknown = |why: &str| {
            RunError::Unsupported(format!(
                "time of one's own needs writes to /proc/PID/mem, to have the vDSO of {} ask for it: {why}; \
                 `--clock real` does without",
                thread.name
            ))
        };
        let length = vdso.end.saturating_sub(vdso.start) as usize;
        let patches = match PATCHES.get() {
            Some(patches) => patches,
            None => match thread.door.read_bytes(vdso.start, length) {
                Ok(image) => {
                    let patches = vdso::patches(&image);
                    let patches = patches.ok_or_else(|| unknown("its image is not understood"))?;
                    PATCHES.get_or_init(|| patches)
                }
                // Somebody has ended it meanwhile.
                Err(errno) if errno == Errno::ESRCH || self.proc_status(id)?.is_none() => return Ok(()),
                Err(errno) => return Err(unknown(errno.desc())),
            },
        };
        let written = thread.door.text().and_then(|text| {
            patches.iter().try_for_each(|patch| text.write(vdso.start + patch.offset, &patch.code))
        });
        match written {
            Err(error) if !procfs::gone(&error) => Err(unknown(&error.to_string())),
            _ => Ok(()),
        }
    }

    /// Has a program of Go ask for the time where its runtime would read the processor's counter.
    fn take_ticks(
        &mut self,
        id: ThreadId,
        file: &io::Result<Metadata>,
        headers: (u64, u64),
    ) -> Result<(), RunError> {
        // If its file cannot be looked at, that is said of what rights it gives.
        let Ok(file) = file else { return Ok(()) };
        let door = &self.tree.thread(id).door;
        let write = || -> io::Result<()> {
            let file = (file.ino(), file.size(), (file.mtime(), file.mtime_nsec()));
            let patches = self.settings.learnt.ticks.patches(door, file, headers)?;
            patches.into_iter().try_for_each(|(address, code)| door.text()?.write(address, code))
        };
        match write() {
            Err(error) if !procfs::gone(&error) => {
                let name = &self.tree.thread(id).name;
                Err(RunError::Unsupported(format!(
                    "having {name}, a new program, ask for the time instead of the processor's counter: {error}; \
                     `--clock real` does without"
                )))
            }
            _ => Ok(()),
        }
    }

    /// A program that would get rights by its file does not get them under no_new_privs: what it then does is not what it
    /// does on its own.
    fn privileges(&mut self, id: ThreadId, file: &str, is: io::Result<Metadata>) -> Result<(), RunError> {
        let program = format!("/proc/{}/exe", self.tree.process_of(id).pid);
        let (user, group) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
        let rights = || {
            let metadata = is?;
            let capabilities = user != 0 && memory::has_file_capabilities(&CString::new(program.as_str())?)?;
            Ok((metadata, capabilities))
        };
        let (metadata, capabilities) = match rights() {
            Err(error) if procfs::gone(&error) => return Ok(()),
            other => {
                other.map_err(|error| RunError::failed(format!("reading what rights {file} gives"), error))?
            }
        };
        let set_user = metadata.mode() & 0o4000 != 0 && metadata.uid() != user;
        let set_group = metadata.mode() & 0o2010 == 0o2010 && metadata.gid() != group;
        if set_user || set_group {
            self.unsupported_program(id, &format!("would change its user or group by its file {file}"));
        } else if capabilities {
            self.unsupported_program(id, &format!("would get capabilities by its file {file}"));
        }
        Ok(())
    }
}
