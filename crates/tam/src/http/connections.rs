//! Connections: how many, from where, in which version of HTTP, and for how long.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body, http::Request};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
};
use tokio_rustls::TlsAcceptor;

use super::{client::TrustedProxies, rate::network_of, state::HttpSettings};

/// Bytes of headers that are read, for a request.
const MAX_HEADERS: usize = 64 << 10;

/// Bytes that are on their way in before anybody has read them: for a stream of HTTP/2, and for all streams of
/// a connection.
const WINDOWS: (u32, u32) = (256 << 10, 1 << 20);

/// How long an HTTP/2 connection may be silent before it is asked whether it is still there.
const PING: Duration = Duration::from_secs(20);

/// First bytes of an HTTP/2 connection in clear text. No method of HTTP/1.1 begins with them.
const HTTP2_PREFACE: &[u8] = b"PRI";

/// Open connections by address.
type Counts = Mutex<HashMap<IpAddr, usize>>;

/// A socket that listens, and how what comes in over it is served.
pub(super) struct Listener {
    pub(super) tcp: TcpListener,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) router: Router,
}

/// What all listeners of a server share.
#[derive(Clone)]
pub(super) struct Connections {
    settings: HttpSettings,
    proxies: Arc<TrustedProxies>,
    places: Arc<Semaphore>,
    addresses: Arc<Counts>,
    stopped: watch::Receiver<bool>,
}

impl Connections {
    /// `stopped` becomes true when no more connections are to be taken.
    pub(super) fn new(
        settings: HttpSettings,
        proxies: Arc<TrustedProxies>,
        stopped: watch::Receiver<bool>,
    ) -> Self {
        Self {
            settings,
            proxies,
            places: Arc::new(Semaphore::new(settings.connections)),
            addresses: Arc::default(),
            stopped,
        }
    }

    /// Takes connections until the server stops.
    // req: TEEP-OPS-005
    pub(super) async fn serve(self, listener: Listener) {
        let mut stopped = self.stopped.clone();
        let stop = stopped.wait_for(|stopped| *stopped);
        let mut stop = pin!(stop);
        loop {
            // More wait in the kernel's queue.
            let place = Arc::clone(&self.places).acquire_owned();
            let place = tokio::select! {
                _ = &mut stop => return,
                place = place => match place {
                    Ok(place) => place,
                    Err(_) => return,
                },
            };
            let accepted = tokio::select! {
                _ = &mut stop => return,
                accepted = listener.tcp.accept() => accepted,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of descriptors, say: others may become free.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let Some(held) = self.hold(peer.ip(), place) else {
                tracing::debug!(%peer, "too many connections from one address: closed");
                continue;
            };
            let connection = Connection {
                settings: self.settings,
                stopped: self.stopped.clone(),
                service: Service {
                    router: listener.router.clone(),
                    proxies: Arc::clone(&self.proxies),
                    peer,
                    asked: Arc::default(),
                },
            };
            let tls = listener.tls.clone();
            tokio::spawn(async move {
                if let Err(error) = connection.run(stream, tls).await {
                    tracing::debug!(%peer, error, "a connection ended early");
                }
                drop(held);
            });
        }
    }

    /// Waits until all connections have ended, but not for ever.
    pub(super) async fn drained(&self) {
        let all = u32::try_from(self.settings.connections).unwrap_or(u32::MAX);
        let drained = self.places.acquire_many(all);
        // What goes on after that is broken off.
        let _ = tokio::time::timeout(self.settings.grace, drained).await;
    }

    /// The place of a connection, unless its address has too many.
    fn hold(&self, address: IpAddr, place: OwnedSemaphorePermit) -> Option<Held> {
        // Behind a proxy are many clients.
        if self.proxies.contains(address) {
            return Some(Held {
                _place: place,
                counted: None,
            });
        }
        let address = network_of(address);
        let mut addresses = self
            .addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let count = addresses.entry(address).or_insert(0);
        if *count >= self.settings.connections_per_address {
            return None;
        }
        *count += 1;
        Some(Held {
            _place: place,
            counted: Some((Arc::clone(&self.addresses), address)),
        })
    }
}

/// The place of an open connection, in all and for its address.
struct Held {
    _place: OwnedSemaphorePermit,
    counted: Option<(Arc<Counts>, IpAddr)>,
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some((addresses, address)) = &self.counted else {
            return;
        };
        let mut addresses = addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = addresses.get_mut(address) {
            *count -= 1;
            if *count == 0 {
                addresses.remove(address);
            }
        }
    }
}

