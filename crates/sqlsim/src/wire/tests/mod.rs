//! The wire against real clients and hostile ones.
//!
//! Start at [`Stub`], a backend that does what a test tells it, and [`Raw`], a client that sends
//! bytes. `tiberius` is the well-behaved client. No test sleeps: where order matters, the stub
//! waits for a word from the test.

mod attention;
mod grammar;
mod hostile;
mod login;
mod requests;
mod results;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tiberius::{AuthMethod, Client, Config, EncryptionLevel};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::Notify;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};
use tokio_util::sync::CancellationToken;

use super::packet::{HEADER_BYTES, Kind};
use super::*;
use crate::error::SqlError;
use crate::server::Server;
use crate::value::{Column, SqlType, Value};

const PASSWORD: &str = "Größe§7";
const PIPE_BYTES: usize = 64 * 1024;

/// What the stub does for one request.
enum Step {
    Say(Event),
    /// Waits until the test opens the gate.
    Gate,
    /// Waits until the request is cancelled.
    Cancelled,
    /// Keeps the way to the client for later, as a thread of a backup might.
    KeepAnswer,
    /// Is killed by another session, hears of it at once and stops.
    KilledAndStopped,
    /// Breaks down, as only a bug can make it.
    Panic,
}

type Script = Box<dyn Fn(&Request) -> Vec<Step> + Send + Sync>;

/// A backend that plays a script and remembers what it was asked.
struct Stub {
    script: Script,
    seen: Mutex<Vec<Request>>,
    logins: Mutex<Vec<LoginRequest>>,
    gate: Notify,
    /// Told when a request was cancelled.
    cancelled: Notify,
    killed: CancellationToken,
    kept: Mutex<Vec<Answer>>,
    /// The number of the error that every login hears, if any.
    refusal: Option<i32>,
}

struct StubSession(Arc<Stub>);

/// Gives the backend its own `Arc` to hand to sessions.
struct StubBackend(Arc<Stub>);

#[async_trait]
impl Backend for StubBackend {
    async fn login(&self, login: &LoginRequest) -> Result<Box<dyn BackendSession>, SqlError> {
        self.0
            .logins
            .lock()
            .expect("no test panics under it")
            .push(login.clone());
        if let Some(number) = self.0.refusal {
            return Err(SqlError::new(number, 11, "You may not."));
        }
        if login.password != PASSWORD {
            let text = format!("Login failed for user '{}'.", login.user_name);
            return Err(SqlError::new(18456, 14, text));
        }
        Ok(Box::new(StubSession(Arc::clone(&self.0))))
    }

    fn server_name(&self) -> String {
        "SIM".to_owned()
    }

    fn version(&self) -> ServerVersion {
        ServerVersion {
            major: 16,
            minor: 0,
            build: 1000,
        }
    }
}

#[async_trait]
impl BackendSession for StubSession {
    fn spid(&self) -> i16 {
        51
    }

    fn database(&self) -> String {
        "BizTalkMgmtDb".to_owned()
    }

    async fn execute(&mut self, request: Request, answer: Answer, cancel: CancellationToken) {
        let steps = (self.0.script)(&request);
        self.0
            .seen
            .lock()
            .expect("no test panics under it")
            .push(request);
        for step in steps {
            match step {
                Step::Say(event) => {
                    if answer.send(event).await.is_err() {
                        return;
                    }
                }
                Step::Gate => self.0.gate.notified().await,
                Step::KeepAnswer => {
                    let mut kept = self.0.kept.lock().expect("no test panics under it");
                    kept.push(answer.clone());
                }
                Step::KilledAndStopped => self.0.killed.cancel(),
                Step::Panic => panic!("a session that breaks down"),
                Step::Cancelled => {
                    cancel.cancelled().await;
                    self.0.cancelled.notify_one();
                }
            }
        }
    }

    fn killed(&self) -> CancellationToken {
        self.0.killed.clone()
    }
}

impl Stub {
    fn new(script: impl Fn(&Request) -> Vec<Step> + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            script: Box::new(script),
            seen: Mutex::default(),
            logins: Mutex::default(),
            gate: Notify::new(),
            cancelled: Notify::new(),
            killed: CancellationToken::new(),
            kept: Mutex::default(),
            refusal: None,
        })
    }

    /// A stub that lets nobody in.
    fn refusing(number: i32) -> Arc<Self> {
        let mut stub = Arc::into_inner(Self::saying(Vec::new())).expect("nobody else has it");
        stub.refusal = Some(number);
        Arc::new(stub)
    }

    /// A stub that says the same to every request.
    fn saying(events: Vec<Event>) -> Arc<Self> {
        Self::new(move |_| events.iter().cloned().map(Step::Say).collect())
    }

    fn server(self: &Arc<Self>, options: WireOptions) -> Server {
        Server::new(Arc::new(StubBackend(Arc::clone(self))), options)
    }

    fn seen(&self) -> Vec<Request> {
        self.seen.lock().expect("no test panics under it").clone()
    }

    fn last_login(&self) -> LoginRequest {
        let logins = self.logins.lock().expect("no test panics under it");
        logins.last().expect("someone logged in").clone()
    }
}

type PipeClient = Client<Compat<DuplexStream>>;

fn config(encryption: EncryptionLevel) -> Config {
    let mut config = Config::new();
    config.host("localhost");
    config.authentication(AuthMethod::sql_server("sa", PASSWORD));
    config.encryption(encryption);
    config
}

