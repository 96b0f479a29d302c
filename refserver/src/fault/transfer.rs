//! Connections and HTTP that break or do not end. Each public function is one fault. What is endless
//! in principle ends after 16 MiB, so that tests with a careless client end as well.

use crate::connection::{End, Wire};
use crate::http;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const ENDLESS: usize = 16 * 1024 * 1024;

/// Accepts, and says nothing at all.
pub fn handshake_stall(mut stream: &TcpStream) -> End {
    // Without a limit, so that the client's own one is what ends it.
    if stream.set_read_timeout(None).is_ok() {
        let _ = io::copy(&mut stream, &mut io::sink());
    }
    End::NoCloseNotify
}

pub fn handshake_reset(stream: &TcpStream) -> End {
    after_hello(stream, b"");
    End::Reset
}

pub fn handshake_close(stream: &TcpStream) -> End {
    after_hello(stream, b"");
    End::NoCloseNotify
}

/// Plain HTTP on the TLS port.
pub fn handshake_plain_http(stream: &TcpStream) -> End {
    after_hello(
        stream,
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    );
    End::NoCloseNotify
}

/// Reads the beginning of the client's hello, then says `bytes`.
fn after_hello(mut stream: &TcpStream, bytes: &[u8]) {
    let mut buffer = [0; 1024];
    if stream.read(&mut buffer).is_ok() {
        // The client may be gone; so is the connection in a moment.
        let _ = stream.write_all(bytes);
    }
}

pub fn reset(_: &mut Wire<'_>, _: &[u8]) -> io::Result<End> {
    Ok(End::Reset)
}

pub fn reset_in_body(wire: &mut Wire<'_>, body: &[u8]) -> io::Result<End> {
    truncated(wire, body).map(|_| End::Reset)
}

pub fn close_early(_: &mut Wire<'_>, _: &[u8]) -> io::Result<End> {
    Ok(End::Proper)
}

pub fn hang(wire: &mut Wire<'_>, _: &[u8]) -> io::Result<End> {
    wire.hang();
    Ok(End::NoCloseNotify)
}

pub fn hang_head(wire: &mut Wire<'_>, _: &[u8]) -> io::Result<End> {
    wire.write_all(b"HTTP/1.1 200 OK\r\nContent-Ty")?;
    hang(wire, &[])
}

pub fn hang_body(wire: &mut Wire<'_>, body: &[u8]) -> io::Result<End> {
    truncated(wire, body)?;
    hang(wire, &[])
}

/// A byte of the body each second.
pub fn slow(wire: &mut Wire<'_>, body: &[u8]) -> io::Result<End> {
    let bytes = http::answer(200, &[], body);
    let (head, body) = bytes.split_at(bytes.len() - body.len());
    wire.write_all(head)?;
    for byte in body {
        wire.write_all(&[*byte])?;
        if wire.stop.wait(Duration::from_secs(1)) {
            break;
        }
    }
    Ok(End::Proper)
}

/// Small pieces, in quick succession.
pub fn pieces(wire: &mut Wire<'_>, body: &[u8]) -> io::Result<End> {
    for piece in http::answer(200, &[], body).chunks(7) {
        wire.write_all(piece)?;
    }
    Ok(End::Proper)
}

pub fn no_close_notify(wire: &mut Wire<'_>, body: &[u8]) -> io::Result<End> {
    wire.write_all(&http::answer(200, &[], body))?;
    Ok(End::NoCloseNotify)
}

/// Without a length, the end of the connection ends the body.
pub fn no_length(wire: &mut Wire<'_>, body: &[u8]) -> io::Result<End> {
    wire.write_all(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n",
    )?;
    wire.write_all(body)?;
    Ok(End::Proper)
}

/// What an attacker can do to a body without a length.
pub fn no_length_cut(wire: &mut Wire<'_>, body: &[u8]) -> io::Result<End> {
    let (half, _) = body.split_at(body.len() / 2);
    no_length(wire, half).map(|_| End::NoCloseNotify)
}

