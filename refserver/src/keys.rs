//! The files of a server's directory: made by `keygen`, loaded when the server starts.

use crate::certificate::{self, Identity, Profile};
use crate::error::Error;
use openssl::pkey::{PKey, Private};
use openssl::x509::X509;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

const SAMPLE_ADVISORIES: &str = include_str!("sample-advisories.json");

const CA: &str = "ca.pem";
const CA_KEY: &str = "ca.key";
const SERVER: &str = "server.pem";
const SIGN_KEY: &str = "sign_key.pem";
const SIGN_PUBLIC_KEY: &str = "update_check_server_pubkey.pem";
const CLIENT: &str = "update_check_client_cert.pem";
const LICENSE_KEY: &str = "license_key.pem";
const LICENSE_PUBLIC_KEY: &str = "license_pubkey.pem";

/// The advisory list of a directory, unless another file is named.
pub(crate) const ADVISORIES: &str = "advisories.json";

/// Fills `dir` (made when missing) with fresh keys, certificates and a sample advisory list. Nothing
/// that exists is overwritten: a directory that already holds one of the files is an error.
pub fn keygen(dir: &Path) -> Result<(), Error> {
    fs::create_dir_all(dir).map_err(|cause| Error::at(dir.display(), cause))?;
    refuse_existing(dir)?;
    let ca = certificate::issue(&Profile::ca("psc reference server CA"), None)?;
    let server = certificate::issue(&Profile::server(), Some(&ca))?;
    let client = certificate::issue(&Profile::client("psc update check client"), Some(&ca))?;
    let sign = certificate::rsa_key(2048)?;
    let license = certificate::rsa_key(2048)?;

    let files = [
        (CA, PUBLIC, ca.certificate.to_pem()?),
        (CA_KEY, SECRET, ca.key.private_key_to_pem_pkcs8()?),
        (SERVER, SECRET, pem(&server)?),
        (SIGN_KEY, SECRET, sign.private_key_to_pem_pkcs8()?),
        (SIGN_PUBLIC_KEY, PUBLIC, sign.public_key_to_pem()?),
        // Every installation of the product gets this key, so it is no secret.
        (CLIENT, PUBLIC, pem(&client)?),
        (LICENSE_KEY, SECRET, license.private_key_to_pem_pkcs8()?),
        (LICENSE_PUBLIC_KEY, PUBLIC, license.public_key_to_pem()?),
        (ADVISORIES, PUBLIC, SAMPLE_ADVISORIES.into()),
    ];
    for (name, mode, content) in files {
        let path = dir.join(name);
        create(&path, mode, &content).map_err(|cause| Error::at(path.display(), cause))?;
    }
    Ok(())
}

const PUBLIC: u32 = 0o644;
const SECRET: u32 = 0o600;

fn refuse_existing(dir: &Path) -> Result<(), Error> {
    let names = [
        CA,
        CA_KEY,
        SERVER,
        SIGN_KEY,
        SIGN_PUBLIC_KEY,
        CLIENT,
        LICENSE_KEY,
        LICENSE_PUBLIC_KEY,
        ADVISORIES,
    ];
    for name in names {
        let path = dir.join(name);
        if path.symlink_metadata().is_ok() {
            let text =
                "exists already and is not overwritten; remove it or choose another directory";
            return Err(Error::at(path.display(), text));
        }
    }
    Ok(())
}

fn create(path: &Path, mode: u32, content: &[u8]) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true).mode(mode);
    options.open(path)?.write_all(content)
}

fn pem(identity: &Identity) -> Result<Vec<u8>, Error> {
    let mut text = identity.certificate.to_pem()?;
    text.extend(identity.key.private_key_to_pem_pkcs8()?);
    Ok(text)
}

/// What a running server needs.
pub(crate) struct Keys {
    /// The server's certificate, then its chain.
    pub chain: Vec<X509>,
    pub server: PKey<Private>,
    /// Client certificates must be signed by one of these.
    pub client_cas: Vec<X509>,
    pub sign: PKey<Private>,
    pub license: PKey<Private>,
}

impl Keys {
    pub fn load(dir: &Path) -> Result<Keys, Error> {
        let keys = Keys {
            chain: certificates(&dir.join(SERVER))?,
            server: private_key(&dir.join(SERVER))?,
            client_cas: certificates(&dir.join(CA))?,
            sign: private_key(&dir.join(SIGN_KEY))?,
            license: private_key(&dir.join(LICENSE_KEY))?,
        };
        for (name, key) in [(SIGN_KEY, &keys.sign), (LICENSE_KEY, &keys.license)] {
            if key.rsa().is_err() || key.bits() < 2048 {
                let text = "not an RSA key of at least 2048 bits";
                return Err(Error::at(dir.join(name).display(), text));
            }
        }
        Ok(keys)
    }
}

/// The CA with its key. Only the TLS faults need it: a service of your own keeps `ca.key` elsewhere.
pub(crate) fn ca(dir: &Path) -> Result<Identity, Error> {
    let certificate = certificates(&dir.join(CA))?.swap_remove(0);
    let key = private_key(&dir.join(CA_KEY))?;
    Ok(Identity { certificate, key })
}

fn certificates(path: &Path) -> Result<Vec<X509>, Error> {
    let stack =
        X509::stack_from_pem(&read(path)?).map_err(|cause| Error::at(path.display(), cause))?;
    if stack.is_empty() {
        return Err(Error::at(path.display(), "holds no certificate"));
    }
    Ok(stack)
}

fn private_key(path: &Path) -> Result<PKey<Private>, Error> {
    PKey::private_key_from_pem(&read(path)?)
        .map_err(|_| Error::at(path.display(), "holds no private key in PEM format"))
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|cause| {
        let hint = "(`psc-refserver keygen DIR` makes the files)";
        Error::at(path.display(), format!("{cause} {hint}"))
    })
}
