//! Notices on their way: a webhook and a heartbeat that listen, and a mail server that takes a letter.

use std::fs;

use stopmark::config::{MailConfig, MailTls, NotifyConfig, Wants, WebhookConfig, WebhookKind};
use stopmark::error::Exit;
use stopmark::model::Severity;
use stopmark::notify::Everyone;
use stopmark::world::{Notice, Notifier as _};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::stage::Stage;

/// Answers one request with this status, and gives it back.
async fn once(status: &'static str) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let heard = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a caller");
        let mut request = String::new();
        let mut buffer = [0; 4096];
        loop {
            let length = stream.read(&mut buffer).await.expect("it speaks");
            request.push_str(&String::from_utf8_lossy(&buffer[..length]));
            let (head, body) = request.split_once("\r\n\r\n").unwrap_or((&request, ""));
            let wanted = head.to_ascii_lowercase();
            let wanted = wanted.split("content-length: ").nth(1);
            let wanted = wanted.and_then(|it| it.split("\r\n").next()?.parse().ok());
            if length == 0 || (request.contains("\r\n\r\n") && body.len() >= wanted.unwrap_or(0)) {
                break;
            }
        }
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.expect("it hears");
        request
    });
    (format!("http://{address}/T0/SECRET"), heard)
}

fn notice() -> Notice {
    Notice {
        title: "Stopmark: log of pay needs a look".to_owned(),
        body: "SM0201: a host does not answer".to_owned(),
        is_bad: true,
        severity: Severity::Error,
    }
}

fn webhook(url: String) -> NotifyConfig {
    NotifyConfig {
        webhooks: vec![WebhookConfig {
            url: url.into(),
            kind: WebhookKind::Generic,
            wants: Wants::default(),
        }],
        ..NotifyConfig::default()
    }
}

#[tokio::test]
async fn a_webhook_is_called_and_its_address_is_in_no_error() {
    let (url, heard) = once("204 No Content").await;
    let told = Everyone::of(&webhook(url)).tell(&notice()).await;
    assert_eq!(told, Ok(()));
    let request = heard.await.expect("a request");
    assert!(request.starts_with("POST /T0/SECRET"), "{request}");
    assert!(request.contains("\"severity\":\"error\""), "{request}");
    let (url, heard) = once("500 Oops").await;
    let told = Everyone::of(&webhook(url)).tell(&notice()).await;
    heard.await.expect("a request");
    let reason = told.expect_err("it refuses");
    assert!(
        reason.contains("500") && !reason.contains("SECRET"),
        "{reason}"
    );
    let nobody = webhook("http://127.0.0.1:1/T0/SECRET".to_owned());
    let reason = Everyone::of(&nobody)
        .tell(&notice())
        .await
        .expect_err("nobody is there");
    assert!(!reason.contains("SECRET"), "{reason}");
}

#[tokio::test]
async fn the_heartbeat_is_fetched_when_all_is_well() {
    let (url, heard) = once("200 OK").await;
    let config = NotifyConfig {
        heartbeat: Some(url.into()),
        ..NotifyConfig::default()
    };
    let everyone = Everyone::of(&config);
    assert_eq!(
        everyone.tell(&notice()).await,
        Ok(()),
        "trouble is no heartbeat"
    );
    assert_eq!(everyone.beat().await, Ok(()));
    assert!(
        heard
            .await
            .expect("a request")
            .starts_with("GET /T0/SECRET")
    );
}

/// A mail server for one letter.
async fn mail_server(stream: TcpStream) -> String {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let (mut letter, mut is_letter) = (String::new(), false);
    write.write_all(b"220 here\r\n").await.expect("it hears");
    while let Some(line) = lines.next_line().await.expect("it speaks") {
        let answer: &[u8] = match line.split(' ').next().unwrap_or_default() {
            "." if is_letter => {
                is_letter = false;
                b"250 taken\r\n"
            }
            _ if is_letter => {
                letter.push_str(&line);
                letter.push('\n');
                continue;
            }
            "DATA" => {
                is_letter = true;
                b"354 go on\r\n"
            }
            "QUIT" => b"221 bye\r\n",
            _ => {
                letter.push_str(&line);
                letter.push('\n');
                b"250 well\r\n"
            }
        };
        write.write_all(answer).await.expect("it hears");
        if answer.starts_with(b"221") {
            break;
        }
    }
    letter
}

#[tokio::test]
async fn a_letter_reaches_everybody_it_is_meant_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let heard = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a caller");
        mail_server(stream).await
    });
    let config = NotifyConfig {
        mail: Some(MailConfig {
            server: "127.0.0.1".to_owned(),
            port,
            tls: MailTls::None,
            from: "stopmark@example.com".to_owned(),
            to: vec!["dba@example.com".to_owned(), "boss@example.com".to_owned()],
            login: None,
            wants: Wants::default(),
        }),
        ..NotifyConfig::default()
    };
    let told = Everyone::of(&config).tell(&notice()).await;
    assert_eq!(told, Ok(()));
    let letter = heard.await.expect("a letter");
    for part in [
        "RCPT TO:<dba@example.com>",
        "RCPT TO:<boss@example.com>",
        "Subject: Stopmark: log of pay needs a look",
        "SM0201: a host does not answer",
    ] {
        assert!(letter.contains(part), "{part} is not in:\n{letter}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notify_test_says_who_was_told() {
    let stage = Stage::unprepared(&[("SQL1", &["Ledger"])]).await;
    let nobody = stage.run(&["notify", "test"]).await;
    assert!(
        nobody.stdout.contains("nobody is to be told"),
        "{}",
        nobody.stdout
    );
    let (url, heard) = once("200 OK").await;
    fs::write(stage.path("url"), url).expect("writes");
    stage.edit(
        "[policy]",
        "[notify]\nwebhooks = [{ url = { file = \"url\" } }]\n[policy]",
    );
    let told = stage.run(&["notify", "test"]).await;
    assert_eq!(
        (told.exit, told.stdout.as_str()),
        (Exit::Ok, "webhook    told\n")
    );
    heard.await.expect("a request");
    let failed = stage.run(&["notify", "test"]).await;
    assert_eq!(failed.exit, Exit::Degraded);
    assert!(failed.stdout.contains("FAILED"), "{}", failed.stdout);
}
