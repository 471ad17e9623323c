//! The TEE as a process: the link on a Unix socket.

mod link;
mod streams;

use std::{
    io,
    os::unix::net::UnixStream,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use tamarack_agent::{
    Agent, AgentError, Outbound, installed_components,
    link::{Call, MAX_FRAME, Reply},
    platform::{Platform, StorageError},
};
use tamarack_cose::cbor::Limits;
use tamarack_ta::{ResultCode, interface::Client};
use tamarack_teep::{Message, Protected};

use crate::{LinkSocket, Tee, applications::InvocationError, runtime::Input};
use link::LinkStream;
use streams::Streams;

/// Connections served at a time; more wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 64;

/// How long a broker may take to say what it wants: a silent connection takes a place from others.
const FIRST_TIME: Duration = Duration::from_secs(5);

/// Characters of what a broker says that are kept in a line of the log.
const MAX_LOGGED: usize = 256;

/// Answers calls on `socket` for as long as the process lives, as the TEE called `name`.
pub fn serve(tee: Arc<Tee>, name: &str, socket: &LinkSocket) -> ! {
    let server = Arc::new(Server {
        agent: Mutex::new(Agent::new(Arc::clone(&tee))),
        tee,
        name: name.to_owned(),
        connections: AtomicUsize::new(0),
    });
    loop {
        match socket.accept() {
            Ok(Some(stream)) => Server::spawn(&server, stream),
            Ok(None) => {}
            Err(error) => {
                // Out of descriptors, say: others may become free.
                tracing::warn!(%error, "a connection could not be accepted");
                thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

struct Server {
    tee: Arc<Tee>,
    name: String,
    /// Messages of TAMs are processed one at a time; applications do not wait for them.
    agent: Mutex<Agent<Arc<Tee>>>,
    connections: AtomicUsize,
}

impl Server {
    fn spawn(server: &Arc<Self>, stream: UnixStream) {
        while server.connections.load(Ordering::Acquire) >= MAX_CONNECTIONS {
            thread::sleep(Duration::from_millis(5));
        }
        let place = Place::take(Arc::clone(server));
        let spawned = thread::Builder::new().spawn(move || {
            // A connection is one call. A broker that breaks it off has its reasons.
            if let Err(error) = place.0.answer(stream) {
                tracing::debug!(%error, "a call on the link was broken off");
            }
        });
        if let Err(error) = spawned {
            tracing::warn!(%error, "a call could not be served");
        }
    }

    fn answer(&self, stream: UnixStream) -> io::Result<()> {
        let mut link = LinkStream { stream };
        let frame = link.read(FIRST_TIME)?;
        let reply = match Call::decode(&frame) {
            Ok(call) => self.dispatch(call, &mut link)?,
            Err(error) => Reply::failed(ResultCode::BAD_FORMAT.0, error),
        };
        link.write(&reply.encode())
    }

    /// The reply to a call.
    ///
    /// # Errors
    ///
    /// If the connection is in no state to carry one.
    fn dispatch(&self, call: Call, link: &mut LinkStream) -> io::Result<Reply> {
        Ok(match call {
            Call::RequestTa { component, tam_uri } => {
                outbound(self.agent(|agent| agent.request_ta(&component, tam_uri.as_deref())))
            }
            Call::UnrequestTa { component, tam_uri } => {
                outbound(self.agent(|agent| agent.unrequest_ta(&component, tam_uri.as_deref())))
            }
            Call::RequestPolicyCheck { tam_uri } => {
                outbound(self.agent(|agent| agent.request_policy_check(tam_uri.as_deref())))
            }
            Call::NextExchange => outbound(self.agent(Agent::next_exchange)),
            Call::ProcessError { tam_uri, error } => {
                self.agent(|agent| agent.process_error(&tam_uri, &error));
                let (tam_uri, error) = (excerpt(&tam_uri), excerpt(&error));
                tracing::warn!(tam_uri, error, "a message could not be delivered");
                Reply::NoData
            }
            Call::ProcessTeepMessage { tam_uri, message } => {
                tracing::debug!(
                    tam_uri = excerpt(&tam_uri),
                    bytes = message.len(),
                    "a message from a TAM"
                );
                let (answer, verdict) = self.agent(|agent| {
                    let answer = agent.process_teep_message(&message, link);
                    (answer, agent.take_verdict())
                });
                if let Some(verdict) = verdict {
                    let text: String = verdict.text.chars().filter(|c| !c.is_control()).collect();
                    tracing::warn!(tam = %verdict.tam, code = %verdict.code, text, "the TAM refuses");
                }
                match answer {
                    Ok(Some(answer)) => {
                        log_answer(&answer);
                        Reply::Message(answer)
                    }
                    Ok(None) => Reply::NoData,
                    Err(error) => failed(&error),
                }
            }
            Call::List => match self.list() {
                Ok(reply) => reply,
                Err(error) => failed(&AgentError::Storage(error)),
            },
            Call::Describe => match self.tee.description(&self.name) {
                Ok(description) => Reply::Description(description),
                Err(error) => failed(&AgentError::Storage(error)),
            },
            Call::OpenSession {
                component,
                user,
                input,
            } => {
                let client = user.map_or(Client::Unknown, Client::User);
                match self.tee.applications().open(&component, client, &input) {
                    Ok(session) => Reply::Session(session),
                    Err(error) => refused(&error),
                }
            }
            Call::Invoke {
                session,
                command,
                input,
            } => self.invoke(session, command, Input::Whole(&input)),
            Call::InvokeStreaming { session, command } => {
                return self.invoke_streaming(session, command, link);
            }
            Call::Cancel { session } => match self.tee.applications().cancel(session) {
                Ok(()) => Reply::NoData,
                Err(error) => refused(&error),
            },
            Call::CloseSession { session } => match self.tee.applications().close(session) {
                Ok(()) => Reply::NoData,
                Err(error) => refused(&error),
            },
            Call::FetchChunk(_)
            | Call::FetchEnd
            | Call::FetchFailed(_)
            | Call::Appraised { .. }
            | Call::AppraisalFailed(_)
            | Call::InputChunk(_)
            | Call::InputEnd
            | Call::InputFailed(_) => {
                Reply::failed(ResultCode::BAD_STATE.0, "no payload or input was asked for")
            }
        })
    }

    fn invoke_streaming(
        &self,
        session: u64,
        command: u32,
        link: &mut LinkStream,
    ) -> io::Result<Reply> {
        let streams = Streams::of(link)?;
        let unwritable = streams.unwritable();
        let reply = self.invoke(session, command, Input::Streamed(Box::new(streams)));
        // After a part of a frame, the reply would be taken for the rest of it.
        if unwritable.load(Ordering::Acquire) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(reply)
    }

    fn invoke(&self, session: u64, command: u32, input: Input<'_>) -> Reply {
        match self.tee.applications().invoke(session, command, input) {
            Ok(Ok(output)) => Reply::Output {
                result: 0,
                output: output.to_vec(),
            },
            Ok(Err(code)) => Reply::Output {
                result: code.0,
                output: Vec::new(),
            },
            Err(error) => refused(&error),
        }
    }

    fn list(&self) -> Result<Reply, StorageError> {
        Ok(Reply::Components(installed_components(
            &*self.tee.storage().view()?,
        )?))
    }

    fn agent<T>(&self, call: impl FnOnce(&mut Agent<Arc<Tee>>) -> T) -> T {
        call(&mut self.agent.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A connection's place among those that are served; dropping it makes room.
struct Place(Arc<Server>);

impl Place {
    fn take(server: Arc<Server>) -> Self {
        server.connections.fetch_add(1, Ordering::AcqRel);
        Self(server)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Writes down what the agent answered: a refusal is what an operator looks for.
fn log_answer(answer: &[u8]) {
    let limits = Limits {
        bytes: MAX_FRAME,
        ..Limits::default()
    };
    let read = Protected::decode(answer, &limits).and_then(|answer| answer.read_unverified());
    match read.map(|(message, _)| message) {
        Ok(Message::Error(error)) => {
            let reason = error.explanation.map(|explanation| explanation.text);
            tracing::warn!(code = %error.code, reason, "a TAM's message was refused");
        }
        Ok(message) => tracing::info!(answer = message.name(), "a TAM's message was answered"),
        Err(error) => tracing::error!(%error, "the agent's own answer can't be read"),
    }
}

/// The beginning of what a broker said, for the log. As a field of a line it can't end the line.
fn excerpt(text: &str) -> &str {
    let end = text.char_indices().nth(MAX_LOGGED).map(|(end, _)| end);
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

fn outbound(outcome: Result<Option<Outbound>, AgentError>) -> Reply {
    match outcome {
        Ok(None) => Reply::NoData,
        Ok(Some(Outbound { tam_uri, message })) => Reply::Outbound { tam_uri, message },
        Err(error) => failed(&error),
    }
}

fn failed(error: &AgentError) -> Reply {
    let code = match error {
        AgentError::Storage(StorageError::Full) => ResultCode::STORAGE_NO_SPACE,
        AgentError::Storage(StorageError::Corrupt(_) | StorageError::RolledBack) => {
            ResultCode::CORRUPT_OBJECT
        }
        AgentError::Storage(_) => ResultCode::STORAGE_NOT_AVAILABLE,
        AgentError::NoTam => ResultCode::BAD_PARAMETERS,
        AgentError::TooManyRequests => ResultCode::BUSY,
        AgentError::NotInstalled(_) => ResultCode::ITEM_NOT_FOUND,
        _ => ResultCode::GENERIC,
    };
    Reply::failed(code.0, error)
}

fn refused(error: &InvocationError) -> Reply {
    Reply::failed(error.result_code().0, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_keeps_the_beginning_of_what_a_broker_says() {
        assert_eq!(excerpt("gone"), "gone");
        let long = "ä".repeat(MAX_LOGGED + 1);
        assert_eq!(excerpt(&long), "ä".repeat(MAX_LOGGED));
        assert_eq!(excerpt(&long[2..]), &long[2..]);
    }
}
