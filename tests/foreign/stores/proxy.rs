//! A proxy between the agent and a real server that counts bytes and does harm on demand.
//!
//! Start at [`Proxy::to`]. It works on connections, not on requests, so it needs to understand little of HTTP: that an
//! answer may be sent instead of the server's, which part of an upload a request brings, and whether the server
//! turned a request away. The signature covers the address that the agent was given, so the server sees a valid
//! request.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What is done to connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Harm {
    /// Nothing.
    None,
    /// So many connections are answered `503 Slow Down` without asking the server.
    Busy(u32),
    /// So many connections break off after this many bytes to the server.
    CutUpload(u32, u64),
    /// So many connections break off after this many bytes from the server.
    CutAnswer(u32, u64),
    /// So many connections have one bit flipped at this byte from the server.
    FlipAnswer(u32, u64),
}

/// A proxy that ends with its last user.
pub(super) struct Proxy {
    state: Arc<State>,
    port: u16,
    accepting: JoinHandle<()>,
}

struct State {
    server: String,
    harm: Mutex<Harm>,
    sent_bytes: watch::Sender<u64>,
    begun: Mutex<BTreeSet<usize>>,
    refused: AtomicU64,
    harmed: AtomicU64,
}

const BUSY: &str = "HTTP/1.1 503 Slow Down\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

