//! A thread's own door: what is read of a thread, and written into its memory, goes through the thread that is meant.
//!
//! Not through its process's first thread, which may have ended while others live on (pthread_exit(3) in `main`): then the
//! process still has its number, but under it there is no memory and there are no descriptors any more.

use crate::sys::memory::{self, Text};
use crate::sys::pidfd::{Duplicate, PidFd};
use crate::sys::procfs::{self, Doing, Inside, Position, Status, ThreadFiles};
use nix::errno::Errno;
use std::cell::OnceCell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// What leads to one thread. Everything but its number is opened when first needed.
#[derive(Debug)]
pub(in crate::supervise) struct Door {
    tid: i32,
    files: ThreadFiles,
    descriptor: OnceCell<PidFd>,
    text: OnceCell<Text>,
}

impl Door {
    /// To the thread with this number, which must be there.
    pub(in crate::supervise) fn find(tid: i32) -> io::Result<Door> {
        let files = ThreadFiles::find(tid)?;
        Ok(Door { tid, files, descriptor: OnceCell::new(), text: OnceCell::new() })
    }

    /// The thread has ended, and has no memory and no descriptors any more.
    pub(in crate::supervise) fn forget(&mut self) {
        self.files.forget();
        self.descriptor = OnceCell::new();
        self.text = OnceCell::new();
    }

    /// The thread is gone, and its number may come to be another's.
    pub(in crate::supervise) fn close(&mut self) {
        self.forget();
        self.files.close();
    }

    /// True once it leads nowhere.
    pub(in crate::supervise) fn is_closed(&self) -> bool {
        self.files.is_closed()
    }

    /// The thread's number, as the supervisor's namespace counts.
    pub(in crate::supervise) fn tid(&self) -> i32 {
        self.tid
    }

    /// Its `status`; none when it is gone.
    pub(in crate::supervise) fn status(&self) -> io::Result<Option<Status>> {
        self.files.status()
    }

    pub(in crate::supervise) fn doing(&self) -> io::Result<Doing> {
        self.files.doing()
    }

    pub(in crate::supervise) fn inside(&self) -> io::Result<Option<Inside>> {
        self.files.inside()
    }

    pub(in crate::supervise) fn position(&self) -> io::Result<Option<Position>> {
        self.files.position()
    }

    pub(in crate::supervise) fn outside(&self) -> io::Result<Option<(u64, u64)>> {
        self.files.outside()
    }

    pub(in crate::supervise) fn ran(&self) -> io::Result<(u64, u64)> {
        self.files.ran()
    }

    /// Reads memory; shorter only where it ends.
    pub(in crate::supervise) fn read(&self, address: u64, buffer: &mut [u8]) -> Result<usize, Errno> {
        memory::read(self.tid, address, buffer)
    }

    /// Reads `N` bytes, all of them.
    pub(in crate::supervise) fn read_array<const N: usize>(&self, address: u64) -> Result<[u8; N], Errno> {
        memory::read_array(self.tid, address)
    }

    pub(in crate::supervise) fn read_word(&self, address: u64) -> Result<u64, Errno> {
        memory::read_word(self.tid, address)
    }

    /// Reads so many bytes, all of them.
    pub(in crate::supervise) fn read_bytes(&self, address: u64, count: usize) -> Result<Vec<u8>, Errno> {
        let mut bytes = vec![0; count];
        if count > 0 && memory::read(self.tid, address, &mut bytes)? != count {
            return Err(Errno::EFAULT);
        }
        Ok(bytes)
    }

    /// Writes to memory that the program itself may write.
    pub(in crate::supervise) fn write(&self, address: u64, bytes: &[u8]) -> Result<(), Errno> {
        memory::write(self.tid, address, bytes)
    }

    /// Its memory for changes of code, opened once for as long as it runs one program.
    pub(in crate::supervise) fn text(&self) -> io::Result<&Text> {
        match self.text.get() {
            Some(text) => Ok(text),
            None => {
                let opened = Text::open(self.tid)?;
                Ok(self.text.get_or_init(|| opened))
            }
        }
    }

    /// It runs another program, in other memory.
    pub(in crate::supervise) fn forget_text(&mut self) {
        self.text = OnceCell::new();
    }

    /// What stands for it.
    fn pidfd(&self) -> Result<&PidFd, Errno> {
        match self.descriptor.get() {
            Some(descriptor) => Ok(descriptor),
            None if self.is_closed() => Err(Errno::ESRCH),
            None => {
                let opened = PidFd::of_thread(self.tid)?;
                Ok(self.descriptor.get_or_init(|| opened))
            }
        }
    }

    /// A duplicate of one of its descriptors.
    pub(in crate::supervise) fn duplicate(&self, fd: i32) -> Result<Duplicate, Errno> {
        self.pidfd()?.duplicate(fd)
    }

    /// True if the end of a thread that is not the first of its process will be told: not by older kernels.
    pub(in crate::supervise) fn hears_its_end(&self) -> bool {
        self.pidfd().is_ok()
    }

    /// True if its end has been told.
    pub(in crate::supervise) fn has_told_its_end(&self) -> bool {
        self.descriptor.get().is_some_and(|descriptor| descriptor.has_ended() == Ok(true))
    }

    /// Polls readable once it has ended, if that is told.
    pub(in crate::supervise) fn end(&self) -> Option<BorrowedFd<'_>> {
        self.descriptor.get().map(AsFd::as_fd)
    }

    /// What one of its descriptors is (`procfs::descriptor`).
    pub(in crate::supervise) fn descriptor(&self, fd: i32) -> io::Result<String> {
        procfs::descriptor(self.tid, fd)
    }

    /// Its descriptors but for the three standard ones, by number.
    pub(in crate::supervise) fn descriptors_opened(&self) -> io::Result<Vec<i32>> {
        procfs::descriptors_opened(self.tid)
    }

    /// Its descriptors, by number.
    pub(in crate::supervise) fn descriptors(&self) -> io::Result<Vec<i32>> {
        procfs::descriptors(self.tid)
    }

    /// What it has in its memory (`procfs::maps`).
    pub(in crate::supervise) fn maps(&self) -> io::Result<String> {
        procfs::maps(self.tid)
    }

    /// True if one of its descriptors is a file or a directory, and can be looked at.
    pub(in crate::supervise) fn is_file(&self, fd: i32) -> bool {
        procfs::is_file(self.tid, fd)
    }

    /// What `/proc/PID/fdinfo/FD` says.
    pub(in crate::supervise) fn descriptor_info(&self, fd: i32) -> io::Result<String> {
        procfs::descriptor_info(self.tid, fd)
    }
}
