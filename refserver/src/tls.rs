//! The TLS side of the server.

use crate::error::Error;
use crate::keys::Keys;
use crate::options::ClientCertificate;
use openssl::ssl::{
    SslContext, SslContextBuilder, SslMethod, SslOptions, SslSessionCacheMode, SslVerifyMode,
    SslVersion,
};

/// Presents the certificate of `keys`, and asks for one as `client` says.
pub(crate) fn context(keys: &Keys, client: ClientCertificate) -> Result<SslContext, Error> {
    let mut builder = builder()?;
    let mut chain = keys.chain.iter();
    if let Some(certificate) = chain.next() {
        builder.set_certificate(certificate)?;
    }
    for certificate in chain {
        builder.add_extra_chain_cert(certificate.clone())?;
    }
    builder.set_private_key(&keys.server)?;
    builder.check_private_key()?;
    if client != ClientCertificate::Off {
        for ca in &keys.client_cas {
            builder.cert_store_mut().add_cert(ca.clone())?;
            builder.add_client_ca(ca)?;
        }
        let mut mode = SslVerifyMode::PEER;
        if client == ClientCertificate::Required {
            mode |= SslVerifyMode::FAIL_IF_NO_PEER_CERT;
        }
        builder.set_verify(mode);
    }
    Ok(builder.build())
}

/// TLS 1.2 or newer. No session is resumed, so that every connection shows its client certificate.
pub(crate) fn builder() -> Result<SslContextBuilder, Error> {
    let mut builder = SslContext::builder(SslMethod::tls_server())?;
    builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    builder.set_session_cache_mode(SslSessionCacheMode::OFF);
    builder.set_options(SslOptions::NO_TICKET);
    builder.set_num_tickets(0)?;
    Ok(builder)
}
