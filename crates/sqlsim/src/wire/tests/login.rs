//! Logging in: every kind of encryption, refusals, what the backend learns, certificates.

use std::net::SocketAddr;

use tiberius::error::Error;
use tokio::io::{join, simplex};
use tokio::net::TcpStream;

use super::*;
use crate::certificate::{Authority, TlsSetup};

fn tls() -> (tempfile::TempDir, TlsSetup) {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let authority = Authority::open(folder.path()).expect("an authority");
    let tls = authority
        .tls(folder.path(), &["sim1.test".to_owned()])
        .expect("a certificate");
    (folder, tls)
}

/// Logs in with a policy and a client's wish; tells whether the login was encrypted.
async fn try_login(policy: Encryption, wish: EncryptionLevel) -> Result<bool, Error> {
    let (_folder, tls) = tls();
    let stub = Stub::saying(vec![number_column(), number_row(7)]);
    let options = WireOptions {
        encryption: policy,
        ..WireOptions::with_tls(tls.clone())
    };
    let mut config = config(wish);
    config.trust_cert_ca(tls.authority_file().display());
    let mut client = connect_with(&stub.server(options), config).await?;
    let row = client
        .simple_query("select 7")
        .await?
        .into_row()
        .await?
        .expect("a row");
    assert_eq!(row.get::<i32, _>(0), Some(7));
    Ok(stub.last_login().encrypted)
}

#[tokio::test]
async fn a_client_logs_in_with_every_encryption_that_the_two_can_agree_on() {
    use EncryptionLevel as Wish;
    for (policy, wish, encrypted) in [
        (Encryption::Never, Wish::NotSupported, false),
        (Encryption::LoginOnly, Wish::NotSupported, false),
        (Encryption::LoginOnly, Wish::Off, true),
        (Encryption::LoginOnly, Wish::On, true),
        (Encryption::LoginOnly, Wish::Required, true),
        (Encryption::LoginOnly, Wish::Strict, true),
        (Encryption::Required, Wish::Off, true),
        (Encryption::Required, Wish::Required, true),
        (Encryption::Required, Wish::Strict, true),
        (Encryption::Strict, Wish::Strict, true),
    ] {
        let outcome = try_login(policy, wish).await;
        assert_eq!(outcome.expect("login"), encrypted, "{policy:?} {wish:?}");
    }
}

