//! A real server behind a proxy that does harm, and an agent that is killed while it sends.
//!
//! Nothing is called stored that is not, and nothing is sent again that the server has confirmed.

use std::collections::BTreeSet;
use std::env;
use std::fs::File;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use stopmark::clock::SystemClock;
use stopmark::config::StoreConfig;
use stopmark::error::Result;
use stopmark::model::{CHUNK_SIZE_BYTES, StoredStripe};
use stopmark::store::{AgentIdentity, ObjectStore};
use stopmark::world::{StepProgress, Store as _, Tap};

use super::proxy::{Harm, Proxy};
use super::servers::{s3_as_told, told};

/// Where the agent to be killed sends to; its presence makes a process that agent.
const ENDPOINT: &str = "STOPMARK_TEST_UPLOAD_ENDPOINT";
/// The folder with its file and its memory.
const FOLDER: &str = "STOPMARK_TEST_UPLOAD_FOLDER";

/// How often the agent is killed, and how large its piece is; `.ci/evidence` asks for more of both.
const KILLS: &str = "STOPMARK_TEST_KILLS";
const KILLED_MIB: &str = "STOPMARK_TEST_KILLED_MIB";
const KILLS_DEFAULT: u64 = 10;
const KILLED_MIB_DEFAULT: u64 = 64;
const KILLED_KEY: &str = "v1/killed/pieces/piece.bak";

/// Parts that travel at the same time.
const IN_FLIGHT: usize = 2;

/// Heads of requests, lists and questions, and a connection that is made again.
const SMALL_TALK_BYTES: u64 = 512 << 10;

struct Nobody;

impl StepProgress for Nobody {
    fn percent(&self, _percent: u8) {}
    fn bytes(&self, _more: u64) {}
}

impl Tap for Nobody {
    fn bytes(&mut self, _bytes: &[u8]) {}
}

/// The S3 server as an agent opens it, by way of this endpoint.
fn store_at(endpoint: &str, uploads: &Path) -> ObjectStore {
    store_with(endpoint, uploads, &[])
}

/// The same with options of its own.
fn store_with(endpoint: &str, uploads: &Path, options: &[(&str, &str)]) -> ObjectStore {
    let mut config: StoreConfig = s3_as_told();
    for (key, value) in [("aws_endpoint", endpoint)].iter().chain(options) {
        config
            .options
            .insert((*key).to_owned(), (*value).to_owned());
    }
    config.transfer.parts_in_flight = IN_FLIGHT;
    let agent = AgentIdentity {
        id: "faults".to_owned(),
        name: "a test".to_owned(),
    };
    let clock = Arc::new(SystemClock::new());
    let store = ObjectStore::open(&config, agent, clock, Duration::from_secs(60));
    let store = store.expect("the options are known");
    store.with_uploads(uploads.to_owned())
}

async fn proxy() -> Proxy {
    let server = told("STOPMARK_S3_ENDPOINT");
    Proxy::to(server.trim_start_matches("http://")).await
}

/// A file of this size whose chunks differ.
fn file_of(folder: &Path, size_bytes: u64) -> PathBuf {
    let path = folder.join("piece.bak");
    let mut file = BufWriter::new(File::create(&path).expect("a file"));
    for word in 0..size_bytes / 8 {
        let word = (word * 0x9e37_79b9).to_le_bytes();
        file.write_all(&word).expect("writes");
    }
    file.flush().expect("writes");
    path
}

