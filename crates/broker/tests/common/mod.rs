//! A broker at work, and in the place of the TEE something that speaks the frames of the link.

use std::{
    collections::HashMap,
    io::{Read, Write},
    net::Shutdown,
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use tamarack_agent::link::{Call, ComponentKind, InstalledComponent, Reply, STREAM_CHUNK};
use tamarack_broker::{Config, Server};
use tamarack_client::{Client, Session, api::OpenSession};

/// Commands of the applications in this TEE.
pub(crate) const ECHO: u32 = 1;
/// Reads all input, and returns its length in eight bytes.
pub(crate) const COUNT: u32 = 2;
/// Waits until it is cancelled.
pub(crate) const WAIT: u32 = 3;
/// Writes a megabyte and returns [`OWN_CODE`].
pub(crate) const FAIL_LATE: u32 = 4;
/// Writes until it is cancelled.
pub(crate) const FLOOD: u32 = 5;
/// Writes a megabyte and breaks the link off.
pub(crate) const BREAK: u32 = 6;
/// Returns "done" without reading any input.
pub(crate) const IGNORE: u32 = 7;
/// Returns [`OWN_CODE`].
pub(crate) const FAIL: u32 = 8;
/// Dies.
pub(crate) const DIE: u32 = 9;
/// Writes a megabyte, asks for input, and returns the code that an application returns whose input failed.
pub(crate) const ASK: u32 = 10;
/// Asks for input, and when it is cancelled ends without it: before the cancellation is answered, the link is closed.
pub(crate) const QUIT: u32 = 11;

/// A result code of the application's own.
pub(crate) const OWN_CODE: u32 = 0x77;

pub(crate) const CANCEL: u32 = 0xFFFF_0002;
pub(crate) const TARGET_DEAD: u32 = 0xFFFF_3024;
const BAD_STATE: u32 = 0xFFFF_0007;
const ITEM_NOT_FOUND: u32 = 0xFFFF_0008;

/// Longer than anything takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What was said to the TEE.
#[derive(Debug, Default)]
pub(crate) struct FakeTee {
    state: Mutex<State>,
    changed: Condvar,
    /// Bytes of input that commands have read.
    pub(crate) consumed: AtomicU64,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    next: u64,
    /// Open sessions, and whether their command was cancelled.
    pub(crate) open: HashMap<u64, bool>,
    /// Component, user and input of each session that was opened.
    pub(crate) opened: Vec<(String, Option<u32>, Vec<u8>)>,
    /// Commands that are under way.
    pub(crate) running: Vec<u32>,
    /// Commands that have ended.
    pub(crate) ended: Vec<u32>,
    /// Reasons for which input failed.
    pub(crate) input_failed: Vec<String>,
}

struct Link(UnixStream);

impl Link {
    fn hear(&mut self) -> Option<Call> {
        let mut length = [0; 4];
        self.0.read_exact(&mut length).ok()?;
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        self.0.read_exact(&mut frame).ok()?;
        Some(Call::decode(&frame).unwrap())
    }

    #[must_use]
    fn say(&mut self, reply: &Reply) -> bool {
        let frame = reply.encode();
        let length = u32::try_from(frame.len()).unwrap().to_be_bytes();
        self.0.write_all(&[&length, &frame[..]].concat()).is_ok()
    }
}

impl FakeTee {
    fn listen(self: &Arc<Self>, listener: UnixListener) {
        let tee = Arc::clone(self);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let tee = Arc::clone(&tee);
                let mut link = Link(stream.unwrap());
                thread::spawn(move || {
                    if let Some(call) = link.hear()
                        && let Some(reply) = tee.answer(call, &mut link)
                    {
                        let _ = link.say(&reply);
                    }
                });
            }
        });
    }

    /// Waits until what was said to the TEE has this effect.
    #[track_caller]
    pub(crate) fn until<T>(
        &self,
        what: &str,
        mut answer: impl FnMut(&mut State) -> Option<T>,
    ) -> T {
        let mut state = self.state.lock().unwrap();
        loop {
            if let Some(answer) = answer(&mut state) {
                return answer;
            }
            let (next, waited) = self.changed.wait_timeout(state, PATIENCE).unwrap();
            assert!(!waited.timed_out(), "{what}: not within {PATIENCE:?}");
            state = next;
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.state.lock().unwrap());
        self.changed.notify_all();
        changed
    }

    fn cancelled(&self, session: u64) -> bool {
        let state = self.state.lock().unwrap();
        state.open.get(&session).copied().unwrap_or(true)
    }

    fn until_cancelled(&self, session: u64) {
        self.until("the command is cancelled", |state| {
            state
                .open
                .get(&session)
                .copied()
                .unwrap_or(true)
                .then_some(())
        });
    }

    fn answer(&self, call: Call, link: &mut Link) -> Option<Reply> {
        Some(match call {
            Call::List => {
                Reply::Components(vec![component("acme/hello"), component("globex/safe")])
            }
            Call::OpenSession { component, .. } if component.to_string() == "acme/none" => {
                Reply::failed(ITEM_NOT_FOUND, "no trusted application is installed")
            }
            Call::OpenSession { component, .. } if component.to_string() == "acme/closed" => {
                Reply::failed(OWN_CODE, "the application refused the session")
            }
            Call::OpenSession {
                component,
                user,
                input,
            } => Reply::Session(self.change(|state| {
                state.next += 1;
                state.open.insert(state.next, false);
                state.opened.push((component.to_string(), user, input));
                state.next
            })),
            Call::CloseSession { session } => {
                self.change(|state| match state.open.remove(&session) {
                    Some(_) => Reply::NoData,
                    None => Reply::failed(BAD_STATE, "no such session"),
                })
            }
            Call::Cancel { session } => {
                let quits = self.change(|state| {
                    if let Some(cancelled) = state.open.get_mut(&session) {
                        *cancelled = true;
                    }
                    state.running.contains(&QUIT)
                });
                if quits {
                    self.until("the command has ended", |state| {
                        state.ended.contains(&QUIT).then_some(())
                    });
                }
                Reply::NoData
            }
            Call::Invoke {
                session,
                command,
                input,
            } => self.command(session, command, |tee| match command {
                ECHO => Some((0, input)),
                _ => tee.perform(session, command, link),
            })?,
            Call::InvokeStreaming { session, command } => {
                self.command(session, command, |tee| tee.perform(session, command, link))?
            }
            other => panic!("{other:?}"),
        })
    }

    /// Runs a command in a session; nothing if the link is gone.
    fn command(
        &self,
        session: u64,
        command: u32,
        perform: impl FnOnce(&Self) -> Option<(u32, Vec<u8>)>,
    ) -> Option<Reply> {
        let open = self.change(|state| {
            if let Some(cancelled) = state.open.get_mut(&session) {
                *cancelled = false;
                state.running.push(command);
                return true;
            }
            false
        });
        if !open {
            return Some(Reply::failed(BAD_STATE, "no such session"));
        }
        let ended = perform(self);
        self.change(|state| {
            state.running.retain(|running| *running != command);
            state.ended.push(command);
            if ended
                .as_ref()
                .is_some_and(|(result, _)| *result == TARGET_DEAD)
            {
                state.open.remove(&session);
            }
        });
        let (result, output) = ended?;
        Some(Reply::Output { result, output })
    }

    fn perform(&self, session: u64, command: u32, link: &mut Link) -> Option<(u32, Vec<u8>)> {
        let megabyte = |link: &mut Link| {
            (0..16).all(|_| link.say(&Reply::OutputChunk(vec![b'x'; STREAM_CHUNK])))
        };
        match command {
            ECHO | COUNT => {
                let mut length = 0_u64;
                loop {
                    if !link.say(&Reply::NextInput) {
                        return None;
                    }
                    match link.hear()? {
                        Call::InputChunk(chunk) => {
                            length += chunk.len() as u64;
                            self.consumed
                                .fetch_add(chunk.len() as u64, Ordering::Relaxed);
                            if command == ECHO && !link.say(&Reply::OutputChunk(chunk)) {
                                return None;
                            }
                        }
                        Call::InputEnd if command == ECHO => return Some((0, Vec::new())),
                        Call::InputEnd => return Some((0, length.to_be_bytes().to_vec())),
                        Call::InputFailed(reason) => {
                            self.change(|state| state.input_failed.push(reason));
                            return Some((CANCEL, Vec::new()));
                        }
                        other => panic!("{other:?}"),
                    }
                }
            }
            WAIT => {
                self.until_cancelled(session);
                Some((CANCEL, Vec::new()))
            }
            QUIT => {
                let asked = link.say(&Reply::NextInput);
                self.until_cancelled(session);
                let ended = Reply::Output {
                    result: CANCEL,
                    output: Vec::new(),
                };
                if asked && link.say(&ended) {
                    link.0.shutdown(Shutdown::Both).unwrap();
                }
                None
            }
            FAIL_LATE => megabyte(link).then_some((OWN_CODE, Vec::new())),
            FLOOD => {
                while !self.cancelled(session) {
                    if !link.say(&Reply::OutputChunk(vec![b'x'; STREAM_CHUNK])) {
                        return None;
                    }
                }
                Some((CANCEL, Vec::new()))
            }
            BREAK => {
                let _ = megabyte(link);
                None
            }
            IGNORE => Some((0, b"done".to_vec())),
            FAIL => Some((OWN_CODE, Vec::new())),
            DIE => Some((TARGET_DEAD, Vec::new())),
            ASK => {
                if !megabyte(link) || !link.say(&Reply::NextInput) {
                    return None;
                }
                if let Call::InputFailed(reason) = link.hear()? {
                    self.change(|state| state.input_failed.push(reason));
                }
                Some((CANCEL, Vec::new()))
            }
            other => panic!("no such command: {other}"),
        }
    }
}

