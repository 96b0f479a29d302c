//! Which certificate authorities are trusted: the configured bundle alone, or the system's store.
//!
//! They count as they are at each check. The copy of an earlier reading serves where the place can no longer be read, in a
//! chroot or without privileges; what can be read and holds nothing is a store that was emptied.

use super::ca_bundle::CaBundle;
use super::environment::Environment;
use super::file;
use crate::code::Code;
use crate::error::Error;
use crate::sync::lock;
use crate::text;
use std::error::Error as _;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Bytes in a CA bundle; Debian's has 220 KiB.
const MAX_BUNDLE: u64 = 16 * 1024 * 1024;
/// Files in a directory of hashed names; Debian's has 150.
const MAX_FILES: usize = 4096;
const ADVICE: &str = "install or update the system's ca-certificates, or set certificate_path; that counts from the next check on";
const ADVICE_NAMED: &str = "check certificate_path";
const ADVICE_ENVIRONMENT: &str = "check the environment variables SSL_CERT_FILE and SSL_CERT_DIR of this process, or set certificate_path";

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

pub struct TrustStore {
    /// As libcurl takes them.
    pub pem: Vec<u8>,
    /// Where they come from.
    pub file: Option<PathBuf>,
    pub directory: Option<PathBuf>,
    /// What was passed over, for people.
    pub skipped: Option<String>,
    /// One of two places could not be read.
    is_partial: bool,
}

impl TrustStore {
    pub fn path(&self) -> &Path {
        let path = self.file.as_deref().or(self.directory.as_deref());
        path.unwrap_or(Path::new(""))
    }
}

/// Where to look.
#[derive(Clone, PartialEq, Eq)]
pub enum Source {
    /// `certificate_path`: instead of the system's store, not beside it.
    Named(PathBuf),
    /// OpenSSL's variables: a file, a directory, or both.
    Environment(Option<PathBuf>, Option<PathBuf>),
    System,
}

impl Source {
    pub fn of(certificate_path: Option<&Path>, environment: &Environment) -> Source {
        match (
            certificate_path,
            &environment.ssl_cert_file,
            &environment.ssl_cert_dir,
        ) {
            (Some(path), _, _) => Source::Named(path.to_owned()),
            (None, None, None) => Source::System,
            (None, file, directory) => Source::Environment(file.clone(), directory.clone()),
        }
    }

    /// Adds to `readable` what can be read, whatever it holds.
    fn read(&self, readable: &mut Vec<PathBuf>) -> Result<TrustStore, Error> {
        match self {
            Source::Named(path) => of_places(Some(path), None, ADVICE_NAMED, readable),
            Source::Environment(file, directory) => of_places(
                file.as_deref(),
                directory.as_deref(),
                ADVICE_ENVIRONMENT,
                readable,
            ),
            Source::System => first_of(&SYSTEM_BUNDLES, &SYSTEM_DIRECTORIES, readable),
        }
    }
}

/// A source with what it held when it was last read.
pub struct CachedTrustStore {
    source: Source,
    cached: Mutex<Result<Arc<TrustStore>, Error>>,
}

impl CachedTrustStore {
    /// Reads the source.
    pub fn new(source: Source) -> CachedTrustStore {
        let cached = source.read(&mut Vec::new());
        CachedTrustStore {
            cached: Mutex::new(cached.map(Arc::new)),
            source,
        }
    }

    pub fn source(&self) -> &Source {
        &self.source
    }

    /// As it was when it was last read.
    pub fn cached(&self) -> Result<Arc<TrustStore>, Error> {
        lock(&self.cached).clone()
    }

    /// As it is now. No lock is held while files are read.
    pub fn refreshed(&self) -> Result<Arc<TrustStore>, Error> {
        let mut readable = Vec::new();
        let error = match self.source.read(&mut readable) {
            Ok(trust_store)
                if trust_store.is_partial
                    && self.cached().is_ok_and(|cached| !cached.is_partial) =>
            {
                return self.cached();
            }
            Ok(trust_store) => {
                let trust_store = Arc::new(trust_store);
                *lock(&self.cached) = Ok(Arc::clone(&trust_store));
                return Ok(trust_store);
            }
            Err(error) => error,
        };
        let is_empty = |copy: &TrustStore| {
            error.code == Code::File && readable.iter().any(|path| path == copy.path())
        };
        match self.cached() {
            Ok(copy) if !is_empty(&copy) => Ok(copy),
            _ => Err(error),
        }
    }
}

/// The first of the system's places that holds a certificate. The error names all of them.
fn first_of(
    bundles: &[&str],
    directories: &[&str],
    readable: &mut Vec<PathBuf>,
) -> Result<TrustStore, Error> {
    let files = bundles.iter().map(|path| (Some(Path::new(path)), None));
    let hashed = directories
        .iter()
        .map(Path::new)
        .filter(|path| has_hashed_name(path));
    let hashed = hashed.map(|path| (None, Some(path)));
    let mut problems = String::new();
    for (file, directory) in files.chain(hashed) {
        let before = readable.len();
        match of_places(file, directory, ADVICE, readable) {
            Ok(trust_store) => return Ok(trust_store),
            Err(error) if error.code != Code::File => return Err(error),
            Err(error) if readable.len() > before => {
                problems = format!("{problems}; {}", error.reason);
            }
            Err(_) => {}
        }
    }
    let reason = format!(
        "no certificate authorities found on this system to verify the server with (tried {}, {}){problems}",
        bundles.join(", "),
        directories.join(", ")
    );
    Err(Error::new(Code::File, reason, ADVICE))
}

