//! HTTP/1.1 on a Unix socket, as much as a client of the broker needs.
//!
//! Requests and responses stream at the same time, which the blocking HTTP libraries do not do: a Trusted
//! Application may answer before it has all its input. One request is one connection.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::Shutdown,
    os::unix::net::UnixStream,
    path::Path,
};

/// Longest head of a response, in bytes.
const MAX_HEAD: usize = 16 << 10;

/// Most headers of a response.
const MAX_HEADERS: usize = 32;

/// Longest line that precedes a chunk, in bytes.
const MAX_CHUNK_LINE: u64 = 128;

/// The way to the broker, on which a request's body goes.
#[derive(Debug)]
pub(crate) struct RequestBody {
    stream: UnixStream,
    framing: Framing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// The length was announced, and the content sent.
    Sent,
    Chunked,
}

/// The way back.
#[derive(Debug)]
pub(crate) struct ResponseReader {
    stream: BufReader<UnixStream>,
}

/// Ends a connection for both directions when it is dropped.
#[derive(Debug)]
pub(crate) struct HangUp(UnixStream);

impl Drop for HangUp {
    fn drop(&mut self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// The head of a response, and its body to read.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: ResponseBody,
}

/// A response's body; reading it fails if it was broken off.
#[derive(Debug)]
pub(crate) struct ResponseBody {
    stream: BufReader<UnixStream>,
    left: Left,
}

#[derive(Debug, Clone, Copy)]
enum Left {
    /// So many bytes, and then the body is complete.
    Bytes(u64),
    /// So many bytes of a chunk, and then another chunk.
    Chunks {
        left: u64,
        /// Whether there was a chunk before.
        begun: bool,
    },
    Nothing,
}

/// Sends a request with its whole body, which is JSON if there is one.
pub(crate) fn send(
    socket: &Path,
    method: &str,
    path: &str,
    json: Option<&[u8]>,
) -> io::Result<(RequestBody, ResponseReader)> {
    let mut head = head(method, path);
    let body = json.unwrap_or_default();
    if json.is_some() {
        head += "content-type: application/json\r\n";
    }
    if json.is_some() || method == "POST" {
        head += &format!("content-length: {}\r\n", body.len());
    }
    let message = [head.as_bytes(), b"\r\n", body].concat();
    connect(socket, &message, Framing::Sent)
}

/// Sends a request whose body follows in pieces.
pub(crate) fn send_streaming(
    socket: &Path,
    path: &str,
) -> io::Result<(RequestBody, ResponseReader)> {
    let mut head = head("POST", path);
    head += "content-type: application/octet-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    connect(socket, head.as_bytes(), Framing::Chunked)
}

// The host is a name for the sake of HTTP; the socket is where the request goes.
fn head(method: &str, path: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nhost: broker\r\nconnection: close\r\n")
}

fn connect(
    socket: &Path,
    message: &[u8],
    framing: Framing,
) -> io::Result<(RequestBody, ResponseReader)> {
    let stream = UnixStream::connect(socket)?;
    let reader = ResponseReader {
        stream: BufReader::new(stream.try_clone()?),
    };
    let mut body = RequestBody { stream, framing };
    // A broker that has heard enough may hang up; its answer is what counts.
    if let Err(error) = body.stream.write_all(message)
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        return Err(error);
    }
    Ok((body, reader))
}

impl RequestBody {
    /// Says that the body is complete.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        if self.framing == Framing::Chunked {
            self.framing = Framing::Sent;
            self.stream.write_all(b"0\r\n\r\n")?;
        }
        Ok(())
    }
}

