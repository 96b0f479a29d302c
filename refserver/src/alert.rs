//! The operator's command that every decrypted license is handed to.

use crate::cancel::CancelToken;
use crate::check::Check;
use crate::license;
use rustix::process::{Pid, Signal, kill_process_group};
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_secs(60);

/// Runs `command` with the license on its standard input, and what is known about the check in its
/// environment. Nothing received becomes part of a command line.
///
/// `recommended`: the version that the client is told to update to; `None`: no update.
pub(crate) fn run(
    command: &str,
    check: &Check,
    license: &[u8],
    recommended: Option<String>,
    cancel: &CancelToken,
) -> io::Result<()> {
    let update = u8::from(recommended.is_some()).to_string();
    let mut child = Command::new("/bin/sh")
        .args(["-c", command])
        .env("PSC_LICENSE_BYTES", license.len().to_string())
        .env("PSC_LICENSE_OWNER", license::licensee(license))
        .env("PSC_PASSENGER_VERSION", &check.passenger_version)
        .env("PSC_SERVER_INTEGRATION", &check.server_integration)
        .env(
            "PSC_SERVER_VERSION",
            check.server_version.as_deref().unwrap_or_default(),
        )
        .env("PSC_UPDATE", update)
        .env("PSC_RECOMMENDED_VERSION", recommended.unwrap_or_default())
        .stdin(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let input = child.stdin.take();
    thread::scope(|scope| {
        // In a thread of its own, since a command need not read.
        scope.spawn(move || input.map(|mut input| input.write_all(license)));
        wait(&mut child, cancel)
    })
}

/// Waits for the command; ends its whole process group when the server stops or it takes too long.
fn wait(child: &mut Child, cancel: &CancelToken) -> io::Result<()> {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        if let Some(status) = child.try_wait()? {
            if status.success() {
                return Ok(());
            }
            return Err(io::Error::other(format!("the command ended with {status}")));
        }
        if cancel.wait(Duration::from_millis(20)) || Instant::now() > deadline {
            // The child is not reaped yet, so the group is still its own.
            kill_process_group(Pid::from_child(child), Signal::KILL)?;
            child.wait()?;
            return Err(io::Error::other("the command was ended before it was done"));
        }
    }
}