/// What a file and a directory hold together; one of them may do.
fn of_places(
    file: Option<&Path>,
    directory: Option<&Path>,
    advice: &'static str,
    readable: &mut Vec<PathBuf>,
) -> Result<TrustStore, Error> {
    let mut bundle = CaBundle::default();
    let mut problems = Vec::new();
    let mut is_partial = false;
    if let Some(path) = file {
        match file::read(path, MAX_BUNDLE, advice) {
            Ok(bytes) => {
                readable.push(path.to_owned());
                bundle.add(&name(path), &bytes)?;
            }
            Err(error) if error.code != Code::File => return Err(error),
            Err(error) => {
                is_partial = error.source().is_some();
                if !is_partial {
                    readable.push(path.to_owned());
                }
                problems.push(error.reason);
            }
        }
    }
    if let Some(path) = directory {
        match hashed_files(path) {
            Ok(files) => {
                readable.push(path.to_owned());
                add_files(&mut bundle, &files)?;
            }
            Err(error) => {
                is_partial = true;
                problems.push(format!("cannot read {}: {error}", name(path)));
            }
        }
    }
    if bundle.certificates > 0 {
        for problem in problems {
            bundle.skip(problem);
        }
        return Ok(TrustStore {
            skipped: bundle.skipped(),
            pem: bundle.pem,
            file: file.map(Path::to_owned),
            directory: directory.map(Path::to_owned),
            is_partial,
        });
    }
    if problems.is_empty() {
        let place = file.or(directory).map_or(String::new(), name);
        let skipped = bundle
            .skipped()
            .map_or(String::new(), |skipped| format!(": {skipped}"));
        problems.push(format!(
            "{place} contains no readable PEM certificate{skipped}"
        ));
    }
    Err(Error::new(Code::File, problems.join("; "), advice))
}

fn name(path: &Path) -> String {
    text::quoted(&path.to_string_lossy())
}

