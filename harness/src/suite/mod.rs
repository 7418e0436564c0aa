//! A folder of scenarios, each of them a trial.

#![warn(clippy::wildcard_enum_match_arm)]

mod accepted;
mod arrival;
mod baseline;
mod budget;
mod confirmed;
mod diff;
mod done;
mod files;
mod identity;
mod job;
mod kept_runs;
mod library;
mod libtest;
mod merge;
mod neighbours;
mod parts;
mod receivers;
mod record;
pub mod report;
mod reported;
mod script;
mod search;
mod select;
mod shown;
mod sweep;
mod told;
mod trial;
pub mod worker;

pub use accepted::{Baseline, Unseen};
pub use baseline::baseline;
pub use diff::{Compared, Coverage, Difference, Tried, diff};
pub use done::{Accepted, Done, SearchError};
pub use files::{Case, FindError, Found, cases, find};
pub use job::{Against, Job, settings};
pub use kept_runs::{Common, KeptRuns, KeptRunsError};
pub use libtest::{SuiteError, trace_directory, trials};
pub use merge::{Together, merge};
pub use receivers::{ends_others, look, worth_doing};
pub use record::{DigestError, Keep};
pub use script::{is_interpreted, script};
pub use search::{Halfway, Reached, go_on, one_step, search};
pub use select::{DEFAULT_FOLDER, Selection};
pub use shown::Shown;
pub use sweep::code;
pub use trial::{How, Outcome, SEED, Trial};
