//! Connections and HTTP that break or do not end. Each public function is one fault. What is endless
//! in principle ends after 16 MiB, so that tests with a careless client end as well.

use crate::http;
use crate::stream::{self, Close, TlsStream};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const ENDLESS: usize = 16 * 1024 * 1024;

/// Accepts, and says nothing at all.
pub fn handshake_stall(stream: &TcpStream) -> Close {
    stream::hang(stream);
    Close::NoCloseNotify
}

pub fn handshake_reset(stream: &TcpStream) -> Close {
    after_hello(stream, b"");
    Close::Reset
}

pub fn handshake_close(stream: &TcpStream) -> Close {
    after_hello(stream, b"");
    Close::NoCloseNotify
}

/// Plain HTTP on the TLS port.
pub fn handshake_plain_http(stream: &TcpStream) -> Close {
    after_hello(
        stream,
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    );
    Close::NoCloseNotify
}

/// Reads the beginning of the client's hello, then says `bytes`.
fn after_hello(mut stream: &TcpStream, bytes: &[u8]) {
    let mut buffer = [0; 1024];
    if stream.read(&mut buffer).is_ok() {
        // The client may be gone; so is the connection in a moment.
        let _ = stream.write_all(bytes);
    }
}

pub fn reset(_: &mut TlsStream<'_>, _: &[u8]) -> io::Result<Close> {
    Ok(Close::Reset)
}

pub fn reset_in_body(stream: &mut TlsStream<'_>, body: &[u8]) -> io::Result<Close> {
    truncated(stream, body).map(|_| Close::Reset)
}

pub fn close_early(_: &mut TlsStream<'_>, _: &[u8]) -> io::Result<Close> {
    Ok(Close::Proper)
}

pub fn hang(stream: &mut TlsStream<'_>, _: &[u8]) -> io::Result<Close> {
    stream.hang();
    Ok(Close::NoCloseNotify)
}

pub fn hang_head(stream: &mut TlsStream<'_>, _: &[u8]) -> io::Result<Close> {
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Ty")?;
    hang(stream, &[])
}

pub fn hang_body(stream: &mut TlsStream<'_>, body: &[u8]) -> io::Result<Close> {
    truncated(stream, body)?;
    hang(stream, &[])
}

/// A byte of the body each second.
pub fn slow(stream: &mut TlsStream<'_>, body: &[u8]) -> io::Result<Close> {
    let bytes = http::response(200, &[], body);
    let (head, body) = bytes.split_at(bytes.len() - body.len());
    stream.write_all(head)?;
    for byte in body {
        stream.write_all(&[*byte])?;
        if stream.cancel.wait(Duration::from_secs(1)) {
            break;
        }
    }
    Ok(Close::Proper)
}

/// Small pieces, in quick succession.
pub fn pieces(stream: &mut TlsStream<'_>, body: &[u8]) -> io::Result<Close> {
    for piece in http::response(200, &[], body).chunks(7) {
        stream.write_all(piece)?;
    }
    Ok(Close::Proper)
}

pub fn no_close_notify(stream: &mut TlsStream<'_>, body: &[u8]) -> io::Result<Close> {
    stream.write_all(&http::response(200, &[], body))?;
    Ok(Close::NoCloseNotify)
}

/// Without a length, the end of the connection ends the body.
pub fn no_length(stream: &mut TlsStream<'_>, body: &[u8]) -> io::Result<Close> {
    stream.write_all(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n",
    )?;
    stream.write_all(body)?;
    Ok(Close::Proper)
}

/// What an attacker can do to a body without a length.
pub fn no_length_cut(stream: &mut TlsStream<'_>, body: &[u8]) -> io::Result<Close> {
    let (half, _) = body.split_at(body.len() / 2);
    no_length(stream, half).map(|_| Close::NoCloseNotify)
}

/// Half of what Content-Length promises.
pub fn truncated(stream: &mut TlsStream<'_>, body: &[u8]) -> io::Result<Close> {
    let bytes = http::response(200, &[], body);
    let (half, _) = bytes.split_at(bytes.len() - body.len() / 2);
    stream.write_all(half)?;
    Ok(Close::Proper)
}

pub fn http09(stream: &mut TlsStream<'_>, body: &[u8]) -> io::Result<Close> {
    stream.write_all(body)?;
    Ok(Close::Proper)
}

pub fn garbage_status(stream: &mut TlsStream<'_>, body: &[u8]) -> io::Result<Close> {
    stream.write_all(b"HTTP/1.1 two hundred\r\nContent-Type: application/json\r\n\r\n")?;
    stream.write_all(body)?;
    Ok(Close::Proper)
}

pub fn flood_1xx(stream: &mut TlsStream<'_>, body: &[u8]) -> io::Result<Close> {
    let flood = b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(512);
    for _ in 0..ENDLESS / flood.len() {
        stream.write_all(&flood)?;
    }
    stream.write_all(&http::response(200, &[], body))?;
    Ok(Close::Proper)
}

/// One interim answer is proper HTTP.
pub fn one_1xx(stream: &mut TlsStream<'_>, body: &[u8]) -> io::Result<Close> {
    stream.write_all(b"HTTP/1.1 103 Early Hints\r\n\r\n")?;
    stream.write_all(&http::response(200, &[], body))?;
    Ok(Close::Proper)
}

pub fn huge_header(stream: &mut TlsStream<'_>, body: &[u8]) -> io::Result<Close> {
    stream.write_all(&http::response(
        200,
        &[("X-Huge", &"x".repeat(1_000_000))],
        body,
    ))?;
    Ok(Close::Proper)
}

