//! The body of the answer to a check that was accepted: verdict, signed object, envelope. A fault changes one of them.

use crate::advisories::Verdict;
use crate::check::Check;
use crate::envelope::{Data, Envelope, encode};
use crate::error::Error;
use crate::fault::{Effect, Expected, Fault};
use crate::json::quote;
use crate::shared::Shared;
use crate::sync::lock;

/// `request`: the body of the request that `check` was read from.
pub(crate) fn body(
    shared: &Shared,
    fault: Option<&'static Fault>,
    check: &Check,
    request: &[u8],
) -> Result<Vec<u8>, Error> {
    let verdict = verdict(shared, fault, check);
    let binding = shared.options.request_binding.then_some(request);
    let data = Data::new(&verdict, &check.nonce, binding);
    let Some(fault) = fault else {
        let envelope = Envelope::sign(encode(data.text().as_bytes()), &shared.keys.sign)?;
        let body = envelope.text().into_bytes();
        *lock(&shared.faults.earlier_answer) = Some(body.clone());
        return Ok(body);
    };
    faulty_body(shared, &fault.effect, data, &check.nonce)
}

/// A fault that ends in a verdict gives just this verdict, whatever the advisories say.
fn verdict(shared: &Shared, fault: Option<&'static Fault>, check: &Check) -> Verdict {
    let advisories = shared.advisories.current();
    match fault.map(|fault| fault.expected) {
        Some(Expected::NoUpdate) => advisories.no_update(),
        Some(Expected::Update) => advisories.update(),
        _ => advisories.verdict(&check.passenger_version),
    }
}

fn faulty_body(
    shared: &Shared,
    effect: &Effect,
    mut data: Data,
    nonce: &str,
) -> Result<Vec<u8>, Error> {
    match effect {
        Effect::Members(members) => members
            .iter()
            .for_each(|(name, json)| data.set(name, *json)),
        Effect::Without(name) => data.remove(name),
        Effect::Change(change) => change(&mut data, nonce),
        Effect::Replay => {
            if let Some(body) = lock(&shared.faults.earlier_answer).clone() {
                return Ok(body);
            }
            // Nothing was answered yet: what this client would have got at another time.
            data.set("nonce", quote("1700000000000000AAAAAAAAAAAAAAAAAAAAAA=="));
        }
        _ => {}
    }
    let text = data.text();
    let data = match effect {
        Effect::Text(change) => encode(&change(text)),
        Effect::Encoding(encode) => encode(&text),
        _ => encode(text.as_bytes()),
    };
    let key = &shared.keys.sign;
    let envelope = match effect {
        Effect::Signature(sign) => {
            let signature = encode(&sign(key, &data)?);
            Envelope { data, signature }
        }
        Effect::SignatureText(change) => {
            let mut envelope = Envelope::sign(data, key)?;
            envelope.signature = change(&envelope.signature);
            envelope
        }
        _ => Envelope::sign(data, key)?,
    };
    Ok(match effect {
        Effect::Body(form) => form(&envelope),
        _ => envelope.text().into_bytes(),
    })
}
