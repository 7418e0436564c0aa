//! The world in which a run takes place: what of it is the run's own, so that it is the same in every run, and what is the
//! machine's.

use crate::client::Client;
use serde::{Deserialize, Serialize};

/// All of it. It is recorded in a trace, so that a replay takes place in the same one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct World {
    /// Whose network.
    pub network: Network,
    /// Whose time.
    pub clock: Clock,
    /// When each run begins by the clocks that are its own; chosen when a search begins, if it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Start>,
    /// Whose files.
    pub files: Files,
    /// Who talks to the program: all of them are started when everything first sleeps, and again after each signal.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub clients: Vec<Client>,
    /// True if the first process leads a session on a terminal of its own, of 80 columns and 24 lines.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub tty: bool,
}

/// By whose time a program lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Clock {
    /// One of its own: it jumps to the next time that is waited for as soon as nothing else can go on.
    #[default]
    Virtual,
    /// The machine's.
    Real,
}

/// What the clocks of a run say when it begins, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// CLOCK_REALTIME: since the Epoch.
    pub realtime: u32,
    /// CLOCK_MONOTONIC and CLOCK_BOOTTIME: since the machine was started.
    pub uptime: u32,
}

/// Whose network a program sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// One of its own (network_namespaces(7)): nothing but loopback, and no port of it is taken by anybody else.
    #[default]
    Own,
    /// The machine's, for programs that need it.
    Host,
}

/// Whose files a program sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Files {
    /// In the working directory, `/tmp`, `/var/tmp`, `/dev/shm`, `$HOME` and `$TMPDIR` those that the machine has, and what a
    /// run changes of them is gone when it ends.
    #[default]
    Own,
    /// The machine's, for programs that work with others of it.
    Host,
    /// The same as `Own` on the whole root file system, which only root can have.
    All,
}
