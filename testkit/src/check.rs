//! One check by the C program `c-tests/api/check.c`, as the host sees it.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::compile::{Link, compile_against};
use crate::library::{Library, library};
use crate::printed::{LogLine, Printed};
use crate::process::{Finished, run, valgrind};

/// Ten minutes, moved by up to a tenth.
const FIRST_RETRY: std::ops::RangeInclusive<i64> = 540..=661;

/// What one check came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// What psc_configure returned.
    pub configured: i32,
    /// What psc_run_once returned, when the configuration was accepted.
    pub code: Option<i32>,
    /// psc_last_error after the last call.
    pub error: String,
    pub message: Option<String>,
    pub version: Option<String>,
    pub notice: Option<String>,
    pub next_check: Option<i64>,
    pub http_status: Option<i32>,
    pub log: Vec<LogLine>,
    /// Everything that the program printed.
    pub output: String,
    pub elapsed: Duration,
}

impl Outcome {
    /// The log lines that contain `phrase`.
    pub fn log_lines(&self, phrase: &str) -> Vec<&LogLine> {
        self.log
            .iter()
            .filter(|(_, message)| message.contains(phrase))
            .collect()
    }

    /// The check has ended, whatever it waited for.
    pub fn assert_took_less_than(&self, seconds: u64) {
        let limit = Duration::from_secs(seconds);
        assert!(
            self.elapsed < limit,
            "took {:?}\n{}",
            self.elapsed,
            self.output
        );
    }

    /// After a first failure the next check comes soon.
    pub fn assert_first_retry(&self) {
        let next = self.next_check.unwrap_or_default();
        assert!(FIRST_RETRY.contains(&next), "{}", self.output);
    }

    /// None of these was logged, returned or dumped.
    pub fn assert_hides(&self, secrets: &[&str]) {
        for secret in secrets {
            assert!(!self.output.contains(secret), "{secret}: {}", self.output);
        }
    }

    fn new(finished: &Finished) -> Outcome {
        let printed = Printed::parse(&finished.stdout);
        Outcome {
            configured: printed.number_of("configured").expect("a code"),
            code: printed.number_of("code"),
            error: printed.text_of("error").unwrap_or_default(),
            message: printed.text_of("message"),
            version: printed.text_of("version"),
            notice: printed.text_of("notice"),
            next_check: printed.number_of("next_check"),
            http_status: printed.number_of("http_status"),
            log: printed.log,
            output: printed.text,
            elapsed: finished.elapsed,
        }
    }
}

/// How the program is run.
#[derive(Clone, Debug)]
pub struct Check {
    link: Link,
    library: Library,
    under_valgrind: bool,
    environment: Vec<(String, String)>,
    limit: Duration,
}

/// libcurl reads these; a test that wants one sets it itself.
const VARIABLES_OF_LIBCURL: [&str; 10] = [
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
];

impl Check {
    pub fn new(link: Link) -> Check {
        Check {
            link,
            library: library(),
            under_valgrind: false,
            environment: Vec::new(),
            limit: Duration::from_secs(60),
        }
    }

    /// With another build of psc.
    pub fn with_library(mut self, library: Library) -> Check {
        self.library = library;
        self
    }

    /// Under memcheck, which makes it slower by a factor of twenty.
    pub fn valgrind(mut self) -> Check {
        self.under_valgrind = true;
        self.limit = Duration::from_secs(180);
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Check {
        self.environment.push((
            name.to_string(),
            value.as_ref().to_string_lossy().into_owned(),
        ));
        self
    }

    /// Longer than this, and the test fails.
    pub fn limit(mut self, limit: Duration) -> Check {
        self.limit = limit;
        self
    }

    /// One check; the program itself must end well.
    pub fn run(&self, config: &Value) -> Outcome {
        let finished = self.run_program("c-tests/api/check.c", &[&config.to_string()]);
        Outcome::new(&finished)
    }

    /// Another program of c-tests in the same way; it must exit with 0.
    pub fn run_program(&self, source: &str, arguments: &[&str]) -> Finished {
        let mut command = self.command(&compile_against(&self.library, source, self.link, &[]));
        command.args(arguments);
        let finished = run(&mut command, self.limit);
        assert_eq!(
            finished.code,
            Some(0),
            "{source} {self:?}, signal {:?}\n--- arguments\n{arguments:?}\n--- stdout\n{}\n--- stderr\n{}",
            finished.signal,
            finished.stdout,
            finished.stderr
        );
        finished
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = if self.under_valgrind {
            valgrind(program)
        } else {
            Command::new(program)
        };
        for name in VARIABLES_OF_LIBCURL {
            command.env_remove(name);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}
