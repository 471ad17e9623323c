//! The broker's local API for commands that are asynchronous.

use std::path::Path;

use tamarack_client::{
    Client, Error,
    api::{ComponentRequest, Components, Invocation, Outcome},
};
use tokio::task::block_in_place;

use super::result_and_output;
use crate::failure::Failure;

/// A client whose calls leave the other tasks of a command running.
#[derive(Clone)]
pub(crate) struct LocalApi(Client);

impl LocalApi {
    pub(crate) fn new(socket: &Path) -> Self {
        Self(Client::new(socket))
    }

    pub(crate) fn list(&self) -> Result<Components, Failure> {
        self.call(Client::components)
    }

    pub(crate) fn request(&self, component: &str) -> Result<Outcome, Failure> {
        let wish = ComponentRequest {
            component: component.to_owned(),
            tam_uri: None,
            tee: None,
        };
        self.call(|client| client.request(&wish))
    }

    pub(crate) fn policy_check(&self) -> Result<Outcome, Failure> {
        self.call(Client::check_policy)
    }

    /// Invokes a command in a session of its own; its result and output.
    pub(crate) fn invoke(
        &self,
        component: &str,
        command: u32,
        input: &[u8],
    ) -> Result<(u32, Vec<u8>), Failure> {
        let invocation = Invocation::new(component, command, input);
        let outcome = block_in_place(|| self.0.invoke(&invocation));
        Ok(result_and_output(outcome)?)
    }

    fn call<T>(&self, call: impl FnOnce(&Client) -> Result<T, Error>) -> Result<T, Failure> {
        Ok(block_in_place(|| call(&self.0))?)
    }
}
