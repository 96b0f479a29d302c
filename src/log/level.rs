//! Log levels; docs/log-messages.md lists the lines of each.

pub const ERROR: i32 = 1;
pub const WARNING: i32 = 2;
pub const NOTICE: i32 = 3;
pub const INFO: i32 = 4;
pub const TRACE: i32 = 7;
