//! What `compare.sh` measures with: an S3 server that keeps everything in memory, and an upload with its proof.
//!
//! `upload sink PORT` serves; `upload put FILE ENDPOINT` sends a file and reads it back, as a delivery does, and
//! prints seconds and peak memory; `upload make FOLDER COUNT` makes small pieces, and `upload small FOLDER AT_ONCE
//! ENDPOINT` sends them and reads each back, so many at a time; `upload hash FILE` prints how fast chunks can be
//! hashed on all cores, and `upload fill PORT MIB` how fast the sink takes bytes that nobody reads or hashes. The
//! sink checks nothing and is no store: it exists so that a server's own work is not what is measured.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program for people who measure: it asks for the time and prints"
)]

use std::collections::{BTreeMap, HashMap};
use std::io::Read as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use stopmark::clock::SystemClock;
use stopmark::config::{KeepingConfig, StoreConfig, TransferConfig};
use stopmark::store::hash::sha256;
use stopmark::store::{AgentIdentity, ObjectStore};
use stopmark::world::{StepProgress, Store as _, Tap};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

struct Nobody;

impl StepProgress for Nobody {
    fn percent(&self, _percent: u8) {}
    fn bytes(&self, _more: u64) {}
}

impl Tap for Nobody {
    fn bytes(&mut self, _bytes: &[u8]) {}
}

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args
        .iter()
        .map(String::as_str)
        .filter(|arg| *arg != "--bench")
        .collect();
    match args[..] {
        ["sink", port, latency_ms] => sink(port, latency_ms.parse().expect("milliseconds")).await,
        ["put", file, endpoint] => put(Path::new(file), endpoint).await,
        ["make", folder, count] => make(Path::new(folder), count.parse().expect("a number")),
        ["small", folder, at_once, endpoint] => {
            let at_once = at_once.parse().expect("a number");
            small(Path::new(folder), at_once, endpoint).await;
        }
        ["hash", file] => hash(Path::new(file)).await,
        ["fill", port, mib] => fill(port, mib.parse().expect("a size")).await,
        _ => println!("see `benches/compare.sh`"),
    }
}

fn store(endpoint: &str) -> ObjectStore {
    let options = [
        ("aws_endpoint", endpoint),
        ("aws_access_key_id", "bench"),
        ("aws_region", "us-east-1"),
        ("aws_allow_http", "true"),
        // What https has by default: over it nothing is hashed for the signature.
        ("aws_unsigned_payload", "true"),
    ];
    let options = options.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let config = StoreConfig {
        name: stopmark::model::StoreName::default(),
        url: "s3://bench/store".to_owned(),
        options: options.into(),
        secrets: BTreeMap::from([("aws_secret_access_key".to_owned(), "bench".into())]),
        transfer: TransferConfig::default(),
        keeping: KeepingConfig::default(),
    };
    let agent = AgentIdentity {
        id: "bench".to_owned(),
        name: "bench".to_owned(),
    };
    let clock = Arc::new(SystemClock::new());
    ObjectStore::open(&config, agent, clock, Duration::from_secs(60)).expect("opens")
}

async fn put(file: &Path, endpoint: &str) {
    let store = store(endpoint);
    let began = Instant::now();
    let key = format!("v1/bench/{}.bak", std::process::id());
    let sent = store.upload(file, &key, &mut Nobody, &Nobody).await;
    let stripe = sent.expect("uploads");
    let sent = began.elapsed();
    let proven = store.prove(&stripe, true, &Nobody).await;
    proven.expect("proves");
    println!(
        "{:.3} {:.3} {}",
        sent.as_secs_f64(),
        began.elapsed().as_secs_f64(),
        peak_kib()
    );
}

/// Logs of 64 to 512 KiB, each with other bytes.
fn make(folder: &Path, count: usize) {
    for number in 0..count {
        let size = (64 << 10) + (number * 7919) % (448 << 10);
        let bytes = vec![u8::try_from(number % 251).expect("fits"); size];
        std::fs::write(folder.join(format!("{number}.bak")), bytes).expect("writes");
    }
}

