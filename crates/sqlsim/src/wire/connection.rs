//! The life of one connection, from its first byte to its end.
//!
//! Start at [`serve`]. Three parties work side by side: a task that reads messages, a task per
//! request in which the session works, and this one, which writes. Only so can an attention reach
//! a request that runs. Whatever goes wrong here ends this connection and no other.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use tokio::io::{AsyncWrite, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::answer::{Answering, Then};
use super::api::{BackendSession, DoneKind, Event, Request, SharedBackend};
use super::faults::{ConnectionFaults, NoFaults, Verdict};
use super::malformed::Ended;
use super::packet::{self, Kind, MESSAGE_BYTES_MAX, Message, Outgoing};
use super::prelogin::Encryption;
use super::request::{self, Asked};
use super::stream::{AnyStream, Duplex};
use super::{greeting, open, token};
use crate::certificate::TlsSetup;
use crate::error::SqlError;
use crate::messages;

/// Events on their way from a session to its client.
const EVENTS_MAX: usize = 256;
/// Messages that a client may send ahead while a request runs.
const MESSAGES_AHEAD_MAX: usize = 4;

/// How a server treats its connections.
#[derive(Clone)]
pub struct WireOptions {
    /// How much it insists on encryption. Without `tls` it is [`Encryption::Never`].
    pub encryption: Encryption,
    /// The server's certificate.
    pub tls: Option<TlsSetup>,
    /// How an attention is acknowledged.
    pub attention: AttentionForm,
    /// What breaks connections.
    pub faults: Arc<dyn ConnectionFaults>,
}

/// How an attention is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AttentionForm {
    /// The answer ends as a message of its own; the acknowledgement is another. tedious needs it.
    #[default]
    TwoMessages,
    /// The acknowledgement ends the answer's message.
    OneMessage,
}

impl WireOptions {
    /// No encryption, no faults.
    #[must_use]
    pub fn plain() -> Self {
        Self {
            encryption: Encryption::Never,
            tls: None,
            attention: AttentionForm::default(),
            faults: Arc::new(NoFaults),
        }
    }

    /// SQL Server's default: a certificate, and the login encrypted at least.
    #[must_use]
    pub fn with_tls(tls: TlsSetup) -> Self {
        Self {
            encryption: Encryption::LoginOnly,
            tls: Some(tls),
            ..Self::plain()
        }
    }
}

/// What all connections of a server share.
pub(crate) struct Shared {
    pub(crate) backend: SharedBackend,
    pub(crate) options: WireOptions,
    /// Fires when the server stops.
    pub(crate) stop: CancellationToken,
    /// The tasks that must be over before the server is.
    pub(crate) tasks: TaskTracker,
}

/// Serves one connection of `peer` until it ends. Never fails: the end is told to the log, in one
/// line.
pub(crate) async fn serve<S: Duplex + 'static>(stream: S, peer: String, shared: Arc<Shared>) {
    let mut spid = None;
    let ended = tokio::select! {
        ended = run(stream, &shared, &mut spid) => ended.err().unwrap_or(Ended::HungUp),
        () = shared.stop.cancelled() => Ended::ByServer("the server stops"),
    };
    let session = spid.map_or_else(String::new, |spid| format!(", session {spid}"));
    if is_ordinary(&ended) {
        tracing::debug!("connection from {peer}{session}: {ended}");
    } else {
        tracing::warn!("connection from {peer}{session}: {ended}");
    }
}

/// Clients vanish all the time, by closing or by dying; only what hints at a fault is a warning.
fn is_ordinary(ended: &Ended) -> bool {
    match ended {
        Ended::HungUp | Ended::ByServer(_) | Ended::Fault => true,
        Ended::Malformed(_) => false,
        Ended::Io(error) => matches!(
            error.kind(),
            io::ErrorKind::ConnectionReset
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::UnexpectedEof
        ),
    }
}

async fn run<S: Duplex + 'static>(
    stream: S,
    shared: &Shared,
    spid: &mut Option<i16>,
) -> Result<(), Ended> {
    obey(shared.options.faults.connecting().await)?;
    let (stream, login) = open::open(stream, &shared.options, shared.backend.version()).await?;
    let (from, to) = tokio::io::split(stream);
    let mut outgoing = Outgoing::new(to);
    let session = match shared.backend.login(&login.request).await {
        Ok(session) => session,
        Err(error) => {
            let user_name = &login.request.user_name;
            let ended = refuse(&mut outgoing, error, user_name, shared).await;
            return Err(ended.err().unwrap_or(Ended::ByServer("login refused")));
        }
    };
    *spid = Some(session.spid());
    outgoing.set_spid(session.spid());
    greeting::greet(
        &mut outgoing.tokens,
        &login,
        shared.backend.as_ref(),
        session.as_ref(),
    );
    outgoing.end_message().await?;
    outgoing.set_packet_bytes(login.request.packet_bytes);
    let mut connection = Connection {
        incoming: Incoming::start(from),
        spid: session.spid(),
        killed: session.killed(),
        session: Some(session),
        outgoing,
        shared,
        said: 0,
    };
    let ended = connection.talk().await;
    if matches!(ended, Err(Ended::ByServer(_))) {
        connection.outgoing.hang_up().await?;
    }
    ended
}

