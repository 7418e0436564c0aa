//! What a program writes, kept up to a limit: of what comes after that, only how much it was and its digest.

use crate::compile::hexadecimal;
use crate::trace::Output;
use nix::errno::Errno;
use sha2::{Digest, Sha256};
use std::os::fd::BorrowedFd;

/// One of the program's two outputs, as it grows.
#[derive(Debug)]
pub(super) struct Written {
    limit: usize,
    kept: Vec<u8>,
    left_out: u64,
    rest: Sha256,
}

impl Written {
    /// Of which at most so many bytes are kept.
    pub(super) fn up_to(limit: u64) -> Written {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Written { limit, kept: Vec::new(), left_out: 0, rest: Sha256::new() }
    }

    /// These were written next.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        let room = self.limit.saturating_sub(self.kept.len()).min(bytes.len());
        let (first, rest) = bytes.split_at(room);
        self.kept.extend_from_slice(first);
        if !rest.is_empty() {
            self.left_out += rest.len() as u64;
            self.rest.update(rest);
        }
    }

    /// Takes what there is at this end, which does not block; true if nobody can write to it any more.
    pub(super) fn drain(&mut self, end: BorrowedFd<'_>) -> Result<bool, Errno> {
        let mut chunk = [0u8; 16384];
        loop {
            match nix::unistd::read(end, &mut chunk) {
                Ok(0) => return Ok(true),
                Ok(got) => self.take(&chunk[..got]),
                Err(Errno::EAGAIN) => return Ok(false),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    /// All of it, as an outcome tells it.
    pub(super) fn told(&mut self) -> Output {
        let Written { kept, left_out, rest, .. } = std::mem::replace(self, Written::up_to(0));
        match left_out {
            0 => Output::from(kept),
            left_out => Output::Cut { first: kept, left_out, digest: hexadecimal(&rest.finalize()) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(limit: u64, pieces: &[&str]) -> Output {
        let mut written = Written::up_to(limit);
        pieces.iter().for_each(|piece| written.take(piece.as_bytes()));
        written.told()
    }

    #[test]
    fn what_is_within_the_limit_is_kept_whole() {
        assert_eq!(written(5, &["ab", "", "cde"]), Output::Text("abcde".to_owned()));
        assert_eq!(written(1, &[]), Output::Text(String::new()));
    }

    #[test]
    fn what_is_beyond_the_limit_is_counted_and_told_apart() {
        let Output::Cut { first, left_out, digest } = written(3, &["ab", "cd", "ef"]) else {
            panic!("whole")
        };
        assert_eq!((first.as_slice(), left_out), (&b"abc"[..], 3));
        // As sha256sum(1) gives it of "def".
        assert_eq!(digest, "cb8379ac2098aa165029e3938a51da0bcecfc008fd6795f401178647f96c5b34");
        assert_eq!(written(3, &["abcdef"]), written(3, &["a", "bcde", "f"]));
        assert_ne!(written(3, &["abcdef"]), written(3, &["abcdeg"]));
    }
}