async fn small(folder: &Path, at_once: usize, endpoint: &str) {
    let store = Arc::new(store(endpoint));
    let files = std::fs::read_dir(folder).expect("a folder");
    let files: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    let began = Instant::now();
    let turns = Arc::new(tokio::sync::Semaphore::new(at_once));
    let mut sending = tokio::task::JoinSet::new();
    for (number, path) in files.into_iter().enumerate() {
        let (store, turns) = (store.clone(), turns.clone());
        sending.spawn(async move {
            let _turn = turns.acquire_owned().await.expect("never closed");
            let key = format!("v1/bench/small/{}-{number}.bak", std::process::id());
            let sent = store.upload(&path, &key, &mut Nobody, &Nobody).await;
            let proven = store.prove(&sent.expect("uploads"), true, &Nobody).await;
            proven.expect("proves");
        });
    }
    sending.join_all().await;
    println!("{:.3} {}", began.elapsed().as_secs_f64(), peak_kib());
}

/// Every core hashes chunks that are in memory already: the bound of an upload that hashes.
async fn hash(file: &Path) {
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file).expect("opens");
    opened
        .take(512 << 20)
        .read_to_end(&mut bytes)
        .expect("reads");
    let bytes = bytes::Bytes::from(bytes);
    let began = Instant::now();
    let mut hashing = tokio::task::JoinSet::new();
    for begin in (0..bytes.len()).step_by(8 << 20) {
        let chunk = bytes.slice(begin..bytes.len().min(begin + (8 << 20)));
        hashing.spawn_blocking(move || sha256(&chunk));
    }
    hashing.join_all().await;
    println!("{:.3} {}", began.elapsed().as_secs_f64(), bytes.len());
}

/// The same parts, over as many connections, of a buffer that is there already: the bound of an upload to this sink.
async fn fill(port: &str, mib: usize) {
    const CONNECTIONS: usize = 4;
    const PART: usize = 8 << 20;
    let bytes = Arc::new(vec![7_u8; PART]);
    let began = Instant::now();
    let mut sending = tokio::task::JoinSet::new();
    for connection in 0..CONNECTIONS {
        let (bytes, address) = (bytes.clone(), format!("127.0.0.1:{port}"));
        sending.spawn(async move {
            let mut sink = TcpStream::connect(address).await.expect("a sink");
            let parts = (mib << 20).div_ceil(PART);
            for part in (0..parts).filter(|part| part % CONNECTIONS == connection) {
                let head = format!(
                    "PUT /bench/fill?partNumber={part} HTTP/1.1\r\ncontent-length: {PART}\r\n\r\n"
                );
                sink.write_all(head.as_bytes()).await.expect("sends");
                sink.write_all(&bytes).await.expect("sends");
                let mut answer = [0; 1024];
                assert!(sink.read(&mut answer).await.expect("an answer") > 0);
            }
        });
    }
    sending.join_all().await;
    println!("{:.3} {}", began.elapsed().as_secs_f64(), mib << 20);
}

fn peak_kib() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.unwrap_or("0")
        .trim()
        .trim_end_matches(" kB")
        .to_owned()
}

/// Objects by path, each as its parts by number.
type Objects = Mutex<HashMap<String, BTreeMap<u32, Arc<Vec<u8>>>>>;

async fn sink(port: &str, latency_ms: u64) {
    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))
        .await
        .expect("a port");
    let objects = Arc::new(Objects::default());
    while let Ok((client, _)) = listener.accept().await {
        let objects = objects.clone();
        tokio::spawn(async move { serve(client, &objects, latency_ms).await });
    }
}

/// One connection; none at its end.
async fn serve(client: TcpStream, objects: &Objects, latency_ms: u64) -> Option<()> {
    client.set_nodelay(true).ok()?;
    let mut client = BufReader::with_capacity(1 << 18, client);
    loop {
        let mut head = Vec::new();
        let mut line = String::new();
        while client.read_line(&mut line).await.ok()? > 2 {
            head.push(line.trim_end().to_owned());
            line.clear();
        }
        let mut request = head.first()?.split(' ');
        let (method, target) = (request.next()?.to_owned(), request.next()?.to_owned());
        let header = |name: &str| {
            head.iter().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.eq_ignore_ascii_case(name)
                    .then(|| value.trim().to_owned())
            })
        };
        if header("expect").is_some() {
            client
                .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")
                .await
                .ok()?;
        }
        let length: usize = header("content-length")
            .and_then(|length| length.parse().ok())
            .unwrap_or(0);
        let mut body = Vec::with_capacity(length);
        (&mut client)
            .take(length as u64)
            .read_to_end(&mut body)
            .await
            .ok()?;
        if latency_ms > 0 {
            tokio::time::sleep(Duration::from_millis(latency_ms)).await;
        }
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let answer = answer(
            objects,
            &method,
            path,
            query,
            header("range").as_deref(),
            body,
        );
        client.write_all(answer.head.as_bytes()).await.ok()?;
        for part in answer.body {
            client.write_all(&part).await.ok()?;
        }
        client.flush().await.ok()?;
    }
}