impl Proxy {
    /// A proxy to a server, `host:port`.
    pub(super) async fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let state = Arc::new(State {
            server: server.to_owned(),
            harm: Mutex::new(Harm::None),
            sent_bytes: watch::Sender::new(0),
            begun: Mutex::default(),
            refused: AtomicU64::new(0),
            harmed: AtomicU64::new(0),
        });
        let shared = state.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, shared.clone()));
            }
        });
        Self {
            state,
            port,
            accepting,
        }
    }

    /// Where it listens.
    pub(super) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Does this to connections from now on.
    pub(super) fn harm(&self, harm: Harm) {
        *self
            .state
            .harm
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = harm;
    }

    /// Bytes that went to the server so far, requests' heads included.
    pub(super) fn sent_bytes(&self) -> u64 {
        *self.state.sent_bytes.borrow()
    }

    /// Returns when so many bytes went to the server.
    pub(super) async fn sent_at_least(&self, bytes: u64) {
        let mut watch = self.state.sent_bytes.subscribe();
        let _ = watch.wait_for(|sent| *sent >= bytes).await;
    }

    /// The parts of uploads that were begun to be sent so far, by number from 0; one that was sent twice counts once.
    pub(super) fn begun(&self) -> BTreeSet<usize> {
        let begun = self.state.begun.lock();
        begun.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Requests that the server itself could not do (`5xx`), and that the client library therefore repeats.
    pub(super) fn refused(&self) -> u64 {
        self.state.refused.load(Ordering::SeqCst)
    }

    /// Connections that were harmed so far.
    pub(super) fn harmed(&self) -> u64 {
        self.state.harmed.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl State {
    /// The harm that a new connection gets; one that it is counted for.
    fn take_harm(&self) -> Harm {
        let is_for_new = |harm| matches!(harm, Harm::Busy(_) | Harm::CutUpload(..));
        self.take_if(is_for_new).unwrap_or(Harm::None)
    }

    /// The harm to an answer that comes to these bytes of its connection. Sizes and bytes are asked for side by side, so
    /// that nobody knows before which connection will carry that much.
    fn take_answer_harm(&self, bytes: &Range<u64>) -> Harm {
        let comes_to = |harm| match harm {
            Harm::CutAnswer(_, at) | Harm::FlipAnswer(_, at) => bytes.contains(&at),
            _ => false,
        };
        self.take_if(comes_to).unwrap_or(Harm::None)
    }

    fn note_begun(&self, parts: impl Iterator<Item = usize>) {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.extend(parts);
    }

    /// An answer begins where bytes begin to arrive, for the next request waits for its end.
    fn note_refused(&self, arrived: &[u8]) {
        if arrived.starts_with(b"HTTP/1.1 5") {
            self.refused.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn take_if(&self, is_wanted: impl Fn(Harm) -> bool) -> Option<Harm> {
        let mut harm = self.harm.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = Some(*harm).filter(|harm| is_wanted(*harm))?;
        *harm = match taken {
            Harm::Busy(left) if left > 1 => Harm::Busy(left - 1),
            Harm::CutUpload(left, at) if left > 1 => Harm::CutUpload(left - 1, at),
            Harm::CutAnswer(left, at) if left > 1 => Harm::CutAnswer(left - 1, at),
            Harm::FlipAnswer(left, at) if left > 1 => Harm::FlipAnswer(left - 1, at),
            _ => Harm::None,
        };
        Some(taken)
    }
}

/// Finds the heads of requests that bring a part in what a client sends. The files that are sent here hold no such words.
#[derive(Default)]
struct Heads {
    /// What may be the beginning of a number that is not whole yet.
    kept: Vec<u8>,
}

/// How S3 names a part, from 1, in the address of the request.
const PART: &[u8] = b"partNumber=";

/// More digits than any number of a part has.
const DIGITS_MAX: usize = 8;

impl Heads {
    /// The parts, from 0, whose numbers end in these bytes.
    fn parts_of(&mut self, arrived: &[u8]) -> impl Iterator<Item = usize> {
        self.kept.extend_from_slice(arrived);
        let mut parts = Vec::new();
        let mut end = 0;
        for at in 0..self.kept.len() {
            let Some(rest) = self.kept[at..].strip_prefix(PART) else {
                continue;
            };
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits < rest.len() {
                let number = str::from_utf8(&rest[..digits]).expect("digits");
                parts.push(number.parse::<usize>().expect("a number from 1") - 1);
                end = at + PART.len();
            }
        }
        let from = self.kept.len().saturating_sub(PART.len() + DIGITS_MAX);
        self.kept.drain(..from.max(end));
        parts.into_iter()
    }
}

async fn serve(mut client: TcpStream, state: Arc<State>) {
    let harm = state.take_harm();
    if let Harm::Busy(_) = harm {
        state.harmed.fetch_add(1, Ordering::SeqCst);
        // The request is taken in first: an answer before it would be a broken connection to the client.
        let mut ignored = vec![0; 1 << 16];
        let _ = client.read(&mut ignored).await;
        let _ = client.write_all(BUSY.as_bytes()).await;
        let _ = client.shutdown().await;
        while client.read(&mut ignored).await.is_ok_and(|read| read > 0) {}
        return;
    }
    let Ok(server) = TcpStream::connect(&state.server).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let up = pump(from_client, to_server, Way::ToServer, harm, &state);
    let down = pump(from_server, to_client, Way::ToClient, harm, &state);
    // Either end closes both: a connection that is cut is cut on both sides.
    tokio::select! { () = up => {}, () = down => {} }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    ToServer,
    ToClient,
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    way: Way,
    harm: Harm,
    state: &State,
) {
    let mut buffer = vec![0; 1 << 16];
    let mut passed = 0_u64;
    let mut heads = Heads::default();
    loop {
        let Ok(read @ 1..) = from.read(&mut buffer).await else {
            return;
        };
        let end = passed + read as u64;
        let harm = match way {
            Way::ToServer => {
                state.note_begun(heads.parts_of(&buffer[..read]));
                harm
            }
            Way::ToClient => {
                state.note_refused(&buffer[..read]);
                state.take_answer_harm(&(passed..end))
            }
        };
        match harm {
            Harm::CutUpload(_, at) | Harm::CutAnswer(_, at) if end > at => {
                state.harmed.fetch_add(1, Ordering::SeqCst);
                return;
            }
            Harm::FlipAnswer(_, at) => {
                state.harmed.fetch_add(1, Ordering::SeqCst);
                let at = usize::try_from(at - passed).expect("inside the buffer");
                buffer[at] ^= 1;
            }
            _ => {}
        }
        passed = end;
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
        if way == Way::ToServer {
            state.sent_bytes.send_modify(|sent| *sent += read as u64);
        }
    }
}