#[tokio::test]
async fn a_client_that_cannot_agree_on_encryption_is_turned_away() {
    use EncryptionLevel as Wish;
    for (policy, wish) in [
        (Encryption::Required, Wish::NotSupported),
        (Encryption::Strict, Wish::NotSupported),
        (Encryption::Strict, Wish::Off),
        (Encryption::Never, Wish::Required),
    ] {
        let outcome = try_login(policy, wish).await;
        assert!(outcome.is_err(), "{policy:?} {wish:?}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_refused_with_18456() {
    let stub = Stub::saying(Vec::new());
    let mut config = config(EncryptionLevel::NotSupported);
    config.authentication(AuthMethod::sql_server("sa", "wrong"));
    let refused = connect_with(&stub.server(WireOptions::plain()), config).await;
    let Err(Error::Server(error)) = refused else {
        panic!("a server error was expected")
    };
    assert_eq!((error.code(), error.class()), (18456, 14));
    assert_eq!(error.message(), "Login failed for user 'sa'.");
}

#[tokio::test]
async fn the_backend_learns_what_the_client_said_of_itself() {
    let stub = Stub::saying(Vec::new());
    let mut config = config(EncryptionLevel::NotSupported);
    config.database("BizTalkDTADb");
    config.application_name("stopmark");
    config.client_name("mgmt1");
    config.readonly(true);
    connect_with(&stub.server(WireOptions::plain()), config)
        .await
        .expect("login");
    let login = stub.last_login();
    assert_eq!(login.user_name, "sa");
    assert_eq!(login.password, PASSWORD);
    assert_eq!(login.database, "BizTalkDTADb");
    assert_eq!(login.app_name, "stopmark");
    assert_eq!(login.host_name, "mgmt1");
    assert!(login.read_only_intent);
    assert!(
        !format!("{login:?}").contains(PASSWORD),
        "the password stays hidden"
    );
}

#[tokio::test]
async fn a_client_on_tcp_verifies_the_certificate_and_the_server_stops() {
    let (_folder, tls) = tls();
    let stub = Stub::saying(vec![number_column(), number_row(1)]);
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let backend = Arc::new(StubBackend(Arc::clone(&stub)));
    let options = WireOptions::with_tls(tls.clone());
    let server = crate::server::listen(backend, address, options)
        .await
        .expect("a free port");
    let mut config = config(EncryptionLevel::Required);
    config.host("127.0.0.1");
    config.trust_cert_ca(tls.authority_file().display());
    let stream = TcpStream::connect(server.local_addr())
        .await
        .expect("it listens");
    let login = Box::pin(Client::connect(config, stream.compat_write())).await;
    let mut client = login.expect("login");
    let answer = client.simple_query("select 1").await.expect("sent");
    assert_eq!(
        answer
            .into_row()
            .await
            .expect("answered")
            .map(|row| row.len()),
        Some(1)
    );
    let address = server.local_addr();
    server.stop().await;
    assert!(client.simple_query("select 1").await.is_err(), "cut");
    assert!(
        TcpStream::connect(address).await.is_err(),
        "no longer listening"
    );
}

#[tokio::test]
async fn a_client_that_does_not_trust_the_authority_does_not_log_in() {
    let (_folder, tls) = tls();
    let (_other, stranger) = super::login::tls();
    let stub = Stub::saying(Vec::new());
    let mut config = config(EncryptionLevel::Required);
    config.trust_cert_ca(stranger.authority_file().display());
    let server = stub.server(WireOptions::with_tls(tls));
    assert!(connect_with(&server, config).await.is_err());
}

#[tokio::test]
async fn a_stream_that_gives_a_few_bytes_at_a_time_serves_as_well() {
    use EncryptionLevel as Wish;
    let (_folder, tls) = tls();
    let text = "ü".repeat(3_000);
    for (wish, sent_at_a_time) in [
        (Wish::NotSupported, 7),
        (Wish::Strict, 7),
        // A client of tiberius's waits for ever if its own handshake does not go out at once.
        (Wish::Off, PIPE_BYTES),
        (Wish::On, PIPE_BYTES),
    ] {
        let columns = Event::Columns(vec![Column::new("t", SqlType::NVarChar(None))]);
        let stub = Stub::saying(vec![columns, Event::Row(vec![Value::text(text.as_str())])]);
        let (server_reads, client_writes) = simplex(sent_at_a_time);
        let (client_reads, server_writes) = simplex(7);
        let server = stub.server(WireOptions::with_tls(tls.clone()));
        server.serve_stream(join(server_reads, server_writes));
        let ours = join(client_reads, client_writes);
        let mut config = config(wish);
        config.trust_cert_ca(tls.authority_file().display());
        let login = Box::pin(Client::connect(config, ours.compat_write())).await;
        let mut client = login.expect("login");
        let answer = client.simple_query(text.as_str()).await.expect("sent");
        let row = answer.into_row().await.expect("answered").expect("a row");
        assert_eq!(row.get::<&str, _>(0), Some(text.as_str()), "{wish:?}");
        assert_eq!(stub.seen(), [Request::Batch(text.clone())], "{wish:?}");
    }
}

#[test]
fn a_reopened_folder_gives_the_same_certificate_and_new_names_a_new_one() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let certificates = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let authority = Authority::open(folder.path()).expect("an authority");
        authority.tls(folder.path(), &names).expect("a certificate");
        ["ca.pem", "server.pem"]
            .map(|file| std::fs::read_to_string(folder.path().join(file)).expect("it was written"))
    };
    let [authority, first] = certificates(&["a.test"]);
    assert_eq!(
        certificates(&["a.test"]),
        [authority.clone(), first.clone()]
    );
    let [same_authority, second] = certificates(&["a.test", "b.test"]);
    assert_eq!(same_authority, authority);
    assert_ne!(second, first);
}