struct Answer {
    head: String,
    body: Vec<Vec<u8>>,
}

fn reply(status: &str, more: &str, length: usize, body: Vec<Vec<u8>>) -> Answer {
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\netag: \"0123456789abcdef0123456789abcdef-1\"\r\n\
         last-modified: Sat, 21 Nov 2026 12:00:00 GMT\r\n{more}\r\n"
    );
    Answer { head, body }
}

fn text(text: String) -> Answer {
    let body = text.into_bytes();
    reply(
        "200 OK",
        "content-type: application/xml\r\n",
        body.len(),
        vec![body],
    )
}

fn answer(
    objects: &Objects,
    method: &str,
    path: &str,
    query: &str,
    range: Option<&str>,
    body: Vec<u8>,
) -> Answer {
    let mut objects = objects.lock().expect("nobody panics with it");
    let number = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("partNumber=")?.parse().ok());
    match method {
        "PUT" => {
            let parts = objects.entry(path.to_owned()).or_default();
            parts.insert(number.unwrap_or(1), Arc::new(body));
            reply("200 OK", "", 0, Vec::new())
        }
        "POST" if query.contains("uploads") => text(
            "<InitiateMultipartUploadResult><Bucket>b</Bucket><Key>k</Key><UploadId>1</UploadId>\
             </InitiateMultipartUploadResult>"
                .to_owned(),
        ),
        "POST" => text(
            "<CompleteMultipartUploadResult><Location>l</Location><Bucket>b</Bucket><Key>k</Key>\
             <ETag>\"0123456789abcdef0123456789abcdef-1\"</ETag></CompleteMultipartUploadResult>"
                .to_owned(),
        ),
        // Some clients still ask in the first version's words.
        "GET" if query.contains("list-type") || query.contains("prefix=") => {
            text(list(&objects, query))
        }
        "GET" | "HEAD" => match objects.get(path) {
            Some(parts) => content(parts, method, range),
            None => reply("404 Not Found", "", 0, Vec::new()),
        },
        _ => reply("204 No Content", "", 0, Vec::new()),
    }
}

/// The bytes of an object, whole or in a range.
fn content(parts: &BTreeMap<u32, Arc<Vec<u8>>>, method: &str, range: Option<&str>) -> Answer {
    let size: usize = parts.values().map(|part| part.len()).sum();
    let ends = range.and_then(|range| {
        let (begin, end) = range.strip_prefix("bytes=")?.split_once('-')?;
        let end = end.parse().map_or(size, |end: usize| size.min(end + 1));
        Some((begin.parse::<usize>().ok()?, end))
    });
    let (begin, end) = ends.unwrap_or((0, size));
    if method == "HEAD" {
        return reply("200 OK", "", size, Vec::new());
    }
    let mut body = Vec::new();
    let mut at = 0;
    for part in parts.values() {
        let (from, to) = (begin.max(at), end.min(at + part.len()));
        if from < to {
            body.push(part[from - at..to - at].to_vec());
        }
        at += part.len();
    }
    match ends {
        Some(_) => {
            let more = format!("content-range: bytes {begin}-{}/{size}\r\n", end - 1);
            reply("206 Partial Content", &more, end - begin, body)
        }
        None => reply("200 OK", "", size, body),
    }
}

fn list(objects: &HashMap<String, BTreeMap<u32, Arc<Vec<u8>>>>, query: &str) -> String {
    let prefix = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("prefix="))
        .unwrap_or("")
        .replace("%2F", "/");
    let found: String = objects
        .iter()
        .filter_map(|(path, parts)| {
            let key = path.strip_prefix('/')?.split_once('/')?.1;
            let size: usize = parts.values().map(|part| part.len()).sum();
            key.starts_with(&prefix).then(|| {
                format!(
                    "<Contents><Key>{key}</Key><LastModified>2026-11-21T12:00:00.000Z</LastModified>\
                     <ETag>\"0123456789abcdef0123456789abcdef-1\"</ETag><Size>{size}</Size></Contents>"
                )
            })
        })
        .collect();
    format!("<ListBucketResult><IsTruncated>false</IsTruncated>{found}</ListBucketResult>")
}
