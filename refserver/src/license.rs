//! License data: decryption, whose it is, and the operator's alert command.

use crate::check::SealedLicense;
use crate::stop::Stop;
use openssl::encrypt::Decrypter;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Padding;
use openssl::symm::{Cipher, decrypt_aead};
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

const MAX_LICENSE: usize = 64 * 1024;
const ALERT_LIMIT: Duration = Duration::from_secs(60);

/// The license file, wiped when it goes, as is the one-time key. An error is the reason to refuse the request with.
pub(crate) fn open(
    sealed: &SealedLicense,
    key: &PKey<Private>,
    nonce: &str,
) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    if sealed.iv.len() != 12 {
        return Err("`license.iv` must be 12 bytes");
    }
    if sealed.tag.len() != 16 {
        return Err("`license.tag` must be 16 bytes");
    }
    if sealed.data.is_empty() || sealed.data.len() > MAX_LICENSE {
        return Err("`license.data` must be 1 to 65536 bytes");
    }
    let one_time = unwrap(&sealed.key, key).map_err(
        |_| "`license.key` does not decrypt: wrapped for another public key, or damaged",
    )?;
    if one_time.len() != 32 {
        return Err("`license.key` must hold 32 bytes");
    }
    let (iv, aad) = (Some(sealed.iv.as_slice()), nonce.as_bytes());
    decrypt_aead(
        Cipher::aes_256_gcm(),
        &one_time,
        iv,
        aad,
        &sealed.data,
        &sealed.tag,
    )
    .map(Zeroizing::new)
    .map_err(|_| "`license.data` does not decrypt: damaged, or made for another request's nonce")
}

fn unwrap(wrapped: &[u8], key: &PKey<Private>) -> Result<Zeroizing<Vec<u8>>, ErrorStack> {
    let mut decrypter = Decrypter::new(key)?;
    decrypter.set_rsa_padding(Padding::PKCS1_OAEP)?;
    decrypter.set_rsa_oaep_md(MessageDigest::sha256())?;
    decrypter.set_rsa_mgf1_md(MessageDigest::sha256())?;
    let mut plain = Zeroizing::new(vec![0; decrypter.decrypt_len(wrapped)?]);
    let length = decrypter.decrypt(wrapped, &mut plain)?;
    plain.truncate(length);
    Ok(plain)
}

/// The first line, safe to print: at most 200 characters, all of them printable ASCII.
pub(crate) fn owner(license: &[u8]) -> String {
    let line = license
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let text = String::from_utf8_lossy(line.trim_ascii());
    text.chars()
        .take(200)
        .flat_map(|c| {
            if c == '"' {
                vec![c]
            } else {
                c.escape_default().collect()
            }
        })
        .collect()
}

/// Hands a license to the operator's command: the file on its standard input, what is known about
/// the check in its environment. Nothing received becomes part of a command line.
pub(crate) fn alert(
    command: &str,
    license: &[u8],
    environment: &[(&str, String)],
    stop: &Stop,
) -> io::Result<()> {
    let mut child = Command::new("/bin/sh")
        .args(["-c", command])
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let input = child.stdin.take();
    std::thread::scope(|scope| {
        // In a thread of its own, since a command need not read.
        scope.spawn(move || input.map(|mut input| input.write_all(license)));
        wait(&mut child, stop)
    })
}

/// Waits for the command; ends its whole process group when the server stops or it takes too long.
fn wait(child: &mut Child, stop: &Stop) -> io::Result<()> {
    let deadline = Instant::now() + ALERT_LIMIT;
    loop {
        if let Some(status) = child.try_wait()? {
            if status.success() {
                return Ok(());
            }
            return Err(io::Error::other(format!("the command ended with {status}")));
        }
        if stop.wait(Duration::from_millis(20)) || Instant::now() > deadline {
            kill_group(child);
            child.wait()?;
            return Err(io::Error::other("the command was ended before it was done"));
        }
    }
}

fn kill_group(child: &Child) {
    if let Ok(group) = libc::pid_t::try_from(child.id()) {
        // SAFETY: takes plain numbers; the child is not reaped yet, so the group is still its own.
        unsafe { libc::kill(-group, libc::SIGKILL) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_is_one_printable_line() {
        assert_eq!(owner(b"  ACME \"Inc\"\r\nsecond"), "ACME \"Inc\"");
        assert_eq!(
            owner(b"a\x1b[31mb\xff\xc2\x85"),
            "a\\u{1b}[31mb\\u{fffd}\\u{85}"
        );
        assert_eq!(owner(&[b'x'; 500]).len(), 200);
        assert_eq!(owner(b""), "");
    }
}
