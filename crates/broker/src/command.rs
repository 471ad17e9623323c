//! A command under way: its input goes in, its output comes out, and it ends early if nobody wants it any more.
//!
//! It runs in a task of its own, which outlives the application's connection: a command whose application goes away
//! is cancelled in the TEE and waited for, so that the next command of the session begins where this one has ended.
//! Input is read from the application when the TEE asks for it, output is read from the TEE when the application
//! takes it; the broker holds a few pieces of each.

use std::{sync::Arc, time::Duration};

use axum::body::{Body, BodyDataStream, Bytes};
use futures_util::StreamExt;
use tamarack_agent::link::{Call, Reply, STREAM_CHUNK};
use tamarack_client::api::CommandEnd;
use tamarack_ta::ResultCode;
use tokio::{
    sync::{Notify, mpsc},
    time::{Instant, timeout, timeout_at},
};

use crate::{
    BrokerError,
    broker::Broker,
    sessions::Session,
    tees::{Tee, unexpected},
};

/// How long an application may let a command wait for input, or its output lie.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a command that was cancelled may go on before its link is broken off.
const CANCEL_PATIENCE: Duration = Duration::from_secs(30);

/// Input that is read and dropped after a command ended without it, and for how long: an application that is still
/// sending would not read the answer.
const MAX_DROPPED: usize = 64 << 20;
const DROP_PATIENCE: Duration = Duration::from_secs(10);

/// Pieces of output that wait for the application.
const PIECES: usize = 2;

/// Where a command's input comes from.
pub(crate) enum Input {
    /// It is here.
    Whole(Vec<u8>),
    /// The application sends it.
    Streamed(Body),
}

/// What an application hears of its command.
#[derive(Debug)]
pub(crate) enum Event {
    /// A piece of the output.
    Output(Vec<u8>),
    /// The command has ended; nothing follows.
    Ended(Result<Ending, BrokerError>),
}

/// How a command ended that came to an end.
#[derive(Debug)]
pub(crate) struct Ending {
    /// GlobalPlatform result code.
    pub(crate) result: u32,
    /// What comes after the pieces of the output.
    pub(crate) output: Vec<u8>,
}

/// Starts a command. It is cancelled when the receiver is dropped.
pub(crate) fn start(
    broker: &Arc<Broker>,
    session: &Arc<Session>,
    command: u32,
    input: Input,
) -> mpsc::Receiver<Event> {
    let (events, heard) = mpsc::channel(PIECES);
    let (broker, session) = (Arc::clone(broker), Arc::clone(session));
    tokio::spawn(async move {
        let (call, input) = match input {
            Input::Whole(input) => {
                let session = session.inner;
                let call = Call::Invoke {
                    session,
                    command,
                    input,
                };
                (call, None)
            }
            Input::Streamed(body) => {
                let session = session.inner;
                let call = Call::InvokeStreaming { session, command };
                (call, Some(body.into_data_stream()))
            }
        };
        let mut source = Source {
            body: input,
            rest: Bytes::new(),
        };
        let outcome = take_turn(&broker, &session, command, &call, &mut source, &events).await;
        // Whoever does not hear it has gone.
        let _ = timeout(PATIENCE, events.send(Event::Ended(outcome))).await;
        drop(events);
        source.drain().await;
    });
    heard
}

async fn take_turn(
    broker: &Broker,
    session: &Session,
    command: u32,
    call: &Call,
    source: &mut Source,
    events: &mpsc::Sender<Event>,
) -> Result<Ending, BrokerError> {
    let _turn = tokio::select! {
        turn = session.turn.lock() => turn,
        () = events.closed() => return Err(BrokerError::Abandoned),
    };
    let stop = session.begin(command)?;
    let outcome = match broker.tees.at(session.tee) {
        Ok(tee) => run(tee, session, call, source, events, &stop).await,
        Err(error) => Err(error),
    };
    let (last, ended) = match &outcome {
        Ok(ending) => {
            let last = CommandEnd {
                command,
                result: Some(ending.result),
                error: None,
            };
            (last, ending.result == ResultCode::TARGET_DEAD.0)
        }
        Err(error) => {
            let last = CommandEnd {
                command,
                result: error.result(),
                error: Some(error.to_string()),
            };
            (last, error.ends_session())
        }
    };
    session.end(last, ended);
    match outcome {
        Err(error) if error.ends_session() => {
            tracing::debug!(%error, session = session.number, "the TEE has ended a session");
            Err(BrokerError::SessionEnded(session.number))
        }
        outcome => outcome,
    }
}