/// Answers the requests of one connection.
#[derive(Clone)]
struct Service {
    router: Router,
    proxies: Arc<TrustedProxies>,
    peer: SocketAddr,
    /// Whether there was a request on this connection.
    asked: Arc<AtomicBool>,
}

impl hyper::service::Service<Request<Incoming>> for Service {
    type Response = axum::response::Response;
    type Error = std::convert::Infallible;
    type Future = <TowerToHyperService<Router> as hyper::service::Service<Request<Body>>>::Future;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.asked.store(true, Ordering::Relaxed);
        let mut request = request.map(Body::new);
        let client = self.proxies.client(self.peer.ip(), request.headers());
        request.extensions_mut().insert(client);
        TowerToHyperService::new(self.router.clone()).call(request)
    }
}

struct Connection {
    settings: HttpSettings,
    stopped: watch::Receiver<bool>,
    service: Service,
}

impl Connection {
    async fn run(self, stream: TcpStream, tls: Option<TlsAcceptor>) -> Result<(), String> {
        let mut stopped = self.stopped.clone();
        let begun = Arc::clone(&self.service.asked);
        // Who has asked for nothing yet is not waited for when the server stops.
        let idle = async {
            let _ = stopped.wait_for(|stopped| *stopped).await;
            if begun.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = idle => Ok(()),
            ended = self.carry(stream, tls) => ended,
        }
    }

    async fn carry(self, stream: TcpStream, tls: Option<TlsAcceptor>) -> Result<(), String> {
        // A small answer is not held back for more to come.
        stream.set_nodelay(true).map_err(text)?;
        let patience = self.settings.header_timeout;
        let late = |_| "nothing came in time".to_owned();
        match tls {
            None => {
                let http2 = tokio::time::timeout(patience, speaks_http2(&stream));
                let http2 = http2.await.map_err(late)?.map_err(text)?;
                self.serve(stream, http2).await
            }
            Some(acceptor) => {
                let handshake = tokio::time::timeout(patience, acceptor.accept(stream));
                let stream = handshake.await.map_err(late)?.map_err(text)?;
                let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                self.serve(stream, http2).await
            }
        }
    }

    async fn serve(
        mut self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        http2: bool,
    ) -> Result<(), String> {
        let builder = auto::Builder::new(TokioExecutor::new());
        let mut builder = match http2 {
            true => builder.http2_only(),
            false => builder.http1_only(),
        };
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.settings.header_timeout)
            .max_buf_size(MAX_HEADERS);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING)
            .initial_stream_window_size(WINDOWS.0)
            .initial_connection_window_size(WINDOWS.1)
            .max_header_list_size(u32::try_from(MAX_HEADERS).unwrap_or(u32::MAX))
            .max_concurrent_streams(self.settings.streams);
        let connection = builder.serve_connection(TokioIo::new(stream), self.service.clone());
        let mut connection = pin!(connection);
        // HTTP/2 has no bound on the time to its first request.
        let mut patience = pin!(tokio::time::sleep(self.settings.header_timeout));
        let mut waiting = true;
        loop {
            tokio::select! {
                ended = connection.as_mut() => return ended.map_err(text),
                _ = self.stopped.wait_for(|stopped| *stopped) => break,
                () = patience.as_mut(), if waiting => {
                    if !self.service.asked.load(Ordering::Relaxed) {
                        return Err("no request came in time".into());
                    }
                    waiting = false;
                }
            }
        }
        // The requests at hand are finished.
        connection.as_mut().graceful_shutdown();
        connection.await.map_err(text)
    }
}

fn text(error: impl ToString) -> String {
    error.to_string()
}

/// Whether a client begins with HTTP/2, which it may know of beforehand (RFC 9113 section 3.3). Nothing is
/// taken out of the stream.
async fn speaks_http2(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0; HTTP2_PREFACE.len()];
    loop {
        let seen = stream.peek(&mut first).await?;
        let seen = first.get(..seen).unwrap_or_default();
        if seen.is_empty() || !HTTP2_PREFACE.starts_with(seen) {
            return Ok(false);
        }
        if seen == HTTP2_PREFACE {
            return Ok(true);
        }
        // The rest of three bytes: there is no way to wait for more than what is there already.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
