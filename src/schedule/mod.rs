//! When: what the owner of the schedule does next (`next_action`), how long until the next check (`delay`), and what a check
//! changes in the record (`transitions`). Pure: no clock is read, no file touched; the thread that acts on it is
//! [`crate::checker::scheduler`].

pub mod delay;
pub mod next_action;
pub mod transitions;
