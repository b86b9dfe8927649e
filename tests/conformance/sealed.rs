//! Pieces that are sealed on their way: they come back for whoever has a key, and are proven by whoever has none.
//!
//! Start at [`check_all`].

use std::path::Path;
use std::sync::atomic::Ordering;

use object_store::ObjectStoreExt as _;
use object_store::path::Path as Key;
use stopmark::error::Code;
use stopmark::model::{CHUNK_SIZE_BYTES, StoredStripe};
use stopmark::seal::{Keys, MAGIC, Ring};
use stopmark::store::{ObjectStore, Pool};
use stopmark::world::Store as _;

use super::resume::{cut_off, gated, remembering, uploads};
use super::{Ignored, Passed, Subject, bytes_of, file_of, group, sent};

/// Every story of this file.
pub(super) async fn check_all(subject: &Subject) {
    sealed_pieces_of_every_size_come_back_as_they_went(subject).await;
    sealed_pieces_travel_side_by_side_in_two_buffers(subject).await;
    what_was_sealed_and_sent_counts_and_is_not_sent_again(subject).await;
    an_upload_that_was_cut_off_is_sealed_anew_and_leaves_nothing(subject).await;
    an_attempt_that_broke_off_at_its_end_leaves_its_key(subject).await;
    a_sealed_stripe_may_lie_in_segments(subject).await;
    only_a_recipient_s_key_opens_and_nobody_needs_one_to_prove(subject).await;
    an_object_that_was_exchanged_is_noticed(subject).await;
}

fn ring_of(keys: &Keys) -> Ring {
    Ring {
        recipients: keys.recipients(),
        keys: Some(keys.clone()),
    }
}

fn sealing(subject: &Subject, keys: &Keys) -> ObjectStore {
    subject.agent("one").with_ring(Some(ring_of(keys)))
}

async fn fetched(store: &ObjectStore, stripe: &StoredStripe, folder: &Path) -> Vec<u8> {
    let back = folder.join("back.bak");
    let fetched = store.fetch(stripe, &back, &Ignored).await;
    fetched.expect("fetches");
    std::fs::read(&back).expect("reads")
}

async fn sealed_pieces_of_every_size_come_back_as_they_went(subject: &Subject) {
    let keys = Keys::generate();
    let store = sealing(subject, &keys);
    let folder = tempfile::tempdir().expect("a folder");
    for length in [0, 1000, CHUNK_SIZE_BYTES, CHUNK_SIZE_BYTES * 2 + 77] {
        let bytes = bytes_of(length);
        let path = file_of(&folder, &bytes);
        let mut tap = Passed::default();
        let key = format!("v1/sealed/{length}.bak");
        let stripe = store.upload(&path, &key, &mut tap, &Ignored).await;
        let stripe = stripe.expect("uploads");
        assert!(tap.0 == bytes, "the tap saw the file itself ({length})");
        assert_eq!(stripe.key, format!("{key}.age"));
        assert_eq!(stripe.plain().size_bytes, length);
        let unsealed = sent(&subject.agent("one"), &path, &key).await;
        assert_eq!(stripe.plain(), unsealed.plain(), "the same file");
        let object = Key::from(format!("a/prefix/{}", stripe.key));
        let object = subject.backend.objects().get(&object).await;
        let object = object.expect("one object").bytes().await.expect("reads");
        assert!(object.starts_with(MAGIC) && object.len() as u64 == stripe.size_bytes);
        store.prove(&stripe, true, &Ignored).await.expect("proves");
        assert!(
            fetched(&store, &stripe, folder.path()).await == bytes,
            "{length}"
        );
    }
}

