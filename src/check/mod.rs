//! One check, in the order in which it happens; one file per step.
//!
//! nonce → request → transport → envelope → signature → verdict; `messages` puts it into words.

pub mod advisory;
pub mod attempt;
pub mod envelope;
pub mod license;
pub mod messages;
pub mod nonce;
pub mod outcome;
pub mod preview;
pub mod request;
pub mod signature;
pub mod transport;
pub mod verdict;

use crate::cancel::CancelToken;
use crate::code::Code;
use crate::config::check_config::CheckConfig;
use crate::error::Error;
use crate::log::LogHandle;
use crate::selftest;
use crate::sys::openssl;
use attempt::{Answer, Attempt};
use envelope::Envelope;
use nonce::Nonce;
use request::Request;
use signature::Authentic;
use verdict::{Expected, Verdict};

/// Makes one check in the calling thread; `cancel` ends it early.
pub fn run(config: &CheckConfig, cancel: &CancelToken, log: &LogHandle) -> Attempt {
    #[cfg(feature = "test-panic")]
    panic_on_demand(config);
    let request = ensure_possible(config)
        .and_then(|()| Nonce::new())
        .and_then(|nonce| Request::new(config, nonce));
    let attempt = match request {
        Ok(request) => exchange(config, &request, cancel, log),
        Err(error) => Attempt::failed(error),
    };
    // What OpenSSL left in this thread's error queue is not the next one's.
    openssl::clear_errors();
    attempt
}

/// Whether there is all that a check needs; else there is no use in sending anything.
fn ensure_possible(config: &CheckConfig) -> Result<(), Error> {
    match config.errors.first() {
        Some(error) => Err(error.clone()),
        None => selftest::check(),
    }
}

#[cfg(feature = "test-panic")]
fn panic_on_demand(config: &CheckConfig) {
    assert!(
        config.settings.program_name != "psc-test-panic",
        "asked for by a test"
    );
}

fn exchange(
    config: &CheckConfig,
    request: &Request,
    cancel: &CancelToken,
    log: &LogHandle,
) -> Attempt {
    messages::sending(log, config, request);
    let response = transport::post(config, request, cancel);
    let expected = Expected::new(config, &request.nonce, &request.sha256);
    let outcome = response.body.and_then(|body| {
        messages::received_envelope(log, &body);
        let authentic = authentic(&body, config)?;
        // Before it is judged: what is authentic is shown also when it cannot be used.
        messages::received_data(log, &authentic);
        read_verdict(&authentic, &expected)
    });
    Attempt {
        nonce: Some(request.nonce.clone()),
        extra_fields: Some(request.extra_fields.clone()),
        http_status: response.http_status,
        outcome,
    }
}

/// The verdict on an answer, whichever way it came.
pub fn verify(body: &[u8], config: &CheckConfig, expected: &Expected) -> Result<Answer, Error> {
    read_verdict(&authentic(body, config)?, expected)
}

fn authentic(body: &[u8], config: &CheckConfig) -> Result<Authentic, Error> {
    if body.len() > transport::MAX_BODY {
        return Err(transport::too_large());
    }
    signed(Envelope::parse(body)?, config)
}

fn signed(envelope: Envelope, config: &CheckConfig) -> Result<Authentic, Error> {
    match &config.key_error {
        Some(error) if config.server_keys.is_empty() => Err(error.clone()),
        _ => Authentic::verify(envelope, &config.server_keys),
    }
}

/// The verdict of an answer that was kept, verified again. Where OpenSSL cannot tell (`PSC_ERR_SYSTEM`) a warning stays a
/// warning, and there is no key that it is known to be signed with.
pub fn verify_stored(
    data: &str,
    signature: &str,
    config: &CheckConfig,
    expected: &Expected,
) -> Result<Verdict, Error> {
    let envelope = || Envelope::from_texts(data.to_owned(), signature.to_owned());
    match signed(envelope()?, config) {
        Ok(authentic) => Verdict::read(&authentic, expected),
        Err(error) if error.code == Code::System => {
            Verdict::unverified_warning(&envelope()?, expected).ok_or(error)
        }
        Err(error) => Err(error),
    }
}

fn read_verdict(authentic: &Authentic, expected: &Expected) -> Result<Answer, Error> {
    let verdict = Verdict::read(authentic, expected)?;
    let envelope = authentic.envelope();
    Ok(Answer {
        verdict,
        data: envelope.data.clone(),
        signature: envelope.signature_text.clone(),
    })
}
