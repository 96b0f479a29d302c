//! What one check came to.

use super::nonce::Nonce;
use super::request::ExtraFields;
use super::verdict::Verdict;
use crate::code::Code;
use crate::error::Error;

/// A verdict together with the signed texts it was read from, so that it can be kept and verified again.
#[derive(Clone, Debug)]
pub struct Answer {
    pub verdict: Verdict,
    /// D and S as sent (docs/protocol.md, Answer).
    pub data: String,
    pub signature: String,
}

/// What one check came to, before it is known when the next is due.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub nonce: Option<Nonce>,
    /// What else the request had.
    pub extra_fields: Option<ExtraFields>,
    pub http_status: i32,
    pub outcome: Result<Answer, Error>,
}

impl Attempt {
    pub fn failed(error: Error) -> Attempt {
        Attempt {
            nonce: None,
            extra_fields: None,
            http_status: 0,
            outcome: Err(error),
        }
    }

    pub fn code(&self) -> Code {
        match &self.outcome {
            Ok(answer) => answer.verdict.code(),
            Err(error) => error.code,
        }
    }
}
