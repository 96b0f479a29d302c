//! When: the delays (`plan`), the host's run (`run`), and the background thread that waits (`thread`, `agenda`).

pub mod agenda;
pub mod plan;
pub mod run;
pub mod thread;
