//! Reads one HTTP/1.1 request and forms one response. By hand above `httparse`, because an HTTP library would mend or
//! refuse what the faults are to send.

use std::io::{self, Read, Write};

const MAX_HEAD: usize = 64 * 1024;
const MAX_HEADERS: usize = 100;
pub(crate) const MAX_BODY: usize = 1024 * 1024;

pub(crate) struct HttpRequest {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl HttpRequest {
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }
}

/// How a request is refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub status: u16,
    pub reason: String,
}

impl Refusal {
    pub fn new(status: u16, reason: impl Into<String>) -> Refusal {
        let reason = reason.into();
        Refusal { status, reason }
    }
}

/// Why there is no request.
pub(crate) enum ReadError {
    /// Nobody is there to be answered.
    Closed,
    /// What was understood comes along.
    Refused(Refusal, Box<HttpRequest>),
}

impl From<io::Error> for ReadError {
    fn from(_: io::Error) -> ReadError {
        ReadError::Closed
    }
}

pub(crate) fn read_request(stream: &mut (impl Read + Write)) -> Result<HttpRequest, ReadError> {
    let mut request = HttpRequest {
        method: String::new(),
        path: String::new(),
        headers: Vec::new(),
        body: Vec::new(),
    };
    let mut input = Vec::new();
    let head_length = loop {
        match parse_head(&input, &mut request) {
            Ok(Some(length)) => break length,
            Ok(None) if input.len() > MAX_HEAD => {
                return refuse(431, "the request's head is longer than 64 KiB", request);
            }
            Ok(None) => {}
            Err(cause) => return refuse(400, &format!("not an HTTP request: {cause}"), request),
        }
        receive(stream, &mut input)?;
    };
    request.body = input.split_off(head_length);

    let length = match body_length(&request.headers) {
        Ok(length) if length > MAX_BODY => {
            return refuse(413, "the request is larger than 1 MiB", request);
        }
        Ok(length) => length,
        Err((status, reason)) => return refuse(status, reason, request),
    };
    let waits = request
        .header("expect")
        .is_some_and(|value| value.eq_ignore_ascii_case("100-continue"));
    if waits && request.body.len() < length {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        stream.flush()?;
    }
    while request.body.len() < length {
        receive(stream, &mut request.body)?;
    }
    request.body.truncate(length);
    Ok(request)
}

fn refuse(status: u16, reason: &str, request: HttpRequest) -> Result<HttpRequest, ReadError> {
    let refusal = Refusal::new(status, reason);
    Err(ReadError::Refused(refusal, Box::new(request)))
}

/// The head's length once it is complete; `request` is filled then.
fn parse_head(input: &[u8], request: &mut HttpRequest) -> Result<Option<usize>, httparse::Error> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(length) = parsed.parse(input)? else {
        return Ok(None);
    };
    request.method = parsed.method.unwrap_or_default().to_owned();
    request.path = parsed.path.unwrap_or_default().to_owned();
    request.headers = parsed
        .headers
        .iter()
        .map(|header| {
            (
                header.name.to_owned(),
                String::from_utf8_lossy(header.value).into_owned(),
            )
        })
        .collect();
    Ok(Some(length))
}

fn body_length(headers: &[(String, String)]) -> Result<usize, (u16, &'static str)> {
    if find(headers, "transfer-encoding").is_some() {
        return Err((411, "send Content-Length instead of Transfer-Encoding"));
    }
    let mut lengths = headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    match (lengths.next(), lengths.next()) {
        (None, _) => Ok(0),
        (Some(_), Some(_)) => Err((400, "Content-Length is there twice")),
        (Some((_, text)), None) => parse_length(text),
    }
}

fn parse_length(text: &str) -> Result<usize, (u16, &'static str)> {
    let text = text.trim();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err((400, "Content-Length is not a number"));
    }
    // Digits only, so the one possible failure is a number too large.
    Ok(text.parse().unwrap_or(usize::MAX))
}

fn receive(stream: &mut impl Read, input: &mut Vec<u8>) -> io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(length) => {
                input.extend_from_slice(buffer.get(..length).unwrap_or_default());
                return Ok(());
            }
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            Err(cause) => return Err(cause),
        }
    }
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

/// A complete response. Every connection carries one.
pub(crate) fn response(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status} {}\r\n", reason_phrase(status));
    text.push_str("Content-Type: application/json\r\nCache-Control: no-store\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if status != 204 {
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    text.push_str("Connection: close\r\n\r\n");
    let mut bytes = text.into_bytes();
    if status != 204 {
        bytes.extend_from_slice(body);
    }
    bytes
}

fn reason_phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        411 => "Length Required",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Unknown",
    }
}
