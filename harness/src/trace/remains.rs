//! What outlives a run's processes: files and IPC objects that it made, changed or removed; and the descriptors that its
//! processes still held when they ended, or when they slept for good.

use crate::schedule::ThreadName;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// All of it. Of files it is what was there when nothing of the run was left, where these are the run's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Remains {
    /// What was changed, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// How many more there were than are listed.
    #[serde(skip_serializing_if = "is_zero")]
    pub more: u64,
    /// What processes held when they ended by exit(2); those that held nothing but their first three descriptors are left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<Open>,
    /// What processes held that slept when nothing could go on any more, or only the outside could; the same of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<Open>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A file or an IPC object that is otherwise than before the run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Its path: within the working directory from there on, and else from the root. What is not UTF-8 in it is written
    /// `\xff`. System V objects are called `shm:0x2a`, `sem:0x2a` and `msg:0x2a` by their keys, `shm:private` without one, and
    /// POSIX message queues `mqueue:/jobs`.
    pub name: String,
    /// What was done with it.
    pub how: Changing,
    /// It was made by the run, and was there already when the schedule sent a signal or let a timer run out, or when the call was done
    /// at whose entering a signal was sent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub before_signal: bool,
}

/// What was done with something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Changing {
    /// It was not there before.
    Made(Object),
    /// It was there before, and was something else or had other content.
    Changed(Object),
    /// It was there before and is not any more; of a folder, all that was in it.
    Removed,
}

impl Changing {
    /// What there is now.
    pub fn object(&self) -> Option<&Object> {
        match self {
            Changing::Made(object) | Changing::Changed(object) => Some(object),
            Changing::Removed => None,
        }
    }
}

/// What has a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Object {
    /// A regular file.
    File {
        /// Its size in bytes.
        size: u64,
        /// SHA-256 of its content, in hexadecimal; none if it is too large to be read, or another every time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        digest: Option<String>,
        /// It ends in the middle of a line: there is something in it, and the last byte is no line feed.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        cut: bool,
    },
    /// A folder.
    Folder,
    /// A folder that was elsewhere before: there.
    MovedFolder(String),
    /// A symbolic link, and where it leads.
    Link(String),
    /// A FIFO.
    Fifo,
    /// A Unix socket.
    Socket,
    /// A device.
    Device,
    /// System V shared memory: its size in bytes.
    SharedMemory(u64),
    /// System V semaphores: how many.
    Semaphores(u64),
    /// A message queue, of System V or POSIX: how many bytes wait in it.
    Queue(u64),
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Object::File { size: 0, .. } => f.write_str("an empty file"),
            Object::File { size, cut: false, .. } => write!(f, "a file of {size} bytes"),
            Object::File { size, cut: true, .. } => {
                write!(f, "a file of {size} bytes that ends in the middle of a line")
            }
            Object::Folder => f.write_str("a folder"),
            Object::MovedFolder(from) => write!(f, "a folder that was {from}"),
            Object::Link(to) => write!(f, "a symbolic link to {to}"),
            Object::Fifo => f.write_str("a FIFO"),
            Object::Socket => f.write_str("a socket"),
            Object::Device => f.write_str("a device"),
            Object::SharedMemory(size) => write!(f, "shared memory of {size} bytes"),
            Object::Semaphores(count) => write!(f, "{count} semaphores"),
            Object::Queue(bytes) => write!(f, "a message queue with {bytes} bytes in it"),
        }
    }
}

/// What a process held when it ended, or when the run did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Open {
    /// Which process.
    pub process: ThreadName,
    /// Its descriptors from 3 on, in the order of their numbers: names of files as changes have them, `pipe`, `socket`,
    /// `anon_inode:[eventfd]`.
    pub descriptors: Vec<String>,
}

