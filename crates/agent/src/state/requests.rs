use alloc::vec::Vec;

use tamarack_cose::cbor::{DecodeError, Reader, Writer};
use tamarack_suit::ComponentId;

use super::Record;

/// What applications on the device asked for. Suggestions of the REE: a TAM decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The component, or for a withdrawal the manifest's own component identifier.
    pub component: ComponentId,
    /// Whether it is wanted or no longer needed.
    pub kind: RequestKind,
}

/// Whether a component is wanted or no longer needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestKind {
    /// Goes into requested-tc-list while the component is not installed.
    Wanted,
    /// Goes into unneeded-manifest-list while the manifest is installed.
    Unneeded,
}

impl Request {
    /// Most requests that are remembered. The REE can make up any number; each costs storage.
    // req: ARCH-042
    pub const MAX: usize = 32;
}

impl Record for Request {
    const PREFIX: u8 = b'r';

    fn key(&self) -> Vec<u8> {
        self.component.to_cbor()
    }

    fn encode(&self) -> Vec<u8> {
        Writer::build(|w| {
            w.array(2).bool(self.kind == RequestKind::Wanted);
            self.component.write(w);
        })
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.array_of(2, "an array of 2", "request")?;
        let wanted = reader.bool("request / wanted")?;
        let kind = if wanted {
            RequestKind::Wanted
        } else {
            RequestKind::Unneeded
        };
        Ok(Self {
            component: ComponentId::read(reader, "request / component")?,
            kind,
        })
    }
}
