//! HTTP/1.1, as little of it as the tests need: no keep-alive, no chunks.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use super::PATIENCE;

/// A request as a [`Server`] gets it.
#[derive(Debug, Clone)]
pub struct Request {
    /// Such as `POST`.
    pub method: String,
    /// Such as `/tam`.
    pub path: String,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// A response.
#[derive(Debug, Clone, Default)]
pub struct Response {
    /// Such as 200.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(found, _)| found == name)
        .map(|(_, value)| value.as_str())
}

/// The first line, the headers and the body of a message.
type Message = (String, Vec<(String, String)>, Vec<u8>);

fn read(stream: &TcpStream) -> io::Result<Message> {
    let mut reader = BufReader::new(stream);
    let mut line = || -> io::Result<String> {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    };
    let start = line()?;
    let mut headers = Vec::new();
    loop {
        let line = line()?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = find(&headers, "content-length").and_then(|value| value.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    Ok((start, headers, body))
}

/// Sends a request to `HOST:PORT`.
///
/// # Panics
///
/// If there is no response.
#[must_use]
#[track_caller]
pub fn request(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Response {
    let declared = body.len().to_string();
    let mut all = vec![("content-length", declared.as_str())];
    all.extend_from_slice(headers);
    send_slowly(address, method, path, &all, body.chunks(64 << 10))
}

/// Sends a request whose body comes in pieces; says nothing of its length unless `headers` do.
///
/// # Panics
///
/// If there is no response.
#[must_use]
#[track_caller]
pub fn send_slowly<'a>(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    pieces: impl Iterator<Item = &'a [u8]>,
) -> Response {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    let headers: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    for piece in pieces {
        // A server that has heard enough may hang up; its answer is what counts.
        if stream.write_all(piece).is_err() {
            break;
        }
    }
    let (start, headers, body) = read(&stream).expect("a response");
    let status = start
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    Response {
        status: status.unwrap_or_else(|| panic!("not a response: {start:?}")),
        headers,
        body,
    }
}

/// Posts a TEEP message to `/tam`.
#[must_use]
#[track_caller]
pub fn post(address: &str, body: &[u8]) -> Response {
    let mut headers = vec![("accept", "application/teep+cbor")];
    if !body.is_empty() {
        headers.push(("content-type", "application/teep+cbor"));
    }
    request(address, "POST", "/tam", &headers, body)
}

/// A server on a free port of this machine, for as long as the test process lives.
#[derive(Debug, Clone, Copy)]
pub struct Server {
    address: SocketAddr,
}

impl Server {
    /// Answers each request with what `answer` makes of it. It may write by itself, and return `None`.
    pub fn start(
        answer: impl Fn(Request, &mut TcpStream) -> Option<Response> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let answer = Arc::new(answer);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let answer = Arc::clone(&answer);
                // A client that goes away is not the test's concern.
                thread::spawn(move || serve(&mut stream?, &*answer));
            }
        });
        Self { address }
    }

    /// `HOST:PORT`.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// A URL on this server.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

fn serve(
    stream: &mut TcpStream,
    answer: &dyn Fn(Request, &mut TcpStream) -> Option<Response>,
) -> io::Result<()> {
    let (start, headers, body) = read(stream)?;
    let mut words = start.split(' ').map(str::to_owned);
    let request = Request {
        method: words.next().unwrap_or_default(),
        path: words.next().unwrap_or_default(),
        headers,
        body,
    };
    let Some(response) = answer(request, stream) else {
        return Ok(());
    };
    let mut head = format!("HTTP/1.1 {} X\r\nconnection: close\r\n", response.status);
    for (name, value) in &response.headers {
        head += &format!("{name}: {value}\r\n");
    }
    if response.status != 204 {
        head += &format!("content-length: {}\r\n", response.body.len());
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    stream.write_all(&response.body)
}
