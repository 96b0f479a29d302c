//! Which certificate authorities are trusted: the configured bundle alone, or the system's store.

use super::file;
use openssl::x509::X509;
use std::path::{Path, PathBuf};

/// Bytes in a CA bundle; Debian's has 220 KiB.
const LARGEST_BUNDLE: u64 = 16 * 1024 * 1024;

/// Where systems keep their store as one PEM file.
const SYSTEM_BUNDLES: [&str; 9] = [
    "/etc/ssl/certs/ca-certificates.crt", // Debian, Ubuntu, Arch, Gentoo
    "/etc/pki/tls/certs/ca-bundle.crt",   // Red Hat, Fedora
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // Red Hat 7 and newer
    "/var/lib/ca-certificates/ca-bundle.pem", // SUSE
    "/etc/ssl/ca-bundle.pem",             // older SUSE
    "/etc/ssl/cert.pem",                  // Alpine, OpenBSD, FreeBSD
    "/usr/local/share/certs/ca-root-nss.crt", // FreeBSD ports
    "/usr/local/etc/ssl/cert.pem",        // DragonFly
    "/etc/openssl/certs/ca-certificates.crt", // NetBSD
];

/// Where systems keep their store as a directory of hashed names.
const SYSTEM_DIRECTORIES: [&str; 4] = [
    "/etc/ssl/certs",
    "/etc/pki/tls/certs",
    "/etc/openssl/certs",
    "/usr/share/certs/trusted",
];

#[derive(Clone, Debug)]
pub enum Trust {
    /// PEM bytes, and the file they came from.
    Bundle { path: PathBuf, pem: Vec<u8> },
    /// A directory with names as `openssl rehash` makes them.
    Directory(PathBuf),
}

impl Trust {
    /// `certificate_path`: instead of the system's store, not beside it.
    pub fn configured(path: &Path) -> Result<Trust, String> {
        let pem = file::read(path, LARGEST_BUNDLE)?;
        match X509::stack_from_pem(&pem) {
            Ok(certificates) if !certificates.is_empty() => Ok(Trust::Bundle {
                path: path.to_owned(),
                pem: pem.to_vec(),
            }),
            _ => Err(format!(
                "{} contains no readable PEM certificate",
                crate::text::quoted(&path.to_string_lossy())
            )),
        }
    }

    /// The system's store. The error names the places that were tried.
    pub fn system() -> Result<Trust, String> {
        Trust::first_of(&SYSTEM_BUNDLES, &SYSTEM_DIRECTORIES)
    }

    fn first_of(bundles: &[&str], directories: &[&str]) -> Result<Trust, String> {
        let bundle = bundles.iter().map(Path::new).find_map(|path| {
            let pem = file::read(path, LARGEST_BUNDLE).ok()?;
            has_certificate(&pem).then(|| Trust::Bundle {
                path: path.to_owned(),
                pem: pem.to_vec(),
            })
        });
        bundle
            .or_else(|| {
                directories
                    .iter()
                    .map(Path::new)
                    .find(|path| has_hashed_name(path))
                    .map(|path| Trust::Directory(path.to_owned()))
            })
            .ok_or_else(|| {
                format!(
                    "no certificate authorities found on this system (tried {}, {}); install its ca-certificates package or set certificate_path",
                    bundles.join(", "),
                    directories.join(", ")
                )
            })
    }

    pub fn path(&self) -> &Path {
        match self {
            Trust::Bundle { path, .. } | Trust::Directory(path) => path,
        }
    }
}

fn has_certificate(pem: &[u8]) -> bool {
    let marker: &[u8] = b"-----BEGIN CERTIFICATE-----";
    pem.windows(marker.len()).any(|window| window == marker)
}

/// Names such as `5ad8a5d6.0`.
fn has_hashed_name(directory: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let parts = name.to_str().and_then(|name| name.split_once('.'));
        parts.is_some_and(|(hash, number)| {
            hash.len() == 8
                && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
                && !number.is_empty()
                && number.bytes().all(|byte| byte.is_ascii_digit())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_usable_place_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
        let hashed = at("hashed");
        std::fs::create_dir(&hashed).unwrap();
        let (empty, bundle) = (at("empty"), at("bundle"));
        std::fs::write(&empty, "nothing").unwrap();
        let error = Trust::first_of(&[&empty], &[&hashed]).unwrap_err();
        assert!(error.contains(&empty) && error.contains(&hashed));
        std::fs::write(dir.path().join("hashed/5ad8a5d6.0"), "").unwrap();
        let trust = Trust::first_of(&[&empty], &[&hashed]).unwrap();
        assert!(matches!(trust, Trust::Directory(path) if path == Path::new(&hashed)));
        std::fs::write(&bundle, "-----BEGIN CERTIFICATE-----").unwrap();
        let trust = Trust::first_of(&[&empty, &bundle], &[&hashed]).unwrap();
        assert_eq!(trust.path(), Path::new(&bundle));
    }
}
