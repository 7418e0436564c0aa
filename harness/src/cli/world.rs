//! The world of a run, from the command line.

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

impl World {
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
        world::World { network, clock, start: None }
    }
}