/// Several at once in the smallest memory: whoever waits for room holds up nobody, and no chunk is left out.
async fn sealed_pieces_travel_side_by_side_in_two_buffers(subject: &Subject) {
    let keys = Keys::generate();
    let pool = Pool::of(0);
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = bytes_of(CHUNK_SIZE_BYTES * 3 + 5);
    let path = file_of(&folder, &bytes);
    let store = sealing(subject, &keys).with_pool(pool.clone());
    let there_and_back = ["one", "two", "three"].map(|name| {
        let (store, path, folder) = (&store, &path, folder.path());
        async move {
            let stripe = sent(store, path, &format!("v1/sealed-beside/{name}.bak")).await;
            let back = folder.join(name);
            let fetched = store.fetch(&stripe, &back, &Ignored).await;
            fetched.expect("fetches");
            std::fs::read(&back).expect("reads")
        }
    });
    for back in futures::future::join_all(there_and_back).await {
        assert!(back == bytes);
    }
    assert_eq!(pool.peak_bytes() as u64, 2 * CHUNK_SIZE_BYTES);
}

async fn what_was_sealed_and_sent_counts_and_is_not_sent_again(subject: &Subject) {
    let keys = Keys::generate();
    let folder = tempfile::tempdir().expect("a folder");
    for length in [77, CHUNK_SIZE_BYTES * 2] {
        let key = format!("v1/sealed-again/{length}.bak");
        let path = file_of(&folder, &bytes_of(length));
        let first = sent(&sealing(subject, &keys), &path, &key).await;
        let (backend, [asked, _]) = gated(&subject.backend, usize::MAX);
        let store = subject.agent_over("one", backend);
        let store = store.with_ring(Some(ring_of(&keys)));
        assert_eq!(sent(&store, &path, &key).await, first);
        assert_eq!(asked.load(Ordering::SeqCst), 0, "no part is sent again");
        // For others it is another object, and another file is another object too.
        let others = sealing(subject, &Keys::generate());
        assert_eq!(sent(&others, &path, &key).await.key, format!("{key}-1.age"));
        let path = file_of(&folder, &bytes_of(length + 1));
        assert_eq!(sent(&store, &path, &key).await.key, format!("{key}-2.age"));
    }
}

async fn an_upload_that_was_cut_off_is_sealed_anew_and_leaves_nothing(subject: &Subject) {
    let keys = Keys::generate();
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = bytes_of(CHUNK_SIZE_BYTES * 4);
    let (path, key) = (file_of(&folder, &bytes), "v1/sealed-anew/piece.bak");
    let ring = Some(ring_of(&keys));
    cut_off(subject, &folder, &path, key, (2, ring.clone())).await;
    let (backend, [asked, _]) = gated(&subject.backend, usize::MAX);
    let store = remembering(subject, backend, &folder).with_ring(ring);
    let stripe = sent(&store, &path, key).await;
    assert_eq!(stripe.key, format!("{key}.age"), "nothing stood there yet");
    assert_eq!(
        asked.load(Ordering::SeqCst),
        5,
        "every part is another one now"
    );
    assert!(fetched(&store, &stripe, folder.path()).await == bytes);
    let left = std::fs::read_dir(uploads(&folder)).expect("a folder");
    assert_eq!(left.count(), 0, "a finished upload is forgotten");
    let swept = store.sweep(&group("sealed-anew")).await.expect("sweeps");
    assert_eq!(swept, 0, "what was cut off has been given up");
}

async fn an_attempt_that_broke_off_at_its_end_leaves_its_key(subject: &Subject) {
    let keys = Keys::generate();
    let store = sealing(subject, &keys);
    let folder = tempfile::tempdir().expect("a folder");
    for length in [5, CHUNK_SIZE_BYTES] {
        let bytes = bytes_of(length);
        let key = format!("v1/sealed-late/{length}.bak");
        let path = file_of(&folder, &bytes);
        let first = sent(&store, &path, &key).await;
        // As after a crash between the note and the object.
        let object = Key::from(format!("a/prefix/{}", first.key));
        let gone = subject.backend.objects().delete(&object).await;
        gone.expect("deletes");
        let second = sent(&store, &path, &key).await;
        assert_eq!(second.key, format!("{key}-1.age"));
        assert!(fetched(&store, &second, folder.path()).await == bytes);
    }
}

