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
        settings: Vec::new(),
        best_effort: Vec::new(),
    }
}

fn catalog() -> (TempDir, SqliteCatalog) {
    let folder = tempfile::tempdir().expect("a folder");
    let catalog = SqliteCatalog::open(folder.path()).expect("a catalog");
    (folder, catalog)
}

#[tokio::test]
async fn a_rebuild_that_is_broken_off_goes_on_from_what_it_held() {
    let objects = Arc::new(InMemory::new());
    let agent = AgentIdentity {
        id: "one".to_owned(),
        name: "one".to_owned(),
    };
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(0)));
    let backend = Backend::of(objects.clone());
    let store = ObjectStore::over(
        backend,
        Key::default(),
        agent,
        clock,
        Duration::from_secs(60),
    );
    let group = group();
    store.take_lease(&group).await.expect("takes");
    let mut middle = None;
    for number in 0..SETS {
        let set = set(number);
        let (manifest_key, digest) = store.write_manifest(&set).await.expect("writes");
        if number == SETS / 2 {
            middle = Some(Key::from(manifest_key.clone()));
        }
        let fact = LogFact::Set {
            set: set.id,
            manifest_key,
            digest,
        };
        store.append(&group, fact).await.expect("appends");
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
