//! Signed OCSP responses (RFC 6960), as a server staples them. The OpenSSL bindings only read them.

use crate::certificate::Identity;
use crate::error::Error;
use openssl::hash::MessageDigest;
use openssl::ocsp::OcspCertId;
use openssl::pkey::{Id, PKeyRef, Private};
use openssl::sign::Signer;
use openssl::x509::X509Ref;
use std::time::{Duration, SystemTime};
use x509_cert::der::asn1::{Any, BitString};
use x509_cert::der::oid::db::rfc5912::{ECDSA_WITH_SHA_256, SHA_256_WITH_RSA_ENCRYPTION};
use x509_cert::der::{Decode, Encode};
use x509_cert::name::Name;
use x509_cert::spki::AlgorithmIdentifierOwned;
use x509_ocsp::{
    BasicOcspResponse, CertId, CertStatus, OcspGeneralizedTime, OcspRequest, OcspResponse,
    ResponderId, ResponseData, RevokedInfo, SingleResponse, Version,
};

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
) -> Result<Vec<u8>, Error> {
    let now = match status {
        Status::WasGood => SystemTime::now() - 8 * DAY,
        Status::Good | Status::Revoked => SystemTime::now(),
    };
    let an_hour_ago = OcspGeneralizedTime::try_from(now - HOUR)?;
    let cert_status = match status {
        Status::Good | Status::WasGood => CertStatus::good(),
        Status::Revoked => CertStatus::Revoked(RevokedInfo {
            revocation_time: an_hour_ago,
            revocation_reason: None,
        }),
    };
    let subject = issuer.certificate.subject_name().to_der()?;
    let data = ResponseData {
        version: Version::V1,
        responder_id: ResponderId::ByName(Name::from_der(&subject)?),
        produced_at: an_hour_ago,
        responses: vec![SingleResponse {
            cert_id: certificate_id(certificate, &issuer.certificate, digest)?,
            cert_status,
            this_update: an_hour_ago,
            next_update: Some(OcspGeneralizedTime::try_from(now + DAY)?),
            single_extensions: None,
        }],
        response_extensions: None,
    };
    let mut signer = Signer::new(MessageDigest::sha256(), &issuer.key)?;
    let signature = signer.sign_oneshot_to_vec(&data.to_der()?)?;
    let basic = BasicOcspResponse {
        tbs_response_data: data,
        signature_algorithm: signature_algorithm(&issuer.key),
        signature: BitString::from_bytes(&signature)?,
        certs: None,
    };
    Ok(OcspResponse::successful(basic)?.to_der()?)
}

/// Out of a request: the bindings encode a CertID nowhere else.
fn certificate_id(
    certificate: &X509Ref,
    issuer: &X509Ref,
    digest: MessageDigest,
) -> Result<CertId, Error> {
    let mut request = openssl::ocsp::OcspRequest::new()?;
    request.add_id(OcspCertId::from_cert(digest, certificate, issuer)?)?;
    let mut request = OcspRequest::from_der(&request.to_der()?)?;
    Ok(request.tbs_request.request_list.swap_remove(0).req_cert)
}

/// Names SHA-256 with the kind of `key`; RSA wants a NULL as the parameters, ECDSA nothing.
fn signature_algorithm(key: &PKeyRef<Private>) -> AlgorithmIdentifierOwned {
    if key.id() == Id::RSA {
        AlgorithmIdentifierOwned {
            oid: SHA_256_WITH_RSA_ENCRYPTION,
            parameters: Some(Any::null()),
        }
    } else {
        AlgorithmIdentifierOwned {
            oid: ECDSA_WITH_SHA_256,
            parameters: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::{Profile, ec_key, issue, issue_for, rsa_key};
    use openssl::ocsp::{OcspCertStatus, OcspFlag, OcspResponseStatus};
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
        let response = openssl::ocsp::OcspResponse::from_der(&der).unwrap();
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