pub fn many_headers(stream: &mut TlsStream<'_>, body: &[u8]) -> io::Result<Close> {
    let value = "x".repeat(64);
    let headers = vec![("X-Many", value.as_str()); 10_000];
    stream.write_all(&http::response(200, &headers, body))?;
    Ok(Close::Proper)
}

pub fn huge_body(stream: &mut TlsStream<'_>, _: &[u8]) -> io::Result<Close> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {ENDLESS}\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    flood(stream, &[b' '; 16 * 1024])
}

pub fn endless_chunks(stream: &mut TlsStream<'_>, _: &[u8]) -> io::Result<Close> {
    chunked_head(stream)?;
    let chunk = format!("4000\r\n{}\r\n", " ".repeat(16 * 1024));
    flood(stream, chunk.as_bytes())
}

fn flood(stream: &mut TlsStream<'_>, piece: &[u8]) -> io::Result<Close> {
    for _ in 0..ENDLESS / piece.len() {
        stream.write_all(piece)?;
    }
    Ok(Close::Proper)
}

pub fn chunked(stream: &mut TlsStream<'_>, body: &[u8]) -> io::Result<Close> {
    no_last_chunk(stream, body)?;
    stream.write_all(b"0\r\n\r\n")?;
    Ok(Close::Proper)
}

pub fn no_last_chunk(stream: &mut TlsStream<'_>, body: &[u8]) -> io::Result<Close> {
    chunked_head(stream)?;
    stream.write_all(format!("{:x}\r\n", body.len()).as_bytes())?;
    stream.write_all(body)?;
    stream.write_all(b"\r\n")?;
    Ok(Close::Proper)
}

/// RFC 9112 section 7.1.1 lets a recipient ignore extensions, however long.
pub fn chunk_extension(stream: &mut TlsStream<'_>, body: &[u8]) -> io::Result<Close> {
    chunked_head(stream)?;
    let extension = "x".repeat(1_000_000);
    stream.write_all(format!("{:x};{extension}\r\n", body.len()).as_bytes())?;
    stream.write_all(body)?;
    stream.write_all(b"\r\n0\r\n\r\n")?;
    Ok(Close::Proper)
}

/// With fields that would change the answer if they counted as headers.
pub fn chunked_trailer(stream: &mut TlsStream<'_>, body: &[u8]) -> io::Result<Close> {
    no_last_chunk(stream, body)?;
    stream.write_all(b"0\r\nContent-Length: 5\r\nLocation: http://localhost/\r\n\r\n")?;
    Ok(Close::Proper)
}

/// The chunks count (RFC 9112 section 6.3); the length is that of half the body.
pub fn chunked_with_length(stream: &mut TlsStream<'_>, body: &[u8]) -> io::Result<Close> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n",
        body.len() / 2,
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    stream.write_all(b"\r\n0\r\n\r\n")?;
    Ok(Close::Proper)
}

pub fn bad_chunk(stream: &mut TlsStream<'_>, body: &[u8]) -> io::Result<Close> {
    chunked_head(stream)?;
    stream.write_all(b"zz\r\n")?;
    stream.write_all(body)?;
    stream.write_all(b"\r\n0\r\n\r\n")?;
    Ok(Close::Proper)
}

fn chunked_head(stream: &mut TlsStream<'_>) -> io::Result<()> {
    let head =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes())
}

/// Two lengths, both wrong.
pub fn duplicate_content_length(stream: &mut TlsStream<'_>, body: &[u8]) -> io::Result<Close> {
    let (short, long) = (body.len() / 2, body.len() * 2);
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Length: {long}\r\nContent-Length: {short}\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    Ok(Close::Proper)
}

/// A proper gzip file that nobody asked for.
pub fn gzip(stream: &mut TlsStream<'_>, body: &[u8]) -> io::Result<Close> {
    let fields = [("Content-Encoding", "gzip")];
    stream.write_all(&http::response(200, &fields, &gzipped(body)?))?;
    Ok(Close::Proper)
}

/// Nothing but the body itself tells.
pub fn gzip_unsaid(stream: &mut TlsStream<'_>, body: &[u8]) -> io::Result<Close> {
    stream.write_all(&http::response(200, &[], &gzipped(body)?))?;
    Ok(Close::Proper)
}

/// The format has no mark of its own: nothing but the header tells.
pub fn brotli(stream: &mut TlsStream<'_>, body: &[u8]) -> io::Result<Close> {
    // An uncompressed block begins so (RFC 7932, section 9.2).
    let mut file = vec![0x0c];
    file.extend(body);
    stream.write_all(&http::response(200, &[("Content-Encoding", "br")], &file))?;
    Ok(Close::Proper)
}

/// Says so, and is not: the agreed JSON all the same.
pub fn gzip_claimed(stream: &mut TlsStream<'_>, body: &[u8]) -> io::Result<Close> {
    stream.write_all(&http::response(200, &[("Content-Encoding", "gzip")], body))?;
    Ok(Close::Proper)
}

/// As nginx answers where a client certificate is missing.
pub fn certificate_page(stream: &mut TlsStream<'_>, _: &[u8]) -> io::Result<Close> {
    let page =
        b"<html><head><title>400 No required SSL certificate was sent</title></head></html>\r\n";
    stream.write_all(&http::response(400, &[], page))?;
    Ok(Close::Proper)
}

fn gzipped(body: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body)?;
    encoder.finish()
}
