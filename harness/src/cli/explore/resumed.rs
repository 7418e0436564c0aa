//! A search that goes on where it was interrupted.

use super::Args;
use crate::cli::exit::Stop;
use crate::compile;
use crate::program::Launch;
use crate::suite::{Common, KeptRuns};
use crate::supervise;
use std::sync::Arc;

impl Args {
    /// Where runs are kept, if they are, and the seed of the search.
    pub(super) fn kept_runs(&self, launch: &Launch) -> Result<(Option<Arc<KeptRuns>>, u64), Stop> {
        let asked = self.search.seed.seed;
        let Some(folder) = &self.resume else { return Ok((None, self.search.seed.or_new())) };
        let digest = compile::digest(&launch.file).map_err(|error| {
            Stop::refused(format_args!("cannot read the program {}: {error}", launch.file.display()))
        })?;
        let world = supervise::begun(self.target.world());
        let fresh = Common::new(digest, self.search.seed.or_new(), world.start);
        let kept_runs = KeptRuns::open(folder, &fresh, asked).map_err(Stop::refused)?;
        let seed = kept_runs.common().seed;
        Ok((Some(Arc::new(kept_runs)), seed))
    }
}
