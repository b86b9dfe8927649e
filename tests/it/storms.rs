//! What stores do in bad weather, by a server that does it on demand: nothing is called stored that is not, nothing
//! is sent twice in full, and what a person must mend is said once and not asked again.
//!
//! Start at [`Storm`]. The client, its repeats and TCP are real; only the agent's own pauses are shorter, by a clock
//! that runs faster.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use stopmark::catalog::SqliteCatalog;
use stopmark::clock::SystemClock;
use stopmark::config::{Config, KeepingConfig, StoreConfig, TransferConfig};
use stopmark::error::{Code, Error, Result};
use stopmark::model::{CHUNK_SIZE_BYTES, StoredStripe, Timestamp};
use stopmark::plan::BackupKind;
use stopmark::run::events::Outcome;
use stopmark::run::{self, Interrupt};
use stopmark::store::{AgentIdentity, ObjectStore};
use stopmark::world::{Clock, StepProgress, Store as _, Tap, World};

use crate::bucket::{self, Bucket, Fault, Request};
use crate::saga_kinds::{Kind, Scene};

const KEY: &str = "v1/storms/pieces/piece.bak";
const PIECE_BYTES: u64 = 3 * CHUNK_SIZE_BYTES + 5;
const IN_FLIGHT: u64 = 2;

/// Requests that were on their way when the harm began.
const LATE_REQUESTS: u64 = IN_FLIGHT + 2;

struct Nobody;

impl StepProgress for Nobody {
    fn percent(&self, _percent: u8) {}
    fn bytes(&self, _more: u64) {}
}

impl Tap for Nobody {
    fn bytes(&mut self, _bytes: &[u8]) {}
}

/// A clock on which pauses and deadlines come so many times sooner.
pub(crate) struct Hasty {
    clock: SystemClock,
    times: u32,
}

impl Hasty {
    pub(crate) fn new(times: u32) -> Arc<Self> {
        let clock = SystemClock::new();
        Arc::new(Self { clock, times })
    }
}

#[async_trait]
impl Clock for Hasty {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic() * self.times
    }

    async fn sleep_until(&self, deadline: Duration) {
        self.clock.sleep_until(deadline / self.times).await;
    }
}

/// A bucket, a piece that is to be sent there, and an agent that remembers.
struct Storm {
    bucket: Bucket,
    folder: tempfile::TempDir,
    piece: PathBuf,
    store: ObjectStore,
}

/// The agent's store in this bucket.
pub(crate) fn config_of(bucket: &Bucket) -> StoreConfig {
    let options = [
        ("aws_endpoint", bucket.endpoint()),
        ("aws_access_key_id", "storms".to_owned()),
        ("aws_region", "eu-west-1".to_owned()),
        ("aws_allow_http", "true".to_owned()),
        ("aws_unsigned_payload", "true".to_owned()),
    ];
    let options = options.map(|(key, value)| (key.to_owned(), value));
    let secret = ("aws_secret_access_key".to_owned(), "storms".into());
    StoreConfig {
        name: stopmark::model::StoreName::default(),
        url: format!("s3://{}/agents", bucket::NAME),
        options: options.into(),
        secrets: [secret].into(),
        transfer: TransferConfig {
            parts_in_flight: usize::try_from(IN_FLIGHT).expect("small"),
            ..TransferConfig::default()
        },
        keeping: KeepingConfig::default(),
    }
}

fn agent(bucket: &Bucket, folder: &tempfile::TempDir, times: u32) -> ObjectStore {
    let agent = AgentIdentity {
        id: "storms".to_owned(),
        name: "a test".to_owned(),
    };
    let ttl = Duration::from_secs(120);
    let store = ObjectStore::open(&config_of(bucket), agent, Hasty::new(times), ttl);
    let store = store.expect("the options are known");
    store.with_uploads(folder.path().join("uploads"))
}

impl Storm {
    /// Calm weather, and a clock that runs so many times faster.
    async fn set(times: u32) -> Self {
        let bucket = Bucket::open().await;
        let folder = tempfile::tempdir().expect("a folder");
        let piece = folder.path().join("piece.bak");
        let words = (0..PIECE_BYTES.div_ceil(8)).flat_map(|it| (it * 0x9e37_79b9).to_le_bytes());
        let size = usize::try_from(PIECE_BYTES).expect("fits");
        std::fs::write(&piece, words.take(size).collect::<Vec<u8>>()).expect("writes");
        Self {
            store: agent(&bucket, &folder, times),
            bucket,
            folder,
            piece,
        }
    }

