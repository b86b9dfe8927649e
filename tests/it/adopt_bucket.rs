//! Foreign backups in somebody else's bucket: found, copied past this machine, adopted.
//!
//! Start at [`a_bucket_of_backups_is_adopted`]. The bucket is a server of this file that speaks as much S3 as
//! listing and reading need: the client is the real one.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use stopmark::media::{Access, ForeignMedia, Source};
use stopmark::plan::{BackupKind, Becomes};
use stopmark::run::Interrupt;
use stopmark::run::adopt::{self, AdoptWanted};
use stopmark::run::events::Verdict;
use stopmark::world::World;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::bank::TOTAL;
use crate::saga_kinds::{SPARE, Scene};

/// The bucket's objects by key.
type Objects = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// Serves the bucket `old` until the test ends.
async fn serve(objects: Objects) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that goes away is its own affair.
            let _ = answer(stream, &objects).await;
        }
    });
    address
}

/// Answers one request and closes.
async fn answer(mut stream: TcpStream, objects: &Objects) -> std::io::Result<()> {
    let mut request = vec![0; 16 * 1024];
    let read = stream.read(&mut request).await?;
    let request = String::from_utf8_lossy(&request[..read]).into_owned();
    let mut words = request.split_whitespace();
    let (verb, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let key = path.trim_start_matches("/old").trim_start_matches('/');
    let (status, body) = {
        let objects = objects.lock().unwrap_or_else(PoisonError::into_inner);
        if query.contains("list-type=2") {
            ("200 OK", list(&objects, query).into_bytes())
        } else {
            match objects.get(key) {
                Some(bytes) => ("200 OK", bytes.clone()),
                None => (
                    "404 Not Found",
                    b"<Error><Code>NoSuchKey</Code></Error>".to_vec(),
                ),
            }
        }
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nETag: \"1\"\r\n\
         Last-Modified: Sat, 21 Nov 2026 02:00:00 GMT\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    if verb == "GET" {
        stream.write_all(&body).await?;
    }
    stream.shutdown().await
}

fn list(objects: &BTreeMap<String, Vec<u8>>, query: &str) -> String {
    let prefix = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("prefix="));
    let prefix = prefix.unwrap_or_default().replace("%2F", "/");
    let mut contents = String::new();
    for (key, bytes) in objects.iter().filter(|(key, _)| key.starts_with(&prefix)) {
        write!(
            contents,
            "<Contents><Key>{key}</Key><Size>{}</Size><ETag>\"1\"</ETag>\
             <LastModified>2026-11-21T02:00:00.000Z</LastModified></Contents>",
            bytes.len()
        )
        .expect("a string");
    }
    format!("<ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>")
}

/// Everything that others wrote goes into the bucket instead.
fn fill(scene: &Scene, objects: &Objects) {
    let folder = scene.stage.path("foreign");
    let mut objects = objects.lock().unwrap_or_else(PoisonError::into_inner);
    for entry in std::fs::read_dir(&folder).expect("a folder").flatten() {
        let bytes = std::fs::read(entry.path()).expect("a file");
        let name = entry.file_name().to_string_lossy().into_owned();
        objects.insert(format!("backups/{name}.bak"), bytes);
    }
    std::fs::remove_dir_all(folder).expect("it is there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_of_backups_is_adopted() {
    let scene = Scene::set().await;
    scene.foreign_backups().await;
    let objects = Objects::default();
    fill(&scene, &objects);
    let endpoint = serve(objects.clone()).await;
    let access = Access {
        stores: Vec::new(),
        environment: BTreeMap::from([
            ("AWS_ENDPOINT".to_owned(), format!("http://{endpoint}")),
            ("AWS_ALLOW_HTTP".to_owned(), "true".to_owned()),
            ("AWS_SKIP_SIGNATURE".to_owned(), "true".to_owned()),
            ("AWS_REGION".to_owned(), "eu-west-1".to_owned()),
        ]),
    };
    let world = World {
        foreign: Arc::new(ForeignMedia::new(access.clone(), &scene.config.state)),
        ..scene.world.clone()
    };
    let source = Source::open("s3://old/backups", &access).expect("a bucket");
    let found = adopt::find(&world, &[source]).await.expect("it answers");
    assert_eq!(
        (found.offers.len(), found.others.len()),
        (2, 0),
        "{:?}",
        found.others
    );
    let wanted = AdoptWanted {
        offers: found.offers,
        ..AdoptWanted::default()
    };
    let first = objects
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .pop_first();
    let (key, bytes) = first.expect("an object");
    let done = adopt::adopt(&world, &scene.config, &wanted, &Interrupt::default()).await;
    let record = done.expect("a record").1.expect("a run");
    let failures: Vec<String> = record.rounds[0]
        .failures()
        .map(|(_, it)| it.line())
        .collect();
    assert_eq!(
        failures,
        ["SM0723: a backup file is no longer where it was examined"],
        "one object is gone, the other adopted"
    );
    objects
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(key, bytes);
    let done = adopt::adopt(&world, &scene.config, &wanted, &Interrupt::default()).await;
    let (adoption, record) = done.expect("a record");
    assert_eq!(
        record.and_then(|it| it.ended).map(|it| it.0),
        Some(Verdict::Done)
    );
    let held = adoption
        .judged
        .iter()
        .filter(|it| matches!(it.becomes, Becomes::Held { .. }));
    assert_eq!(held.count(), 1);
    let left = std::fs::read_dir(scene.config.state.join("brought")).expect("a folder");
    assert_eq!(left.count(), 0, "copies of objects are removed");
    scene.back_up(BackupKind::Log).await;
    let point = scene.points().await.pop().expect("a Point");
    scene.restore(&point).await;
    assert_eq!(scene.bank.sum_on(&scene.stage, SPARE).await, TOTAL);
}