async fn run(
    tee: &Tee,
    session: &Session,
    call: &Call,
    source: &mut Source,
    events: &mpsc::Sender<Event>,
    stop: &Notify,
) -> Result<Ending, BrokerError> {
    // Why a command should end early: nobody is left to hear of it, or somebody said so.
    let unwanted = async || {
        tokio::select! {
            () = events.closed() => BrokerError::Abandoned,
            () = stop.notified() => BrokerError::Cancelled,
        }
    };
    let mut link = tokio::select! {
        link = tee.exchanger.begin(call) => link?,
        why = unwanted() => return Err(why),
    };
    // Once set, the TEE knows that the command should end: why, and until when it is waited for.
    let mut cancelled: Option<(BrokerError, Instant)> = None;
    loop {
        let reply = match &cancelled {
            Some((_, deadline)) => in_time(*deadline, link.hear()).await?,
            None => {
                let hear = link.hear();
                tokio::pin!(hear);
                tokio::select! {
                    biased;
                    reply = &mut hear => reply?,
                    why = unwanted() => {
                        let deadline = cancel(tee, session).await;
                        cancelled = Some((why, deadline));
                        // What was heard of a frame already is not lost.
                        in_time(deadline, hear).await?
                    }
                }
            }
        };
        match reply {
            Reply::NextInput => {
                let answer = match &cancelled {
                    Some((why, _)) => Call::InputFailed(why.to_string()),
                    None => match source.next(unwanted()).await {
                        Ok(answer) => answer,
                        Err(why) => {
                            let answer = Call::InputFailed(why.to_string());
                            cancelled = Some((why, cancel(tee, session).await));
                            answer
                        }
                    },
                };
                link.answer(&answer).await;
            }
            Reply::OutputChunk(piece) if cancelled.is_none() => {
                if let Err(why) = hand_over(piece, events, unwanted()).await {
                    cancelled = Some((why, cancel(tee, session).await));
                }
            }
            // Nobody takes it.
            Reply::OutputChunk(_) => {}
            Reply::Output { result, output } => {
                return match cancelled {
                    // It was not to be stopped, or was done already.
                    None | Some((BrokerError::Cancelled, _)) => Ok(Ending { result, output }),
                    Some((why, _)) => Err(why),
                };
            }
            Reply::Failed { result, reason } => {
                return Err(match cancelled {
                    None | Some((BrokerError::Cancelled, _)) => BrokerError::Tee { result, reason },
                    Some((why, _)) => why,
                });
            }
            other => return Err(unexpected(&other)),
        }
    }
}

/// What is heard of a command that was cancelled, if it comes in time.
async fn in_time(
    deadline: Instant,
    hear: impl Future<Output = Result<Reply, BrokerError>>,
) -> Result<Reply, BrokerError> {
    let reply = timeout_at(deadline, hear).await;
    reply.map_err(|_| BrokerError::WillNotEnd)?
}

/// Tells the TEE that a command should end; until when it is waited for.
async fn cancel(tee: &Tee, session: &Session) -> Instant {
    let deadline = Instant::now() + CANCEL_PATIENCE;
    let call = Call::Cancel {
        session: session.inner,
    };
    match timeout_at(deadline, tee.call(&call)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a command could not be cancelled"),
        Err(_) => tracing::warn!("the TEE does not take note that a command is cancelled"),
    }
    deadline
}

/// Gives the application a piece of output, as soon as it takes one.
async fn hand_over(
    piece: Vec<u8>,
    events: &mpsc::Sender<Event>,
    unwanted: impl Future<Output = BrokerError>,
) -> Result<(), BrokerError> {
    tokio::select! {
        sent = timeout(PATIENCE, events.send(Event::Output(piece))) => match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(BrokerError::Abandoned),
            Err(_) => Err(BrokerError::OutputStalled(PATIENCE)),
        },
        why = unwanted => Err(why),
    }
}

/// The input that an application sends.
struct Source {
    body: Option<BodyDataStream>,
    /// What of the last piece that it sent is still to be handed on.
    rest: Bytes,
}

impl Source {
    /// The next piece of the input, or its end.
    async fn next(
        &mut self,
        unwanted: impl Future<Output = BrokerError>,
    ) -> Result<Call, BrokerError> {
        let Some(body) = &mut self.body else {
            return Ok(Call::InputEnd);
        };
        tokio::pin!(unwanted);
        while self.rest.is_empty() {
            let piece = tokio::select! {
                piece = timeout(PATIENCE, body.next()) => piece,
                why = &mut unwanted => return Err(why),
            };
            self.rest = match piece {
                Ok(Some(Ok(piece))) => piece,
                Ok(None) => return Ok(Call::InputEnd),
                // It broke off in the middle.
                Ok(Some(Err(_))) => return Err(BrokerError::Abandoned),
                Err(_) => return Err(BrokerError::InputStalled(PATIENCE)),
            };
        }
        let length = self.rest.len().min(STREAM_CHUNK);
        Ok(Call::InputChunk(self.rest.split_to(length).into()))
    }

    /// Reads what is left, within bounds: whoever is still sending does not listen.
    async fn drain(self) {
        let Some(mut body) = self.body else {
            return;
        };
        let mut dropped = 0;
        let deadline = Instant::now() + DROP_PATIENCE;
        while dropped < MAX_DROPPED
            && let Ok(Some(Ok(piece))) = timeout_at(deadline, body.next()).await
        {
            dropped += piece.len();
        }
    }
}
