use std::sync::{Arc, Mutex};

use tamarack_cose::cbor::Limits;
use tamarack_teep::{Message, Protected};

use super::{Response, Server, post};

/// A relay between a broker and a TAM that records what passes.
pub struct Wire {
    server: Server,
    passed: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Wire {
    /// Relays to the TAM at `HOST:PORT`.
    #[must_use]
    pub fn to(tam: &str) -> Self {
        let passed = Arc::new(Mutex::new(Vec::new()));
        let (record, tam) = (Arc::clone(&passed), tam.to_owned());
        let server = Server::start(move |request, _| {
            record.lock().unwrap().push(request.body.clone());
            let answer = post(&tam, &request.body);
            record.lock().unwrap().push(answer.body.clone());
            let media_type = answer.header("content-type").map(str::to_owned);
            let headers = media_type.map(|value| ("content-type".to_owned(), value));
            Some(Response {
                status: answer.status,
                headers: headers.into_iter().collect(),
                body: answer.body,
            })
        });
        Self { server, passed }
    }

    /// Where the broker believes the TAM to be.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url("/tam")
    }

    /// Everything that passed, in order, without empty bodies.
    #[must_use]
    pub fn passed(&self) -> Vec<Vec<u8>> {
        let passed = self.passed.lock().unwrap();
        passed
            .iter()
            .filter(|message| !message.is_empty())
            .cloned()
            .collect()
    }

    /// The last message of this kind, such as `QueryResponse`, with its content.
    ///
    /// # Panics
    ///
    /// If none has passed.
    #[must_use]
    #[track_caller]
    pub fn last(&self, kind: &str) -> (Vec<u8>, Message) {
        let read = |bytes: Vec<u8>| {
            let protected = Protected::decode(&bytes, &Limits::default()).ok()?;
            let (message, _) = protected.read_unverified().ok()?;
            (message.name() == kind).then_some((bytes, message))
        };
        let found = self.passed().into_iter().rev().find_map(read);
        found.unwrap_or_else(|| panic!("no {kind} has passed"))
    }
}