/// Tells why a login was refused. SQL Server says 18456 last, whatever it said before.
async fn refuse<W: AsyncWrite + Unpin>(
    outgoing: &mut Outgoing<W>,
    error: SqlError,
    user_name: &str,
    shared: &Shared,
) -> Result<(), Ended> {
    let last = messages::login_failed(user_name);
    let is_last = error.number == last.number;
    for error in std::iter::once(error).chain((!is_last).then_some(last)) {
        let server_name = shared.backend.server_name();
        token::message(&mut outgoing.tokens, &error, &server_name);
    }
    token::done(
        &mut outgoing.tokens,
        DoneKind::Statement,
        token::DONE_ERROR,
        0,
        0,
    );
    outgoing.end_message().await?;
    outgoing.hang_up().await
}

const fn obey(verdict: Verdict) -> Result<(), Ended> {
    match verdict {
        Verdict::Pass => Ok(()),
        Verdict::Cut => Err(Ended::Fault),
    }
}

/// Messages from the client, read by a task of their own.
struct Incoming {
    messages: mpsc::Receiver<Result<Message, Ended>>,
    /// Sent ahead while a request ran.
    ahead: VecDeque<Message>,
    _reader: AbortOnDropHandle<()>,
}

impl Incoming {
    fn start(mut from: ReadHalf<AnyStream>) -> Self {
        let (to, messages) = mpsc::channel(1);
        let reader = tokio::spawn(async move {
            loop {
                let message = packet::read_message(&mut from, MESSAGE_BYTES_MAX).await;
                let last = message.is_err();
                if to.send(message).await.is_err() || last {
                    return;
                }
            }
        });
        Self {
            messages,
            ahead: VecDeque::new(),
            _reader: AbortOnDropHandle::new(reader),
        }
    }

    async fn next(&mut self) -> Result<Message, Ended> {
        match self.ahead.pop_front() {
            Some(message) => Ok(message),
            None => self.receive().await,
        }
    }

    async fn receive(&mut self) -> Result<Message, Ended> {
        self.messages.recv().await.unwrap_or(Err(Ended::HungUp))
    }
}

/// A connection that has logged in.
struct Connection<'a> {
    incoming: Incoming,
    outgoing: Outgoing<WriteHalf<AnyStream>>,
    /// Away while it works on a request.
    session: Option<Box<dyn BackendSession>>,
    spid: i16,
    killed: CancellationToken,
    shared: &'a Shared,
    /// Events said since login.
    said: u64,
}

/// Whether a request came to its own end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Finished,
    Interrupted,
}

