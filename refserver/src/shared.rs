//! What the threads of all connections share.

use crate::advisory_file::AdvisoryFile;
use crate::cancel::CancelToken;
use crate::error::Error;
use crate::fault::Faults;
use crate::keys::{self, Keys};
use crate::log;
use crate::options::Options;
use crate::request_log::RequestLog;
use crate::tls;
use openssl::ssl::SslContext;

pub(crate) struct Shared {
    pub options: Options,
    pub keys: Keys,
    /// For connections without a TLS fault.
    pub tls: SslContext,
    pub advisories: AdvisoryFile,
    pub faults: Faults,
    pub request_log: RequestLog,
    pub cancel: CancelToken,
}

impl Shared {
    pub fn new(options: Options) -> Result<Shared, Error> {
        let dir = &options.dir;
        let advisories = options.advisories.clone();
        let advisories =
            AdvisoryFile::open(advisories.unwrap_or_else(|| dir.join(keys::ADVISORIES)))?;
        let faults = Faults::new(dir, options.fault.as_deref().unwrap_or_default())?;
        let keys = Keys::load(dir)?;
        Ok(Shared {
            tls: tls::context(&keys, options.client_certificate)?,
            keys,
            advisories,
            faults,
            request_log: RequestLog::new(dir.join("requests.jsonl"), options.remember),
            cancel: CancelToken::default(),
            options,
        })
    }

    /// A log line about ordinary operation.
    pub fn info(&self, text: &str) {
        log::info(self.options.verbose, text);
    }
}
