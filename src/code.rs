//! The return codes of contract section 2. Numbers never change meaning.

/// What a call or a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    Ok,
    UpdateAvailable,
    Disabled,
    InvalidArgument,
    Config,
    State,
    Reentrant,
    Forked,
    Cancelled,
    File,
    Network,
    Tls,
    Http,
    Response,
    Signature,
    Nonce,
    System,
    Internal,
    Timeout,
}

impl Code {
    pub const ALL: [Code; 19] = [
        Code::Ok,
        Code::UpdateAvailable,
        Code::Disabled,
        Code::InvalidArgument,
        Code::Config,
        Code::State,
        Code::Reentrant,
        Code::Forked,
        Code::Cancelled,
        Code::File,
        Code::Network,
        Code::Tls,
        Code::Http,
        Code::Response,
        Code::Signature,
        Code::Nonce,
        Code::System,
        Code::Internal,
        Code::Timeout,
    ];

    /// The number that crosses the C boundary.
    pub const fn number(self) -> i32 {
        match self {
            Code::Ok => 0,
            Code::UpdateAvailable => 1,
            Code::Disabled => 2,
            Code::InvalidArgument => -1,
            Code::Config => -2,
            Code::State => -3,
            Code::Reentrant => -4,
            Code::Forked => -5,
            Code::Cancelled => -6,
            Code::File => -7,
            Code::Network => -8,
            Code::Tls => -9,
            Code::Http => -10,
            Code::Response => -11,
            Code::Signature => -12,
            Code::Nonce => -13,
            Code::System => -14,
            Code::Internal => -15,
            Code::Timeout => -16,
        }
    }

    pub fn from_number(number: i32) -> Option<Code> {
        Code::ALL.into_iter().find(|code| code.number() == number)
    }

    /// The macro's name in `psc.h`.
    pub const fn name(self) -> &'static str {
        match self {
            Code::Ok => "PSC_OK",
            Code::UpdateAvailable => "PSC_UPDATE_AVAILABLE",
            Code::Disabled => "PSC_DISABLED",
            Code::InvalidArgument => "PSC_ERR_INVALID_ARGUMENT",
            Code::Config => "PSC_ERR_CONFIG",
            Code::State => "PSC_ERR_STATE",
            Code::Reentrant => "PSC_ERR_REENTRANT",
            Code::Forked => "PSC_ERR_FORKED",
            Code::Cancelled => "PSC_ERR_CANCELLED",
            Code::File => "PSC_ERR_FILE",
            Code::Network => "PSC_ERR_NETWORK",
            Code::Tls => "PSC_ERR_TLS",
            Code::Http => "PSC_ERR_HTTP",
            Code::Response => "PSC_ERR_RESPONSE",
            Code::Signature => "PSC_ERR_SIGNATURE",
            Code::Nonce => "PSC_ERR_NONCE",
            Code::System => "PSC_ERR_SYSTEM",
            Code::Internal => "PSC_ERR_INTERNAL",
            Code::Timeout => "PSC_ERR_TIMEOUT",
        }
    }

    /// One sentence for people, without a full stop's worth of detail.
    pub const fn sentence(self) -> &'static core::ffi::CStr {
        match self {
            Code::Ok => c"Done; for a check: no security update is known for this version.",
            Code::UpdateAvailable => c"A security update is available.",
            Code::Disabled => c"The security update check is disabled.",
            Code::InvalidArgument => c"An argument is NULL where it may not be, or not UTF-8.",
            Code::Config => c"The configuration was rejected; nothing of it was applied.",
            Code::State => c"The call came at the wrong moment: not configured yet, already started, or a check is in flight.",
            Code::Reentrant => c"The call cannot work inside this handle's own log callback.",
            Code::Forked => c"The handle was started in another process, before a fork.",
            Code::Cancelled => c"The check was ended by psc_stop, psc_free or a configuration that disables it.",
            Code::File => c"A key, certificate, CA or licence file is missing, unreadable, malformed or too weak.",
            Code::Network => c"The check server could not be reached, or the transfer broke.",
            Code::Tls => c"The TLS handshake or the verification of the server's certificate failed.",
            Code::Http => c"The check server answered with an HTTP status other than 200.",
            Code::Response => c"The answer is not what the protocol agrees on.",
            Code::Signature => c"The answer is not signed by a pinned key: it may be forged.",
            Code::Nonce => c"The answer is authentic, but not the answer to this request: it may be a replay.",
            Code::System => c"The system denied a thread, random numbers, memory or descriptors.",
            Code::Internal => c"A bug in psc, contained.",
            Code::Timeout => c"psc_stop gave up waiting: the host's own log callback, a libcurl that cannot be cancelled, or a slow state_dir did not return in time.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_leads_back_to_its_code() {
        for code in Code::ALL {
            assert_eq!(Code::from_number(code.number()), Some(code));
        }
        assert_eq!(Code::from_number(3), None);
        assert_eq!(Code::from_number(-17), None);
    }
}
