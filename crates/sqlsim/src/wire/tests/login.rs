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

/// Logs in with a policy and a client's wish; tells whether everything is encrypted.
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
        (Encryption::LoginOnly, Wish::Off, false),
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

/// What a server of ours answers to these packets of LOGIN7 after a PRELOGIN without encryption.
async fn answer_to_login(stub: &Arc<Stub>, packets: &[&[u8]]) -> Vec<u8> {
    let (stream, theirs) = duplex(PIPE_BYTES);
    stub.server(WireOptions::plain()).serve_stream(theirs);
    let mut raw = Raw { stream };
    raw.send(0x12, 1, &[1, 0, 6, 0, 1, 0xFF, 2]).await;
    raw.message().await;
    for (at, packet) in packets.iter().enumerate() {
        let status = u8::from(at + 1 == packets.len());
        raw.send(0x10, status, packet).await;
    }
    raw.message().await
}

#[tokio::test]
async fn a_login_in_several_packets_is_one_login() {
    let stub = Stub::saying(Vec::new());
    let login = login7(4096);
    let pieces: Vec<&[u8]> = login.chunks(17).collect();
    let answer = answer_to_login(&stub, &pieces).await;
    assert!(answer.ends_with(&done_bytes(0xFD, 0)), "{answer:?}");
    assert_eq!(stub.last_login().user_name, "sa");
}

/// A login with these feature extensions, each a number and its data.
fn login_with_features(features: &[(u8, &[u8])]) -> Vec<u8> {
    let mut login = login7(4096);
    let at = u16::try_from(login.len()).expect("a short login");
    // The fixed part says where the offset of the extensions stands, and that there are any.
    login[56..58].copy_from_slice(&at.to_le_bytes());
    login[58..60].copy_from_slice(&4_u16.to_le_bytes());
    login[27] |= 0x10;
    login.extend((u32::from(at) + 4).to_le_bytes());
    for (feature, data) in features {
        login.push(*feature);
        login.extend(u32::try_from(data.len()).expect("short").to_le_bytes());
        login.extend(*data);
    }
    login.push(0xFF);
    let length = u32::try_from(login.len()).expect("short");
    login[..4].copy_from_slice(&length.to_le_bytes());
    login
}

#[tokio::test]
async fn of_the_feature_extensions_only_utf_8_is_acknowledged() {
    let acknowledged = [0xAE, 0x0A, 1, 0, 0, 0, 1, 0xFF];
    // Session recovery, user agent, data classification: what ODBC sends.
    let others: [(u8, &[u8]); 3] = [(0x01, &[0; 4]), (0x10, &[1, 2, 3]), (0x09, &[2])];
    for (utf8, told) in [(false, false), (true, true)] {
        let stub = Stub::saying(Vec::new());
        let mut features = others.to_vec();
        features.extend(utf8.then_some((0x0A, [].as_slice())));
        let login = login_with_features(&features);
        let answer = answer_to_login(&stub, &[&login]).await;
        assert!(answer.ends_with(&done_bytes(0xFD, 0)), "{answer:?}");
        let found = answer
            .windows(acknowledged.len())
            .any(|w| w == acknowledged);
        assert_eq!(found, told, "{answer:?}");
    }
}

#[tokio::test]
async fn a_refused_database_is_told_before_the_refused_login() {
    let stub = Stub::refusing(4060);
    let answer = answer_to_login(&stub, &[&login7(4096)]).await;
    let at = |number: i32| {
        let mut start = answer.windows(4);
        start.position(|window| window == number.to_le_bytes())
    };
    assert!(at(4060).expect("4060 is told") < at(18456).expect("18456 is told"));
}

#[tokio::test]
async fn a_client_hears_the_version_that_it_asked_for_and_one_before_7_3_is_cut_off() {
    for version in [0x7400_0004_u32, 0x730B_0003, 0x0800_0000] {
        let stub = Stub::saying(Vec::new());
        let mut login = login7(4096);
        login[4..8].copy_from_slice(&version.to_le_bytes());
        let answer = answer_to_login(&stub, &[&login]).await;
        // The interface, the version the other way round, the length of the product's name.
        let mut told = vec![1];
        told.extend(version.to_be_bytes());
        told.push(20);
        assert!(answer.windows(6).any(|w| w == told), "{version:x}");
    }
    let mut login = login7(4096);
    login[4..8].copy_from_slice(&0x7209_0002_u32.to_le_bytes());
    let refused = crate::wire::login::parse(&login, false);
    let said = refused.expect_err("it is too old").to_string();
    assert_eq!(said, "malformed LOGIN7: its TDS version is older than 7.3");
}

/// The protocol and the TLS version that a client of TDS 8 gets if it offers these protocols.
async fn strict_handshake(offered: &[&[u8]]) -> std::io::Result<(Option<Vec<u8>>, bool)> {
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, ServerName};
    let (_folder, tls) = tls();
    let mut roots = rustls::RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(tls.authority_file()).expect("the authority");
    roots.add(authority).expect("a root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider's own versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = offered.iter().map(|name| name.to_vec()).collect();
    let server = Stub::saying(Vec::new()).server(WireOptions::with_tls(tls));
    let (ours, theirs) = duplex(PIPE_BYTES);
    server.serve_stream(theirs);
    let name = ServerName::try_from("localhost").expect("a name");
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = connector.connect(name, ours).await?;
    let (_, session) = stream.get_ref();
    let is_newest = session.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_3);
    Ok((session.alpn_protocol().map(<[u8]>::to_vec), is_newest))
}

#[tokio::test]
async fn a_strict_client_agrees_on_tds_8_over_tls_1_3_and_a_web_browser_does_not() {
    let agreed = strict_handshake(&[b"tds/8.0"]).await.expect("a handshake");
    assert_eq!(agreed, (Some(b"tds/8.0".to_vec()), true));
    assert!(strict_handshake(&[b"h2", b"http/1.1"]).await.is_err());
}