/// Half of what Content-Length promises.
pub fn truncated(wire: &mut Wire<'_>, body: &[u8]) -> io::Result<End> {
    let bytes = http::answer(200, &[], body);
    let (half, _) = bytes.split_at(bytes.len() - body.len() / 2);
    wire.write_all(half)?;
    Ok(End::Proper)
}

pub fn http09(wire: &mut Wire<'_>, body: &[u8]) -> io::Result<End> {
    wire.write_all(body)?;
    Ok(End::Proper)
}

pub fn garbage_status(wire: &mut Wire<'_>, body: &[u8]) -> io::Result<End> {
    wire.write_all(b"HTTP/1.1 two hundred\r\nContent-Type: application/json\r\n\r\n")?;
    wire.write_all(body)?;
    Ok(End::Proper)
}

pub fn flood_1xx(wire: &mut Wire<'_>, body: &[u8]) -> io::Result<End> {
    let flood = b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(512);
    for _ in 0..ENDLESS / flood.len() {
        wire.write_all(&flood)?;
    }
    wire.write_all(&http::answer(200, &[], body))?;
    Ok(End::Proper)
}

/// One interim answer is proper HTTP.
pub fn one_1xx(wire: &mut Wire<'_>, body: &[u8]) -> io::Result<End> {
    wire.write_all(b"HTTP/1.1 103 Early Hints\r\n\r\n")?;
    wire.write_all(&http::answer(200, &[], body))?;
    Ok(End::Proper)
}

pub fn huge_header(wire: &mut Wire<'_>, body: &[u8]) -> io::Result<End> {
    wire.write_all(&http::answer(
        200,
        &[("X-Huge", &"x".repeat(1_000_000))],
        body,
    ))?;
    Ok(End::Proper)
}

pub fn many_headers(wire: &mut Wire<'_>, body: &[u8]) -> io::Result<End> {
    let value = "x".repeat(64);
    let headers = vec![("X-Many", value.as_str()); 10_000];
    wire.write_all(&http::answer(200, &headers, body))?;
    Ok(End::Proper)
}

pub fn huge_body(wire: &mut Wire<'_>, _: &[u8]) -> io::Result<End> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {ENDLESS}\r\n\r\n"
    );
    wire.write_all(head.as_bytes())?;
    flood(wire, &[b' '; 16 * 1024])
}

pub fn endless_chunks(wire: &mut Wire<'_>, _: &[u8]) -> io::Result<End> {
    chunked_head(wire)?;
    let chunk = format!("4000\r\n{}\r\n", " ".repeat(16 * 1024));
    flood(wire, chunk.as_bytes())
}

fn flood(wire: &mut Wire<'_>, piece: &[u8]) -> io::Result<End> {
    for _ in 0..ENDLESS / piece.len() {
        wire.write_all(piece)?;
    }
    Ok(End::Proper)
}

pub fn chunked(wire: &mut Wire<'_>, body: &[u8]) -> io::Result<End> {
    no_last_chunk(wire, body)?;
    wire.write_all(b"0\r\n\r\n")?;
    Ok(End::Proper)
}

pub fn no_last_chunk(wire: &mut Wire<'_>, body: &[u8]) -> io::Result<End> {
    chunked_head(wire)?;
    wire.write_all(format!("{:x}\r\n", body.len()).as_bytes())?;
    wire.write_all(body)?;
    wire.write_all(b"\r\n")?;
    Ok(End::Proper)
}

/// RFC 9112 section 7.1.1 lets a recipient ignore extensions, however long.
pub fn chunk_extension(wire: &mut Wire<'_>, body: &[u8]) -> io::Result<End> {
    chunked_head(wire)?;
    let extension = "x".repeat(1_000_000);
    wire.write_all(format!("{:x};{extension}\r\n", body.len()).as_bytes())?;
    wire.write_all(body)?;
    wire.write_all(b"\r\n0\r\n\r\n")?;
    Ok(End::Proper)
}