    /// The same after a new start of the agent, on a clock that runs fast enough for pauses.
    fn later(self) -> Self {
        let store = agent(&self.bucket, &self.folder, 20);
        Self { store, ..self }
    }

    async fn send(&self) -> Result<StoredStripe> {
        self.store
            .upload(&self.piece, KEY, &mut Nobody, &Nobody)
            .await
    }

    async fn prove(&self, stripe: &StoredStripe) -> Result<()> {
        self.store.prove(stripe, true, &Nobody).await
    }

    /// Sends again in calm weather; what is sent is at most what no answer confirmed.
    async fn go_on(&self, most_bytes: u64) -> StoredStripe {
        self.bucket.heal();
        let before = self.bucket.body_bytes();
        let stripe = self.send().await.expect("the weather is calm");
        let sent = self.bucket.body_bytes() - before;
        assert!(
            sent <= most_bytes,
            "{sent} bytes were sent, not {most_bytes}"
        );
        self.prove(&stripe).await.expect("whole");
        let group = "storms".parse().expect("a group");
        self.store.sweep(&group).await.expect("sweeps");
        assert_eq!(
            self.bucket.unfinished(),
            0,
            "parts that nobody goes on with"
        );
        stripe
    }

    /// No object of the piece's name is there.
    fn assert_nothing_is_stored(&self) {
        let keys = self.bucket.keys();
        assert!(!keys.iter().any(|key| key.ends_with(KEY)), "{keys:?}");
    }
}

/// Does this to every request after the first parts.
fn after_parts(parts: u64, fault: Fault) -> impl FnMut(&Request) -> Option<Fault> + Send + 'static {
    let mut seen = 0;
    move |request| {
        seen += u64::from(request.is_part());
        (seen > parts).then_some(fault)
    }
}

