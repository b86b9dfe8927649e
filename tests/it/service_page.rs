//! The status page, asked over HTTP as a browser, a probe and Prometheus do.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use stopmark::config::PageConfig;
use stopmark::error::{Code, Exit};
use stopmark::page::{self, Served, Shelf};
use stopmark::service::seen::{Steps, WatchedProgress};
use stopmark::service::{Scene, Seen};
use stopmark::world::Progress as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::stage::Stage;

/// A database whose name would be trouble where it is not escaped.
const HOSTILE: &str = "x<script>alert(1)</script>\"&'";

struct Shown {
    page: Served,
    steps: Arc<Steps>,
    seen: watch::Sender<Seen>,
    _scene: watch::Sender<Option<Scene>>,
}

impl Shown {
    async fn of(stage: Option<&Stage>, config: &PageConfig) -> Self {
        let scene = stage.map(|stage| {
            let (config, world) = stage.world();
            Scene { config, world }
        });
        let now = scene.as_ref().map(|scene| scene.world.clock.now());
        let seen = watch::Sender::new(Seen {
            looked_at: now,
            started_at: now,
            ..Seen::default()
        });
        let scene = watch::Sender::new(scene);
        let steps = Arc::new(Steps::default());
        let shelf = Shelf {
            seen: seen.subscribe(),
            scene: scene.subscribe(),
            steps: steps.clone(),
        };
        let page = page::open(config, shelf).await.expect("a free port");
        Self {
            page: page.expect("it is wanted"),
            steps,
            seen,
            _scene: scene,
        }
    }

    /// The whole answer, head and body.
    async fn get(&self, path: &str, headers: &str) -> String {
        let mut stream = TcpStream::connect(self.page.address)
            .await
            .expect("it listens");
        let request = format!("GET {path} HTTP/1.1\r\nconnection: close\r\n{headers}\r\n");
        stream
            .write_all(request.as_bytes())
            .await
            .expect("it is read");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("it answers");
        String::from_utf8(answer).expect("UTF-8")
    }

    async fn here(&self, path: &str) -> String {
        self.get(path, "host: localhost\r\n").await
    }
}

fn anywhere() -> PageConfig {
    PageConfig {
        listen: Some("127.0.0.1:0".parse().expect("an address")),
        token: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_shows_what_there_is_and_escapes_it() {
    let stage = Stage::set(&[("SQL1", &["Ledger", HOSTILE]), ("SQL2", &["Accounts"])]).await;
    let shown = Shown::of(Some(&stage), &anywhere()).await;
    let empty = shown.here("/").await;
    assert!(
        empty.starts_with("HTTP/1.1 200") && empty.contains("No point yet"),
        "{empty}"
    );
    for kind in ["full", "log"] {
        assert_eq!(stage.run(&["backup", kind]).await.exit, Exit::Ok);
    }
    let catalog = stage.run(&["status"]).await;
    assert_eq!(catalog.exit, Exit::Ok, "{}", catalog.stdout);
    let step = WatchedProgress(shown.steps.clone()).begin("upload of <b>Ledger</b>", Some(200));
    step.bytes(50);
    let group = shown.here("/").await;
    for part in [
        "comes back with",
        "<svg",
        "SQL1/Ledger",
        "25 %",
        "No drill was ever held",
        "SQL2/Accounts",
        "&lt;b&gt;Ledger",
    ] {
        assert!(group.contains(part), "{part} is not in:\n{group}");
    }
    let mark = group
        .split("/set?name=")
        .nth(1)
        .expect("a link to the newest point");
    let mark = mark.split('"').next().expect("its end");
    let pages = [
        "/".to_owned(),
        "/sets".to_owned(),
        format!("/set?name={mark}"),
        "/member?name=SQL1%2FLedger".to_owned(),
        format!(
            "/member?name={}",
            url::form_urlencoded::byte_serialize(format!("SQL1/{HOSTILE}").as_bytes())
                .collect::<String>()
        ),
    ];
    for path in &pages {
        let answer = shown.here(path).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        assert!(!answer.contains("<script>"), "{path}: {answer}");
        for header in [
            "content-security-policy: default-src 'none'",
            "cache-control: no-store",
        ] {
            assert!(answer.contains(header), "{path}: {answer}");
        }
    }
    for path in ["/set?name=nobody", "/member?name=nobody"] {
        assert!(shown.here(path).await.starts_with("HTTP/1.1 404"), "{path}");
    }
    let metrics = shown.here("/metrics").await;
    for line in ["stopmark_points 1", "stopmark_sets 2", "stopmark_up 1"] {
        assert!(metrics.contains(line), "{line} is not in:\n{metrics}");
    }
    let age = metrics
        .lines()
        .find(|it| it.starts_with("stopmark_newest_point_age_seconds "));
    assert!(age.is_some(), "{metrics}");
    for name in measures_of("alerts.yml").union(&measures_of("dashboard.json")) {
        let is_told = metrics.contains(&format!("# TYPE {name} gauge"));
        assert!(is_told, "nothing measures {name}:\n{metrics}");
    }
}

/// The measures that a file for Prometheus or Grafana names.
fn measures_of(file: &str) -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("service");
    let text = fs::read_to_string(path.join(file)).expect("a file of the repository");
    let words = text.split(|it: char| !it.is_ascii_alphanumeric() && it != '_');
    let named = words.filter(|word| word.starts_with("stopmark_"));
    let named: BTreeSet<String> = named.map(str::to_owned).collect();
    assert!(named.len() >= 5, "{file} names nearly nothing: {named:?}");
    named
}

#[test]
fn logs_and_disks_that_fill_up_raise_an_alert_each() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/service/alerts.yml");
    let rules = fs::read_to_string(path).expect("a file of the repository");
    for code in [Code::LogFilling, Code::LogHeld, Code::DiskFilling] {
        let wanted = format!("stopmark_alarm{{code=\"{code}\"}} == 1");
        assert!(rules.contains(&wanted), "no rule for {code}");
    }
}

