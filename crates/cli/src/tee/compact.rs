//! `tamarack tee compact`: the storage of a TEE, made as small as what it holds.

use std::sync::Arc;

use clap::Args;
use serde_json::json;
use tamarack_cose::rustcrypto;
use tamarack_tee::Tee;

use super::{Folder, explain};
use crate::{failure::Failure, output::Output};

#[derive(Args)]
pub(crate) struct Compact {
    #[command(flatten)]
    folder: Folder,
}

impl Compact {
    pub(super) fn run(&self, output: Output) -> Result<(), Failure> {
        let crypto = rustcrypto::provider();
        let device = Arc::new(self.folder.device(&crypto)?);
        let data = &self.folder.data;
        let compaction =
            Tee::compact(data, device, &crypto).map_err(|error| explain(&error, data))?;
        let (before, after) = (compaction.before, compaction.after);
        output.result(&json!({ "before": before, "after": after }), || {
            format!("the storage had {before} bytes and has {after} now")
        });
        Ok(())
    }
}