/// A person must act: one message with its cure, at once, and when it is mended the upload goes on where it was.
async fn a_refusal_is_told_once(fault: Fault, words: &str, cure: &str) {
    let storm = Storm::set(20).await;
    storm.bucket.harm(after_parts(2, fault));
    let error = storm.send().await.expect_err("it is refused");
    assert_eq!(error.code(), Code::StoreRefused);
    assert!(error.message().contains(words), "{error}");
    assert!(
        error.hint_text().unwrap_or_default().contains(cure),
        "{error}"
    );
    let asked = storm.bucket.harmed();
    assert!(asked <= LATE_REQUESTS, "asked {asked} times");
    storm.assert_nothing_is_stored();
    storm.go_on(PIECE_BYTES - CHUNK_SIZE_BYTES + 2000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_token_is_told_once_and_new_credentials_go_on() {
    let fault = Fault::Say("400 Bad Request", "ExpiredToken");
    a_refusal_is_told_once(fault, "expired", "session token").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_wrong_is_told_once_and_a_right_one_goes_on() {
    let fault = Fault::Say("403 Forbidden", "RequestTimeTooSkewed");
    a_refusal_is_told_once(fault, "time", "clock").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_vanishes_is_told_once_and_a_new_one_gets_the_whole_piece() {
    let storm = Storm::set(20).await;
    storm
        .bucket
        .harm(after_parts(2, Fault::Say("404 Not Found", "NoSuchBucket")));
    let error = storm.send().await.expect_err("there is no bucket");
    assert_eq!(error.code(), Code::StoreRefused);
    assert!(error.message().contains("bucket"), "{error}");
    assert!(storm.bucket.harmed() <= LATE_REQUESTS);
    storm.bucket.lose_everything();
    // The new bucket does not know the upload: one part tells so, in vain.
    storm
        .go_on(PIECE_BYTES + IN_FLIGHT * CHUNK_SIZE_BYTES + 2000)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_and_room_lets_the_upload_go_on() {
    let storm = Storm::set(200).await;
    // MinIO says it with 507, which the client asks for again and again; the code alone is enough.
    storm.bucket.harm(after_parts(
        2,
        Fault::Say("400 Bad Request", "XMinioStorageFull"),
    ));
    let error = storm.send().await.expect_err("there is no room");
    assert_eq!(error.code(), Code::DiskFull, "{error}");
    storm.assert_nothing_is_stored();
    let storm = storm.later();
    storm.go_on(PIECE_BYTES - CHUNK_SIZE_BYTES + 2000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_503_sends_again_only_what_was_turned_away() {
    let storm = Storm::set(20).await;
    let turned_away = Arc::new(AtomicU64::new(0));
    let (seen, counted) = (AtomicU64::new(0), turned_away.clone());
    storm.bucket.harm(move |request| {
        let is_hit = request.is_part() && seen.fetch_add(1, Ordering::SeqCst) % 2 == 0;
        counted.fetch_add(
            if is_hit { request.body_bytes() } else { 0 },
            Ordering::SeqCst,
        );
        is_hit.then_some(Fault::Say("503 Service Unavailable", "SlowDown"))
    });
    let stripe = storm.send().await.expect("the storm passes");
    let turned_away = turned_away.load(Ordering::SeqCst);
    assert!(turned_away > 0);
    let sent = storm.bucket.body_bytes();
    assert!(sent <= PIECE_BYTES + turned_away + 2000, "{sent}");
    storm.bucket.heal();
    storm.prove(&stripe).await.expect("whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_drip_break_off_or_are_wrong_are_no_damage() {
    let storm = Storm::set(200).await;
    let stripe = storm.send().await.expect("calm weather");
    for fault in [Fault::Drip, Fault::Truncate, Fault::Flip, Fault::Mute] {
        let mut left = 2;
        storm.bucket.harm(move |request| {
            let is_hit = left > 0 && request.method == "GET" && request.is_about_a_piece();
            left -= i32::from(is_hit);
            is_hit.then_some(fault)
        });
        let before = storm.bucket.harmed();
        let proven = storm.prove(&stripe).await;
        proven.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert_eq!(storm.bucket.harmed(), before + 2, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_costs_its_part_and_no_more() {
    let storm = Storm::set(20).await;
    let mut left = 2;
    storm.bucket.harm(move |request| {
        let is_hit = left > 0 && request.is_part();
        left -= i32::from(is_hit);
        is_hit.then_some(Fault::Mute)
    });
    let stripe = storm.send().await.expect("a part may be sent twice");
    let sent = storm.bucket.body_bytes();
    assert!(sent <= PIECE_BYTES + 2 * CHUNK_SIZE_BYTES + 2000, "{sent}");
    storm.prove(&stripe).await.expect("whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_the_last_request_is_found_out() {
    let storm = Storm::set(20).await;
    let mut left = 1;
    storm.bucket.harm(move |request| {
        let is_end = request.method == "POST" && request.query.contains("uploadId");
        let is_hit = left > 0 && is_end;
        left -= i32::from(is_hit);
        is_hit.then_some(Fault::Mute)
    });
    let stripe = storm
        .send()
        .await
        .expect("the object itself says that it is there");
    assert!(storm.bucket.body_bytes() <= PIECE_BYTES + 2000);
    storm.prove(&stripe).await.expect("whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_changed_in_the_store_are_called_damage_and_where() {
    let storm = Storm::set(20).await;
    let stripe = storm.send().await.expect("calm weather");
    let at = usize::try_from(CHUNK_SIZE_BYTES + 7).expect("fits");
    storm
        .bucket
        .change(&format!("agents/{KEY}"), |object| object[at] ^= 1);
    let error = storm.prove(&stripe).await.expect_err("one bit differs");
    assert_eq!(error.code(), Code::StoreMismatch);
    assert!(error.message().contains("chunk 1"), "{error}");
    storm
        .bucket
        .change(&format!("agents/{KEY}"), |object| object.truncate(at));
    let error = storm.prove(&stripe).await.expect_err("it is too short");
    assert_eq!(error.code(), Code::StoreMismatch);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_store_says_of_the_whole_is_compared_by_a_sample() {
    let storm = Storm::set(20).await;
    let stripe = storm.send().await.expect("calm weather");
    let sample = || storm.store.prove_sample(&stripe, &Nobody);
    sample().await.expect("a store may say nothing");
    let key = format!("agents/{KEY}");
    let in_parts = |digest: [u8; 32]| format!("{}-4", STANDARD.encode(digest));
    storm.bucket.say(&key, in_parts(stripe.root.0));
    sample().await.expect("it says our root");
    storm.bucket.say(&key, in_parts([7; 32]));
    let error = sample().await.expect_err("it received something else");
    assert_eq!(error.code(), Code::StoreMismatch);
    assert!(error.message().contains("checksum"), "{error}");
    let server = Fault::Say("400 Bad Request", "InvalidRequest");
    let asks = |request: &Request| request.method == "HEAD" && request.query.contains("X-Amz");
    storm
        .bucket
        .harm(move |request| asks(request).then_some(server));
    sample()
        .await
        .expect("who knows no such question is not asked again");
    assert_eq!(storm.bucket.harmed(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_never_answers_is_given_up_in_time_and_then_left_alone() {
    // Ten minutes are four seconds.
    let storm = Storm::set(150).await;
    storm.bucket.harm(after_parts(2, Fault::Silence));
    let error = storm.send().await.expect_err("nobody answers");
    assert_unreachable(&error, "in time");
    storm.assert_nothing_is_stored();
    let asked = storm.bucket.requests();
    let error = storm.send().await.expect_err("it is left alone");
    assert_unreachable(&error, "left alone");
    assert_eq!(storm.bucket.requests(), asked, "nobody asked");
    let storm = storm.later();
    storm.go_on(PIECE_BYTES - CHUNK_SIZE_BYTES + 2000).await;
}

fn assert_unreachable(error: &Error, words: &str) {
    assert_eq!(error.code(), Code::StoreUnreachable);
    assert!(error.message().contains(words), "{error}");
}

/// The scene's group with this bucket as its store, as a start of the agent finds it.
fn moved_to(bucket: &Bucket, scene: &Scene, staging_max_bytes: u64) -> (Arc<Config>, World) {
    let mut config = (*scene.config).clone();
    config.store = config_of(bucket);
    config.policy.staging_max_bytes = staging_max_bytes;
    let identity = AgentIdentity {
        id: "storms".to_owned(),
        name: "a test".to_owned(),
    };
    let ttl = config.policy.lease_ttl;
    let store = ObjectStore::open(&config.store, identity, Hasty::new(100), ttl).expect("opens");
    let catalog = scene.stage.path("catalog");
    std::fs::create_dir_all(&catalog).expect("a folder");
    let world = World {
        store: Arc::new(store),
        catalog: Arc::new(SqliteCatalog::open(&catalog).expect("a catalog")),
        ..scene.world.clone()
    };
    (Arc::new(config), world)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_takes_no_pieces_keeps_no_mark_and_its_backlog_is_told() {
    let mut scene = Scene::set().await;
    let bucket = Bucket::open().await;
    (scene.config, scene.world) = moved_to(&bucket, &scene, u64::MAX);
    scene.back_up(BackupKind::Full).await;
    scene.back_up(BackupKind::Log).await;
    let before = scene.points().await.len();
    bucket.harm(|request| {
        let is_piece = request.method == "PUT" && request.is_about_a_piece();
        is_piece.then_some(Fault::Silence)
    });
    for staging_max_bytes in [u64::MAX, 0] {
        // Each time as after a new start, which knows nothing of a store that is left alone.
        (scene.config, scene.world) = moved_to(&bucket, &scene, staging_max_bytes);
        let wanted = Kind::Log.wanted();
        let interrupt = Interrupt::default();
        let run = run::back_up(&scene.world, &scene.config, &wanted, &interrupt);
        let record = run.await.expect("a record");
        let is_marked = |it: &Outcome| matches!(it, Outcome::MarkConfirmed { .. });
        let is_delivered = |it: &Outcome| matches!(it, Outcome::Delivered { .. });
        assert!(record.outcomes().any(is_marked), "the mark is placed");
        assert!(
            !record.outcomes().any(is_delivered),
            "nothing is called stored"
        );
        assert_eq!(record.ended, None, "the next start goes on with it");
        let mut warnings = record.rounds.iter().flat_map(|it| &it.plan.warnings);
        let is_told = warnings.any(|it| it.code == Code::ShareBacklog.text());
        assert_eq!(is_told, staging_max_bytes == 0);
    }
    bucket.heal();
    (scene.config, scene.world) = moved_to(&bucket, &scene, u64::MAX);
    scene.back_up(BackupKind::Log).await;
    assert_eq!(
        scene.points().await.len(),
        before + 3,
        "every mark is a Point"
    );
    scene.assert_nothing_is_lost("after the silence").await;
    scene.assert_the_shares_are_clear("after the silence");
    scene.assert_no_set_twice("after the silence").await;
}
