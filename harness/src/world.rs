//! The world in which a run takes place: what of it is the run's own, so that it is the same in every run, and what is the
//! machine's.

use serde::{Deserialize, Serialize};

/// All of it. It is recorded in a trace, so that a replay takes place in the same one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct World {
    /// Whose network.
    pub network: Network,
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