async fn a_sealed_stripe_may_lie_in_segments(subject: &Subject) {
    let keys = Keys::generate();
    let store = sealing(subject, &keys).with_segments_of(2);
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = bytes_of(CHUNK_SIZE_BYTES * 4);
    let path = file_of(&folder, &bytes);
    let key = "v1/sealed-segments/piece.bak";
    let stripe = sent(&store, &path, key).await;
    assert_eq!(stripe.segment_size_bytes, Some(2 * CHUNK_SIZE_BYTES));
    let third = Key::from(format!("a/prefix/{key}.age.seg00003"));
    let third = subject.backend.objects().head(&third).await;
    assert_eq!(
        third.expect("a segment").size,
        stripe.size_bytes % (2 * CHUNK_SIZE_BYTES)
    );
    assert!(fetched(&sealing(subject, &keys), &stripe, folder.path()).await == bytes);
    assert_eq!(
        sent(&store, &path, key).await,
        stripe,
        "what is there counts"
    );
}

async fn only_a_recipient_s_key_opens_and_nobody_needs_one_to_prove(subject: &Subject) {
    let (keys, second) = (Keys::generate(), Keys::generate());
    let recipients = [keys.recipients(), second.recipients()].concat();
    let only_seals = Ring {
        recipients: recipients.clone(),
        keys: None,
    };
    let store = subject.agent("one").with_ring(Some(only_seals));
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = bytes_of(CHUNK_SIZE_BYTES + 9);
    let stripe = sent(&store, &file_of(&folder, &bytes), "v1/sealed-for/two.bak").await;
    let back = folder.path().join("back.bak");
    let strangers = [
        store,
        subject.agent("none"),
        sealing(subject, &Keys::generate()),
    ];
    for stranger in strangers {
        stranger
            .prove(&stripe, true, &Ignored)
            .await
            .expect("proves");
        stranger
            .prove_sample(&stripe, &Ignored)
            .await
            .expect("proves");
        let refused = stranger.fetch(&stripe, &back, &Ignored).await;
        let refused = refused.expect_err("no key");
        assert_eq!(refused.code(), Code::SealKeyMissing);
        for recipient in &recipients {
            assert!(format!("{refused:?}").contains(&recipient.to_string()));
        }
        assert!(!back.exists());
    }
    for keys in [keys, second] {
        assert!(fetched(&sealing(subject, &keys), &stripe, folder.path()).await == bytes);
    }
}

async fn an_object_that_was_exchanged_is_noticed(subject: &Subject) {
    let keys = Keys::generate();
    let store = sealing(subject, &keys);
    let folder = tempfile::tempdir().expect("a folder");
    let path = file_of(&folder, &bytes_of(CHUNK_SIZE_BYTES + 5));
    let stripe = sent(&store, &path, "v1/sealed-bit/piece.bak").await;
    let other = sent(&store, &path, "v1/sealed-bit/other.bak").await;
    let object = Key::from(format!("a/prefix/{}", stripe.key));
    let objects = subject.backend.objects();
    let whole = objects.get(&object).await.expect("there").bytes().await;
    let mut damaged = whole.expect("reads").to_vec();
    *damaged.last_mut().expect("not empty") ^= 1;
    objects
        .put(&object, damaged.into())
        .await
        .expect("someone overwrites");
    let keyless = subject.agent("none");
    let proven = keyless.prove(&stripe, true, &Ignored).await;
    assert_eq!(proven.expect_err("one bit").code(), Code::StoreMismatch);
    let back = folder.path().join("back.bak");
    for list_is_there in [true, false] {
        if !list_is_there {
            let list = Key::from(format!("a/prefix/{}.chunks", stripe.key));
            objects.delete(&list).await.expect("deletes");
        }
        let refused = store.fetch(&stripe, &back, &Ignored).await;
        assert_eq!(refused.expect_err("one bit").code(), Code::StoreMismatch);
        assert!(!back.exists(), "a damaged piece never gets its name");
    }
    // A manifest that was changed to fit another sealed file: the plain digest still tells.
    let mut swapped = other.clone();
    swapped.sealed.as_mut().expect("sealed").plain.root = other.root;
    let refused = store.fetch(&swapped, &back, &Ignored).await;
    assert_eq!(
        refused.expect_err("another file").code(),
        Code::StoreMismatch
    );
}