async fn send(store: &ObjectStore, path: &Path, key: &str) -> Result<StoredStripe> {
    store.upload(path, key, &mut Nobody, &Nobody).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_server_and_broken_connections_cost_only_what_was_in_flight() {
    let folder = tempfile::tempdir().expect("a folder");
    let size_bytes = 3 * CHUNK_SIZE_BYTES;
    let path = file_of(folder.path(), size_bytes);
    let harms = [
        ("busy", Harm::Busy(5), 0),
        ("cut", Harm::CutUpload(3, 1 << 20), 3 << 20),
        ("late", Harm::CutUpload(2, 7 << 20), 14 << 20),
    ];
    for (name, harm, lost_bytes) in harms {
        let proxy = proxy().await;
        let store = store_at(&proxy.endpoint(), folder.path());
        proxy.harm(harm);
        let key = format!("v1/faults/pieces/{name}.bak");
        let stripe = send(&store, &path, &key).await.expect(name);
        assert!(proxy.harmed() >= 2, "{name}: the harm was done");
        // What the server itself turns away, because it is busy, is no loss by these harms.
        let repeated_bytes = proxy.refused() * CHUNK_SIZE_BYTES;
        let most = size_bytes + lost_bytes + repeated_bytes + SMALL_TALK_BYTES;
        assert!(proxy.sent_bytes() <= most, "{name}: {}", proxy.sent_bytes());
        let proven = store.prove(&stripe, true, &Nobody).await;
        proven.expect("whole, whatever happened on the way");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_way_back_is_no_damage() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = file_of(folder.path(), 3 * CHUNK_SIZE_BYTES);
    let proxy = proxy().await;
    let key = "v1/faults/pieces/way-back.bak";
    let store = store_at(&proxy.endpoint(), folder.path());
    let stripe = send(&store, &path, key).await.expect("sends");
    for harm in [Harm::CutAnswer(2, 300_000), Harm::FlipAnswer(1, 300_000)] {
        // A client of its own has no connections yet, and so none without harm.
        let store = store_at(&proxy.endpoint(), folder.path());
        let before = proxy.harmed();
        proxy.harm(harm);
        let proven = store.prove(&stripe, true, &Nobody).await;
        proven.expect("a second look finds it whole");
        assert!(proxy.harmed() > before, "{harm:?} was done");
        let back = folder.path().join("back.bak");
        proxy.harm(harm);
        let store = store_at(&proxy.endpoint(), folder.path());
        let fetched = store.fetch(&stripe, &back, &Nobody).await;
        fetched.expect("a second look finds it whole");
        let same = std::fs::read(&back).expect("reads") == std::fs::read(&path).expect("reads");
        assert!(same, "{harm:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_holds_what_the_server_says_of_the_whole_against_our_chunks() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = file_of(folder.path(), 2 * CHUNK_SIZE_BYTES + 8);
    let small = folder.path().join("small.bak");
    std::fs::write(&small, b"a small one").expect("writes");
    let store = store_with(
        &told("STOPMARK_S3_ENDPOINT"),
        folder.path(),
        &[("aws_checksum_algorithm", "sha256")],
    );
    for (path, key) in [(&path, "v1/said/large.bak"), (&small, "v1/said/small.bak")] {
        let stripe = send(&store, path, key).await.expect("sends");
        let proven = store.prove_sample(&stripe, &Nobody).await;
        proven.expect("what it says is what we sent");
    }
}

#[tokio::test]
async fn a_server_that_passes_over_conditions_is_found_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let careless = store_at(&told("STOPMARK_CARELESS_ENDPOINT"), folder.path());
    let key = "v1/probe/conditions";
    assert!(!careless.honours_create(key).await.expect("it answers"));
    careless.remove_probe(key).await.expect("removes");
    let careful = store_at(&told("STOPMARK_S3_ENDPOINT"), folder.path());
    assert!(careful.honours_create(key).await.expect("it answers"));
    careful.remove_probe(key).await.expect("removes");
}

/// The test binary runs itself again as the agent that is killed. What came of it is printed, for `.ci/evidence`.
#[expect(clippy::print_stdout, reason = "evidence is read by people")]
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_upload_sends_only_the_parts_in_flight_again() {
    if let (Ok(endpoint), Ok(folder)) = (env::var(ENDPOINT), env::var(FOLDER)) {
        let folder = PathBuf::from(folder);
        let store = store_at(&endpoint, &folder.join("uploads"));
        let path = folder.join("piece.bak");
        let sent = send(&store, &path, KILLED_KEY).await;
        sent.expect("sends, if it lives long enough");
        return;
    }
    let (kills, size_bytes) = (
        asked(KILLS, KILLS_DEFAULT),
        asked(KILLED_MIB, KILLED_MIB_DEFAULT) << 20,
    );
    let folder = tempfile::tempdir().expect("a folder");
    let path = file_of(folder.path(), size_bytes);
    let chance = RandomState::new();
    // So far apart that deaths are spread over the whole upload; a life sends at most half of what is missing.
    let apart_bytes = (size_bytes / kills * 3).max(20 << 20);
    let mut sent = Sent::default();
    for kill in 0..kills {
        let at_bytes = chance.hash_one(kill) % apart_bytes;
        let life = live_and_die(folder.path(), size_bytes, at_bytes).await;
        sent.add(&life);
    }
    let proxy = proxy().await;
    let uploads = folder.path().join("uploads");
    let known = confirmed(&uploads);
    let store = store_at(&proxy.endpoint(), &uploads);
    let stripe = send(&store, &path, KILLED_KEY).await.expect("sends");
    let all = 0..usize::try_from(size_bytes / CHUNK_SIZE_BYTES).expect("few parts");
    let missing: BTreeSet<usize> = all.filter(|part| !known.contains(part)).collect();
    assert_eq!(proxy.begun(), missing, "what is missing, and nothing else");
    sent.all_bytes += proxy.sent_bytes();
    let proven = store.prove(&stripe, true, &Nobody).await;
    proven.expect("whole after all deaths");
    let group = "killed".parse().expect("a group name");
    let swept = store.sweep(&group).await.expect("sweeps");
    assert!(
        swept <= 1,
        "at most a begun upload nobody had noted: {swept}"
    );
    let orphans = store.sweep(&group).await.expect("sweeps");
    assert_eq!(orphans, 0);
    println!(
        "{kills} kills of an upload of {} MiB: {} MiB sent in all, at most {} KiB of a life \
         sent again, {orphans} orphans",
        size_bytes >> 20,
        sent.all_bytes >> 20,
        sent.most_again_bytes >> 10
    );
}

/// What lives have sent.
#[derive(Default)]
struct Sent {
    all_bytes: u64,
    /// The most that any of them sent for nothing.
    most_again_bytes: u64,
}

impl Sent {
    fn add(&mut self, life: &Self) {
        self.all_bytes += life.all_bytes;
        self.most_again_bytes = self.most_again_bytes.max(life.most_again_bytes);
    }
}

/// What the environment asks for.
fn asked(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |asked| asked.parse().expect("a number"))
}

/// Parts that the server has confirmed and the agent noted, by number from 0.
fn confirmed(uploads: &Path) -> BTreeSet<usize> {
    let files = std::fs::read_dir(uploads).into_iter().flatten();
    let texts = files.filter_map(|file| std::fs::read_to_string(file.ok()?.path()).ok());
    let lines: Vec<String> = texts
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    // A line that the death tore is none.
    let lines = lines.iter().filter_map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        usize::try_from(line.get("part")?.as_u64()?).ok()
    });
    lines.collect()
}

