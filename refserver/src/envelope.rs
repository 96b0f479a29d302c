//! The signed answer: `data` and `signature`.

use crate::advisories::Verdict;
use crate::error::Error;
use crate::json::quote;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::sha::sha256;
use openssl::sign::Signer;

/// The object that is signed: names with JSON texts, so that faults can say what no JSON value can.
pub(crate) struct Data {
    members: Vec<(String, String)>,
}

impl Data {
    pub fn new(verdict: &Verdict, nonce: &str, request: Option<&[u8]>) -> Data {
        let mut data = Data {
            members: Vec::new(),
        };
        data.set("nonce", quote(nonce));
        data.set("update", if verdict.version.is_some() { "1" } else { "0" });
        let texts = [
            ("version", &verdict.version),
            ("log", &verdict.log),
            ("severity", &verdict.severity),
            ("url", &verdict.url),
            ("affected", &verdict.affected),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                data.set(name, quote(text));
            }
        }
        if let Some(minutes) = verdict.backoff {
            data.set("backoff", minutes.to_string());
        }
        if let Some(request) = request {
            data.set("request_sha256", quote(&hex::encode(sha256(request))));
        }
        data
    }

    /// Adds a member, or replaces it.
    pub fn set(&mut self, name: &str, json: impl Into<String>) {
        let json = json.into();
        match self.members.iter_mut().find(|(key, _)| key == name) {
            Some(member) => member.1 = json,
            None => self.members.push((name.into(), json)),
        }
    }

    pub fn remove(&mut self, name: &str) {
        self.members.retain(|(key, _)| key != name);
    }

    pub fn text(&self) -> String {
        let members: Vec<String> = self
            .members
            .iter()
            .map(|(name, json)| format!("{}:{json}", quote(name)))
            .collect();
        format!("{{{}}}", members.join(","))
    }
}

/// `data` and `signature` as they travel.
pub(crate) struct Envelope {
    pub data: String,
    pub signature: String,
}

impl Envelope {
    pub fn sign(data: String, key: &PKey<Private>) -> Result<Envelope, Error> {
        let signature = STANDARD.encode(sign(key, MessageDigest::sha256(), data.as_bytes())?);
        Ok(Envelope { data, signature })
    }

    pub fn text(&self) -> String {
        format!(
            r#"{{"data":{},"signature":{}}}"#,
            quote(&self.data),
            quote(&self.signature)
        )
    }
}

pub(crate) fn encode(data: &[u8]) -> String {
    STANDARD.encode(data)
}

/// RSA PKCS#1 v1.5.
pub(crate) fn sign(
    key: &PKey<Private>,
    digest: MessageDigest,
    text: &[u8],
) -> Result<Vec<u8>, Error> {
    let mut signer = Signer::new(digest, key)?;
    Ok(signer.sign_oneshot_to_vec(text)?)
}
