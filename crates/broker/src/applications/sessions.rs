//! Sessions and commands over HTTP.

use std::{io, sync::Arc};

use axum::{
    Json, Router,
    body::{Body as RawBody, Bytes},
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderValue, StatusCode, Version, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64ct::{Base64, Encoding};
use futures_util::stream;
use tamarack_client::api::{
    Command, CommandResult, Invocation, OpenSession, RESULT_HEADER, Session, SessionState, Sessions,
};
use tokio::sync::mpsc;

use super::{Answer, Body, Failure, permitted};
use crate::{
    BrokerError,
    broker::Broker,
    command::{self, Ending, Event, Input},
    peer::Peer,
    permissions::Action,
    places::Place,
    session_calls::Passing,
};

/// Output that is held back until the result of the command is known. Longer output is on its way before.
const HELD_BACK: usize = 64 * 1024;

pub(super) fn router() -> Router<Arc<Broker>> {
    Router::new()
        .route("/v1/sessions", get(all).post(open))
        .route("/v1/sessions/{session}", get(state).delete(close))
        .route("/v1/sessions/{session}/invoke", post(invoke))
        .route(
            "/v1/sessions/{session}/commands/{command}",
            post(stream_command),
        )
        .route("/v1/sessions/{session}/cancel", post(cancel))
        .route("/v1/invoke", post(invoke_once))
}

fn input(text: Option<String>, base64: Option<String>) -> Result<Vec<u8>, Failure> {
    match (text, base64) {
        (Some(_), Some(_)) => Err(Failure::bad_request(
            "give input_text or input_base64, not both",
        )),
        (Some(text), None) => Ok(text.into_bytes()),
        (None, Some(base64)) => Base64::decode_vec(&base64)
            .map_err(|_| Failure::bad_request("input_base64 is not base64")),
        (None, None) => Ok(Vec::new()),
    }
}

/// A session of the user who asks. That it is somebody else's is written down.
fn own(
    broker: &Broker,
    peer: &Peer,
    number: u64,
) -> Result<Arc<crate::sessions::Session>, Failure> {
    broker.sessions.of(peer, number).map_err(|error| {
        if let BrokerError::ForeignSession(denial) = &error {
            broker.permissions.log(denial);
        }
        error.into()
    })
}

async fn all(State(broker): State<Arc<Broker>>, peer: Peer) -> Json<Sessions> {
    Json(Sessions {
        sessions: broker.sessions.all_of(&peer),
    })
}

async fn open(
    State(broker): State<Arc<Broker>>,
    peer: Peer,
    _place: Place,
    body: Body<OpenSession>,
) -> Answer<Session> {
    let Json(body) = body?;
    let component = permitted(&broker, &peer, &body.component, |id| Action::Open(id))?;
    let input = input(body.input_text, body.input_base64)?;
    let tee = body.tee.unwrap_or_default();
    let session = broker.open(peer.user, component, tee, input).await?;
    Ok(Json(Session {
        session: session.number,
    }))
}

async fn state(
    State(broker): State<Arc<Broker>>,
    peer: Peer,
    number: Result<Path<u64>, PathRejection>,
) -> Answer<SessionState> {
    let Path(number) = number?;
    Ok(Json(own(&broker, &peer, number)?.describe()))
}

async fn close(
    State(broker): State<Arc<Broker>>,
    peer: Peer,
    number: Result<Path<u64>, PathRejection>,
) -> Result<StatusCode, Failure> {
    let Path(number) = number?;
    let session = own(&broker, &peer, number)?;
    broker.close(&session).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn cancel(
    State(broker): State<Arc<Broker>>,
    peer: Peer,
    number: Result<Path<u64>, PathRejection>,
) -> Result<StatusCode, Failure> {
    let Path(number) = number?;
    own(&broker, &peer, number)?.stop();
    Ok(StatusCode::NO_CONTENT)
}

fn told(ending: Ending) -> Json<CommandResult> {
    Json(CommandResult {
        result: ending.result,
        output_base64: Base64::encode_string(&ending.output),
        output_text: String::from_utf8(ending.output).ok(),
    })
}

async fn invoke(
    State(broker): State<Arc<Broker>>,
    peer: Peer,
    number: Result<Path<u64>, PathRejection>,
    body: Body<Command>,
) -> Answer<CommandResult> {
    let Path(number) = number?;
    let session = own(&broker, &peer, number)?;
    let Json(body) = body?;
    let input = input(body.input_text, body.input_base64)?;
    Ok(told(broker.invoke(&session, body.command, input).await?))
}

async fn invoke_once(
    State(broker): State<Arc<Broker>>,
    peer: Peer,
    body: Body<Invocation>,
) -> Answer<CommandResult> {
    let Json(body) = body?;
    let component = permitted(&broker, &peer, &body.component, |id| Action::Open(id))?;
    let input = input(body.input_text, body.input_base64)?;
    let tee = body.tee.unwrap_or_default();
    let session = broker.open(peer.user, component, tee, Vec::new()).await?;
    let passing = Passing::new(&broker, session);
    Ok(told(passing.invoke(body.command, input).await?))
}

/// A command whose input is the body of the request as it comes, and whose output is the body of the response.
///
/// A status can be taken back by nobody. So output is held back until the command has ended or there is much of it;
/// if it goes wrong later than that, the response is broken off, and the session knows why.
async fn stream_command(
    State(broker): State<Arc<Broker>>,
    peer: Peer,
    path: Result<Path<(u64, u32)>, PathRejection>,
    version: Version,
    body: RawBody,
) -> Result<Response, Failure> {
    if version < Version::HTTP_11 {
        return Err(Failure::too_old_for_streams());
    }
    let Path((number, command)) = path?;
    let session = own(&broker, &peer, number)?;
    let mut events = command::start(&broker, &session, command, Input::Streamed(body));
    let mut held = Vec::new();
    while held.len() <= HELD_BACK {
        let failure = match events.recv().await {
            Some(Event::Output(piece)) => {
                held.extend(piece);
                continue;
            }
            Some(Event::Ended(Ok(Ending { result: 0, output }))) => {
                held.extend(output);
                return Ok(with_result(octets(held.into()), 0));
            }
            Some(Event::Ended(Ok(Ending { result, .. }))) => Failure::of_command(command, result),
            Some(Event::Ended(Err(error))) => error.into(),
            None => BrokerError::Abandoned.into(),
        };
        return Ok(match failure.result() {
            Some(result) => with_result(failure, result),
            None => failure.into_response(),
        });
    }
    let pieces = stream::unfold(Flow::Begins(held, events), Flow::next);
    Ok(octets(RawBody::from_stream(pieces)))
}

fn octets(body: RawBody) -> Response {
    let mut response = body.into_response();
    let octets = HeaderValue::from_static("application/octet-stream");
    response.headers_mut().insert(CONTENT_TYPE, octets);
    response
}

fn with_result(response: impl IntoResponse, result: u32) -> Response {
    let mut response = response.into_response();
    if let Ok(value) = HeaderValue::from_str(&format!("{result:#010x}")) {
        response.headers_mut().insert(RESULT_HEADER, value);
    }
    response
}

/// Output on its way to the application.
enum Flow {
    /// What was held back goes first.
    Begins(Vec<u8>, mpsc::Receiver<Event>),
    GoesOn(mpsc::Receiver<Event>),
    Ends,
}

impl Flow {
    /// The next piece. An error ends the response in the middle, which no client takes for its end.
    async fn next(self) -> Option<(io::Result<Bytes>, Self)> {
        let mut events = match self {
            Self::Begins(held, events) => return Some((Ok(held.into()), Self::GoesOn(events))),
            Self::GoesOn(events) => events,
            Self::Ends => return None,
        };
        Some(match events.recv().await {
            Some(Event::Output(piece)) => (Ok(piece.into()), Self::GoesOn(events)),
            Some(Event::Ended(Ok(Ending { result: 0, output }))) => (Ok(output.into()), Self::Ends),
            Some(Event::Ended(Ok(Ending { result, .. }))) => {
                let text = format!("the command returned {result:#010x}");
                (Err(io::Error::other(text)), Self::Ends)
            }
            Some(Event::Ended(Err(error))) => (Err(io::Error::other(error)), Self::Ends),
            None => (Err(io::ErrorKind::BrokenPipe.into()), Self::Ends),
        })
    }
}
