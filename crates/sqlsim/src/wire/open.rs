//! How a connection opens: PRELOGIN, TLS in one of its three places, LOGIN7.
//!
//! Start at [`open`]. It ends when the client has said who it is; whether that is good enough is
//! decided after it.

use std::io;

use tokio::io::AsyncReadExt;
use tokio_rustls::TlsAcceptor;

use super::api::ServerVersion;
use super::connection::WireOptions;
use super::login::{self, Login};
use super::malformed::{Ended, Malformed};
use super::packet::{self, Kind, MESSAGE_BYTES_LOGIN, Message, Outgoing};
use super::prelogin::{self, Agreed, Encryption};
use super::stream::{AnyStream, Duplex, Handshaking, Peeked};

/// First byte of a TLS record that carries a handshake: the client speaks TDS 8.0.
const TLS_HANDSHAKE: u8 = 0x16;

/// Takes a connection as far as LOGIN7. The stream returned is the one to go on with.
pub(super) async fn open<S: Duplex + 'static>(
    mut stream: S,
    options: &WireOptions,
    version: ServerVersion,
) -> Result<(AnyStream, Login), Ended> {
    let first = match stream.read_u8().await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(Ended::HungUp),
        other => other?,
    };
    let stream = Peeked::new(first, stream);
    if first == TLS_HANDSHAKE {
        open_strict(stream, options, version).await
    } else {
        open_classic(stream, options, version).await
    }
}

/// TDS 8.0: TLS from the first byte to the last.
async fn open_strict<S: Duplex + 'static>(
    stream: S,
    options: &WireOptions,
    version: ServerVersion,
) -> Result<(AnyStream, Login), Ended> {
    let tls = options
        .tls
        .as_ref()
        .ok_or(Ended::ByServer("there is no certificate for TDS 8"))?;
    let mut stream: AnyStream = Box::new(TlsAcceptor::from(tls.strict()).accept(stream).await?);
    let client = read_prelogin(&mut stream).await?;
    // Everything is encrypted already; "not supported" keeps clients from doing it twice.
    let answer = prelogin::reply(&client, prelogin::ENCRYPT_NOT_SUPPORTED, version);
    send(&mut stream, answer).await?;
    let login = read_login(&mut stream, true).await?;
    Ok((stream, login))
}

/// TDS 7.4: PRELOGIN in clear, then what it agreed on.
async fn open_classic<S: Duplex + 'static>(
    mut stream: S,
    options: &WireOptions,
    version: ServerVersion,
) -> Result<(AnyStream, Login), Ended> {
    let client = read_prelogin(&mut stream).await?;
    let policy = if options.tls.is_some() {
        options.encryption
    } else {
        Encryption::Never
    };
    let (answer, agreed) = prelogin::negotiate(policy, client.encryption);
    send(&mut stream, prelogin::reply(&client, answer, version)).await?;
    let agreed = agreed.ok_or(Ended::ByServer("the client does not encrypt"))?;
    let (Agreed::LoginOnly | Agreed::Everything, Some(tls)) = (agreed, &options.tls) else {
        let login = read_login(&mut stream, false).await?;
        return Ok((Box::new(stream), login));
    };
    let acceptor = TlsAcceptor::from(tls.inside_tds());
    let mut encrypted = acceptor.accept(Handshaking::new(stream)).await?;
    encrypted.get_mut().0.over();
    let login = read_login(&mut encrypted, agreed == Agreed::Everything).await?;
    if agreed == Agreed::LoginOnly {
        // The answer to the login and all after it are in clear again.
        return Ok((Box::new(encrypted.into_inner().0.into_inner()), login));
    }
    Ok((Box::new(encrypted), login))
}

async fn read_prelogin<S: Duplex>(stream: &mut S) -> Result<prelogin::Prelogin, Ended> {
    let message = expect(stream, Kind::Prelogin, "opening: PRELOGIN was expected").await?;
    Ok(prelogin::parse(&message.payload)?)
}

async fn read_login<S: Duplex>(stream: &mut S, encrypted: bool) -> Result<Login, Ended> {
    let message = expect(stream, Kind::Login, "opening: LOGIN7 was expected").await?;
    Ok(login::parse(&message.payload, encrypted)?)
}

async fn expect<S: Duplex>(
    stream: &mut S,
    kind: Kind,
    complaint: &'static str,
) -> Result<Message, Ended> {
    let message = packet::read_message(stream, MESSAGE_BYTES_LOGIN).await?;
    if message.kind == kind {
        Ok(message)
    } else {
        Err(Malformed(complaint).into())
    }
}

async fn send<S: Duplex>(stream: &mut S, payload: Vec<u8>) -> Result<(), Ended> {
    let mut outgoing = Outgoing::new(stream);
    outgoing.tokens = payload;
    outgoing.end_message().await
}
