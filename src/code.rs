//! The return codes, which include/psc.h describes. Numbers never change meaning.

use std::ffi::CStr;

/// Each code with its number, the macro's name in `psc.h`, and one sentence for people.
macro_rules! codes {
    ($($variant:ident = $number:literal, $name:literal, $sentence:literal;)*) => {
        /// What a call or a check came to.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(i32)]
        pub enum Code {
            $($variant = $number,)*
        }

        impl Code {
            pub const ALL: &[Code] = &[$(Code::$variant,)*];

            /// The number that crosses the C boundary.
            pub const fn number(self) -> i32 {
                self as i32
            }

            pub fn from_number(number: i32) -> Option<Code> {
                Code::ALL.iter().copied().find(|code| code.number() == number)
            }

            /// The macro's name in `psc.h`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Code::$variant => $name,)*
                }
            }

            /// One sentence for people.
            pub const fn sentence(self) -> &'static CStr {
                match self {
                    $(Code::$variant => $sentence,)*
                }
            }
        }
    };
}

codes! {
    Ok = 0, "PSC_OK", c"Done; for a check: no security update is known for this version.";
    UpdateAvailable = 1, "PSC_UPDATE_AVAILABLE", c"A security update is available.";
    Disabled = 2, "PSC_DISABLED", c"The security update check is disabled.";
    InvalidArgument = -1, "PSC_ERR_INVALID_ARGUMENT", c"An argument is NULL where it may not be, or not UTF-8.";
    Config = -2, "PSC_ERR_CONFIG", c"The configuration was rejected; nothing of it was applied.";
    State = -3, "PSC_ERR_STATE", c"The call came at the wrong moment: not configured yet, already started, or a check is in flight.";
    Reentrant = -4, "PSC_ERR_REENTRANT", c"The call cannot work inside this handle's own log callback.";
    Forked = -5, "PSC_ERR_FORKED", c"The handle was started in another process, before a fork.";
    Cancelled = -6, "PSC_ERR_CANCELLED", c"The check was ended by psc_stop, psc_free or a configuration that disables it.";
    File = -7, "PSC_ERR_FILE", c"A key, certificate, CA or licence file is missing, unreadable, malformed or too weak.";
    Network = -8, "PSC_ERR_NETWORK", c"The check server could not be reached, or the transfer broke.";
    Tls = -9, "PSC_ERR_TLS", c"The TLS handshake or the verification of the server's certificate failed.";
    Http = -10, "PSC_ERR_HTTP", c"The check server answered with an HTTP status other than 200.";
    Response = -11, "PSC_ERR_RESPONSE", c"The answer is not what the protocol agrees on.";
    Signature = -12, "PSC_ERR_SIGNATURE", c"The answer is not signed by a pinned key: it may be forged.";
    Nonce = -13, "PSC_ERR_NONCE", c"The answer is authentic, but not the answer to this request: it may be a replay.";
    System = -14, "PSC_ERR_SYSTEM", c"The system denied a thread, random numbers, memory or descriptors.";
    Internal = -15, "PSC_ERR_INTERNAL", c"A bug in psc, contained.";
    Timeout = -16, "PSC_ERR_TIMEOUT", c"psc_stop gave up waiting: the host's own log callback, a libcurl that cannot be cancelled, or a slow state_dir did not return in time.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_leads_back_to_its_code() {
        for &code in Code::ALL {
            assert_eq!(Code::from_number(code.number()), Some(code));
        }
        assert_eq!(Code::from_number(3), None);
        assert_eq!(Code::from_number(-17), None);
    }
}