/// With fields that would change the answer if they counted as headers.
pub fn chunked_trailer(wire: &mut Wire<'_>, body: &[u8]) -> io::Result<End> {
    no_last_chunk(wire, body)?;
    wire.write_all(b"0\r\nContent-Length: 5\r\nLocation: http://localhost/\r\n\r\n")?;
    Ok(End::Proper)
}

/// The chunks count (RFC 9112 section 6.3); the length is that of half the body.
pub fn chunked_with_length(wire: &mut Wire<'_>, body: &[u8]) -> io::Result<End> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n",
        body.len() / 2,
        body.len()
    );
    wire.write_all(head.as_bytes())?;
    wire.write_all(body)?;
    wire.write_all(b"\r\n0\r\n\r\n")?;
    Ok(End::Proper)
}

pub fn bad_chunk(wire: &mut Wire<'_>, body: &[u8]) -> io::Result<End> {
    chunked_head(wire)?;
    wire.write_all(b"zz\r\n")?;
    wire.write_all(body)?;
    wire.write_all(b"\r\n0\r\n\r\n")?;
    Ok(End::Proper)
}

fn chunked_head(wire: &mut Wire<'_>) -> io::Result<()> {
    let head =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    wire.write_all(head.as_bytes())
}

/// Two lengths, both wrong.
pub fn duplicate_content_length(wire: &mut Wire<'_>, body: &[u8]) -> io::Result<End> {
    let (short, long) = (body.len() / 2, body.len() * 2);
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Length: {long}\r\nContent-Length: {short}\r\n\r\n");
    wire.write_all(head.as_bytes())?;
    wire.write_all(body)?;
    Ok(End::Proper)
}

/// A proper gzip file that nobody asked for.
pub fn gzip(wire: &mut Wire<'_>, body: &[u8]) -> io::Result<End> {
    let fields = [("Content-Encoding", "gzip")];
    wire.write_all(&http::answer(200, &fields, &gzipped(body)))?;
    Ok(End::Proper)
}

/// Nothing but the body itself tells.
pub fn gzip_unsaid(wire: &mut Wire<'_>, body: &[u8]) -> io::Result<End> {
    wire.write_all(&http::answer(200, &[], &gzipped(body)))?;
    Ok(End::Proper)
}

/// The format has no mark of its own: nothing but the header tells.
pub fn brotli(wire: &mut Wire<'_>, body: &[u8]) -> io::Result<End> {
    // An uncompressed block begins so (RFC 7932, section 9.2).
    let mut file = vec![0x0c];
    file.extend(body);
    wire.write_all(&http::answer(200, &[("Content-Encoding", "br")], &file))?;
    Ok(End::Proper)
}

/// Says so, and is not: the agreed JSON all the same.
pub fn gzip_claimed(wire: &mut Wire<'_>, body: &[u8]) -> io::Result<End> {
    wire.write_all(&http::answer(200, &[("Content-Encoding", "gzip")], body))?;
    Ok(End::Proper)
}

/// As nginx answers where a client certificate is missing.
pub fn certificate_page(wire: &mut Wire<'_>, _: &[u8]) -> io::Result<End> {
    let page =
        b"<html><head><title>400 No required SSL certificate was sent</title></head></html>\r\n";
    wire.write_all(&http::answer(400, &[], page))?;
    Ok(End::Proper)
}

fn gzipped(body: &[u8]) -> Vec<u8> {
    // A stored block is enough (RFC 1951, section 3.2.4); longer bodies than this are cut.
    let body = body.get(..usize::from(u16::MAX)).unwrap_or(body);
    let length = u16::try_from(body.len()).unwrap_or(u16::MAX);
    let mut file = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    file.extend(length.to_le_bytes());
    file.extend((!length).to_le_bytes());
    file.extend(body);
    file.extend(crc32(body).to_le_bytes());
    file.extend(u32::from(length).to_le_bytes());
    file
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 {
                (crc >> 1) ^ 0xedb8_8320
            } else {
                crc >> 1
            }
        })
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn crc32_check_value() {
        assert_eq!(super::crc32(b"123456789"), 0xcbf4_3926);
    }
}