async fn connect_with(server: &Server, config: Config) -> tiberius::Result<PipeClient> {
    let (ours, theirs) = duplex(PIPE_BYTES);
    server.serve_stream(theirs);
    // Boxed, because a tiberius login is a future of 17 KiB.
    Box::pin(Client::connect(config, ours.compat_write())).await
}

/// A tiberius client of a server without TLS.
async fn connect(stub: &Arc<Stub>) -> PipeClient {
    let server = stub.server(WireOptions::plain());
    connect_with(&server, config(EncryptionLevel::NotSupported))
        .await
        .expect("login")
}

fn number_column() -> Event {
    Event::Columns(vec![Column::new("n", SqlType::Int)])
}

fn number_row(number: i64) -> Event {
    Event::Row(vec![Value::Int(number)])
}

fn error(number: i32) -> Event {
    Event::Error(SqlError::new(number, 16, format!("error {number}")))
}

fn info(text: &str) -> Event {
    Event::Info(SqlError::new(3211, 0, text))
}

/// A client that sends bytes and reads packets.
struct Raw {
    stream: DuplexStream,
}

struct Packet {
    last: bool,
    payload: Vec<u8>,
}

impl Raw {
    async fn connect(stub: &Arc<Stub>, options: WireOptions) -> Self {
        Self::connect_asking(&stub.server(options), 4096).await
    }

    /// Logs in, asking for packets of a size.
    async fn connect_asking(server: &Server, packet_bytes: u32) -> Self {
        let (stream, theirs) = duplex(PIPE_BYTES);
        server.serve_stream(theirs);
        let mut raw = Self { stream };
        raw.send(0x12, 1, &[1, 0, 6, 0, 1, 0xFF, 2]).await;
        raw.message().await;
        raw.send(0x10, 1, &login7(packet_bytes)).await;
        raw.message().await;
        raw
    }

    async fn send(&mut self, kind: u8, status: u8, payload: &[u8]) {
        let length = u16::try_from(payload.len() + HEADER_BYTES).expect("a short message");
        let [high, low] = length.to_be_bytes();
        let mut packet = vec![kind, status, high, low, 0, 0, 1, 0];
        packet.extend(payload);
        self.stream
            .write_all(&packet)
            .await
            .expect("the server reads");
    }

    async fn packet(&mut self) -> Packet {
        let mut header = [0; HEADER_BYTES];
        self.stream
            .read_exact(&mut header)
            .await
            .expect("the server answers");
        assert_eq!(header[0], 4, "an answer");
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let mut payload = vec![0; length - HEADER_BYTES];
        self.stream
            .read_exact(&mut payload)
            .await
            .expect("a whole packet");
        Packet {
            last: header[1] & 1 != 0,
            payload,
        }
    }

    /// The payload of a whole message.
    async fn message(&mut self) -> Vec<u8> {
        let mut whole = Vec::new();
        loop {
            let packet = self.packet().await;
            whole.extend(packet.payload);
            if packet.last {
                return whole;
            }
        }
    }

    async fn batch(&mut self, sql: &str) {
        self.send(0x01, 1, &batch(sql)).await;
    }

    async fn attention(&mut self) {
        self.send(0x06, 1, &[]).await;
    }

    /// True when the server has closed the stream.
    async fn is_over(&mut self) -> bool {
        let mut byte = [0];
        matches!(self.stream.read(&mut byte).await, Ok(0) | Err(_))
    }
}

fn all_headers() -> Vec<u8> {
    let mut headers = vec![22, 0, 0, 0, 18, 0, 0, 0, 2, 0];
    headers.extend([0; 8]);
    headers.extend([1, 0, 0, 0]);
    headers
}

fn utf16_bytes(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn batch(sql: &str) -> Vec<u8> {
    let mut payload = all_headers();
    payload.extend(utf16_bytes(sql));
    payload
}

/// A LOGIN7 with user `sa` and the right password.
fn login7(packet_bytes: u32) -> Vec<u8> {
    let user = utf16_bytes("sa");
    let password: Vec<u8> = utf16_bytes(PASSWORD)
        .iter()
        .map(|byte| byte.rotate_left(4) ^ 0xA5)
        .collect();
    let mut fixed = vec![0; 94];
    let put = |fixed: &mut Vec<u8>, at: usize, offset: usize, bytes: usize| {
        let offset = u16::try_from(offset).expect("a short login");
        let characters = u16::try_from(bytes / 2).expect("a short login");
        fixed[at..at + 2].copy_from_slice(&offset.to_le_bytes());
        fixed[at + 2..at + 4].copy_from_slice(&characters.to_le_bytes());
    };
    let length = u32::try_from(94 + user.len() + password.len()).expect("a short login");
    fixed[..4].copy_from_slice(&length.to_le_bytes());
    fixed[4..8].copy_from_slice(&0x7400_0004_u32.to_le_bytes());
    fixed[8..12].copy_from_slice(&packet_bytes.to_le_bytes());
    put(&mut fixed, 40, 94, user.len());
    put(&mut fixed, 44, 94 + user.len(), password.len());
    fixed.extend(user);
    fixed.extend(password);
    fixed
}

/// A DONE token as it stands at the end of an answer.
fn done_bytes(kind: u8, status: u8) -> Vec<u8> {
    let mut bytes = vec![kind, status];
    bytes.extend([0; 11]);
    bytes
}