fn add_files(bundle: &mut CaBundle, files: &[PathBuf]) -> Result<(), Error> {
    let mut left = MAX_BUNDLE;
    for path in files {
        match file::read(path, left, "") {
            Ok(bytes) => {
                left = left.saturating_sub(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
                bundle.add(&name(path), &bytes)?;
            }
            Err(error) if error.code != Code::File => return Err(error),
            Err(error) => bundle.skip(error.reason),
        }
    }
    Ok(())
}

fn hashed_files(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(directory)?.flatten();
    let hashed = entries.filter(|entry| is_hashed(&entry.file_name()));
    let mut files: Vec<PathBuf> = hashed.map(|entry| entry.path()).take(MAX_FILES).collect();
    files.sort();
    Ok(files)
}

fn has_hashed_name(directory: &Path) -> bool {
    hashed_files(directory).is_ok_and(|files| !files.is_empty())
}

/// Names as `openssl rehash` makes them, such as `5ad8a5d6.0`.
fn is_hashed(name: &OsStr) -> bool {
    let parts = name.to_str().and_then(|name| name.split_once('.'));
    parts.is_some_and(|(hash, number)| {
        hash.len() == 8
            && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
            && !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::pem::encode;

    const CERTIFICATE: &[u8] = include_bytes!("../selftest/certificate.der");

    fn pem() -> Vec<u8> {
        let mut pem = Vec::new();
        encode("CERTIFICATE", CERTIFICATE, &mut pem);
        pem
    }

    fn reason(read: Result<TrustStore, Error>) -> String {
        read.err().unwrap().reason
    }

    fn first_of(bundles: &[&str], directories: &[&str]) -> Result<TrustStore, Error> {
        super::first_of(bundles, directories, &mut Vec::new())
    }

    fn read_file(path: &Path) -> Result<TrustStore, Error> {
        of_places(Some(path), None, "", &mut Vec::new())
    }

    #[test]
    fn the_first_usable_place_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
        let hashed = at("hashed");
        std::fs::create_dir(&hashed).unwrap();
        let (empty, bundle) = (at("empty"), at("bundle"));
        std::fs::write(&empty, "nothing").unwrap();
        let error = reason(first_of(&[&empty], &[&hashed]));
        assert!(error.contains(&empty) && error.contains(&hashed));
        std::fs::write(dir.path().join("hashed/5ad8a5d6.0"), pem()).unwrap();
        std::fs::write(dir.path().join("hashed/5ad8a5d6.1"), "nothing").unwrap();
        std::fs::write(dir.path().join("hashed/readme"), pem()).unwrap();
        let trust_store = first_of(&[&empty], &[&hashed]).ok().unwrap();
        assert_eq!(trust_store.path(), Path::new(&hashed));
        assert_eq!(trust_store.pem, pem());
        std::fs::write(&bundle, pem()).unwrap();
        let trust_store = first_of(&[&empty, &bundle], &[&hashed]).ok().unwrap();
        assert_eq!(trust_store.path(), Path::new(&bundle));
    }

    #[test]
    fn a_damaged_block_is_named_and_costs_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bundle");
        let good = String::from_utf8(pem()).unwrap();
        let lines = good.lines().count();
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read_file(&path)
        };
        for (bad, problem) in [
            (
                good.replacen("MII", "AAA", 1),
                "is not a certificate that can be read",
            ),
            (good.replacen("MII", "*II", 1), "is not base64"),
            (
                good.replace("-----END CERTIFICATE-----\n", ""),
                "does not end",
            ),
            (
                good.replacen('\n', "\nProc-Type: 4,ENCRYPTED\n\n", 1),
                "is encrypted",
            ),
            (
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\n-----END ENCRYPTED PRIVATE KEY-----\n"
                    .to_owned(),
                "is encrypted",
            ),
        ] {
            let trust_store = read(&format!("{good}{bad}{good}")).ok().unwrap();
            assert_eq!(trust_store.pem, [pem(), pem()].concat());
            let expected = format!("block 2 (line {}), {problem}", lines + 1);
            let skipped = trust_store.skipped.unwrap();
            assert!(
                skipped.contains(&expected),
                "{skipped:?} lacks {expected:?}"
            );
            let alone = reason(read(&bad));
            assert!(
                alone.contains("no readable PEM certificate") && alone.contains(problem),
                "{alone}"
            );
        }
        let other = "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n";
        assert!(
            read(&format!("{good}{other}"))
                .ok()
                .unwrap()
                .skipped
                .is_none()
        );
        let many = format!("{good}{}", good.replacen("MII", "AAA", 1).repeat(9));
        let skipped = read(&many).ok().unwrap().skipped.unwrap();
        assert!(skipped.ends_with("and 4 more"), "{skipped}");
    }

    #[test]
    fn trusted_certificates_are_certificates() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bundle");
        let read = |settings: &[u8]| {
            let mut text = Vec::new();
            encode(
                "TRUSTED CERTIFICATE",
                &[CERTIFICATE, settings].concat(),
                &mut text,
            );
            std::fs::write(&path, text).unwrap();
            read_file(&path)
        };
        assert_eq!(read(&[]).ok().unwrap().pem, pem());
        assert_eq!(read(&[0x30, 0]).ok().unwrap().pem, pem());
        let rejected = [0x30, 8, 0xa0, 6, 6, 4, 0x55, 0x1d, 0x25, 0];
        assert!(reason(read(&rejected)).contains("not trusted for servers"));
        assert!(reason(read(&[0x30, 9])).contains("trust settings that cannot be read"));
    }

    #[test]
    fn the_copy_serves_where_the_place_cannot_be_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bundle");
        std::fs::write(&path, pem()).unwrap();
        let store = CachedTrustStore::new(Source::Named(path.clone()));
        let length = || store.refreshed().map(|trust_store| trust_store.pem.len());
        assert_eq!(length().unwrap(), pem().len());
        std::fs::write(&path, pem().repeat(2)).unwrap();
        assert_eq!(length().unwrap(), pem().len() * 2, "renewed");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(length().unwrap(), pem().len() * 2, "the copy");
        // It can be read: nothing is trusted any more.
        std::fs::write(&path, "").unwrap();
        assert!(length().unwrap_err().reason.contains("empty"));
        std::fs::write(&path, "# none\n").unwrap();
        assert!(
            length()
                .unwrap_err()
                .reason
                .contains("no readable PEM certificate")
        );
        std::fs::write(&path, pem()).unwrap();
        assert_eq!(length().unwrap(), pem().len());
    }

    #[test]
    fn the_environment_names_a_file_a_directory_or_both() {
        let dir = tempfile::tempdir().unwrap();
        let (file, hashed) = (dir.path().join("file"), dir.path().join("hashed"));
        std::fs::create_dir(&hashed).unwrap();
        std::fs::write(&file, pem()).unwrap();
        std::fs::write(hashed.join("5ad8a5d6.0"), pem()).unwrap();
        let environment = |ssl_cert_file, ssl_cert_dir| Environment {
            ssl_cert_file,
            ssl_cert_dir,
            ..Environment::default()
        };
        let both = environment(Some(file.clone()), Some(hashed.clone()));
        for (environment, count) in [
            (environment(Some(file.clone()), None), 1),
            (environment(None, Some(hashed)), 1),
            (both.clone(), 2),
        ] {
            let trust_store = Source::of(None, &environment)
                .read(&mut Vec::new())
                .ok()
                .unwrap();
            assert_eq!(trust_store.pem, pem().repeat(count));
        }
        assert!(Source::of(Some(&file), &both) == Source::Named(file));
        let missing = environment(Some(dir.path().join("missing")), None);
        let error = Source::of(None, &missing)
            .read(&mut Vec::new())
            .err()
            .unwrap();
        assert!(error.reason.contains("No such file") && error.advice.contains("SSL_CERT_FILE"));
    }
}
