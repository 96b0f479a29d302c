//! What psc knows between checks: in memory, and in `state_dir` when there is one (docs/configuration.md, `state_dir`).

pub mod dir;
pub mod host_run;
pub mod make_dir;
pub mod record;
pub mod records;
pub mod shared_store;
pub mod store;
pub mod stored_verdict;
pub mod timestamp;
pub mod walk;
