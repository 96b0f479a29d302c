//! The `Retry-After` header (RFC 9110, section 10.2.3): seconds or a date. libcurl's own reading of it is cut to six hours
//! in newer versions.

use std::time::SystemTime;

/// Seconds from now; `None` when it makes no sense.
pub fn seconds(value: &str) -> Option<u64> {
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are a long time.
        return Some(value.parse().unwrap_or(u64::MAX));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(SystemTime::now()).ok()?.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_read() {
        assert_eq!(seconds("86400"), Some(86_400));
        assert_eq!(seconds("99999999999999999999999"), Some(u64::MAX));
        for date in [
            "Fri, 31 Dec 2100 23:59:59 GMT",
            "Fri, 31 Dec 9999 23:59:59 GMT",
            "Fri Dec 31 23:59:59 2100",
        ] {
            assert!(seconds(date).unwrap() > 70 * 365 * 86_400, "{date}");
        }
        for garbage in [
            "",
            "-5",
            "1.5",
            "soon",
            "Fri, 31 Dec 1999 23:59:59 GMT",
            "\u{0}",
        ] {
            assert_eq!(seconds(garbage), None, "{garbage}");
        }
    }
}
