//! Two agents publish at the same time, in every order that a schedule can make of their requests.
//!
//! Start at [`one_log_comes_of_any_interleaving`]. Every request to the store is a point at which the other agent may
//! go on instead, and time may pass, so that a lease runs out while its holder is about to use it.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::ObjectStore as _;
use object_store::memory::InMemory;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path as Key;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartId, MultipartUpload, ObjectMeta,
    PutMultipartOptions, PutOptions, PutPayload, PutResult,
};
use proptest::prelude::*;
use stopmark::clock::ManualClock;
use stopmark::error::Result;
use stopmark::model::{GroupName, RunId, Set, SetId, SetKind, Timestamp};
use stopmark::store::{AgentIdentity, Backend, ObjectStore};
use stopmark::world::{LogEntry, LogFact, Store as _};
use uuid::Uuid;

const LEASE_TTL: Duration = Duration::from_secs(60);

/// A set that both agents think is theirs to publish.
const SHARED: u128 = 1;

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Turn {
    First,
    Second,
    Pass(u64),
}

/// A store in memory that lets others go first before each request, and remembers every object.
#[derive(Debug, Default)]
struct Paced {
    inner: Arc<InMemory>,
    held: Mutex<BTreeSet<Key>>,
    overwritten: Mutex<Vec<Key>>,
}

impl fmt::Display for Paced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a paced store")
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl object_store::ObjectStore for Paced {
    async fn put_opts(
        &self,
        key: &Key,
        content: PutPayload,
        options: PutOptions,
    ) -> object_store::Result<PutResult> {
        tokio::task::yield_now().await;
        let put = self.inner.put_opts(key, content, options).await?;
        // A lease that was given up may be taken anew; nothing else is ever deleted.
        let is_lease = key.as_ref().contains("/lease/");
        if !is_lease && !locked(&self.held).insert(key.clone()) {
            locked(&self.overwritten).push(key.clone());
        }
        Ok(put)
    }

    async fn put_multipart_opts(
        &self,
        key: &Key,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(key, options).await
    }

    async fn get_opts(&self, key: &Key, options: GetOptions) -> object_store::Result<GetResult> {
        tokio::task::yield_now().await;
        self.inner.get_opts(key, options).await
    }

    fn delete_stream(
        &self,
        keys: BoxStream<'static, object_store::Result<Key>>,
    ) -> BoxStream<'static, object_store::Result<Key>> {
        let paced = keys.then(|key| async {
            tokio::task::yield_now().await;
            key
        });
        self.inner.delete_stream(paced.boxed())
    }

    fn list(&self, prefix: Option<&Key>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        let (inner, prefix) = (self.inner.clone(), prefix.cloned());
        let turn = stream::once(tokio::task::yield_now());
        turn.flat_map(move |()| inner.list(prefix.as_ref())).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Key>) -> object_store::Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(
        &self,
        from: &Key,
        to: &Key,
        options: CopyOptions,
    ) -> object_store::Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[async_trait]
impl MultipartStore for Paced {
    async fn create_multipart(&self, key: &Key) -> object_store::Result<MultipartId> {
        self.inner.create_multipart(key).await
    }

    async fn put_part(
        &self,
        key: &Key,
        id: &MultipartId,
        part: usize,
        data: PutPayload,
    ) -> object_store::Result<PartId> {
        self.inner.put_part(key, id, part, data).await
    }

    async fn complete_multipart(
        &self,
        key: &Key,
        id: &MultipartId,
        parts: Vec<PartId>,
    ) -> object_store::Result<PutResult> {
        self.inner.complete_multipart(key, id, parts).await
    }

    async fn abort_multipart(&self, key: &Key, id: &MultipartId) -> object_store::Result<()> {
        self.inner.abort_multipart(key, id).await
    }
}

fn group() -> GroupName {
    "payments".parse().expect("a group")
}

fn agent(id: &str, backend: Backend, clock: Arc<ManualClock>) -> ObjectStore {
    let identity = AgentIdentity {
        id: id.to_owned(),
        name: id.to_owned(),
    };
    ObjectStore::over(backend, Key::default(), identity, clock, LEASE_TTL)
}

