//! The steps of making a cell and of starting a program in it, and who is to blame when one of them fails.

use nix::errno::Errno;
use std::fmt;

macro_rules! stages {
    ($($name:ident: $words:literal,)*) => {
        /// What was being done. The init tells it by its number.
        #[repr(i32)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Stage {
            $(#[doc = $words] $name,)*
        }

        const ALL: &[Stage] = &[$(Stage::$name,)*];

        impl fmt::Display for Stage {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Stage::$name => $words,)*
                })
            }
        }
    };
}

stages! {
    // Of the supervisor.
    Arguments: "putting together the program's arguments and paths",
    Capabilities: "reading the capabilities of this process under /proc",
    OwnDescriptors: "raising the limit of descriptors",
    SocketPair: "making a socket pair",
    Pipes: "making a pipe",
    Key: "choosing the key of the init's gate",
    Counters: "making a descriptor that counts",
    SignalMask: "changing the signal mask",
    UserNamespaces: "making user and pid namespaces",
    Namespaces: "making a pid namespace",
    Answer: "waiting for the run's init",
    // Of the init.
    MapUsers: "mapping the user into the run's user namespace",
    PrivateMounts: "making mounts private",
    MountProc: "mounting /proc for the run's pid namespace",
    MountTerminals: "mounting /dev/pts for the run's terminal",
    OwnFiles: "giving the run files of its own (overlayfs)",
    IpcNamespace: "making a namespace of IPC objects",
    NetworkNamespace: "making a network namespace",
    Loopback: "bringing up the loopback interface of the run's network",
    Acknowledgements: "having the loopback interface of the run's network acknowledge at once",
    NetworkSettings: "giving the run's network the machine's settings",
    NetworkFiles: "opening what tells of the run's network under /proc",
    HideMemory: "hiding the memory of the run's init",
    Session: "starting a session for the run's init",
    WorkingDirectory: "changing to the working directory",
    Descriptors: "arranging descriptors",
    Scheduling: "pinning to a CPU, setting the scheduling policy and limits",
    Personality: "switching off address space randomisation",
    NoNewPrivileges: "setting no_new_privs",
    Filter: "installing the seccomp filter",
    HandOver: "handing over descriptors to the supervisor",
    SignalDescriptor: "opening a signal descriptor",
    LastPid: "setting the next pid",
    Terminal: "making the run's terminal",
    // Of the program's first process.
    Fork: "forking",
    ChildGroup: "making the program's process group",
    ControllingTerminal: "making the run's terminal the program's controlling terminal",
    StandardInput: "opening standard input",
    Redirect: "redirecting standard input and output",
    Execute: "executing the program",
}

impl Stage {
    pub(super) fn of(number: i32) -> Option<Stage> {
        ALL.iter().find(|stage| **stage as i32 == number).copied()
    }
}

/// Which step of making a cell, or of starting the program in it, failed.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{stage}: {}", errno.desc())]
pub struct CellError {
    /// What was being done.
    pub stage: Stage,
    /// Why it did not work.
    pub errno: Errno,
}

/// Who is to blame for a step that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The host forbids it, or has too little of something; what to do about it, where that is known.
    Host(Option<&'static str>),
    /// What was to be started cannot be started in the way that was asked for.
    Launch,
    /// sigrace itself.
    Harness,
}

/// What to do where this says that the host has too little of something; none if it does not say so.
pub fn remedy_of_lack(errno: Errno) -> Option<&'static str> {
    match errno {
        Errno::ENOMEM => Some("free memory, or raise its limit (ulimit -v)"),
        Errno::EMFILE => Some("raise the limit of open files (ulimit -n)"),
        Errno::ENFILE => Some("the machine has too many files open (fs.file-max)"),
        _ => None,
    }
}

impl CellError {
    /// Who is to blame.
    pub fn blame(self) -> Blame {
        use Errno as E;
        use Stage as S;
        let lack = remedy_of_lack(self.errno);
        match (self.stage, self.errno) {
            _ if lack.is_some() => Blame::Host(lack),
            (S::Namespaces | S::UserNamespaces | S::Fork, E::EAGAIN) => {
                Blame::Host(Some("raise the limit of processes (ulimit -u)"))
            }
            (S::Arguments | S::WorkingDirectory | S::StandardInput | S::Execute, _) => Blame::Launch,
            (S::Capabilities | S::MountProc, E::ENOENT) => Blame::Host(Some("mount /proc")),
            (S::MountTerminals, E::ENOENT | E::ENODEV) => Blame::Host(None),
            (S::LastPid, E::ENOENT) => Blame::Host(Some("take a kernel with CONFIG_CHECKPOINT_RESTORE")),
            (S::Namespaces | S::UserNamespaces, E::ENOSPC | E::EUSERS) => {
                Blame::Host(Some("raise user.max_user_namespaces and user.max_pid_namespaces (sysctl)"))
            }
            (S::UserNamespaces, E::EPERM | E::EACCES | E::EINVAL | E::ENOSYS) => {
                Blame::Host(Some("allow user namespaces for ordinary users, or be root"))
            }
            (
                S::IpcNamespace
                | S::NetworkNamespace
                | S::Loopback
                | S::Acknowledgements
                | S::NetworkSettings
                | S::NetworkFiles,
                _,
            ) => Blame::Host(Some("take the machine's network (--network host)")),
            (S::Filter, E::EINVAL) => Blame::Host(Some("Linux 5.19 is needed")),
            (_, E::EPERM | E::EACCES | E::ENOSYS | E::ENOSPC | E::EUSERS) => Blame::Host(None),
            _ => Blame::Harness,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_is_known_by_its_number() {
        for stage in ALL {
            assert_eq!(Stage::of(*stage as i32), Some(*stage));
        }
        assert_eq!((Stage::of(-1), Stage::of(ALL.len() as i32)), (None, None));
    }

    #[test]
    fn who_is_to_blame_follows_from_the_step_and_the_error() {
        let blame = |stage, errno| CellError { stage, errno }.blame();
        for stage in ALL {
            assert!(
                matches!(blame(*stage, Errno::EMFILE), Blame::Host(Some(what)) if what.contains("ulimit -n"))
            );
            assert!(
                matches!(blame(*stage, Errno::ENOMEM), Blame::Host(Some(what)) if what.contains("ulimit -v"))
            );
        }
        assert_eq!(blame(Stage::Execute, Errno::ENOENT), Blame::Launch);
        assert_eq!(blame(Stage::WorkingDirectory, Errno::EACCES), Blame::Launch);
        assert_eq!(blame(Stage::Capabilities, Errno::ENOENT), Blame::Host(Some("mount /proc")));
        assert_eq!(blame(Stage::Personality, Errno::EPERM), Blame::Host(None));
        assert_eq!(blame(Stage::Redirect, Errno::EBADF), Blame::Harness);
        assert_eq!(blame(Stage::Answer, Errno::ETIMEDOUT), Blame::Harness);
    }
}
