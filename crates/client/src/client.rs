use std::{
    io::{self, Read},
    path::{Path, PathBuf},
    time::Duration,
};

use base64ct::{Base64, Encoding};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Error, Session,
    api::{
        Command, CommandResult, ComponentRequest, Components, Invocation, OpenSession, Origin,
        Outcome, Problem, SessionState, Sessions, Tees,
    },
    http::{self, Response},
};

/// Longest answer that is read whole, in bytes.
const MAX_ANSWER: u64 = 32 << 20;

/// The broker of this device, as an application sees it. Each call is a connection of its own, so that a client can be
/// cloned and used from several threads.
///
/// No call has a time-out of its own: a request waits for a TAM, a command for the Trusted Application, whose time
/// the TEE bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    socket: PathBuf,
}

impl Client {
    /// The broker on a socket, as given to `tamarack broker serve --socket`. Nothing is connected yet.
    #[must_use]
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self {
            socket: socket.into(),
        }
    }

    /// The socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// What is installed, as far as the user may see it.
    ///
    /// # Errors
    ///
    /// If the user may not list, or no TEE answers.
    pub fn components(&self) -> Result<Components, Error> {
        self.get("/v1/components")
    }

    /// The TEEs of the device.
    ///
    /// # Errors
    ///
    /// If the user may do nothing at all.
    pub fn tees(&self) -> Result<Tees, Error> {
        self.get("/v1/tees")
    }

    /// The user's own sessions, in all TEEs.
    ///
    /// # Errors
    ///
    /// If the broker does not answer.
    pub fn sessions(&self) -> Result<Sessions, Error> {
        self.get("/v1/sessions")
    }

    /// Asks for a component. A TAM decides; the outcome says whether it is there now.
    ///
    /// # Errors
    ///
    /// If the user may not, or neither TEE nor TAM can be asked.
    pub fn request(&self, wish: &ComponentRequest) -> Result<Outcome, Error> {
        self.post("/v1/request", wish)
    }

    /// Says that a component is no longer needed. A TAM decides.
    ///
    /// # Errors
    ///
    /// If the user may not, nobody holds or wants it, or neither TEE nor TAM can be asked.
    pub fn unrequest(&self, wish: &ComponentRequest) -> Result<Outcome, Error> {
        self.post("/v1/unrequest", wish)
    }

    /// Has the TEEs ask their TAMs for changes now.
    ///
    /// # Errors
    ///
    /// If the user may not, or a TEE or TAM can't be asked.
    pub fn check_policy(&self) -> Result<Outcome, Error> {
        decode(self.call("POST", "/v1/policy-check", None)?, None)
    }

    /// Opens a session with a Trusted Application.
    ///
    /// # Errors
    ///
    /// If the user may not, the application is not there or refuses, or too many sessions are open.
    pub fn open(&self, session: &OpenSession) -> Result<Session, Error> {
        let opened: crate::api::Session = self.post("/v1/sessions", session)?;
        Ok(Session::new(self.clone(), opened.session))
    }

    /// A session that the user opened before, perhaps in another process. Dropping this leaves it open.
    #[must_use]
    pub fn session(&self, number: u64) -> Session {
        Session::lasting(self.clone(), number)
    }

    /// Invokes one command in a session of its own; the Trusted Application's output.
    ///
    /// # Errors
    ///
    /// As of [`open`](Self::open) and [`Session::invoke`].
    pub fn invoke(&self, invocation: &Invocation) -> Result<Vec<u8>, Error> {
        let body = json(invocation)?;
        let answer = self.call("POST", "/v1/invoke", Some(&body))?;
        output(
            decode(answer, Some(invocation.command))?,
            invocation.command,
        )
    }

    pub(crate) fn invoke_in(
        &self,
        session: u64,
        command: u32,
        input: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let body = json(&Command::new(command, input))?;
        let path = format!("/v1/sessions/{session}/invoke");
        let answer = self.call("POST", &path, Some(&body))?;
        output(decode(answer, Some(command))?, command)
    }

    pub(crate) fn state(&self, session: u64) -> Result<SessionState, Error> {
        self.get(&format!("/v1/sessions/{session}"))
    }

    pub(crate) fn cancel(&self, session: u64) -> Result<(), Error> {
        let path = format!("/v1/sessions/{session}/cancel");
        accept(self.call("POST", &path, None)?, None).map(drop)
    }

    pub(crate) fn close(&self, session: u64) -> Result<(), Error> {
        let path = format!("/v1/sessions/{session}");
        accept(self.call("DELETE", &path, None)?, None).map(drop)
    }

    pub(crate) fn unreachable(&self, source: io::Error) -> Error {
        Error::Unreachable {
            socket: self.socket.clone(),
            source,
        }
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        decode(self.call("GET", path, None)?, None)
    }

    fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Error> {
        decode(self.call("POST", path, Some(&json(body)?))?, None)
    }

    fn call(&self, method: &str, path: &str, body: Option<&[u8]>) -> Result<Response, Error> {
        let sent = http::send(&self.socket, method, path, body);
        let (_, reader) = sent.map_err(|error| self.unreachable(error))?;
        reader.response().map_err(broken)
    }
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|error| Error::Nonsense(error.to_string()))
}

pub(crate) fn broken(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::InvalidData => Error::Nonsense(error.to_string()),
        _ => Error::BrokenOff(error),
    }
}

/// A response that is no error. `command` is the one that it is about, if it is about one.
pub(crate) fn accept(response: Response, command: Option<u32>) -> Result<Response, Error> {
    let status = response.status;
    if (200..300).contains(&status) {
        return Ok(response);
    }
    let seconds = response.header("retry-after");
    let seconds = seconds.and_then(|value| value.parse().ok());
    let body = whole(response)?;
    // The router itself refuses a few requests in plain text: an unknown path, a method that is none.
    let problem = serde_json::from_slice(&body).unwrap_or_else(|_| Problem {
        error: match String::from_utf8(body) {
            Ok(text) if !text.is_empty() => text,
            _ => format!("HTTP status {status}"),
        },
        origin: Origin::Broker,
        result: None,
        denied: None,
    });
    let wait = seconds.map(Duration::from_secs);
    Err(Error::of_answer(status, problem, wait, command))
}

fn whole(response: Response) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    let mut bounded = response.body.take(MAX_ANSWER + 1);
    bounded.read_to_end(&mut body).map_err(broken)?;
    if body.len() as u64 > MAX_ANSWER {
        let text = format!("it is longer than {MAX_ANSWER} bytes");
        return Err(Error::Nonsense(text));
    }
    Ok(body)
}

fn decode<T: DeserializeOwned>(response: Response, command: Option<u32>) -> Result<T, Error> {
    let body = whole(accept(response, command)?)?;
    serde_json::from_slice(&body).map_err(|error| Error::Nonsense(error.to_string()))
}

fn output(ended: CommandResult, command: u32) -> Result<Vec<u8>, Error> {
    match ended.result {
        0 => Base64::decode_vec(&ended.output_base64)
            .map_err(|_| Error::Nonsense("the output is not base64".into())),
        result => Err(Error::of_result(command, result)),
    }
}