fn component(name: &str) -> InstalledComponent {
    InstalledComponent {
        component: name.parse().unwrap(),
        kind: ComponentKind::Application,
        domain: name.split('/').next().unwrap().into(),
        manifest: format!("{name}/suit").parse().unwrap(),
        sequence_number: 1,
        size: 4,
        digest: "ab".into(),
    }
}

/// A broker between a client and the TEE, in a folder.
pub(crate) struct World {
    pub(crate) tee: Arc<FakeTee>,
    pub(crate) client: Client,
    pub(crate) socket: PathBuf,
    _runtime: tokio::runtime::Runtime,
    _folder: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Config::default())
    }

    /// A broker with this configuration, sockets aside.
    pub(crate) fn with(config: Config) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("app.sock");
        let tee_socket = folder.path().join("tee.sock");
        let tee = Arc::new(FakeTee::default());
        tee.listen(UnixListener::bind(&tee_socket).unwrap());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let config = Config {
            tees: vec![tee_socket],
            socket: socket.clone(),
            ..config
        };
        let server = runtime.block_on(Server::open(config)).unwrap();
        runtime.spawn(server.serve(std::future::pending()));
        Self {
            tee,
            client: Client::new(&socket),
            socket,
            _runtime: runtime,
            _folder: folder,
        }
    }

    /// A session with `acme/hello`.
    #[track_caller]
    pub(crate) fn open(&self) -> Session {
        let hello = OpenSession {
            component: "acme/hello".into(),
            ..OpenSession::default()
        };
        self.client.open(&hello).unwrap()
    }
}
