//! What the program believes of its scheduling.

pub(super) mod answered;
pub(super) mod believed;
