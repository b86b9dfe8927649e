//! A client that says anything, and a server behind the wire that answers whatever it understood.
//!
//! Start at [`talk`]. Nothing is asked of the answers but that they come, and that the connection ends when
//! the client does; a panic in a task of the server ends the fuzzer by its hook.
#![forbid(unsafe_code)]

use std::sync::Arc;

use async_trait::async_trait;
use sqlsim::error::SqlError;
use sqlsim::server::Server;
use sqlsim::value::{Column, Value};
use sqlsim::wire::{
    Answer, Backend, BackendSession, Done, Event, LoginRequest, Request, ServerVersion, WireOptions,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio_util::sync::CancellationToken;

const PIPE_BYTES: usize = 1 << 20;

/// Sends the client's bytes, hangs up, and waits until the server has said all and let go.
///
/// # Panics
/// If the server does not end.
pub fn talk(client: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime without drivers").block_on(async {
        let server = Server::new(Arc::new(Echo), WireOptions::plain());
        let (ours, theirs) = duplex(PIPE_BYTES);
        server.serve_stream(theirs);
        let (mut from, mut to) = tokio::io::split(ours);
        let said = async {
            // The server may have hung up first.
            let _ = to.write_all(client).await;
            let _ = to.shutdown().await;
        };
        let heard = async {
            let mut answer = Vec::new();
            let _ = from.read_to_end(&mut answer).await;
        };
        tokio::join!(said, heard);
        server.stop().await;
    });
}

/// Messages of a client that logs in rightly and then says what `input` tells: for each, a byte for the kind
/// of message and one for its length in units of 16 bytes.
#[must_use]
pub fn framed(input: &[u8]) -> Vec<u8> {
    let mut bytes = packet(0x12, &[1, 0, 6, 0, 1, 0xFF, 2]);
    bytes.extend(packet(0x10, &login()));
    let mut left = input;
    while let [kind, length, rest @ ..] = left {
        let (payload, more) = rest.split_at(rest.len().min(usize::from(*length) * 16));
        bytes.extend(message(*kind, payload));
        left = more;
    }
    bytes
}

fn message(kind: u8, payload: &[u8]) -> Vec<u8> {
    let with_headers = || [&HEADERS[..], payload].concat();
    match kind % 6 {
        0 => packet(0x01, &with_headers()),
        1 | 2 => packet(0x03, &with_headers()),
        3 => packet(0x0E, &with_headers()),
        4 => packet(0x06, &[]),
        _ => packet(kind, payload),
    }
}

/// `ALL_HEADERS` with a transaction descriptor of zero.
const HEADERS: [u8; 22] = [
    22, 0, 0, 0, 18, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0,
];

fn packet(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 8).expect("inputs are short");
    let [high, low] = length.to_be_bytes();
    [&[kind, 1, high, low, 0, 0, 1, 0], payload].concat()
}

/// A LOGIN7 of user `sa` with an empty password.
fn login() -> Vec<u8> {
    const FIXED_BYTES: usize = 94;
    let user = [b's', 0, b'a', 0];
    let mut login = vec![0; FIXED_BYTES];
    login[0] = 98;
    login[4..8].copy_from_slice(&0x7400_0004_u32.to_le_bytes());
    login[8..12].copy_from_slice(&4096_u32.to_le_bytes());
    // Every text is empty and stands at the end of the fixed part, but the user's name.
    for at in [36, 40, 44, 48, 52, 56, 60, 64, 68, 78, 82, 86] {
        login[at] = 94;
    }
    login[42] = 2;
    login.extend(user);
    login
}

struct Echo;

#[async_trait]
impl Backend for Echo {
    async fn login(&self, _: &LoginRequest) -> Result<Box<dyn BackendSession>, SqlError> {
        Ok(Box::new(EchoSession))
    }

    fn server_name(&self) -> String {
        "FUZZ".to_owned()
    }

    fn version(&self) -> ServerVersion {
        ServerVersion {
            major: 16,
            minor: 0,
            build: 1000,
        }
    }
}

struct EchoSession;

#[async_trait]
impl BackendSession for EchoSession {
    fn spid(&self) -> i16 {
        51
    }

    fn database(&self) -> String {
        "master".to_owned()
    }

    async fn execute(&mut self, request: Request, answer: Answer, _: CancellationToken) {
        for event in echo(request) {
            if answer.send(event).await.is_err() {
                return;
            }
        }
    }
}

/// Parameters come back as columns of their own types, so that what was read is written again.
fn echo(request: Request) -> Vec<Event> {
    match request {
        Request::Batch(text) => vec![Event::Error(SqlError::new(102, 15, text))],
        Request::Rpc { parameters, .. } => {
            let columns = parameters.iter();
            let columns = columns.map(|it| Column::new(&it.name, it.ty.clone()));
            let columns = Event::Columns(columns.collect());
            let row: Vec<Value> = parameters.into_iter().map(|it| it.value).collect();
            let none = row.is_empty();
            let done = Event::Done(Done::in_procedure(Some(1)));
            if none {
                vec![done]
            } else {
                vec![columns, Event::Row(row), done]
            }
        }
        _ => Vec::new(),
    }
}
