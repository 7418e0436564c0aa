//! Another process's memory: process_vm_readv(2), process_vm_writev(2), and `/proc/PID/mem` for text.

use nix::errno::Errno;
use nix::sys::uio::{RemoteIoVec, process_vm_readv, process_vm_writev};
use nix::unistd::Pid;
use std::ffi::CStr;
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::unix::fs::FileExt;

/// Reads `buffer.len()` bytes at `address`; shorter only where the memory ends.
pub fn read(pid: i32, address: u64, buffer: &mut [u8]) -> Result<usize, Errno> {
    let remote = RemoteIoVec { base: address as usize, len: buffer.len() };
    process_vm_readv(Pid::from_raw(pid), &mut [IoSliceMut::new(buffer)], &[remote])
}

/// Reads `N` bytes at `address`, all of them.
pub fn read_array<const N: usize>(pid: i32, address: u64) -> Result<[u8; N], Errno> {
    let mut bytes = [0; N];
    match read(pid, address, &mut bytes)? {
        n if n == N => Ok(bytes),
        _ => Err(Errno::EFAULT),
    }
}

/// Reads a 64-bit word.
pub fn read_word(pid: i32, address: u64) -> Result<u64, Errno> {
    read_array(pid, address).map(u64::from_le_bytes)
}

/// Writes to memory that the process itself may write.
pub fn write(pid: i32, address: u64, bytes: &[u8]) -> Result<(), Errno> {
    let remote = RemoteIoVec { base: address as usize, len: bytes.len() };
    match process_vm_writev(Pid::from_raw(pid), &[IoSlice::new(bytes)], &[remote])? {
        n if n == bytes.len() => Ok(()),
        _ => Err(Errno::EFAULT),
    }
}

/// A process's memory through `/proc/PID/mem`, which also writes where the process itself may only execute
/// (`FOLL_FORCE`; proc_pid_mem(5)). The process gets a copy of its own of the page.
#[derive(Debug)]
pub struct Text(File);

impl Text {
    /// Opens the memory that the process has now; after an exec this stays the old one.
    pub fn open(pid: i32) -> io::Result<Text> {
        File::options().read(true).write(true).open(format!("/proc/{pid}/mem")).map(Text)
    }

    /// Reads `N` bytes at `address`.
    pub fn read<const N: usize>(&self, address: u64) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.0.read_exact_at(&mut bytes, address)?;
        Ok(bytes)
    }

    /// Writes at `address`.
    pub fn write(&self, address: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, address)
    }
}

/// True if executing the file gives capabilities (capabilities(7), "File capabilities").
pub fn has_file_capabilities(file: &CStr) -> Result<bool, Errno> {
    let name = c"security.capability";
    // SAFETY: both texts end with a zero byte and live through the call; a size of zero asks only for the length.
    let length = unsafe { libc::getxattr(file.as_ptr(), name.as_ptr(), std::ptr::null_mut(), 0) };
    match Errno::result(length) {
        Ok(length) => Ok(length > 0),
        // It has none, or is in a file system where no file has any.
        Err(Errno::ENODATA | Errno::EOPNOTSUPP) => Ok(false),
        Err(errno) => Err(errno),
    }
}
