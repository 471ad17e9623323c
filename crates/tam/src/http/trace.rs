//! The messages at the TEEP endpoint, for a trace.

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::SystemTime,
};

use axum::{
    Router,
    body::{Body, Bytes, HttpBody, to_bytes},
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::Response,
};
use http_body::{Frame, SizeHint};
use tamarack_trace::{Party, Trace};

/// Bytes of one message that are kept: more than the endpoint takes by default.
const MOST: usize = 4 << 20;

/// Routes whose messages go to the trace, if there is one.
pub(super) fn traced<S: Clone + Send + Sync + 'static>(
    router: Router<S>,
    trace: Trace,
) -> Router<S> {
    match trace.is_on() {
        true => router.layer(from_fn_with_state(trace, note)),
        false => router,
    }
}

/// Lets a request and its response pass, and notes both.
async fn note(State(trace): State<Trace>, request: Request, next: Next) -> Response {
    let exchange = trace.exchange(None);
    let arrived = SystemTime::now();
    let kept = Arc::new(Mutex::new(Vec::new()));
    let (parts, body) = request.into_parts();
    let body = Body::new(Watched {
        body,
        kept: Arc::clone(&kept),
    });
    let response = next.run(Request::from_parts(parts, body)).await;

    let received = kept.lock().map(|mut kept| std::mem::take(&mut *kept));
    exchange.sent_at(arrived, Party::Tam, &received.unwrap_or_default());
    let (parts, body) = response.into_parts();
    // A response is in memory already.
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    exchange.responded(parts.status.as_u16(), &body);
    Response::from_parts(parts, Body::from(body))
}

/// A body that keeps what is read of it.
struct Watched {
    body: Body,
    kept: Arc<Mutex<Vec<u8>>>,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
            && let Ok(mut kept) = self.kept.lock()
        {
            let left = MOST.saturating_sub(kept.len());
            kept.extend_from_slice(data.get(..left).unwrap_or(data));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
