//! Opening and closing sessions. Both come to their end in tasks of their own: an application that goes away in the
//! middle leaves no session behind that nobody knows.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tamarack_agent::link::{Call, Reply};
use tamarack_client::api::TeeRequirements;
use tamarack_suit::ComponentId;

use crate::{
    BrokerError,
    broker::Broker,
    command::{self, Ending, Event, Input},
    sessions::Session,
    tees::unexpected,
};

/// How long a session that is closed is waited for, until its command has ended.
const CLOSE_PATIENCE: Duration = Duration::from_secs(40);

impl Broker {
    /// Opens a session of a user. The TEE is told whose.
    // req: TEEP-BROKER-013
    pub(crate) async fn open(
        self: &Arc<Self>,
        owner: u32,
        component: ComponentId,
        requirements: TeeRequirements,
        input: Vec<u8>,
    ) -> Result<Arc<Session>, BrokerError> {
        self.close_idle();
        let broker = Arc::clone(self);
        // Whoever does not wait for it closes it.
        let (opened, opening) = tokio::sync::oneshot::channel();
        tokio::spawn(async move {
            let outcome = broker
                .open_now(owner, component, &requirements, input)
                .await;
            if let Err(Ok(session)) = opened.send(outcome) {
                broker.close_behind(session);
            }
        });
        opening.await.unwrap_or(Err(BrokerError::Abandoned))
    }

    async fn open_now(
        &self,
        owner: u32,
        component: ComponentId,
        requirements: &TeeRequirements,
        input: Vec<u8>,
    ) -> Result<Arc<Session>, BrokerError> {
        let room = self.sessions.room(owner)?;
        let tee = self.tees.holding(&component, requirements).await?;
        let call = Call::OpenSession {
            component: component.clone(),
            user: Some(owner),
            input,
        };
        match tee.call(&call).await? {
            Reply::Session(inner) => Ok(room.fill(component, tee.index, inner)),
            other => Err(unexpected(&other)),
        }
    }

    /// Invokes a command whose input and output are here whole.
    pub(crate) async fn invoke(
        self: &Arc<Self>,
        session: &Arc<Session>,
        command: u32,
        input: Vec<u8>,
    ) -> Result<Ending, BrokerError> {
        let mut events = command::start(self, session, command, Input::Whole(input));
        match events.recv().await {
            Some(Event::Ended(outcome)) => outcome,
            Some(Event::Output(_)) => {
                Err(BrokerError::Link("output that was not asked for".into()))
            }
            None => Err(BrokerError::Abandoned),
        }
    }

    /// Closes a session; a command that is under way is cancelled.
    ///
    /// # Errors
    ///
    /// If it was not open any more, or the TEE can't be asked.
    pub(crate) async fn close(&self, session: &Session) -> Result<(), BrokerError> {
        session.stop();
        // One that does not end is the TEE's to deal with.
        let turn = tokio::time::timeout(CLOSE_PATIENCE, session.turn.lock()).await;
        let outcome = self.close_now(session).await;
        self.sessions.remove(session.number);
        drop(turn);
        outcome
    }

    async fn close_now(&self, session: &Session) -> Result<(), BrokerError> {
        let call = Call::CloseSession {
            session: session.inner,
        };
        match self.tees.at(session.tee)?.call(&call).await {
            Ok(Reply::NoData) => Ok(()),
            Ok(other) => Err(unexpected(&other)),
            Err(error) if error.ends_session() => Err(BrokerError::SessionEnded(session.number)),
            Err(error) => Err(error),
        }
    }

    /// Closes a session that nobody waits for.
    pub(crate) fn close_behind(self: &Arc<Self>, session: Arc<Session>) {
        let broker = Arc::clone(self);
        tokio::spawn(async move {
            if let Err(error) = broker.close(&session).await {
                tracing::debug!(%error, session = session.number, "a session was not closed");
            }
        });
    }

    fn close_idle(self: &Arc<Self>) {
        for session in self.sessions.take_idle(Instant::now()) {
            self.close_behind(session);
        }
    }
}

/// A session for one command, which is closed whatever happens.
pub(crate) struct Passing {
    broker: Arc<Broker>,
    session: Arc<Session>,
    closed: bool,
}

impl Passing {
    pub(crate) fn new(broker: &Arc<Broker>, session: Arc<Session>) -> Self {
        Self {
            broker: Arc::clone(broker),
            session,
            closed: false,
        }
    }

    /// Invokes the command, and closes the session.
    pub(crate) async fn invoke(
        mut self,
        command: u32,
        input: Vec<u8>,
    ) -> Result<Ending, BrokerError> {
        let outcome = self.broker.invoke(&self.session, command, input).await;
        // A command that killed its session has closed it already; the command's own outcome counts.
        let _ = self.broker.close(&self.session).await;
        self.closed = true;
        outcome
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        if !self.closed {
            self.broker.close_behind(Arc::clone(&self.session));
        }
    }
}
