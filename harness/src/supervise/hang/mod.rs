//! What follows when nobody can go on.

pub(super) mod proof;
pub(super) mod quiet;
pub(super) mod snapshot;
pub(super) mod underway;
