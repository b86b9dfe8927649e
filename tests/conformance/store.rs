//! What every store must do, told once and run against each: memory, a folder, and servers nobody here wrote.
//!
//! Start at [`check_all`]. A store that cannot do one of these is refused by `stopmark check`. Uploads that are cut
//! off are in `resume.rs`.

mod resume;
mod sealed;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStoreExt as _;
use object_store::path::Path as Key;
use stopmark::clock::{ManualClock, SystemClock};
use stopmark::error::Code;
use stopmark::model::{
    CHUNK_SIZE_BYTES, GroupName, RunId, Set, SetId, SetKind, StoredStripe, Timestamp,
};
use stopmark::store::{AgentIdentity, Backend, ObjectStore};
use stopmark::world::{Clock as _, LogFact, Removal, StepProgress, Store as _, Tap};
use uuid::Uuid;

/// A store under test: the same objects seen by as many agents as a test wants.
pub(crate) struct Subject {
    /// The store, below all agents.
    pub(crate) backend: Backend,
    /// The clock of all agents.
    pub(crate) clock: Arc<ManualClock>,
    /// Whether it says plainly that it does not know an upload; the one in memory calls that a fault of its own.
    pub(crate) knows_unknown_uploads: bool,
}

struct Ignored;

impl StepProgress for Ignored {
    fn percent(&self, _percent: u8) {}
    fn bytes(&self, _more: u64) {}
}

/// Keeps what passed.
#[derive(Default)]
struct Passed(Vec<u8>);

impl Tap for Passed {
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

impl Subject {
    /// A subject over this store.
    pub(crate) fn new(backend: Backend) -> Self {
        Self {
            backend,
            clock: Arc::new(ManualClock::new(Timestamp::from_millis(1_795_226_400_000))),
            knows_unknown_uploads: true,
        }
    }

    fn agent(&self, id: &str) -> ObjectStore {
        self.agent_over(id, resume::gated(&self.backend, usize::MAX).0)
    }

