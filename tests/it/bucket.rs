//! A bucket that speaks as much S3 as the agent needs, kept in memory, and does harm on demand.
//!
//! Start at [`Bucket::open`]. The client is the real one, over TCP. It checks no signature and stands for no real
//! server: `tests/foreign` has those. Here are the answers that a healthy server does not give when it is asked to.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The bucket's name.
pub(crate) const NAME: &str = "storms";

/// How much of an answer goes out at a time where it drips.
const DROP_BYTES: usize = 512;

/// One request.
pub(crate) struct Request {
    pub(crate) method: String,
    /// The object's key; empty for the bucket itself.
    pub(crate) key: String,
    pub(crate) query: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

/// What is done instead of a sound answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// This status and code, and nothing is done.
    Say(&'static str, &'static str),
    /// No answer, ever; the connection stays.
    Silence,
    /// The answer comes in drops.
    Drip,
    /// The answer breaks off after half of its body.
    Truncate,
    /// One bit of the answer's body is another.
    Flip,
    /// The request is carried out and the connection closed without an answer.
    Mute,
}

type Faults = Box<dyn FnMut(&Request) -> Option<Fault> + Send>;

/// A bucket that is served until it is dropped.
pub(crate) struct Bucket {
    state: Arc<State>,
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

struct State {
    held: Mutex<Held>,
    faults: Mutex<Faults>,
    body_bytes: AtomicU64,
    requests: AtomicU64,
    harmed: AtomicU64,
}

#[derive(Default)]
struct Held {
    objects: BTreeMap<String, Vec<u8>>,
    uploads: BTreeMap<String, Upload>,
    checksums: BTreeMap<String, String>,
    uploads_begun: u64,
}

struct Upload {
    key: String,
    parts: BTreeMap<u32, Vec<u8>>,
}

struct Answer {
    status: &'static str,
    more: String,
    body: Vec<u8>,
    /// What the head says, where the body is not sent.
    length: Option<usize>,
}

impl Bucket {
    /// An empty bucket without faults.
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(State {
            held: Mutex::default(),
            faults: Mutex::new(Box::new(|_| None)),
            body_bytes: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            harmed: AtomicU64::new(0),
        });
        let shared = state.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let state = shared.clone();
                // A client that goes away is its own affair.
                tokio::spawn(async move { serve(client, &state).await });
            }
        });
        Self {
            state,
            address,
            accepting,
        }
    }

    /// Where it is served.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Asks for the fault of each request from now on.
    pub(crate) fn harm(&self, fault_of: impl FnMut(&Request) -> Option<Fault> + Send + 'static) {
        *lock(&self.state.faults) = Box::new(fault_of);
    }

    /// Does no harm any more.
    pub(crate) fn heal(&self) {
        self.harm(|_| None);
    }

    /// The bytes of all requests' bodies so far, whatever became of them.
    pub(crate) fn body_bytes(&self) -> u64 {
        self.state.body_bytes.load(Ordering::SeqCst)
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> u64 {
        self.state.requests.load(Ordering::SeqCst)
    }

    /// The requests that were harmed so far.
    pub(crate) fn harmed(&self) -> u64 {
        self.state.harmed.load(Ordering::SeqCst)
    }

    /// Uploads that were begun and not ended.
    pub(crate) fn unfinished(&self) -> usize {
        lock(&self.state.held).uploads.len()
    }

    /// The keys of all objects.
    pub(crate) fn keys(&self) -> Vec<String> {
        lock(&self.state.held).objects.keys().cloned().collect()
    }

    /// Changes a stored object behind everybody's back.
    pub(crate) fn change(&self, key: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut held = lock(&self.state.held);
        change(held.objects.get_mut(key).expect("an object of that key"));
    }

    /// Says this of an object when it is asked for its checksum.
    pub(crate) fn say(&self, key: &str, checksum: String) {
        lock(&self.state.held)
            .checksums
            .insert(key.to_owned(), checksum);
    }

    /// Loses everything, as a bucket that is deleted and made again.
    pub(crate) fn lose_everything(&self) {
        *lock(&self.state.held) = Held::default();
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One connection; none at its end.
async fn serve(client: TcpStream, state: &State) -> Option<()> {
    client.set_nodelay(true).ok()?;
    let mut client = BufReader::new(client);
    loop {
        let request = receive(&mut client).await?;
        state.requests.fetch_add(1, Ordering::SeqCst);
        let size_bytes = request.body.len() as u64;
        state.body_bytes.fetch_add(size_bytes, Ordering::SeqCst);
        let fault = (lock(&state.faults))(&request);
        state
            .harmed
            .fetch_add(u64::from(fault.is_some()), Ordering::SeqCst);
        let mut answer = match fault {
            Some(Fault::Silence) => return std::future::pending().await,
            Some(Fault::Say(status, code)) => refusal(status, code),
            _ => lock(&state.held).answer(&request),
        };
        let half = answer.body.len() / 2;
        if fault == Some(Fault::Flip) && half > 0 {
            answer.body[half] ^= 1;
        }
        let length = answer.length.unwrap_or(answer.body.len());
        let head = format!(
            "HTTP/1.1 {}\r\ncontent-length: {length}\r\netag: \"1\"\r\n\
             last-modified: Sat, 21 Nov 2026 12:00:00 GMT\r\n{}\r\n",
            answer.status, answer.more
        );
        match fault {
            Some(Fault::Mute) => return None,
            Some(Fault::Truncate) => {
                client.write_all(head.as_bytes()).await.ok()?;
                client.write_all(&answer.body[..half]).await.ok()?;
                return None;
            }
            Some(Fault::Drip) => {
                let whole = [head.into_bytes(), answer.body].concat();
                for drop in whole.chunks(DROP_BYTES) {
                    client.write_all(drop).await.ok()?;
                    client.flush().await.ok()?;
                    tokio::task::yield_now().await;
                }
            }
            _ => {
                client.write_all(head.as_bytes()).await.ok()?;
                client.write_all(&answer.body).await.ok()?;
            }
        }
        client.flush().await.ok()?;
    }
}

async fn receive(client: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if client.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        if line.trim_end().is_empty() {
            break;
        }
        lines.push(line.trim_end().to_owned());
    }
    let mut words = lines.first()?.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let headers: BTreeMap<String, String> = lines[1..]
        .iter()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.get("content-length").and_then(|it| it.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    client.read_exact(&mut body).await.ok()?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let key = path.trim_start_matches('/').strip_prefix(NAME)?;
    Some(Request {
        method,
        key: key.trim_start_matches('/').to_owned(),
        query: query.to_owned(),
        headers,
        body,
    })
}

impl Request {
    /// The headers, their names in lower case.
    pub(crate) fn headers(&self) -> &BTreeMap<String, String> {
        &self.headers
    }

    /// A parameter of the query, decoded as far as keys need it.
    fn asked(&self, name: &str) -> Option<String> {
        let mut pairs = self
            .query
            .split('&')
            .map(|it| it.split_once('=').unwrap_or((it, "")));
        let found = pairs.find(|(key, _)| *key == name)?;
        Some(found.1.replace("%2F", "/").replace("%2f", "/"))
    }

    /// The size of its body.
    pub(crate) fn body_bytes(&self) -> u64 {
        self.body.len() as u64
    }

    /// Whether it carries a part of an object.
    pub(crate) fn is_part(&self) -> bool {
        self.asked("partNumber").is_some()
    }

    /// Whether it is about a piece, which is large, and not about what describes pieces.
    pub(crate) fn is_about_a_piece(&self) -> bool {
        self.key.contains("/pieces/")
    }

    /// The bytes that it asks for.
    fn range(&self, size: usize) -> Option<(usize, usize)> {
        let (begin, end) = self
            .headers
            .get("range")?
            .strip_prefix("bytes=")?
            .split_once('-')?;
        let end = end.parse().map_or(size, |end: usize| size.min(end + 1));
        Some((begin.parse().ok()?, end))
    }
}

impl Held {
    fn answer(&mut self, request: &Request) -> Answer {
        let upload = request.asked("uploadId");
        match (request.method.as_str(), upload) {
            ("POST", None) if request.asked("uploads").is_some() => self.begin(&request.key),
            ("POST", None) if request.asked("delete").is_some() => self.delete(request),
            ("PUT", Some(upload)) => self.take_part(&upload, request),
            ("POST", Some(upload)) => self.complete(&upload),
            ("DELETE", Some(upload)) => match self.uploads.remove(&upload) {
                Some(_) => said("204 No Content", String::new()),
                None => refusal("404 Not Found", "NoSuchUpload"),
            },
            ("PUT", None) => self.put(request),
            ("GET", None) if request.asked("uploads").is_some() => self.list_uploads(request),
            ("GET", None) if request.asked("list-type").is_some() => self.list(request),
            ("GET" | "HEAD", None) => self.get(request),
            _ => refusal("501 Not Implemented", "NotImplemented"),
        }
    }

    fn begin(&mut self, key: &str) -> Answer {
        self.uploads_begun += 1;
        let id = format!("upload-{}", self.uploads_begun);
        let upload = Upload {
            key: key.to_owned(),
            parts: BTreeMap::new(),
        };
        self.uploads.insert(id.clone(), upload);
        let names = format!("<Bucket>{NAME}</Bucket><Key>{key}</Key><UploadId>{id}</UploadId>");
        said(
            "200 OK",
            format!("<InitiateMultipartUploadResult>{names}</InitiateMultipartUploadResult>"),
        )
    }

    fn take_part(&mut self, upload: &str, request: &Request) -> Answer {
        let number = request.asked("partNumber").and_then(|it| it.parse().ok());
        match self.uploads.get_mut(upload) {
            Some(upload) => {
                upload
                    .parts
                    .insert(number.unwrap_or(0), request.body.clone());
                said("200 OK", String::new())
            }
            None => refusal("404 Not Found", "NoSuchUpload"),
        }
    }

    fn complete(&mut self, upload: &str) -> Answer {
        let Some(upload) = self.uploads.remove(upload) else {
            return refusal("404 Not Found", "NoSuchUpload");
        };
        let whole = upload.parts.into_values().flatten().collect();
        self.objects.insert(upload.key, whole);
        said(
            "200 OK",
            "<CompleteMultipartUploadResult><ETag>\"1\"</ETag></CompleteMultipartUploadResult>"
                .to_owned(),
        )
    }

    fn put(&mut self, request: &Request) -> Answer {
        let is_create = request.headers.contains_key("if-none-match");
        if is_create && self.objects.contains_key(&request.key) {
            return refusal("412 Precondition Failed", "PreconditionFailed");
        }
        self.objects
            .insert(request.key.clone(), request.body.clone());
        said("200 OK", String::new())
    }

    fn delete(&mut self, request: &Request) -> Answer {
        let text = String::from_utf8_lossy(&request.body);
        let keys = text.split("<Key>").skip(1);
        let mut deleted = String::new();
        for key in keys.filter_map(|it| it.split('<').next()) {
            self.objects.remove(key);
            write!(deleted, "<Deleted><Key>{key}</Key></Deleted>").expect("a string");
        }
        let body = format!("<DeleteResult>{deleted}</DeleteResult>");
        said("200 OK", body)
    }

    fn get(&self, request: &Request) -> Answer {
        let Some(object) = self.objects.get(&request.key) else {
            return refusal("404 Not Found", "NoSuchKey");
        };
        let size = object.len();
        if request.method == "HEAD" {
            let is_asked = request.headers.contains_key("x-amz-checksum-mode");
            let checksum = self.checksums.get(&request.key).filter(|_| is_asked);
            let more = checksum.map(|it| format!("x-amz-checksum-sha256: {it}\r\n"));
            return Answer {
                more: more.unwrap_or_default(),
                length: Some(size),
                ..said("200 OK", String::new())
            };
        }
        let (status, (begin, end)) = match request.range(size) {
            Some(range) => ("206 Partial Content", range),
            None => ("200 OK", (0, size)),
        };
        Answer {
            status,
            more: format!("content-range: bytes {begin}-{}/{size}\r\n", end.max(1) - 1),
            body: object[begin..end].to_vec(),
            length: None,
        }
    }

    fn list(&self, request: &Request) -> Answer {
        let prefix = request.asked("prefix").unwrap_or_default();
        let after = request.asked("start-after").unwrap_or_default();
        let mut contents = String::new();
        let found = self
            .objects
            .iter()
            .filter(|(key, _)| key.starts_with(&prefix) && **key > after);
        for (key, object) in found {
            let size = object.len();
            write!(
                contents,
                "<Contents><Key>{key}</Key><Size>{size}</Size><ETag>\"1\"</ETag>"
            )
            .and_then(|()| {
                contents
                    .write_str("<LastModified>2026-11-21T12:00:00.000Z</LastModified></Contents>")
            })
            .expect("a string");
        }
        said(
            "200 OK",
            format!(
                "<ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>"
            ),
        )
    }

    fn list_uploads(&self, request: &Request) -> Answer {
        let prefix = request.asked("prefix").unwrap_or_default();
        let found = self
            .uploads
            .iter()
            .filter(|(_, it)| it.key.starts_with(&prefix));
        let mut listed = String::new();
        for (id, upload) in found {
            let key = &upload.key;
            write!(
                listed,
                "<Upload><Key>{key}</Key><UploadId>{id}</UploadId></Upload>"
            )
            .expect("a string");
        }
        said(
            "200 OK",
            format!(
                "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>{listed}</ListMultipartUploadsResult>"
            ),
        )
    }
}

fn said(status: &'static str, body: String) -> Answer {
    Answer {
        status,
        more: String::new(),
        body: body.into_bytes(),
        length: None,
    }
}

fn refusal(status: &'static str, code: &str) -> Answer {
    said(status, format!("<Error><Code>{code}</Code></Error>"))
}
