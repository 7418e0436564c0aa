//! What stat(2) and statx(2) tell of an open file, as the bytes that they fill in.

use nix::errno::Errno;
use std::os::fd::{AsRawFd, BorrowedFd};

/// A date in a `stat`, or in a `statx`.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Where its seconds are, 64 bits.
    seconds: usize,
    /// Where its nanoseconds are, of which the lower 32 bits matter.
    nanos: usize,
}

/// Where dates, owners and numbers are, in one kind of answer.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// The dates.
    pub dates: &'static [Field],
    /// Those that a program cannot give a file: of its last change, and of when it was made.
    pub given: &'static [(Field, Given)],
    /// The number of the user, 32 bits.
    pub user: usize,
    /// The number of the group.
    pub group: usize,
    /// The number of the file, 64 bits.
    pub number: usize,
    /// Its device.
    device: Device,
}

/// A date that the kernel alone gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// The last change of anything of the file (`st_ctime`).
    Changed,
    /// When it was made (`stx_btime`).
    Made,
}

/// How the device is told.
#[derive(Clone, Copy, Debug)]
enum Device {
    /// As a whole, of 64 bits, here.
    Whole(usize),
    /// In two parts of 32 bits each (makedev(3)), here.
    Parts(usize),
}

impl Layout {
    /// The file's device and its number.
    pub fn identity(&self, told: &[u8]) -> Option<(u64, u64)> {
        let half = |at: usize| Some(u32::from_le_bytes(*told.get(at..)?.first_chunk()?));
        let whole = |at: usize| Some(u64::from_le_bytes(*told.get(at..)?.first_chunk()?));
        let device = match self.device {
            Device::Whole(at) => whole(at)?,
            Device::Parts(at) => libc::makedev(half(at)?, half(at + 4)?),
        };
        Some((device, whole(self.number)?))
    }
}

macro_rules! field {
    ($of:ty, $seconds:ident, $nanos:ident) => {
        Field { seconds: std::mem::offset_of!($of, $seconds), nanos: std::mem::offset_of!($of, $nanos) }
    };
    ($of:ty, $date:ident) => {
        Field {
            seconds: std::mem::offset_of!($of, $date) + std::mem::offset_of!(libc::statx_timestamp, tv_sec),
            nanos: std::mem::offset_of!($of, $date) + std::mem::offset_of!(libc::statx_timestamp, tv_nsec),
        }
    };
}

/// Of a `stat`.
pub const PLAIN: Layout = Layout {
    dates: &[
        field!(libc::stat, st_atime, st_atime_nsec),
        field!(libc::stat, st_mtime, st_mtime_nsec),
        field!(libc::stat, st_ctime, st_ctime_nsec),
    ],
    given: &[(field!(libc::stat, st_ctime, st_ctime_nsec), Given::Changed)],
    user: std::mem::offset_of!(libc::stat, st_uid),
    group: std::mem::offset_of!(libc::stat, st_gid),
    number: std::mem::offset_of!(libc::stat, st_ino),
    device: Device::Whole(std::mem::offset_of!(libc::stat, st_dev)),
};

/// Of a `statx`.
pub const EXTENDED: Layout = Layout {
    dates: &[
        field!(libc::statx, stx_atime),
        field!(libc::statx, stx_btime),
        field!(libc::statx, stx_ctime),
        field!(libc::statx, stx_mtime),
    ],
    given: &[(field!(libc::statx, stx_ctime), Given::Changed), (field!(libc::statx, stx_btime), Given::Made)],
    user: std::mem::offset_of!(libc::statx, stx_uid),
    group: std::mem::offset_of!(libc::statx, stx_gid),
    number: std::mem::offset_of!(libc::statx, stx_ino),
    device: Device::Parts(std::mem::offset_of!(libc::statx, stx_dev_major)),
};

impl Field {
    /// The date, as seconds and nanoseconds since 1970.
    pub fn get(self, told: &[u8]) -> Option<(i64, u32)> {
        let seconds = i64::from_le_bytes(*told.get(self.seconds..)?.first_chunk()?);
        Some((seconds, u32::from_le_bytes(*told.get(self.nanos..)?.first_chunk()?)))
    }

    /// Puts another there.
    pub fn put(self, told: &mut [u8], seconds: i64, nanos: u32) {
        put(told, self.seconds, &seconds.to_le_bytes());
        put(told, self.nanos, &nanos.to_le_bytes());
    }
}

/// Puts these bytes there, if there is room.
pub fn put(told: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = told.get_mut(at..).and_then(|rest| rest.get_mut(..bytes.len())) {
        place.copy_from_slice(bytes);
    }
}

/// What stat(2) tells of this file, which may be open by O_PATH.
pub fn plain(file: BorrowedFd<'_>) -> Result<Vec<u8>, Errno> {
    let mut told = vec![0; size_of::<libc::stat>()];
    // SAFETY: the path is a string of C, and the kernel writes a `stat` to `told`, which has its size.
    let done = unsafe {
        libc::syscall(
            libc::SYS_newfstatat,
            file.as_raw_fd(),
            c"".as_ptr(),
            told.as_mut_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    Errno::result(done).map(|_| told)
}

/// What statx(2) tells of it, asked for this with these flags.
pub fn extended(file: BorrowedFd<'_>, flags: i32, mask: u32) -> Result<Vec<u8>, Errno> {
    let mut told = vec![0; size_of::<libc::statx>()];
    // SAFETY: the path is a string of C, and the kernel writes a `statx` to `told`, which has its size.
    let done = unsafe {
        libc::syscall(
            libc::SYS_statx,
            file.as_raw_fd(),
            c"".as_ptr(),
            flags | libc::AT_EMPTY_PATH,
            mask,
            told.as_mut_ptr(),
        )
    };
    Errno::result(done).map(|_| told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn dates_and_owners_are_where_the_library_says() {
        let file = File::open("/proc/self/exe").unwrap();
        let expected = file.metadata().unwrap();
        let plain = plain(file.as_fd()).unwrap();
        let extended = extended(file.as_fd(), 0, libc::STATX_BASIC_STATS).unwrap();
        let dates = [
            (expected.atime(), expected.atime_nsec() as u32),
            (expected.mtime(), expected.mtime_nsec() as u32),
            (expected.ctime(), expected.ctime_nsec() as u32),
        ];
        for (field, date) in PLAIN.dates.iter().zip(dates) {
            assert_eq!(field.get(&plain), Some(date));
        }
        for (at, date) in [(0, dates[0]), (2, dates[2]), (3, dates[1])] {
            assert_eq!(EXTENDED.dates[at].get(&extended), Some(date));
        }
        for (told, layout) in [(&plain, PLAIN), (&extended, EXTENDED)] {
            let number = |at: usize| u32::from_le_bytes(told[at..at + 4].try_into().unwrap());
            assert_eq!((number(layout.user), number(layout.group)), (expected.uid(), expected.gid()));
            assert_eq!(layout.identity(told), Some((expected.dev(), expected.ino())));
        }
    }

    #[test]
    fn what_is_put_is_what_is_there() {
        let mut told = plain(File::open("/").unwrap().as_fd()).unwrap();
        PLAIN.dates[1].put(&mut told, -3, 999_999_999);
        assert_eq!(PLAIN.dates[1].get(&told), Some((-3, 999_999_999)));
        put(&mut told, usize::MAX, &[1]);
    }
}