impl Connection<'_> {
    /// Answers messages until the connection ends.
    async fn talk(&mut self) -> Result<(), Ended> {
        loop {
            let message = tokio::select! {
                message = self.incoming.next() => message?,
                () = self.killed.cancelled() => return Err(Ended::ByServer("session killed")),
            };
            if message.kind == Kind::Attention {
                self.acknowledge_attention().await?;
            } else {
                self.answer(message).await?;
            }
        }
    }

    async fn answer(&mut self, message: Message) -> Result<(), Ended> {
        let mut answering = Answering::new(self.shared.backend.server_name());
        let tokens = &mut self.outgoing.tokens;
        if message.ignored {
            // Taken back by the client, which still waits for an answer (tedious reads one).
            answering.end_interrupted(tokens);
            return self.outgoing.end_message().await;
        }
        let asked = request::parse(message.kind, &message.payload)?;
        let mut requests = VecDeque::new();
        match asked {
            Asked::For(asked) => requests.extend(asked),
            Asked::Wrongly(error) => {
                answering.event(tokens, Event::Error(error));
                answering.end(tokens, DoneKind::Statement, false);
                return self.outgoing.end_message().await;
            }
        }
        if let Some(keep_transaction) = message.reset {
            token::session_reset(tokens);
            requests.push_front(Request::Reset { keep_transaction });
        }
        while let Some(request) = requests.pop_front() {
            let more = !requests.is_empty();
            if self.execute(request, more, &mut answering).await? == Outcome::Interrupted {
                return self.end_interrupted(&mut answering).await;
            }
        }
        self.outgoing.end_message().await
    }

    /// Lets the session work on one request and writes what it says.
    async fn execute(
        &mut self,
        request: Request,
        more: bool,
        answering: &mut Answering,
    ) -> Result<Outcome, Ended> {
        let Some(session) = self.session.take() else {
            return Err(Ended::ByServer("the session is gone"));
        };
        let kind = match request {
            Request::Rpc { .. } => DoneKind::Procedure,
            _ => DoneKind::Statement,
        };
        let resetting = matches!(request, Request::Reset { .. });
        let (answer, mut events) = mpsc::channel(EVENTS_MAX);
        let cancel = CancellationToken::new();
        // If this connection ends in the meantime, the session is told and ends by itself.
        let _guard = cancel.clone().drop_guard();
        let working = self
            .shared
            .tasks
            .spawn(work(session, request, answer, cancel.clone()));
        tokio::pin!(working);
        let mut outcome = Outcome::Finished;
        let mut urgent = false;
        let mut talking = true;
        while talking || self.session.is_none() {
            let listening =
                outcome == Outcome::Finished && self.incoming.ahead.len() < MESSAGES_AHEAD_MAX;
            tokio::select! {
                event = events.recv(), if talking => match event {
                    None => talking = false,
                    Some(Event::Done(_)) if resetting => {}
                    Some(event) => {
                        urgent |= self.say(answering, event).await?;
                        if urgent && events.is_empty() {
                            self.outgoing.send_partial().await?;
                            urgent = false;
                        }
                    }
                },
                session = &mut working, if self.session.is_none() => {
                    let broken = Ended::ByServer("the session broke down");
                    self.session = Some(session.map_err(|_| broken)?);
                    // Whoever still holds a sender (a thread of a backup) talks to no one now.
                    events.close();
                }
                message = self.incoming.receive(), if listening => {
                    let message = message?;
                    if message.kind == Kind::Attention {
                        outcome = Outcome::Interrupted;
                        cancel.cancel();
                        answering.mute();
                    } else {
                        self.incoming.ahead.push_back(message);
                    }
                }
                () = self.killed.cancelled() => return self.die(answering).await,
            }
        }
        if self.killed.is_cancelled() {
            // The session may have heard of it first and stopped: that is no good end.
            return self.die(answering).await;
        }
        if outcome == Outcome::Finished && !resetting {
            answering.end(&mut self.outgoing.tokens, kind, more);
        }
        Ok(outcome)
    }

    /// Writes one event. True when someone may be waiting to see it.
    async fn say(&mut self, answering: &mut Answering, event: Event) -> Result<bool, Ended> {
        let verdict = self
            .shared
            .options
            .faults
            .saying(self.spid, self.said)
            .await;
        if verdict == Verdict::Cut {
            self.outgoing.send_partial().await?;
        }
        obey(verdict)?;
        self.said += 1;
        match answering.event(&mut self.outgoing.tokens, event) {
            Then::Later => {
                self.outgoing.send_full().await?;
                Ok(false)
            }
            Then::Now => Ok(true),
            Then::Fatal => {
                answering.end_interrupted(&mut self.outgoing.tokens);
                self.outgoing.end_message().await?;
                Err(Ended::ByServer("an error of class 20"))
            }
        }
    }

    /// The session was killed at work: the client hears 596 and is cut off.
    async fn die(&mut self, answering: &mut Answering) -> Result<Outcome, Ended> {
        let killed = SqlError::new(
            596,
            21,
            "Cannot continue the execution because the session is in the kill state.",
        );
        answering.event(&mut self.outgoing.tokens, Event::Error(killed));
        answering.end_interrupted(&mut self.outgoing.tokens);
        self.outgoing.end_message().await?;
        Err(Ended::ByServer("session killed"))
    }

    async fn end_interrupted(&mut self, answering: &mut Answering) -> Result<(), Ended> {
        if self.shared.options.attention == AttentionForm::TwoMessages {
            answering.end_interrupted(&mut self.outgoing.tokens);
            self.outgoing.end_message().await?;
        }
        self.acknowledge_attention().await
    }

    async fn acknowledge_attention(&mut self) -> Result<(), Ended> {
        let tokens = &mut self.outgoing.tokens;
        token::done(tokens, DoneKind::Statement, token::DONE_ATTENTION, 0, 0);
        self.outgoing.end_message().await
    }
}

/// Borrows the session to one request and gives it back.
async fn work(
    mut session: Box<dyn BackendSession>,
    request: Request,
    answer: mpsc::Sender<Event>,
    cancel: CancellationToken,
) -> Box<dyn BackendSession> {
    session.execute(request, answer, cancel).await;
    session
}
