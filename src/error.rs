//! Why something did not work: a code, a reason, and what an administrator can do about it.

use crate::code::Code;
use crate::sys::openssl::ERR_R_MALLOC_FAILURE;
use crate::sys::{errno, reserve};
use crate::text;
use openssl::error::ErrorStack;
use std::fmt;
use std::sync::Arc;

/// When a failed check may be tried again (docs/protocol.md, When the next check is due).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Retry {
    /// No server answered: name, connect or timeout. Retried after 10 minutes, 1 hour, 6 hours.
    Unanswered,
    /// HTTP 429 or 503 with `Retry-After`, in seconds.
    After(u64),
    /// A certificate that this machine's clock holds for expired or not yet valid: again soon after the clock was set.
    Clock,
    /// Anything else waits for the interval.
    Interval,
}

#[derive(Clone, Debug)]
pub struct Error {
    pub code: Code,
    pub reason: String,
    /// A sentence without its full stop; empty when there is nothing to advise.
    pub advice: &'static str,
    pub retry: Retry,
    /// What the system or OpenSSL said; the reason has it too.
    pub source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl fmt::Display for Error {
    /// Reason and advice as one text.
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(&self.reason)?;
        if self.advice.is_empty() {
            return Ok(());
        }
        write!(formatter, "; {}", self.advice)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let source = self.source.as_deref()?;
        Some(source)
    }
}

impl Error {
    pub fn new(code: Code, reason: impl Into<String>, advice: &'static str) -> Error {
        Error {
            code,
            reason: reason.into(),
            advice,
            retry: Retry::Interval,
            source: None,
        }
    }

    pub fn retried(self, retry: Retry) -> Error {
        Error { retry, ..self }
    }

    pub fn caused_by(self, source: impl std::error::Error + Send + Sync + 'static) -> Error {
        Error {
            source: Some(Arc::new(source)),
            ..self
        }
    }

    /// A call that breaks the rules of the header.
    pub fn invalid_argument(reason: impl Into<String>) -> Error {
        Error::new(Code::InvalidArgument, reason, "")
    }

    /// No server answered.
    pub fn unanswered(reason: impl Into<String>, advice: &'static str) -> Error {
        Error::new(Code::Network, reason, advice).retried(Retry::Unanswered)
    }

    /// An answer that breaks the agreed form.
    pub fn response(reason: impl Into<String>) -> Error {
        Error::new(
            Code::Response,
            reason,
            "check that `url` names a security update check server and that nothing on the way changes its answers",
        )
    }

    /// An answer that is signed, and says nothing that can be used: nothing on the way can have made it.
    pub fn signed_response(reason: impl Into<String>) -> Error {
        Error {
            advice: "the check server has signed this: its operator must act",
            ..Error::response(reason)
        }
    }

    /// An answer that was compressed, though nobody had asked for that.
    pub fn compressed(how: &str) -> Error {
        Error {
            advice: "nobody asked for that: a gateway before the check server or a proxy on the way compresses answers, and must not",
            ..Error::response(format!("the answer is compressed{how}"))
        }
    }

    /// The operating system said no.
    pub fn system(reason: impl Into<String>) -> Error {
        Error::new(
            Code::System,
            reason,
            "check the limits on memory, threads and open files of this process",
        )
    }

    pub fn out_of_memory() -> Error {
        Error::new(
            Code::System,
            "out of memory",
            "check the limits on memory of this process and its machine",
        )
    }

    /// What it is called where memory has run out meanwhile: what libcurl and OpenSSL then say is about something else.
    #[must_use]
    pub fn or_out_of_memory(self) -> Error {
        const DOUBTFUL: [Code; 5] = [
            Code::File,
            Code::Network,
            Code::Tls,
            Code::System,
            Code::Internal,
        ];
        let says_so = self.reason.contains("out of memory");
        if DOUBTFUL.contains(&self.code) && !says_so && reserve::was_short() {
            return Error::out_of_memory();
        }
        self
    }

    /// Nor will it, before a restart.
    pub fn openssl_has_not_begun() -> Error {
        Error::new(
            Code::System,
            "out of memory: there was not enough for OpenSSL to begin, and in this process it does not begin again",
            "restart the host; check the limits on memory of its process and machine",
        )
    }

    /// What OpenSSL lacked memory for once it may lack for ever: it is called that, and not what it looks like.
    #[must_use]
    pub fn or_broken_since(self) -> Error {
        if !reserve::was_ever_short() || self.reason.contains("out of memory") {
            return self;
        }
        Error::new(
            Code::System,
            format!(
                "OpenSSL has not worked in this process since it ran out of memory: {}",
                self.reason
            ),
            "restart the host; check the limits on memory of its process and machine",
        )
    }

    /// OpenSSL cannot do in this process what it does elsewhere: nobody outside is to blame.
    pub fn openssl(problem: &str, errors: ErrorStack) -> Error {
        let first = errors.errors().first();
        // The first is the cause. OpenSSL calls much that follows a shortage that is none; some that is one it calls otherwise,
        // but for `errno`.
        if errno::is_out_of_memory()
            || first.is_some_and(|error| error.reason_code() == ERR_R_MALLOC_FAILURE)
        {
            reserve::note_shortage();
            return Error::system(format!("out of memory: OpenSSL {problem}"));
        }
        let words = [
            first.and_then(openssl::error::Error::reason),
            first.and_then(openssl::error::Error::data),
        ];
        let words: Vec<&str> = words.into_iter().flatten().collect();
        let detail = match words.as_slice() {
            [] => String::new(),
            words => format!(" ({})", text::quoted(&words.join(", "))),
        };
        Error::new(
            Code::System,
            format!("OpenSSL in this process {problem}{detail}"),
            "this is a fault of this process, not of the check server: look at its OpenSSL configuration (openssl.cnf, or the file that OPENSSL_CONF names), at FIPS mode, at which providers are active, and whether its memory is short",
        )
        .caused_by(errors)
    }

    /// OpenSSL was cleaned up in this process: nothing of it may be called any more.
    pub fn openssl_is_over() -> Error {
        Error::new(
            Code::System,
            "OpenSSL was cleaned up in this process (OPENSSL_cleanup) and cannot be used again in it",
            "this is a fault of the program, not of the check server: until it is mended, a restart helps",
        )
        // It may be the process's end, and then the next one checks soon.
        .retried(Retry::Unanswered)
    }

    /// A panic was contained.
    pub fn bug(text: &str) -> Error {
        Error::new(
            Code::Internal,
            format!("a bug in psc was contained: {text}"),
            "please report it to the makers of psc",
        )
    }

    pub fn cancelled() -> Error {
        Error::new(Code::Cancelled, "cancelled", "")
    }
}
