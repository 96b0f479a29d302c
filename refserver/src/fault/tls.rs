//! Certificates and protocols that a client must not accept. Each function is one fault.

use crate::certificate::{
    self, Identity, Profile, Role, SubjectAltName, ec_key, issue, issue_for, rsa_key,
};
use crate::error::Error;
use crate::keys::ca;
use crate::tls;
use openssl::hash::MessageDigest;
use openssl::ssl::{SslContext, SslContextBuilder, SslVerifyMode, SslVersion};
use openssl::x509::X509;
use std::path::Path;
use x509_cert::der::Encode;
use x509_cert::der::asn1::Ia5String;
use x509_cert::ext::pkix::NameConstraints;
use x509_cert::ext::pkix::constraints::name::GeneralSubtree;
use x509_cert::ext::pkix::name::GeneralName;

pub fn expired(dir: &Path) -> Result<SslContext, Error> {
    server_certificate(
        dir,
        &Profile {
            valid_from: -30,
            valid_to: -1,
            ..Profile::server()
        },
    )
}

pub fn not_yet_valid(dir: &Path) -> Result<SslContext, Error> {
    server_certificate(
        dir,
        &Profile {
            valid_from: 1,
            valid_to: 30,
            ..Profile::server()
        },
    )
}

pub fn wrong_host(dir: &Path) -> Result<SslContext, Error> {
    server_certificate(
        dir,
        &Profile {
            subject_alt_names: &[SubjectAltName::Dns("wrong.example")],
            ..Profile::server()
        },
    )
}

pub fn cn_only(dir: &Path) -> Result<SslContext, Error> {
    server_certificate(
        dir,
        &Profile {
            subject_alt_names: &[],
            ..Profile::server()
        },
    )
}

pub fn mail_name_only(dir: &Path) -> Result<SslContext, Error> {
    server_certificate(
        dir,
        &Profile {
            subject_alt_names: &[SubjectAltName::Email("localhost")],
            ..Profile::server()
        },
    )
}

pub fn eku_client_only(dir: &Path) -> Result<SslContext, Error> {
    server_certificate(
        dir,
        &Profile {
            role: Role::Client,
            ..Profile::server()
        },
    )
}

pub fn sha1_chain(dir: &Path) -> Result<SslContext, Error> {
    server_certificate(
        dir,
        &Profile {
            digest: MessageDigest::sha1(),
            ..Profile::server()
        },
    )
}

pub fn weak_rsa(dir: &Path) -> Result<SslContext, Error> {
    let server = issue_for(rsa_key(1024)?, &Profile::server(), Some(&ca(dir)?))?;
    context(&server, &[])
}

pub fn self_signed(_: &Path) -> Result<SslContext, Error> {
    context(&issue(&Profile::server(), None)?, &[])
}

pub fn unknown_ca(_: &Path) -> Result<SslContext, Error> {
    let unrelated = unrelated_ca()?;
    let server = issue(&Profile::server(), Some(&unrelated))?;
    context(&server, &[&unrelated.certificate])
}

pub fn missing_intermediate(dir: &Path) -> Result<SslContext, Error> {
    let intermediate = issue(&Profile::ca("intermediate"), Some(&ca(dir)?))?;
    let server = issue(&Profile::server(), Some(&intermediate))?;
    context(&server, &[])
}

pub fn ca_false_issuer(dir: &Path) -> Result<SslContext, Error> {
    let not_a_ca = Profile {
        common_name: "not a CA",
        ..Profile::server()
    };
    let issuer = issue(&not_a_ca, Some(&ca(dir)?))?;
    let server = issue(&Profile::server(), Some(&issuer))?;
    context(&server, &[&issuer.certificate])
}

pub fn name_constraint(dir: &Path) -> Result<SslContext, Error> {
    let name = GeneralName::DnsName(Ia5String::new("example.test")?);
    let only_this = GeneralSubtree {
        base: name,
        minimum: 0,
        maximum: None,
    };
    let constraints = NameConstraints {
        permitted_subtrees: Some(vec![only_this]),
        excluded_subtrees: None,
    };
    let constrained = Profile {
        extensions: &[("2.5.29.30", &constraints.to_der()?)],
        ..Profile::ca("constrained")
    };
    let intermediate = issue(&constrained, Some(&ca(dir)?))?;
    let server = issue(&Profile::server(), Some(&intermediate))?;
    context(&server, &[&intermediate.certificate])
}

pub fn tls11_only(dir: &Path) -> Result<SslContext, Error> {
    let server = issue(&Profile::server(), Some(&ca(dir)?))?;
    let mut builder = context_builder(&server, &[])?;
    builder.set_min_proto_version(Some(SslVersion::TLS1))?;
    builder.set_max_proto_version(Some(SslVersion::TLS1_1))?;
    Ok(builder.build())
}

pub fn demand_client_cert(dir: &Path) -> Result<SslContext, Error> {
    let server = issue(&Profile::server(), Some(&ca(dir)?))?;
    let unrelated = unrelated_ca()?;
    let mut builder = context_builder(&server, &[])?;
    builder.cert_store_mut().add_cert(unrelated.certificate)?;
    builder.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    Ok(builder.build())
}

fn unrelated_ca() -> Result<Identity, Error> {
    certificate::issue_for(ec_key()?, &Profile::ca("unrelated CA"), None)
}

fn server_certificate(dir: &Path, profile: &Profile<'_>) -> Result<SslContext, Error> {
    context(&issue(profile, Some(&ca(dir)?))?, &[])
}

fn context(server: &Identity, chain: &[&X509]) -> Result<SslContext, Error> {
    Ok(context_builder(server, chain)?.build())
}

pub(super) fn context_builder(
    server: &Identity,
    chain: &[&X509],
) -> Result<SslContextBuilder, Error> {
    let mut builder = tls::builder()?;
    // OpenSSL itself would not use weak keys, digests and protocols above level 0.
    builder.set_cipher_list("ALL:@SECLEVEL=0")?;
    builder.set_certificate(&server.certificate)?;
    for certificate in chain {
        builder.add_extra_chain_cert((*certificate).clone())?;
    }
    builder.set_private_key(&server.key)?;
    Ok(builder)
}
