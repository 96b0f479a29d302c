//! libcurl's numbers that `curl-sys` does not name, as include/curl/curl.h spells them.

use curl_sys::{CURLINFO, CURLMoption, CURLcode, CURLoption};
use std::ffi::c_long;

pub const CURLE_NOT_BUILT_IN: CURLcode = 4;
pub const CURLE_WEIRD_SERVER_REPLY: CURLcode = 8;
/// A failed handshake with a SOCKS proxy (7.73 and newer).
pub const CURLE_PROXY: CURLcode = 97;
pub const CURLE_SSL_CLIENTCERT: CURLcode = 98;
pub const CURLE_UNRECOVERABLE_POLL: CURLcode = 99;
pub const CURLE_TOO_LARGE: CURLcode = 100;

pub const CURLOPT_QUICK_EXIT: CURLoption = curl_sys::CURLOPTTYPE_LONG + 322;
pub const CURLOPT_SOCKS5_AUTH: CURLoption = curl_sys::CURLOPTTYPE_LONG + 267;
pub const CURLMOPT_QUICK_EXIT: CURLMoption = curl_sys::CURLOPTTYPE_LONG + 21;
pub const CURLINFO_PROXY_SSL_VERIFYRESULT: CURLINFO = curl_sys::CURLINFO_LONG + 47;
pub const CURLINFO_PROXY_ERROR: CURLINFO = curl_sys::CURLINFO_LONG + 59;

// `curl-sys` has these unsigned, and an option takes a long.
pub const CURLAUTH_BASIC: c_long = 1;
pub const CURL_NETRC_IGNORED: c_long = 0;

pub const CURLPX_BAD_VERSION: c_long = 2;
pub const CURLPX_CLOSED: c_long = 3;
pub const CURLPX_GSSAPI: c_long = 4;
pub const CURLPX_GSSAPI_PERMSG: c_long = 5;
pub const CURLPX_GSSAPI_PROTECTION: c_long = 6;
pub const CURLPX_IDENTD: c_long = 7;
pub const CURLPX_IDENTD_DIFFER: c_long = 8;
pub const CURLPX_LONG_HOSTNAME: c_long = 9;
pub const CURLPX_LONG_PASSWD: c_long = 10;
pub const CURLPX_LONG_USER: c_long = 11;
pub const CURLPX_NO_AUTH: c_long = 12;
pub const CURLPX_RECV_ADDRESS: c_long = 13;
pub const CURLPX_RECV_AUTH: c_long = 14;
pub const CURLPX_RECV_CONNECT: c_long = 15;
pub const CURLPX_RECV_REQACK: c_long = 16;
pub const CURLPX_REPLY_ADDRESS_TYPE_NOT_SUPPORTED: c_long = 17;
pub const CURLPX_REPLY_COMMAND_NOT_SUPPORTED: c_long = 18;
pub const CURLPX_REPLY_CONNECTION_REFUSED: c_long = 19;
pub const CURLPX_REPLY_GENERAL_SERVER_FAILURE: c_long = 20;
pub const CURLPX_REPLY_HOST_UNREACHABLE: c_long = 21;
pub const CURLPX_REPLY_NETWORK_UNREACHABLE: c_long = 22;
pub const CURLPX_REPLY_NOT_ALLOWED: c_long = 23;
pub const CURLPX_REPLY_TTL_EXPIRED: c_long = 24;
pub const CURLPX_REPLY_UNASSIGNED: c_long = 25;
pub const CURLPX_REQUEST_FAILED: c_long = 26;
/// libcurl itself could not resolve the server's name for the proxy.
pub const CURLPX_RESOLVE_HOST: c_long = 27;
pub const CURLPX_SEND_AUTH: c_long = 28;
pub const CURLPX_SEND_CONNECT: c_long = 29;
pub const CURLPX_SEND_REQUEST: c_long = 30;
pub const CURLPX_UNKNOWN_FAIL: c_long = 31;
pub const CURLPX_UNKNOWN_MODE: c_long = 32;
pub const CURLPX_USER_REJECTED: c_long = 33;
