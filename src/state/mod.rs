//! What psc remembers between checks: in memory, and in `state_dir` when there is one (contract section 3).

pub mod dir;
pub mod hand_over;
pub mod memory;
pub mod record;
pub mod store;
pub mod walk;
