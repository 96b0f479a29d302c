//! Why something did not work: a code, a reason, and what an administrator can do about it.

use crate::code::Code;
use crate::sys::{errno, reserve};
use crate::text;
use openssl::error::ErrorStack;

/// `ERR_R_MALLOC_FAILURE` of OpenSSL 3.
const OUT_OF_MEMORY: i32 = 256 | 0x000c_0000;

/// When a failed check may be tried again (contract section 5).
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
    /// 0 when there was no HTTP answer.
    pub http_status: i32,
    pub retry: Retry,
}

impl Error {
    pub fn new(code: Code, reason: impl Into<String>, advice: &'static str) -> Error {
        Error {
            code,
            reason: reason.into(),
            advice,
            http_status: 0,
            retry: Retry::Interval,
        }
    }

    pub fn with_status(self, http_status: i32) -> Error {
        Error {
            http_status,
            ..self
        }
    }

    pub fn retried(self, retry: Retry) -> Error {
        Error { retry, ..self }
    }

    /// An answer that breaks the agreed form.
    pub fn response(reason: impl Into<String>) -> Error {
        Error::new(
            Code::Response,
            reason,
            "check that `url` names a security update check server and that nothing on the way changes its answers",
        )
        .with_status(200)
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
    pub fn openssl(problem: &str, errors: &ErrorStack) -> Error {
        let first = errors.errors().first();
        // The first is the cause. OpenSSL calls much that follows a shortage that is none; some that is one it calls otherwise,
        // but for `errno`.
        if errno::is_out_of_memory()
            || first.is_some_and(|error| error.reason_code() == OUT_OF_MEMORY)
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

    /// Reason and advice as one text.
    pub fn text(&self) -> String {
        if self.advice.is_empty() {
            self.reason.clone()
        } else {
            format!("{}; {}", self.reason, self.advice)
        }
    }
}