impl Open {
    /// The descriptors of this process among these.
    pub fn of<'a>(all: &'a [Open], process: &ThreadName) -> &'a [String] {
        all.iter().find(|open| open.process == *process).map_or(&[], |open| &open.descriptors)
    }

    /// Those of `held` that are not among `known`, each as often as it is there more. Names that only chance decides count as the
    /// same ([`shape`]).
    pub fn beyond<'a>(held: &'a [String], known: &[String]) -> Vec<&'a str> {
        let mut left: BTreeMap<String, usize> = BTreeMap::new();
        for name in known {
            *left.entry(shape(name)).or_default() += 1;
        }
        let mut beyond = Vec::new();
        for name in held {
            match left.get_mut(&shape(name)) {
                Some(left) if *left > 0 => *left -= 1,
                Some(_) | None => beyond.push(name.as_str()),
            }
        }
        beyond
    }
}

impl Remains {
    /// True if there is nothing to tell.
    pub fn is_nothing(&self) -> bool {
        *self == Remains::default()
    }

    /// What has this name.
    pub fn named(&self, name: &str) -> Option<&Change> {
        self.changes.iter().find(|change| change.name == name)
    }

    /// Forgets the content of files that another run of the same schedule has left with other content, or not at all.
    pub fn keep_steady(&mut self, other: &Remains) {
        for change in &mut self.changes {
            let steady = other.named(&change.name).is_some_and(|there| there.how == change.how);
            if let (
                false,
                Changing::Made(Object::File { digest, .. }) | Changing::Changed(Object::File { digest, .. }),
            ) = (steady, &mut change.how)
            {
                *digest = None;
            }
        }
    }

    /// True if there is a file whose content could be another each time.
    pub fn has_content(&self) -> bool {
        self.changes
            .iter()
            .any(|change| matches!(change.how.object(), Some(Object::File { digest: Some(_), .. })))
    }
}

/// A name without what may be another every time: numbers, and what stands for six letters and digits or more (mkstemp(3)).
/// Two hexadecimal digits alone are a number as well, since folders of content by digest are called so.
pub fn shape(name: &str) -> String {
    const RANDOM: usize = 6;
    let in_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut shape = String::new();
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let length =
            if in_word(first) { rest.find(|c| !in_word(c)).unwrap_or(rest.len()) } else { first.len_utf8() };
        let (word, after) = rest.split_at(length);
        rest = after;
        if !in_word(first) {
            shape += word;
        } else if length >= RANDOM {
            shape.push('*');
        } else if length == 2 && word.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            shape.push('#');
        } else {
            let mut digits = false;
            for c in word.chars() {
                let digit = c.is_ascii_digit();
                if !digit || !digits {
                    shape.push(if digit { '#' } else { c });
                }
                digits = digit;
            }
        }
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_keeps_what_is_the_same_in_every_run() {
        for (one, other) in [
            ("tmp.Ab3dEf", "tmp.zzzzzz"),
            ("/tmp/tmpq1w2e3r4/x", "/tmp/tmp_zzzzzzz/x"),
            ("run.1003.pid", "run.999.pid"),
            (".git/objects/3f/0123456789abcdef", ".git/objects/a0/fedcba9876543210"),
            ("w7", "w12"),
        ] {
            assert_eq!(shape(one), shape(other), "{one} {other}");
        }
        for (one, other) in
            [("data.tmp", "data.txt"), ("state", "state.tmp"), ("a/x", "b/x"), ("lock", "pid")]
        {
            assert_ne!(shape(one), shape(other), "{one} {other}");
        }
        assert_eq!(shape("é1"), "é#");
    }

    #[test]
    fn content_that_another_run_does_not_repeat_is_forgotten() {
        let file = |name: &str, digest: &str| Change {
            name: name.to_owned(),
            how: Changing::Made(Object::File { size: 1, digest: Some(digest.to_owned()), cut: false }),
            before_signal: false,
        };
        let of = |changes: Vec<Change>| Remains { changes, ..Remains::default() };
        let mut one = of(vec![file("date", "a"), file("gone", "b"), file("state", "c")]);
        one.keep_steady(&of(vec![file("date", "z"), file("state", "c")]));
        let known =
            |change: &Change| matches!(change.how.object(), Some(Object::File { digest: Some(_), .. }));
        assert_eq!(one.changes.iter().map(known).collect::<Vec<_>>(), [false, false, true]);
    }
}
