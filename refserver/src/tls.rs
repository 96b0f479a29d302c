//! The TLS side of the server.

use crate::fault::{Effect, Fault};
use crate::keys::Keys;
use crate::stop::lock;
use crate::{ClientCertificate, Error, Options};
use openssl::ssl::{
    SslContext, SslContextBuilder, SslMethod, SslOptions, SslSessionCacheMode, SslVerifyMode,
    SslVersion,
};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Mutex;

fn context(keys: &Keys, client: ClientCertificate) -> Result<SslContext, Error> {
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
        for authority in &keys.client_authorities {
            builder.cert_store_mut().add_cert(authority.clone())?;
            builder.add_client_ca(authority)?;
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

/// The contexts: the good one, and those of the TLS faults, made when they are first needed.
pub(crate) struct Contexts {
    dir: PathBuf,
    good: SslContext,
    bad: Mutex<HashMap<&'static str, SslContext>>,
}

impl Contexts {
    pub fn new(keys: &Keys, options: &Options) -> Result<Contexts, Error> {
        Ok(Contexts {
            dir: options.dir.clone(),
            good: context(keys, options.client_certificate)?,
            bad: Mutex::default(),
        })
    }

    pub fn get(&self, fault: Option<&Fault>) -> Result<SslContext, Error> {
        let Some(Fault {
            name,
            effect: Effect::Tls(make),
            ..
        }) = fault
        else {
            return Ok(self.good.clone());
        };
        let mut bad = lock(&self.bad);
        if let Some(context) = bad.get(name) {
            return Ok(context.clone());
        }
        let context = make(&self.dir)?;
        bad.insert(name, context.clone());
        Ok(context)
    }
}
