//! Bodies of requests: read within bounds of size, time and memory.

use std::{sync::Arc, time::Duration};

use axum::body::{Body, Bytes, HttpBody as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{error::ApiError, state::Shared};

/// How much of a body that is refused is read and thrown away, so that its sender sees the answer and not
/// a closed connection, and for how long.
const DISCARD: (u64, Duration) = (256 << 20, Duration::from_secs(10));

/// The unit in which memory is shared out, in bytes.
const PAGE: usize = 4 << 10;

/// A body, and its share of the memory for bodies, which goes back when this is dropped.
pub(super) struct Received {
    pub(super) bytes: Vec<u8>,
    share: OwnedSemaphorePermit,
}

/// The memory for bodies that are being read, in pages.
// req: TEEP-OPS-005
pub(super) struct BodyMemory(Arc<Semaphore>);

impl BodyMemory {
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes / PAGE)))
    }

    /// A share of one page.
    fn share(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        self.take(1)
    }

    /// Makes a share large enough for `length` bytes.
    fn grow(&self, share: &mut OwnedSemaphorePermit, length: usize) -> Result<(), ApiError> {
        let missing = length.div_ceil(PAGE).saturating_sub(share.num_permits());
        if missing > 0 {
            share.merge(self.take(missing)?);
        }
        Ok(())
    }

    fn take(&self, pages: usize) -> Result<OwnedSemaphorePermit, ApiError> {
        let taken = u32::try_from(pages)
            .ok()
            .and_then(|pages| Arc::clone(&self.0).try_acquire_many_owned(pages).ok());
        taken.ok_or(ApiError::Overloaded(Duration::ZERO))
    }
}

/// Reads a body of at most `limit` bytes. One that says it is longer is not read at all.
pub(super) async fn read_body<S, C>(
    shared: &Shared<S, C>,
    body: Body,
    limit: usize,
) -> Result<Received, ApiError> {
    if body.size_hint().lower() > limit as u64 {
        tokio::spawn(discard(body));
        return Err(ApiError::TooLarge(limit));
    }
    let collected = collect(body, limit, &shared.body_memory);
    tokio::time::timeout(shared.settings.body_timeout, collected)
        .await
        .map_err(|_| ApiError::Timeout)?
}

async fn collect(body: Body, limit: usize, memory: &BodyMemory) -> Result<Received, ApiError> {
    let mut body = body;
    let mut received = Received {
        bytes: Vec::new(),
        share: memory.share()?,
    };
    while let Some(data) = next_data(&mut body).await {
        let data = data.map_err(|_| ApiError::Malformed("the body broke off".into()))?;
        let length = received.bytes.len() + data.len();
        if length > limit {
            tokio::spawn(discard(body));
            return Err(ApiError::TooLarge(limit));
        }
        memory.grow(&mut received.share, length)?;
        received.bytes.extend_from_slice(&data);
    }
    Ok(received)
}

/// The next piece of a body; trailers are passed over.
async fn next_data(body: &mut Body) -> Option<Result<Bytes, axum::Error>> {
    loop {
        let frame = std::future::poll_fn(|cx| std::pin::Pin::new(&mut *body).poll_frame(cx)).await;
        match frame? {
            Err(error) => return Some(Err(error)),
            Ok(frame) => {
                if let Ok(data) = frame.into_data() {
                    return Some(Ok(data));
                }
            }
        }
    }
}

async fn discard(mut body: Body) {
    let (mut left, time) = DISCARD;
    let drained = async {
        while let Some(Ok(data)) = next_data(&mut body).await {
            match left.checked_sub(data.len() as u64) {
                Some(less) => left = less,
                None => break,
            }
        }
    };
    // Whether all of it came does not matter.
    let _ = tokio::time::timeout(time, drained).await;
}
