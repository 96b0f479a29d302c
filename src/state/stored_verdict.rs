//! What the last authentic answer said, verified again before it counts: whoever can write the file cannot make it say more.

use super::record::Record;
use super::timestamp::Timestamp;
use crate::check;
use crate::check::nonce::Nonce;
use crate::check::request::Request;
use crate::check::verdict::{Expected, Verdict};
use crate::code::Code;
use crate::config::check_config::CheckConfig;
use crate::sys::clock::Now;

/// What is known of the present question.
pub enum StoredVerdict {
    None,
    /// There is an answer, and OpenSSL cannot tell whether it is authentic. A warning is one all the same: `Verified`.
    Unverifiable,
    Verified(Box<Verified>),
}

pub struct Verified {
    pub verdict: Verdict,
    pub since: Timestamp,
    /// Seconds.
    pub age: u64,
}

impl StoredVerdict {
    /// As the answer to what `config` asks.
    pub fn of(record: &Record, config: &CheckConfig, now: Now) -> StoredVerdict {
        let Some(stored) = &record.authentic else {
            return StoredVerdict::None;
        };
        let nonce = Nonce::of_request(&stored.nonce);
        if stored.running_version != config.passenger_version || nonce.made().is_none() {
            return StoredVerdict::None;
        }
        let sha256 = Request::sha256_of(config, &nonce, stored.extra_fields.as_ref());
        let expected = Expected::new(config, &nonce, &sha256);
        let verdict = check::verify_stored(&stored.data, &stored.signature, config, &expected);
        // What OpenSSL left in this thread's error queue is not the next one's.
        crate::sys::openssl::clear_errors();
        match verdict {
            Ok(verdict) => StoredVerdict::Verified(Box::new(Verified {
                verdict,
                since: stored.at,
                age: stored.age(now).unwrap_or_else(|| stored.at.age(now)),
            })),
            Err(error) if error.code == Code::System => StoredVerdict::Unverifiable,
            Err(_) => StoredVerdict::None,
        }
    }

    pub fn verified(&self) -> Option<&Verified> {
        match self {
            StoredVerdict::Verified(verified) => Some(verified),
            _ => None,
        }
    }

    /// That there is an update.
    pub fn update(&self) -> Option<&Verified> {
        self.verified()
            .filter(|verified| verified.verdict.update().is_some())
    }
}
