//! Signed OCSP responses (RFC 6960), as a server staples them. The OpenSSL bindings only read them, so they are written
//! here.

use crate::certificate::Identity;
use crate::der;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::ocsp::{OcspCertId, OcspRequest};
use openssl::pkey::{Id, PKeyRef, Private};
use openssl::sign::Signer;
use openssl::x509::X509Ref;
use std::time::{Duration, SystemTime};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

#[derive(Clone, Copy)]
pub(crate) enum Status {
    Good,
    /// Since an hour ago.
    Revoked,
    /// Good, valid until a week ago.
    WasGood,
}

/// What `issuer` says of `certificate`, which it has signed. Valid since an hour ago, and for another day.
/// `digest` names the certificate.
pub(crate) fn response(
    certificate: &X509Ref,
    issuer: &Identity,
    status: Status,
    digest: MessageDigest,
) -> Result<Vec<u8>, ErrorStack> {
    const SUCCESSFUL: u8 = 0;
    const BASIC_RESPONSE: &str = "1.3.6.1.5.5.7.48.1.1";
    let basic = der::octet_string(&basic_response(certificate, issuer, status, digest)?);
    let bytes = der::sequence(&[&der::object(BASIC_RESPONSE)?, &basic]);
    Ok(der::sequence(&[
        &der::enumerated(SUCCESSFUL),
        &der::explicit(0, &bytes),
    ]))
}

fn basic_response(
    certificate: &X509Ref,
    issuer: &Identity,
    status: Status,
    digest: MessageDigest,
) -> Result<Vec<u8>, ErrorStack> {
    let now = match status {
        Status::WasGood => SystemTime::now() - 8 * DAY,
        Status::Good | Status::Revoked => SystemTime::now(),
    };
    let an_hour_ago = der::generalized_time(now - HOUR);
    let single = der::sequence(&[
        &certificate_id(certificate, &issuer.certificate, digest)?,
        &match status {
            Status::Good | Status::WasGood => der::implicit(0, &[]),
            Status::Revoked => der::explicit(1, &an_hour_ago),
        },
        &an_hour_ago,
        &der::explicit(0, &der::generalized_time(now + DAY)),
    ]);
    let responder = der::explicit(1, &issuer.certificate.subject_name().to_der()?);
    let data = der::sequence(&[&responder, &an_hour_ago, &der::sequence(&[&single])]);
    let signature =
        Signer::new(MessageDigest::sha256(), &issuer.key)?.sign_oneshot_to_vec(&data)?;
    Ok(der::sequence(&[
        &data,
        &signature_algorithm(&issuer.key)?,
        &der::bit_string(&signature),
    ]))
}

/// The CertID, cut out of a request: the bindings encode it nowhere else.
fn certificate_id(
    certificate: &X509Ref,
    issuer: &X509Ref,
    digest: MessageDigest,
) -> Result<Vec<u8>, ErrorStack> {
    // OCSPRequest, TBSRequest, requestList and Request, each shorter than 128 bytes.
    const HEADERS: usize = 4 * 2;
    let mut request = OcspRequest::new()?;
    request.add_id(OcspCertId::from_cert(digest, certificate, issuer)?)?;
    Ok(request.to_der()?.split_off(HEADERS))
}

/// Names SHA-256 with the kind of `key`; RSA wants a NULL as the parameters, ECDSA nothing.
fn signature_algorithm(key: &PKeyRef<Private>) -> Result<Vec<u8>, ErrorStack> {
    const SHA256_WITH_RSA: &str = "1.2.840.113549.1.1.11";
    const ECDSA_WITH_SHA256: &str = "1.2.840.10045.4.3.2";
    Ok(if key.id() == Id::RSA {
        der::sequence(&[&der::object(SHA256_WITH_RSA)?, &der::null()])
    } else {
        der::sequence(&[&der::object(ECDSA_WITH_SHA256)?])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::{Profile, ec_key, issue, issue_for, rsa_key};
    use openssl::ocsp::{OcspCertStatus, OcspFlag, OcspResponse, OcspResponseStatus};
    use openssl::pkey::PKey;
    use openssl::stack::Stack;
    use openssl::x509::store::X509StoreBuilder;

    fn assert_verifies(
        key: PKey<Private>,
        status: Status,
        digest: MessageDigest,
        expected: OcspCertStatus,
    ) {
        let ca = issue_for(key, &Profile::ca("CA"), None).unwrap();
        let server = issue(&Profile::server(), Some(&ca)).unwrap();
        let der = response(&server.certificate, &ca, status, digest).unwrap();
        let response = OcspResponse::from_der(&der).unwrap();
        assert_eq!(response.to_der().unwrap(), der);
        assert_eq!(response.status(), OcspResponseStatus::SUCCESSFUL);

        let mut chain = Stack::new().unwrap();
        chain.push(ca.certificate.clone()).unwrap();
        let mut store = X509StoreBuilder::new().unwrap();
        store.add_cert(ca.certificate.clone()).unwrap();
        let basic = response.basic().unwrap();
        basic
            .verify(&chain, &store.build(), OcspFlag::empty())
            .unwrap();
        let id = OcspCertId::from_cert(digest, &server.certificate, &ca.certificate);
        let found = basic.find_status(&id.unwrap()).unwrap();
        assert_eq!(found.status, expected);
        found.check_validity(0, None).unwrap();
        assert!(found.next_update().is_some());
    }

    #[test]
    fn responses_verify_and_say_what_they_were_told() {
        for (status, expected) in [
            (Status::Good, OcspCertStatus::GOOD),
            (Status::Revoked, OcspCertStatus::REVOKED),
        ] {
            for digest in [MessageDigest::sha1(), MessageDigest::sha256()] {
                assert_verifies(ec_key().unwrap(), status, digest, expected);
                assert_verifies(rsa_key(2048).unwrap(), status, digest, expected);
            }
        }
    }
}