#[tokio::test]
async fn signs_of_life_are_true() {
    let shown = Shown::of(None, &anywhere()).await;
    assert!(
        shown.here("/readyz").await.starts_with("HTTP/1.1 503"),
        "nothing was read yet"
    );
    assert!(shown.here("/healthz").await.starts_with("HTTP/1.1 200"));
    shown.seen.send_modify(|seen| {
        seen.looked_at = Some("2026-11-21T00:00:00Z".parse().expect("a timestamp"));
    });
    assert!(shown.here("/readyz").await.starts_with("HTTP/1.1 200"));
    shown.seen.send_modify(|seen| seen.is_stopping = true);
    assert!(shown.here("/readyz").await.starts_with("HTTP/1.1 503"));
    assert!(
        shown.here("/").await.starts_with("HTTP/1.1 503"),
        "there is no scene"
    );
}

#[tokio::test]
async fn a_request_that_was_meant_for_another_name_is_refused() {
    let shown = Shown::of(None, &anywhere()).await;
    let evil = shown.get("/", "host: evil.example.com\r\n").await;
    assert!(evil.starts_with("HTTP/1.1 421"), "{evil}");
    let token = PageConfig {
        token: Some("sesame".into()),
        ..anywhere()
    };
    let shown = Shown::of(None, &token).await;
    let asked = shown.here("/metrics").await;
    assert!(
        asked.starts_with("HTTP/1.1 401") && asked.contains("www-authenticate"),
        "{asked}"
    );
    let open = shown
        .get("/metrics", "host: x\r\nauthorization: Bearer sesame\r\n")
        .await;
    assert!(open.starts_with("HTTP/1.1 200"), "{open}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_told() {
    let shown = Shown::of(None, &anywhere()).await;
    let again = PageConfig {
        listen: Some(shown.page.address),
        token: None,
    };
    let shelf = Shelf {
        seen: shown.seen.subscribe(),
        scene: watch::Sender::new(None).subscribe(),
        steps: shown.steps.clone(),
    };
    let error = page::open(&again, shelf).await.err().expect("it is taken");
    assert_eq!(error.code(), Code::PortTaken);
}