/// One life: it may send what is missing, and dies when it has sent so much. What is counted are parts, not bytes: a
/// busy server turns a request away now and then, and the client library repeats it within the same life. Each life has
/// a proxy of its own, for what the dead one left in its connections still goes to the server.
async fn live_and_die(folder: &Path, size_bytes: u64, at_bytes: u64) -> Sent {
    let uploads = folder.join("uploads");
    let proxy = proxy().await;
    let known = confirmed(&uploads);
    let missing_bytes = size_bytes - known.len() as u64 * CHUNK_SIZE_BYTES;
    let child = Command::new(env::current_exe().expect("a path"))
        .args([
            "--exact",
            "stores::faults::a_killed_upload_sends_only_the_parts_in_flight_again",
        ])
        .env(ENDPOINT, proxy.endpoint())
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut child = child.expect("the test binary runs again");
    proxy.sent_at_least(at_bytes.min(missing_bytes / 2)).await;
    child.kill().expect("it can be killed");
    child.wait().expect("it was killed");
    let begun = proxy.begun();
    let twice: Vec<_> = begun.intersection(&known).collect();
    assert!(twice.is_empty(), "{twice:?} had been confirmed before");
    let now_known = confirmed(&uploads);
    // A part that has arrived and is not noted yet is still on its way.
    let again: Vec<_> = begun.difference(&now_known).collect();
    assert!(again.len() <= IN_FLIGHT, "{again:?} must be sent again");
    let new_bytes = (now_known.len() - known.len()) as u64 * CHUNK_SIZE_BYTES;
    Sent {
        all_bytes: proxy.sent_bytes(),
        most_again_bytes: proxy.sent_bytes().saturating_sub(new_bytes),
    }
}
