//! Several stores in memory: one that stalls, one that fails, and what is copied between them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use object_store::memory::InMemory;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path as Key;
use object_store::{MultipartId, ObjectStoreExt as _, PutPayload, PutResult};
use tempfile::TempDir;

use super::Stores;
use crate::clock::ManualClock;
use crate::error::{Code, Result};
use crate::model::{
    CHUNK_SIZE_BYTES, GroupName, PieceCopy, PieceId, SetId, StoredStripe, Timestamp,
};
use crate::store::pool::Pool;
use crate::store::{AgentIdentity, Backend, ObjectStore};
use crate::world::{Clock, LogFact, StepProgress, Store as _, Tap};

struct Nobody;

impl StepProgress for Nobody {
    fn percent(&self, _percent: u8) {}
    fn bytes(&self, _more: u64) {}
}

/// Counts what passed.
#[derive(Clone, Default)]
struct Passed(Arc<AtomicU64>);

impl Tap for Passed {
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.fetch_add(bytes.len() as u64, Ordering::SeqCst);
    }
}

impl Passed {
    fn total(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Takes no part, ever.
struct Stalled(Arc<dyn MultipartStore>);

#[async_trait]
impl MultipartStore for Stalled {
    async fn create_multipart(&self, path: &Key) -> object_store::Result<MultipartId> {
        self.0.create_multipart(path).await
    }

    async fn put_part(
        &self,
        _path: &Key,
        _id: &MultipartId,
        _part: usize,
        _data: PutPayload,
    ) -> object_store::Result<PartId> {
        std::future::pending().await
    }

    async fn complete_multipart(
        &self,
        path: &Key,
        id: &MultipartId,
        parts: Vec<PartId>,
    ) -> object_store::Result<PutResult> {
        self.0.complete_multipart(path, id, parts).await
    }

    async fn abort_multipart(&self, path: &Key, id: &MultipartId) -> object_store::Result<()> {
        self.0.abort_multipart(path, id).await
    }
}

/// Two stores in memory, `main` and `cloud`.
struct Two {
    clock: Arc<ManualClock>,
    memories: [Arc<InMemory>; 2],
    pool: Arc<Pool>,
    folder: TempDir,
}

impl Two {
    fn new() -> Self {
        Self {
            clock: Arc::new(ManualClock::new(Timestamp::from_millis(0))),
            memories: [Arc::default(), Arc::default()],
            pool: Pool::of(64 << 20),
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    fn store(&self, at: usize, backend: Backend) -> ObjectStore {
        let agent = AgentIdentity {
            id: "one".to_owned(),
            name: "one".to_owned(),
        };
        let name = ["main", "cloud"][at].parse().expect("a name");
        let ttl = Duration::from_secs(60);
        ObjectStore::over(backend, Key::default(), agent, self.clock.clone(), ttl)
            .with_pool(self.pool.clone())
            .with_name(name)
    }

    fn stores(&self) -> Stores {
        self.stores_with(|backend| backend)
    }

    /// With something between the agent and the second store.
    fn stores_with(&self, between: impl FnOnce(Backend) -> Backend) -> Stores {
        let leading = self.store(0, Backend::of(self.memories[0].clone()));
        let cloud = between(Backend::of(self.memories[1].clone()));
        let clock: Arc<dyn Clock> = self.clock.clone();
        Stores::of(leading, vec![self.store(1, cloud)], &clock)
    }

    fn file(&self, chunks: u64, more: u64) -> PathBuf {
        let size = usize::try_from(chunks * CHUNK_SIZE_BYTES + more).expect("fits");
        let path = self.folder.path().join("piece.bak");
        let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(4099).collect();
        std::fs::write(&path, bytes.repeat(size / 4099 + 1).split_at(size).0).expect("writes");
        path
    }

    async fn keys(&self, at: usize) -> BTreeSet<String> {
        use futures::TryStreamExt as _;
        use object_store::ObjectStore as _;
        let listed = self.memories[at].list(None);
        let keys = listed.map_ok(|meta| meta.location.to_string());
        keys.try_collect().await.expect("lists")
    }
}

/// Chunks that a stalled store takes before it holds the others up: those in flight, one in
/// hand and one at its door; the next is offered.
/// A file here has no more, since the store in memory keeps the pool's buffers as long as its parts.
const TAKEN_CHUNKS: u64 = 6;

/// Drives an upload; the clock stands still until the stalled store holds it up, and then takes long steps.
async fn settled<T>(
    clock: &ManualClock,
    passed: &AtomicU64,
    upload: impl Future<Output = Result<T>>,
) -> Result<T> {
    let mut upload = std::pin::pin!(upload);
    let mut polls = 0_u64;
    loop {
        if let std::task::Poll::Ready(settled) = futures::poll!(upload.as_mut()) {
            return settled;
        }
        polls += 1;
        let is_held_up = passed.load(Ordering::SeqCst) > TAKEN_CHUNKS * CHUNK_SIZE_BYTES;
        if is_held_up && polls.is_multiple_of(256) {
            clock.advance(Duration::from_secs(61));
        }
        tokio::task::yield_now().await;
    }
}

const KEY: &str = "v1/pay/pieces/a.bak";

fn copy(text: &str) -> PieceCopy {
    text.parse().expect("a copy")
}

async fn sent(stores: &Stores, path: &std::path::Path) -> StoredStripe {
    let sent = stores
        .upload(path, KEY, &mut Passed::default(), &Nobody)
        .await;
    sent.expect("uploads")
}

#[tokio::test]
async fn one_reading_feeds_every_store_and_the_tap_once() {
    for (chunks, more) in [(0, 0), (0, 77), (1, 0), (3, 5)] {
        let two = Two::new();
        let (stores, path) = (two.stores(), two.file(chunks, more));
        let mut tap = Passed::default();
        let stripe = stores.upload(&path, KEY, &mut tap, &Nobody).await;
        let stripe = stripe.expect("uploads");
        assert_eq!(tap.total(), chunks * CHUNK_SIZE_BYTES + more);
        assert_eq!(stripe.copies, [copy("main"), copy("cloud")]);
        stores
            .prove(&stripe, true, &Nobody)
            .await
            .expect("both whole");
        assert_eq!(two.keys(0).await, two.keys(1).await);
        assert!(two.pool.peak_bytes() <= 64 << 20, "one budget for all");
        let again = sent(&stores, &path).await;
        assert_eq!(again, stripe, "what is there counts");
    }
}

#[tokio::test]
async fn a_store_that_stalls_is_left_behind_and_then_left_alone() {
    let two = Two::new();
    let stalled = |backend: Backend| backend.map_parts(|parts| Arc::new(Stalled(parts)));
    let (stores, path) = (two.stores_with(stalled), two.file(6, 1));
    let mut tap = Passed::default();
    let passed = tap.0.clone();
    let upload = stores.upload(&path, KEY, &mut tap, &Nobody);
    let stripe = settled(&two.clock, &passed, upload).await;
    let stripe = stripe.expect("the leading store has it");
    assert_eq!(stripe.copies, [copy("main")]);
    assert_eq!(tap.total(), stripe.size_bytes);
    let refused = stores.copy(&stripe, &copy("cloud"), &Nobody).await;
    let refused = refused.expect_err("left alone");
    assert_eq!(refused.code(), Code::StoreUnreachable);
    assert!(format!("{refused:?}").contains("far slower"), "{refused:?}");
    // Its buffers are free again: the next piece needs no time at all.
    let small = two.file(0, 10);
    let next = stores.upload(&small, "v1/pay/pieces/b.bak", &mut tap, &Nobody);
    assert_eq!(next.await.expect("uploads").copies, [copy("main")]);
}

#[tokio::test]
async fn a_stripe_that_rotted_before_it_was_proven_is_sent_again_under_a_key_of_its_own() {
    for (chunks, more) in [(0, 77), (2, 3)] {
        let two = Two::new();
        let (stores, path) = (two.stores(), two.file(chunks, more));
        let stripe = sent(&stores, &path).await;
        for memory in &two.memories {
            let damaged = vec![0_u8; usize::try_from(stripe.size_bytes).expect("fits")];
            let place = Key::from(KEY);
            let rots = memory.put(&place, damaged.into());
            rots.await.expect("someone writes");
        }
        let mut tap = Passed::default();
        let again = stores.upload(&path, KEY, &mut tap, &Nobody).await;
        let again = again.expect("no damage keeps a piece out");
        assert_eq!(again.key, format!("{KEY}.try2"));
        assert_eq!(again.copies, [copy("main"), copy("cloud")]);
        assert_eq!(tap.total(), stripe.size_bytes, "the tap saw each byte once");
        let whole = stores.prove(&again, true, &Nobody).await;
        whole.expect("both whole");
        assert_eq!(sent(&stores, &path).await, again, "what is there counts");
    }
}

#[tokio::test]
async fn a_copy_is_made_from_whoever_is_whole_and_never_spreads_damage() {
    let two = Two::new();
    let (stores, path) = (two.stores(), two.file(2, 3));
    let stripe = sent(&stores, &path).await;
    let place = Key::from(KEY);
    let damaged = vec![0_u8; usize::try_from(stripe.size_bytes).expect("fits")];
    two.memories[0]
        .put(&place, damaged.into())
        .await
        .expect("someone writes");
    let from_damaged = stripe.held_by(vec![copy("main")]);
    let refused = stores.copy(&from_damaged, &copy("cloud#2"), &Nobody).await;
    assert_eq!(refused.expect_err("damaged").code(), Code::StoreMismatch);
    assert!(!two.keys(1).await.contains("v1/pay/pieces/a.bak.copy2"));
    let whole = stripe.held_by(vec![copy("cloud")]);
    let taken = stores.copy(&whole, &copy("main"), &Nobody).await;
    assert_eq!(
        taken.expect_err("its key is taken").code(),
        Code::ObjectExists
    );
    for _ in 0..2 {
        let made = stores.copy(&whole, &copy("main#2"), &Nobody).await;
        made.expect("made, and made twice");
    }
    let healed = stripe.held_by(vec![copy("main#2")]);
    stores.prove(&healed, true, &Nobody).await.expect("whole");
    let target = two.folder.path().join("back.bak");
    let any = stripe.held_by(vec![copy("main"), copy("main#2")]);
    stores
        .fetch(&any, &target, &Nobody)
        .await
        .expect("from the second");
    assert_eq!(
        std::fs::read(target).expect("reads"),
        std::fs::read(path).expect("reads")
    );
}

#[tokio::test]
async fn a_copy_that_nobody_noted_is_found_when_its_source_has_rotted() {
    let two = Two::new();
    let stores = two.stores();
    for (chunks, more) in [(0, 77), (2, 3)] {
        let path = two.file(chunks, more);
        let key = format!("v1/pay/pieces/{chunks}.bak");
        let mut tap = Passed::default();
        let sent = stores.upload(&path, &key, &mut tap, &Nobody);
        let stripe = sent.await.expect("uploads").held_by(vec![copy("main")]);
        let size = usize::try_from(stripe.size_bytes).expect("fits");
        let (place, damaged) = (Key::from(key), vec![0_u8; size]);
        let rots = two.memories[0].put(&place, damaged.clone().into());
        rots.await.expect("someone writes");
        let found = stores.copy(&stripe, &copy("cloud"), &Nobody).await;
        found.expect("it stands there");
        let rots = two.memories[1].put(&place, damaged.into());
        rots.await.expect("someone writes");
        let refused = stores.copy(&stripe, &copy("cloud"), &Nobody).await;
        let refused = refused.expect_err("what stands there has rotted, too");
        assert_eq!(refused.code(), Code::StoreMismatch);
    }
}

#[tokio::test]
async fn the_log_follows_and_a_shorter_one_never_leads() {
    let two = Two::new();
    let group: GroupName = "pay".parse().expect("a group");
    let stores = two.stores();
    stores.take_lease(&group).await.expect("takes");
    let fact = |id| LogFact::Proved {
        set: SetId(uuid::Uuid::from_u128(id)),
        piece: PieceId(uuid::Uuid::from_u128(id)),
        whole: true,
        copy: None,
    };
    for id in 0..40 {
        stores.append(&group, fact(id)).await.expect("appends");
    }
    let cloud = "cloud".parse().expect("a name");
    assert_eq!(
        stores.mirror_log(&group, &cloud).await.expect("mirrors"),
        41
    );
    assert_eq!(stores.mirror_log(&group, &cloud).await.expect("mirrors"), 0);
    stores.append(&group, fact(40)).await.expect("appends");
    // A new process finds out by itself where it stands.
    let other = two.stores();
    assert_eq!(other.mirror_log(&group, &cloud).await.expect("mirrors"), 1);
    let alone = other.alone(&cloud).expect("a store");
    let (ours, theirs) = (
        other.log_after(&group, 0).await,
        alone.log_after(&group, 0).await,
    );
    assert_eq!(ours.expect("reads"), theirs.expect("reads"));
    let newest = Key::from(format!("v1/pay/log/{:020}.json", 42));
    two.memories[0]
        .delete(&newest)
        .await
        .expect("someone deletes");
    let third = two.stores();
    let refused = third
        .take_lease(&group)
        .await
        .expect_err("a second history");
    assert_eq!(refused.code(), Code::LogsDiffer);
    let read = third
        .log_after(&group, 42)
        .await
        .expect("there is nothing new");
    assert_eq!(read, []);
}
