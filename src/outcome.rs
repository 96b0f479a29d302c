//! The complete result of one check, as `psc_result_*` tells it: plain data, made by `check::outcome`.

use crate::code::Code;
use serde_json::Value;

#[derive(Clone, Debug)]
pub struct Outcome {
    pub code: Code,
    /// The main line that was logged.
    pub message: String,
    /// The recommended version; `None` when there is no update, or no usable one.
    pub version: Option<String>,
    /// The server's own text.
    pub notice: Option<String>,
    /// Seconds until the next check is due.
    pub next_check: u64,
    /// 0 when there was no HTTP answer.
    pub http_status: i32,
    /// Seconds for which this is known: 0 but for an update that is repeated.
    pub age: u64,
    /// All of it: `docs/result.schema.json`.
    pub json: Value,
}
