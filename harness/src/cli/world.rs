//! The world of a run, from the command line.

use crate::client::Client;
use crate::world;
use clap::{Args, ValueEnum};

/// What of a run's world is its own, each part as a flag.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "World of a run")]
pub(super) struct World {
    /// Whose network the program sees
    #[arg(long, env = "SIGRACE_NETWORK", value_enum, default_value_t)]
    network: Network,
    /// By whose time the program lives
    #[arg(long, env = "SIGRACE_CLOCK", value_enum, default_value_t)]
    clock: Clock,
    /// Whose files the program sees and changes
    #[arg(long, env = "SIGRACE_FILES", value_enum, default_value_t)]
    files: Files,
    /// A command that talks to the program: started, under the same control, when everything first sleeps, and again after each signal; repeatable
    ///
    /// Or a script of sigrace's own, like `connect tcp:8080; send hello\\n; expect hello; wait-eof`, with `drain`, `close` and another `connect` after it.
    #[arg(long, value_name = "CMD", value_parser = client)]
    client: Vec<Client>,
    /// Have nobody connect to it, even where it waits for that and has no client
    #[arg(long, env = "SIGRACE_NO_CLIENT", conflicts_with = "client")]
    no_client: bool,
    /// Run the program on a terminal of its own, as the leader of a session
    #[arg(long, env = "SIGRACE_TTY", conflicts_with = "no_tty")]
    tty: bool,
    /// Give it none, even where it asks for one and fails without
    #[arg(long, env = "SIGRACE_NO_TTY")]
    no_tty: bool,
}

/// A command as a shell splits it into words, or a script.
fn client(text: &str) -> Result<Client, String> {
    let client = match text.trim_start().starts_with("connect ") {
        true => Client::script(text)?,
        false => Client::Command(shell_words::split(text).map_err(|error| error.to_string())?),
    };
    client.wrong().map_or(Ok(client), Err)
}

/// Whose network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Network {
    /// Its own: only loopback, and every port is free when a run begins
    #[default]
    Own,
    /// The machine's
    Host,
}

/// Whose time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Clock {
    /// Its own: nothing waits for a time, and every run begins at the same moment
    #[default]
    Virtual,
    /// The machine's
    Real,
}

/// Whose files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Files {
    /// Its own in the working directory, /tmp, /var/tmp, /dev/shm, $HOME and $TMPDIR: what it changes there is gone when the run ends
    #[default]
    Own,
    /// The machine's
    Host,
    /// Its own on the whole root file system; for root alone
    All,
}

impl World {
    /// True if nobody has said whether there is to be a terminal.
    pub(super) fn may_have_tty(&self) -> bool {
        !self.tty && !self.no_tty
    }

    /// True if nobody has said who its clients are, or that there are none.
    pub(super) fn may_have_visitors(&self) -> bool {
        self.client.is_empty() && !self.no_client
    }

    /// The world that is asked for.
    pub(super) fn world(&self) -> world::World {
        let network = match self.network {
            Network::Own => world::Network::Own,
            Network::Host => world::Network::Host,
        };
        let clock = match self.clock {
            Clock::Virtual => world::Clock::Virtual,
            Clock::Real => world::Clock::Real,
        };
        let files = match self.files {
            Files::Own => world::Files::Own,
            Files::Host => world::Files::Host,
            Files::All => world::Files::All,
        };
        world::World { network, clock, files, start: None, clients: self.client.clone(), tty: self.tty }
    }
}
