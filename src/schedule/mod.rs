//! When: the delays (`plan`), and the background thread that waits for them (`thread`, `agenda`).

pub mod agenda;
pub mod plan;
pub mod thread;