impl Write for RequestBody {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A chunk without content would be the end.
        if bytes.is_empty() || self.framing == Framing::Sent {
            return Ok(0);
        }
        let head = format!("{:x}\r\n", bytes.len());
        let chunk = [head.as_bytes(), bytes, b"\r\n"].concat();
        self.stream.write_all(&chunk)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Drop for RequestBody {
    /// Nothing more comes of a body that is not complete. The broker would wait for the rest.
    fn drop(&mut self) {
        if self.framing == Framing::Chunked {
            let _ = self.stream.shutdown(Shutdown::Write);
        }
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

impl ResponseReader {
    /// What ends this connection.
    pub(crate) fn hang_up(&self) -> io::Result<HangUp> {
        self.stream.get_ref().try_clone().map(HangUp)
    }

    /// Waits for the response.
    pub(crate) fn response(mut self) -> io::Result<Response> {
        loop {
            let head = self.head()?;
            let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
            let mut parsed = httparse::Response::new(&mut headers);
            let complete = parsed
                .parse(&head)
                .map_err(|error| invalid(&error.to_string()))?;
            let status = parsed.code.filter(|_| complete.is_complete());
            let status = status.ok_or_else(|| invalid("not an HTTP response"))?;
            // 100 Continue and the like.
            if (100..200).contains(&status) {
                continue;
            }
            let header = |header: &httparse::Header<'_>| {
                let value = String::from_utf8_lossy(header.value);
                (header.name.to_ascii_lowercase(), value.into_owned())
            };
            let headers: Vec<_> = parsed.headers.iter().map(header).collect();
            let left = left(status, &headers)?;
            return Ok(Response {
                status,
                headers,
                body: ResponseBody {
                    stream: self.stream,
                    left,
                },
            });
        }
    }

    /// The bytes up to the empty line that ends a head.
    fn head(&mut self) -> io::Result<Vec<u8>> {
        let mut head = Vec::new();
        loop {
            let room = (MAX_HEAD - head.len()) as u64;
            let line = Read::by_ref(&mut self.stream)
                .take(room)
                .read_until(b'\n', &mut head)?;
            if head.ends_with(b"\r\n\r\n") {
                return Ok(head);
            }
            if line == 0 && head.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if line == 0 || head.len() >= MAX_HEAD {
                return Err(invalid("not an HTTP response"));
            }
        }
    }
}

fn left(status: u16, headers: &[(String, String)]) -> io::Result<Left> {
    if status == 204 {
        return Ok(Left::Nothing);
    }
    let encoding = find(headers, "transfer-encoding");
    if encoding.is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        return Ok(Left::Chunks {
            left: 0,
            begun: false,
        });
    }
    let length = find(headers, "content-length").and_then(|value| value.parse().ok());
    length
        .map(Left::Bytes)
        .ok_or_else(|| invalid("the response does not say how long it is"))
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = headers.iter().find(|(found, _)| found == name);
    found.map(|(_, value)| value.as_str())
}

impl Response {
    /// The value of a header, whose name is in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }
}

impl ResponseBody {
    /// Reads what is between two chunks; the length of the next one.
    fn next_chunk(&mut self, begun: bool) -> io::Result<u64> {
        if begun {
            let mut end = [0; 2];
            self.stream.read_exact(&mut end)?;
            if end != *b"\r\n" {
                return Err(invalid("a chunk has another length than it says"));
            }
        }
        let mut line = Vec::new();
        Read::by_ref(&mut self.stream)
            .take(MAX_CHUNK_LINE)
            .read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match httparse::parse_chunk_size(&line) {
            Ok(httparse::Status::Complete((_, size))) => Ok(size),
            _ => Err(invalid("a chunk has no length")),
        }
    }
}

impl Read for ResponseBody {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Left::Chunks { left: 0, begun } = self.left {
            // The last chunk has no content. What might follow are trailers, of which the broker sends none.
            self.left = match self.next_chunk(begun)? {
                0 => Left::Nothing,
                left => Left::Chunks { left, begun: true },
            };
        }
        let (Left::Bytes(left) | Left::Chunks { left, .. }) = &mut self.left else {
            return Ok(0);
        };
        let room = usize::try_from(*left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let Some(slice) = buffer.get_mut(..room).filter(|slice| !slice.is_empty()) else {
            return Ok(0);
        };
        let count = self.stream.read(slice)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        *left -= count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::net::UnixListener, thread};

    use super::*;

    /// What a client makes of an answer: the status and the body, or the kind of the error.
    fn answered(answer: &[u8]) -> Result<(u16, Vec<u8>), io::ErrorKind> {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("app.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 64];
                assert!(stream.read(&mut request).unwrap() > 0);
                // A client that has heard enough hangs up.
                let _ = stream.write_all(answer);
            });
            let (_, reader) = send(&socket, "GET", "/v1/tees", None).unwrap();
            let mut response = reader.response().map_err(|error| error.kind())?;
            let mut body = Vec::new();
            let read = response.body.read_to_end(&mut body);
            read.map_err(|error| error.kind())?;
            Ok((response.status, body))
        })
    }

    #[test]
    fn bodies_are_framed_by_length_or_in_chunks() {
        let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nAdaX";
        assert_eq!(answered(whole), Ok((200, b"Ada".to_vec())));
        let chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2;x=y\r\nAd\r\n1\r\na\r\n0\r\n\r\n";
        assert_eq!(answered(chunks), Ok((200, b"Ada".to_vec())));
        let nothing = b"HTTP/1.1 204 No Content\r\n\r\n";
        assert_eq!(answered(nothing), Ok((204, vec![])));
        let after = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(answered(after), Ok((404, vec![])));
    }

    #[test]
    fn what_is_broken_off_is_no_end() {
        let eof = Err(io::ErrorKind::UnexpectedEof);
        let head = b"HTTP/1.1 200 OK\r\n";
        for rest in [
            &b"Content-Length: 4\r\n\r\nAda"[..],
            b"Transfer-Encoding: chunked\r\n\r\n",
            b"Transfer-Encoding: chunked\r\n\r\n3\r\nAd",
            b"Transfer-Encoding: chunked\r\n\r\n3\r\nAda",
            b"Transfer-Encoding: chunked\r\n\r\n3\r\nAda\r\n",
        ] {
            assert_eq!(answered(&[head, rest].concat()), eof, "{rest:?}");
        }
        assert_eq!(answered(b""), eof);
    }

    #[test]
    fn nonsense_is_called_that() {
        let long = [b"HTTP/1.1 200 OK\r\nX: ", &vec![b'x'; 2 * MAX_HEAD][..]].concat();
        let many = format!(
            "HTTP/1.1 200 OK\r\n{}\r\n",
            "A: b\r\n".repeat(MAX_HEADERS + 1)
        );
        for answer in [
            &b"HTTP/1.1 200 OK\r\n\r\n"[..],
            b"220 mail.example ESMTP\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nAda\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
            b"not HTTP",
            &long,
            many.as_bytes(),
        ] {
            assert_eq!(answered(answer), Err(io::ErrorKind::InvalidData));
        }
    }
}