fn set(number: u128) -> Set {
    Set {
        id: SetId(Uuid::from_u128(number)),
        group: group(),
        kind: SetKind::Full,
        run: RunId(Uuid::from_u128(number)),
        made_at: Timestamp::from_millis(i64::try_from(number).expect("small")),
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

/// What an agent believes to be published, and where.
type Published = Vec<(SetId, u64)>;

/// One agent's life: the shared set and one of its own, begun anew after a failure as the next start would.
async fn publish(store: ObjectStore, own: u128) -> Published {
    let mut published = Published::new();
    let mut failures = 0;
    let mut left = vec![set(own), set(SHARED)];
    while let Some(next) = left.pop() {
        match publish_one(&store, &next).await {
            Ok(entry) => published.push((next.id, entry)),
            Err(_) if failures < 3 => {
                failures += 1;
                left.push(next);
            }
            Err(_) => break,
        }
    }
    let _ = store.release_lease(&group()).await;
    published
}

/// As a run publishes: nothing that the log holds is written into it again.
async fn publish_one(store: &ObjectStore, set: &Set) -> Result<u64> {
    let group = group();
    store.take_lease(&group).await?;
    let (manifest_key, digest) = store.write_manifest(set).await?;
    let log = store.log_after(&group, 0).await?;
    if let Some(found) = log.iter().find(|entry| set_of(entry) == Some(set.id)) {
        return Ok(found.entry);
    }
    let fact = LogFact::Set {
        set: set.id,
        manifest_key,
        digest,
    };
    store.append(&group, fact).await
}

fn set_of(entry: &LogEntry) -> Option<SetId> {
    match &entry.fact {
        LogFact::Set { set, .. } => Some(*set),
        _ => None,
    }
}

/// Plays the schedule, then lets both come to their end.
fn play(turns: &[Turn], clock: &ManualClock, stories: [Story<'_>; 2]) -> [Published; 2] {
    let mut stories = stories.map(|story| (Some(story), Published::new()));
    let mut ctx = Context::from_waker(Waker::noop());
    let mut go = |nth: usize, stories: &mut [(Option<Story<'_>>, Published); 2]| {
        let (story, published) = &mut stories[nth];
        if let Some(running) = story
            && let Poll::Ready(done) = running.as_mut().poll(&mut ctx)
        {
            (*story, *published) = (None, done);
        }
    };
    let rest = (0..20_000).map(|nth| match nth % 40 {
        0 => Turn::Pass(20),
        nth if nth % 2 == 0 => Turn::First,
        _ => Turn::Second,
    });
    for turn in turns.iter().copied().chain(rest) {
        match turn {
            Turn::First => go(0, &mut stories),
            Turn::Second => go(1, &mut stories),
            Turn::Pass(seconds) => clock.advance(Duration::from_secs(seconds)),
        }
        if stories.iter().all(|(story, _)| story.is_none()) {
            break;
        }
    }
    stories.map(|(story, published)| {
        assert!(story.is_none(), "an agent never came to its end");
        published
    })
}

type Story<'a> = Pin<Box<dyn Future<Output = Published> + 'a>>;

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        // Some steps at a stretch, so that one gets far ahead of the other.
        6 => Just(Turn::First),
        6 => Just(Turn::Second),
        1 => (1_u64..40).prop_map(Turn::Pass),
    ]
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let stretch = (turn(), 1_usize..9).prop_map(|(turn, times)| vec![turn; times]);
    prop::collection::vec(stretch, 0..40).prop_map(|stretches| stretches.concat())
}

fn finished<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut ctx = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut ctx) {
            return done;
        }
    }
}

#[test]
fn a_lease_that_a_killed_agent_left_beside_its_newer_one_goes_with_the_next() {
    let paced = Arc::new(Paced::default());
    let backend = Backend::of(paced.clone());
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(0)));
    let take = || {
        let again = agent("one", backend.clone(), clock.clone());
        finished(again.take_lease(&group())).expect("its own");
    };
    let leases = || {
        let listed = paced.inner.list(Some(&Key::from("v1/payments/lease")));
        let listed: Vec<ObjectMeta> = finished(listed.try_collect()).expect("lists");
        listed.into_iter().map(|it| it.location).collect::<Vec<_>>()
    };
    take();
    let first = leases().pop().expect("a lease");
    let kept = paced.inner.get_opts(&first, GetOptions::default());
    let kept = finished(finished(kept).expect("it stands").bytes()).expect("reads");
    take();
    // As if it had been killed before it removed the first one.
    let left = paced
        .inner
        .put_opts(&first, kept.into(), PutOptions::default());
    finished(left).expect("puts");
    assert_eq!(leases().len(), 2);
    take();
    assert_eq!(leases().len(), 1, "{:?}", leases());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_log_comes_of_any_interleaving(turns in turns()) {
        let paced = Arc::new(Paced::default());
        let backend = Backend::of(paced.clone());
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(0)));
        let [one, two] = [("one", 11), ("two", 12)].map(|(id, own)| {
            let store = agent(id, backend.clone(), clock.clone());
            Box::pin(publish(store, own)) as Story<'_>
        });
        let published = play(&turns, &clock, [one, two]);
        let reader = agent("reader", backend, clock);
        let log = finished(reader.log_after(&group(), 0)).expect("one chain from end to end");
        let written = paced.inner.list(Some(&Key::from("v1/payments/log")));
        let written: Vec<ObjectMeta> = finished(written.try_collect()).expect("lists");
        prop_assert_eq!(log.len(), written.len(), "no entry of an agent that had lost the lease");
        let sets: Vec<SetId> = log.iter().filter_map(set_of).collect();
        let mut once = sets.clone();
        once.sort_unstable();
        once.dedup();
        prop_assert_eq!(sets.len(), once.len(), "each set once: {:?}", sets);
        for (set, entry) in published.concat() {
            let found = log.iter().find(|it| it.entry == entry).and_then(set_of);
            prop_assert_eq!(found, Some(set), "what was told to be published is");
        }
        let manifests = paced.inner.list(Some(&Key::from("v1/payments/sets")));
        let manifests: Vec<ObjectMeta> = finished(manifests.try_collect()).expect("lists");
        prop_assert!(manifests.len() <= 3, "one manifest a set: {:?}", manifests);
        let overwritten = locked(&paced.overwritten).clone();
        prop_assert_eq!(overwritten, Vec::new());
    }
}