    /// An agent with something between it and the store.
    fn agent_over(&self, id: &str, backend: Backend) -> ObjectStore {
        let agent = AgentIdentity {
            id: id.to_owned(),
            name: format!("agent {id}"),
        };
        let ttl = Duration::from_secs(60);
        ObjectStore::over(
            backend,
            Key::from("a/prefix"),
            agent,
            self.clock.clone(),
            ttl,
        )
    }
}

/// Runs every story. Each uses keys of its own, so one bucket serves all.
pub(crate) async fn check_all(subject: &Subject) {
    pieces_of_every_size_come_back_as_they_went(subject).await;
    an_object_that_is_there_counts_only_when_it_is_the_same(subject).await;
    a_changed_object_is_noticed(subject).await;
    a_stripe_too_large_for_one_object_lies_in_segments(subject).await;
    resume::check_all(subject).await;
    sealed::check_all(subject).await;
    manifests_are_written_once_and_read_by_digest(subject).await;
    of_many_appends_at_once_each_gets_a_number_of_its_own(subject).await;
    a_log_that_was_tampered_with_is_refused(subject).await;
    one_agent_holds_the_lease_and_a_silent_one_loses_it(subject).await;
    a_probe_may_be_repeated_and_removed_twice(subject).await;
    a_stripe_is_removed_whole_and_nothing_else_is(subject).await;
}

async fn a_probe_may_be_repeated_and_removed_twice(subject: &Subject) {
    let store = subject.agent("prober");
    let key = "v1/probe/of-the-conformance-suite";
    for _ in 0..2 {
        let honours = store.honours_create(key).await.expect("probes");
        assert!(honours, "create-if-absent");
    }
    for _ in 0..2 {
        store.remove_probe(key).await.expect("removes");
    }
    let refused = store.remove_probe("v1/group/log/1.json").await;
    assert_eq!(refused.expect_err("no probe").code(), Code::Bug);
}

async fn a_stripe_is_removed_whole_and_nothing_else_is(subject: &Subject) {
    let (name, folder) = (group("removal"), tempfile::tempdir().expect("a folder"));
    let store = subject.agent("one").with_segments_of(1);
    store.take_lease(&name).await.expect("takes");
    let bytes = bytes_of(CHUNK_SIZE_BYTES + 9);
    let key = "v1/removal/pieces/h/d/s.log.1of1.bak";
    let large = sent(&store, &file_of(&folder, &bytes), key).await;
    let small = file_of(&folder, b"small");
    let other = sent(&store, &small, "v1/removal/pieces/h/d/s.full.1of1.bak").await;
    for _ in 0..2 {
        let removed = store.remove(&name, &large).await;
        assert_eq!(removed.expect("removes"), Removal::Gone);
    }
    for end in [".seg00001", ".seg00002", ".chunks"] {
        let key = Key::from(format!("a/prefix/{key}{end}"));
        let head = subject.backend.objects().head(&key).await;
        assert!(head.is_err(), "{key} still stands");
    }
    store
        .prove(&other, true, &Ignored)
        .await
        .expect("untouched");
    let name = group("another");
    store.take_lease(&name).await.expect("takes");
    let elsewhere = store.remove(&name, &other).await;
    assert_eq!(elsewhere.expect_err("another group's").code(), Code::Bug);
}

fn group(name: &str) -> GroupName {
    name.parse().expect("a group name")
}

fn file_of(folder: &tempfile::TempDir, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join("piece.bak");
    std::fs::write(&path, bytes).expect("writes");
    path
}

/// Bytes that differ from block to block, and so from chunk to chunk.
fn bytes_of(length: u64) -> Vec<u8> {
    const BLOCK: usize = 4096;
    let length = usize::try_from(length).expect("fits");
    let mut bytes = Vec::with_capacity(length + BLOCK);
    for block in 0..length.div_ceil(BLOCK) {
        let mut filled = [7; BLOCK];
        filled[..8].copy_from_slice(&(block as u64 * 0x9e37_79b9).to_le_bytes());
        bytes.extend_from_slice(&filled);
    }
    bytes.truncate(length);
    bytes
}

async fn sent(store: &ObjectStore, path: &std::path::Path, key: &str) -> StoredStripe {
    store
        .upload(path, key, &mut Passed::default(), &Ignored)
        .await
        .expect("uploads")
}

async fn pieces_of_every_size_come_back_as_they_went(subject: &Subject) {
    let store = subject.agent("one");
    let folder = tempfile::tempdir().expect("a folder");
    for length in [
        0,
        1,
        1000,
        CHUNK_SIZE_BYTES - 1,
        CHUNK_SIZE_BYTES,
        CHUNK_SIZE_BYTES * 2 + 77,
    ] {
        let bytes = bytes_of(length);
        let path = file_of(&folder, &bytes);
        let mut tap = Passed::default();
        let key = format!("v1/sizes/{length}.bak");
        let stripe = store
            .upload(&path, &key, &mut tap, &Ignored)
            .await
            .expect("uploads");
        assert!(
            tap.0 == bytes,
            "the tap saw every byte once, in order ({length})"
        );
        assert_eq!(stripe.size_bytes, length);
        assert_eq!(
            stripe.sha256.is_some(),
            length <= CHUNK_SIZE_BYTES,
            "{length}"
        );
        store.prove(&stripe, true, &Ignored).await.expect("proves");
        let back = folder.path().join("back.bak");
        store
            .fetch(&stripe, &back, &Ignored)
            .await
            .expect("fetches");
        assert!(std::fs::read(&back).expect("reads") == bytes, "{length}");
    }
}

async fn an_object_that_is_there_counts_only_when_it_is_the_same(subject: &Subject) {
    let store = subject.agent("one");
    let folder = tempfile::tempdir().expect("a folder");
    let key = "v1/again/piece.bak";
    let first = sent(&store, &file_of(&folder, b"the same"), key).await;
    assert_eq!(
        sent(&store, &file_of(&folder, b"the same"), key).await,
        first
    );
    let other = file_of(&folder, b"another!");
    let refused = store
        .upload(&other, key, &mut Passed::default(), &Ignored)
        .await;
    assert_eq!(
        refused.expect_err("another content").code(),
        Code::StoreMismatch
    );
    store
        .prove(&first, true, &Ignored)
        .await
        .expect("the first still stands");
}

async fn a_stripe_too_large_for_one_object_lies_in_segments(subject: &Subject) {
    let store = subject.agent("one").with_segments_of(2);
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = bytes_of(CHUNK_SIZE_BYTES * 4 + 9);
    let stripe = sent(&store, &file_of(&folder, &bytes), "v1/segments/piece.bak").await;
    assert_eq!(stripe.segment_size_bytes, Some(2 * CHUNK_SIZE_BYTES));
    for (number, size) in [(1, 2 * CHUNK_SIZE_BYTES), (2, 2 * CHUNK_SIZE_BYTES), (3, 9)] {
        let key = format!("a/prefix/v1/segments/piece.bak.seg{number:05}");
        let head = subject.backend.objects().head(&Key::from(key)).await;
        assert_eq!(head.expect("a segment").size, size);
    }
    let plain = subject.agent("two");
    plain.prove(&stripe, true, &Ignored).await.expect("proves");
    let back = folder.path().join("back.bak");
    let fetched = plain.fetch(&stripe, &back, &Ignored).await;
    fetched.expect("fetches");
    assert!(std::fs::read(&back).expect("reads") == bytes);
    let again = folder.path().join("piece.bak");
    assert_eq!(
        sent(&store, &again, "v1/segments/piece.bak").await,
        stripe,
        "what is there counts"
    );
}

async fn a_changed_object_is_noticed(subject: &Subject) {
    let store = subject.agent("one");
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = bytes_of(CHUNK_SIZE_BYTES + 5);
    let stripe = sent(&store, &file_of(&folder, &bytes), "v1/changed/piece.bak").await;
    let key = Key::from("a/prefix/v1/changed/piece.bak");
    let mut damaged = bytes.clone();
    damaged[9_000_000 % bytes.len()] ^= 1;
    subject
        .backend
        .objects()
        .put(&key, damaged.into())
        .await
        .expect("someone else overwrites");
    store
        .prove(&stripe, false, &Ignored)
        .await
        .expect("the size is still right");
    let error = store
        .prove(&stripe, true, &Ignored)
        .await
        .expect_err("one bit");
    assert_eq!(error.code(), Code::StoreMismatch);
    assert!(
        error.message().contains("chunk 0, bytes 0 to 8388608"),
        "{error}"
    );
    let sampled = store.prove_sample(&stripe, &Ignored).await;
    assert_eq!(
        sampled.expect_err("of two chunks both are sampled").code(),
        Code::StoreMismatch
    );
    let back = folder.path().join("back.bak");
    assert!(store.fetch(&stripe, &back, &Ignored).await.is_err());
    assert!(!back.exists(), "a damaged piece never gets its name");
    subject
        .backend
        .objects()
        .delete(&key)
        .await
        .expect("someone deletes");
    assert!(store.prove(&stripe, false, &Ignored).await.is_err());
}

fn set(name: &str, id: u128) -> Set {
    Set {
        id: SetId(Uuid::from_u128(id)),
        group: group(name),
        kind: SetKind::Full,
        run: RunId(Uuid::from_u128(1)),
        made_at: Timestamp::from_millis(1_795_226_400_000),
        mark: None,
        members: Vec::new(),
        pieces: Vec::new(),
        missing: Vec::new(),
        adopted: Vec::new(),
        companions: Vec::new(),
        settings: Vec::new(),
        best_effort: Vec::new(),
    }
}

async fn manifests_are_written_once_and_read_by_digest(subject: &Subject) {
    let store = subject.agent("one");
    let first = store
        .write_manifest(&set("manifests", 1))
        .await
        .expect("writes");
    assert_eq!(
        store
            .write_manifest(&set("manifests", 1))
            .await
            .expect("again"),
        first
    );
    let second = store
        .write_manifest(&set("manifests", 2))
        .await
        .expect("the same stamp");
    assert_ne!(second.0, first.0, "nothing is overwritten");
    let read = store
        .read_set(&group("manifests"), &first.0, first.1)
        .await
        .expect("reads");
    assert_eq!(read, set("manifests", 1));
    let wrong = store
        .read_set(&group("manifests"), &first.0, second.1)
        .await;
    assert_eq!(
        wrong.expect_err("another digest").code(),
        Code::StoreMismatch
    );
}

async fn of_many_appends_at_once_each_gets_a_number_of_its_own(subject: &Subject) {
    let name = group("appends");
    let store = Arc::new(subject.agent("one"));
    store.take_lease(&name).await.expect("takes");
    let appends = (0..6_u128).map(|id| {
        let (store, name) = (store.clone(), name.clone());
        async move {
            let fact = LogFact::Proved {
                set: SetId(Uuid::from_u128(id)),
                piece: stopmark::model::PieceId(Uuid::from_u128(id)),
                whole: true,
                copy: None,
            };
            store.append(&name, fact).await.expect("appends")
        }
    });
    let mut numbers = futures::future::join_all(appends).await;
    numbers.sort_unstable();
    assert_eq!(numbers, [2, 3, 4, 5, 6, 7], "1 is the taking of the lease");
    let entries = store.log_after(&name, 0).await.expect("reads");
    assert_eq!(
        entries.iter().map(|entry| entry.entry).collect::<Vec<_>>(),
        [1, 2, 3, 4, 5, 6, 7]
    );
    assert_eq!(store.log_after(&name, 5).await.expect("reads").len(), 2);
}

async fn a_log_that_was_tampered_with_is_refused(subject: &Subject) {
    let name = group("tampered");
    let store = subject.agent("one");
    store.take_lease(&name).await.expect("takes");
    for id in 0..3 {
        let fact = LogFact::Set {
            set: SetId(Uuid::from_u128(id)),
            manifest_key: "none".to_owned(),
            digest: stopmark::model::Sha256Digest([7; 32]),
        };
        store.append(&name, fact).await.expect("appends");
    }
    let key = Key::from(format!("a/prefix/v1/tampered/log/{:020}.json", 2));
    let content = subject
        .backend
        .objects()
        .get(&key)
        .await
        .expect("there")
        .bytes()
        .await
        .expect("reads");
    subject
        .backend
        .objects()
        .delete(&key)
        .await
        .expect("someone deletes");
    let error = store.log_after(&name, 0).await.expect_err("a gap");
    assert_eq!(error.code(), Code::ManifestUnreadable);
    let changed = String::from_utf8(content.to_vec())
        .expect("JSON")
        .replace("none", "some");
    subject
        .backend
        .objects()
        .put(&key, changed.into())
        .await
        .expect("someone forges");
    assert!(
        store.log_after(&name, 0).await.is_err(),
        "the next entry holds another digest"
    );
}

/// A second for the agents, in which a server may well answer.
async fn a_second_passes(subject: &Subject) {
    let real = SystemClock::new();
    real.sleep_until(Duration::from_millis(5)).await;
    subject.clock.advance(Duration::from_secs(1));
}

async fn one_agent_holds_the_lease_and_a_silent_one_loses_it(subject: &Subject) {
    let name = group("leased");
    let (first, second) = (subject.agent("one"), subject.agent("two"));
    first.take_lease(&name).await.expect("takes");
    subject
        .agent("one")
        .take_lease(&name)
        .await
        .expect("the same agent after a restart");
    // While the second watches, the first renews: the second must step back.
    let mut watching = std::pin::pin!(second.take_lease(&name));
    let watched = loop {
        tokio::select! {
            biased;
            watched = &mut watching => break watched,
            () = a_second_passes(subject) => first.take_lease(&name).await.expect("renews"),
        }
    };
    assert_eq!(
        watched.expect_err("the first lives").code(),
        Code::LeaseHeld
    );
    // Now the first is silent for the lease's whole time.
    let mut taking = std::pin::pin!(second.take_lease(&name));
    let taken = loop {
        tokio::select! {
            biased;
            taken = &mut taking => break taken,
            () = a_second_passes(subject) => {}
        }
    };
    taken.expect("the first was silent");
    let fact = LogFact::LeaseTaken {
        holder: "a ghost".to_owned(),
    };
    let error = first
        .append(&name, fact)
        .await
        .expect_err("it lost the lease");
    assert_eq!(error.code(), Code::LeaseHeld);
    second.release_lease(&name).await.expect("releases");
    subject
        .agent("three")
        .take_lease(&name)
        .await
        .expect("free at once");
}
