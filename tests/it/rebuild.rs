//! The catalog folded from a store: broken off, gone on with, and the same as if nothing had happened.

use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStoreExt as _;
use object_store::memory::InMemory;
use object_store::path::Path as Key;
use stopmark::catalog::{SqliteCatalog, fold};
use stopmark::clock::ManualClock;
use stopmark::error::Code;
use stopmark::model::{GroupName, RunId, Set, SetId, SetKind, Timestamp};
use stopmark::store::{AgentIdentity, Backend, ObjectStore};
use stopmark::world::{Catalog as _, Counts, LogFact, Store as _};
use tempfile::TempDir;
use uuid::Uuid;

const SETS: u32 = 150;

fn group() -> GroupName {
    "payments".parse().expect("a group")
}

fn set(number: u32) -> Set {
    let id = Uuid::from_u128(u128::from(number));
    Set {
        id: SetId(id),
        group: group(),
        kind: SetKind::Full,
        run: RunId(id),
        made_at: Timestamp::from_millis(i64::from(number)),
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

fn catalog() -> (TempDir, SqliteCatalog) {
    let folder = tempfile::tempdir().expect("a folder");
    let catalog = SqliteCatalog::open(folder.path()).expect("a catalog");
    (folder, catalog)
}

fn store_over(objects: &Arc<InMemory>) -> ObjectStore {
    let agent = AgentIdentity {
        id: "one".to_owned(),
        name: "one".to_owned(),
    };
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(0)));
    let backend = Backend::of(objects.clone());
    let ttl = Duration::from_secs(60);
    ObjectStore::over(backend, Key::default(), agent, clock, ttl)
}

/// Publishes a set, and gives back where its manifest is.
async fn publish(store: &ObjectStore, set: &Set) -> Key {
    let (manifest_key, digest) = store.write_manifest(set).await.expect("writes");
    let key = Key::from(manifest_key.clone());
    let fact = LogFact::Set {
        set: set.id,
        manifest_key,
        digest,
    };
    store.append(&set.group, fact).await.expect("appends");
    key
}

/// Two runs of a service go on beside each other, and both take in what was published.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn catalogs_that_are_folded_from_two_sides_at_once_take_the_log_for_whole() {
    const SIDES: usize = 6;
    let store = store_over(&Arc::new(InMemory::new()));
    let group = group();
    store.take_lease(&group).await.expect("takes");
    let (_folder, catalog) = catalog();
    for number in 0..SETS / 3 {
        publish(&store, &set(number)).await;
        let sides = (0..SIDES).map(|_| fold(&store, &catalog, &group));
        for folded in futures::future::join_all(sides).await {
            folded.expect("nobody changed the log");
        }
    }
    let counts = catalog.counts(&group).await.expect("answers");
    assert_eq!(counts.sets, u64::from(SETS / 3));
}

#[tokio::test]
async fn a_rebuild_that_is_broken_off_goes_on_from_what_it_held() {
    let objects = Arc::new(InMemory::new());
    let store = store_over(&objects);
    let group = group();
    store.take_lease(&group).await.expect("takes");
    let mut middle = None;
    for number in 0..SETS {
        let key = publish(&store, &set(number)).await;
        if number == SETS / 2 {
            middle = Some(key);
        }
    }
    let middle = middle.expect("there is one");
    let found = objects.get(&middle).await.expect("there");
    let content = found.bytes().await.expect("reads");
    objects.delete(&middle).await.expect("someone deletes");
    let (_folder, catalog) = catalog();
    let error = fold(&store, &catalog, &group).await.expect_err("a gap");
    assert_eq!(error.code(), Code::ObjectMissing);
    let (held, _) = catalog.newest_entry(&group).await.expect("answers");
    assert!((1..u64::from(SETS / 2)).contains(&held), "{held}");
    objects
        .put(&middle, content.into())
        .await
        .expect("it is back");
    let entries = u64::from(SETS) + 1; // The taking of the lease.
    let more = fold(&store, &catalog, &group).await.expect("goes on");
    assert_eq!(more, entries - held);
    assert_eq!(fold(&store, &catalog, &group).await.expect("nothing"), 0);
    let counts = catalog.counts(&group).await.expect("answers");
    let all = Counts {
        sets: u64::from(SETS),
        pieces: 0,
    };
    assert_eq!(counts, all);
    let sets = catalog.sets(&group).await.expect("answers");
    assert!(sets.into_iter().eq((0..SETS).map(set)));
}
