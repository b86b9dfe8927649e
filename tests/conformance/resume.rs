//! Uploads that are cut off: what was sent is not sent again, and nothing is left that nobody goes on with.
//!
//! Start at [`check_all`]. A process that dies is a future that is dropped: neither gets to do anything any more.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path as Key;
use object_store::{MultipartId, PutPayload, PutResult};
use stopmark::model::CHUNK_SIZE_BYTES;
use stopmark::seal::Ring;
use stopmark::store::{Backend, ObjectStore, Pool};
use stopmark::world::Store as _;

use super::{Ignored, Passed, Subject, bytes_of, file_of, group};

/// Lets so many parts through and then answers nothing any more.
struct Gate {
    inner: Arc<dyn MultipartStore>,
    open_for: usize,
    asked: Arc<AtomicUsize>,
    done: Arc<AtomicUsize>,
}

#[async_trait]
impl MultipartStore for Gate {
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
        if self.asked.fetch_add(1, Ordering::SeqCst) >= self.open_for {
            return futures::future::pending().await;
        }
        // A store in memory keeps what it is given, and with it the sender's buffers.
        let copy: Vec<u8> = data.iter().fold(Vec::new(), |mut copy, bytes| {
            copy.extend_from_slice(bytes);
            copy
        });
        let put = self.inner.put_part(key, id, part, copy.into()).await;
        self.done.fetch_add(1, Ordering::SeqCst);
        put
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

/// A store whose parts pass a gate, and the counter of those that were asked for and those that were done.
pub(super) fn gated(backend: &Backend, open_for: usize) -> (Backend, [Arc<AtomicUsize>; 2]) {
    let (asked, done) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let counters = [asked.clone(), done.clone()];
    let between = |inner| {
        Arc::new(Gate {
            inner,
            open_for,
            asked,
            done,
        }) as Arc<dyn MultipartStore>
    };
    (backend.clone().map_parts(between), counters)
}

/// Every story of this file.
pub(super) async fn check_all(subject: &Subject) {
    an_upload_goes_on_where_it_was_cut_off(subject).await;
    a_file_that_changed_meanwhile_is_sent_as_it_is_now(subject).await;
    if subject.knows_unknown_uploads {
        an_upload_that_the_store_has_dropped_begins_anew(subject).await;
    }
    the_sweep_gives_up_what_nobody_goes_on_with(subject).await;
    memory_stays_below_its_budget(subject).await;
}

/// A store that remembers its uploads in this folder.
pub(super) fn remembering(
    subject: &Subject,
    backend: Backend,
    folder: &tempfile::TempDir,
) -> ObjectStore {
    subject
        .agent_over("one", backend)
        .with_uploads(uploads(folder))
}

pub(super) fn uploads(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("uploads")
}

/// Uploads through a gate until it closes and everything before it is remembered, then dies.
pub(super) async fn cut_off(
    subject: &Subject,
    folder: &tempfile::TempDir,
    path: &Path,
    key: &str,
    (parts, ring): (usize, Option<Ring>),
) {
    let (backend, [_, done]) = gated(&subject.backend, parts);
    let store = remembering(subject, backend, folder).with_ring(ring);
    let mut tap = Passed::default();
    let mut upload = std::pin::pin!(store.upload(path, key, &mut tap, &Ignored));
    let is_remembered = || {
        let files = std::fs::read_dir(uploads(folder)).into_iter().flatten();
        let lines = files.filter_map(|file| std::fs::read_to_string(file.ok()?.path()).ok());
        let lines: usize = lines.map(|text| text.matches("\"part\"").count()).sum();
        done.load(Ordering::SeqCst) >= parts && lines >= parts
    };
    while !is_remembered() {
        tokio::select! {
            biased;
            ended = &mut upload => panic!("the gate is closed: {ended:?}"),
            () = tokio::task::yield_now() => {}
        }
    }
}

async fn an_upload_goes_on_where_it_was_cut_off(subject: &Subject) {
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = bytes_of(CHUNK_SIZE_BYTES * 5 + 3);
    let (path, key) = (file_of(&folder, &bytes), "v1/resumed/piece.bak");
    cut_off(subject, &folder, &path, key, (3, None)).await;
    let (backend, [asked, _]) = gated(&subject.backend, usize::MAX);
    let store = remembering(subject, backend, &folder);
    let mut tap = Passed::default();
    let stripe = store.upload(&path, key, &mut tap, &Ignored).await;
    let stripe = stripe.expect("goes on");
    assert_eq!(asked.load(Ordering::SeqCst), 3, "three of six were there");
    assert!(tap.0 == bytes, "the parser sees all of it all the same");
    store
        .prove(&stripe, true, &Ignored)
        .await
        .expect("is whole");
    let left = std::fs::read_dir(uploads(&folder)).expect("a folder");
    assert_eq!(left.count(), 0, "a finished upload is forgotten");
}

async fn a_file_that_changed_meanwhile_is_sent_as_it_is_now(subject: &Subject) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut bytes = bytes_of(CHUNK_SIZE_BYTES * 3);
    let (path, key) = (file_of(&folder, &bytes), "v1/rewritten/piece.bak");
    cut_off(subject, &folder, &path, key, (2, None)).await;
    bytes[5] ^= 1;
    let path = file_of(&folder, &bytes);
    let (backend, [asked, _]) = gated(&subject.backend, usize::MAX);
    let store = remembering(subject, backend, &folder);
    let stripe = super::sent(&store, &path, key).await;
    assert_eq!(
        asked.load(Ordering::SeqCst),
        2,
        "the changed one and the third"
    );
    store
        .prove(&stripe, true, &Ignored)
        .await
        .expect("is whole");
}

async fn an_upload_that_the_store_has_dropped_begins_anew(subject: &Subject) {
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = bytes_of(CHUNK_SIZE_BYTES * 3);
    let (path, key) = (file_of(&folder, &bytes), "v1/dropped/piece.bak");
    cut_off(subject, &folder, &path, key, (2, None)).await;
    // Another agent with the same memory, whose file is gone, sweeps: the store forgets the upload, and then
    // the memory comes back.
    let kept = std::fs::read_dir(uploads(&folder)).expect("a folder");
    let kept = kept.map(|file| file.expect("a file").path()).next();
    let kept = kept.expect("remembered");
    let text = std::fs::read(&kept).expect("reads");
    std::fs::remove_file(&path).expect("removes");
    let store = remembering(subject, gated(&subject.backend, usize::MAX).0, &folder);
    assert!(store.sweep(&group("dropped")).await.expect("sweeps") >= 1);
    assert!(!kept.exists(), "forgotten");
    std::fs::write(&kept, text).expect("writes");
    let path = file_of(&folder, &bytes);
    let mut tap = Passed::default();
    let stripe = store.upload(&path, key, &mut tap, &Ignored).await;
    let stripe = stripe.expect("begins anew");
    assert!(tap.0 == bytes, "the parser sees each byte once");
    store
        .prove(&stripe, true, &Ignored)
        .await
        .expect("is whole");
}

async fn the_sweep_gives_up_what_nobody_goes_on_with(subject: &Subject) {
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = bytes_of(CHUNK_SIZE_BYTES * 2);
    let path = file_of(&folder, &bytes);
    let store = remembering(subject, gated(&subject.backend, usize::MAX).0, &folder);
    let (mine, orphan) = ("v1/swept/mine.bak", "v1/swept/orphan.bak");
    cut_off(subject, &folder, &path, mine, (1, None)).await;
    let stranger = tempfile::tempdir().expect("a folder");
    cut_off(subject, &stranger, &path, orphan, (1, None)).await;
    let swept = store.sweep(&group("swept")).await.expect("sweeps");
    assert!(swept <= 1, "mine has its file and its memory: {swept}");
    let again = store.sweep(&group("swept")).await.expect("sweeps");
    assert_eq!(again, 0, "nothing is left to give up");
    let (backend, [asked, _]) = gated(&subject.backend, usize::MAX);
    let store = remembering(subject, backend, &folder);
    super::sent(&store, &path, mine).await;
    assert_eq!(asked.load(Ordering::SeqCst), 1, "mine goes on");
}

async fn memory_stays_below_its_budget(subject: &Subject) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = file_of(&folder, &bytes_of(CHUNK_SIZE_BYTES * 6));
    let budget_bytes = usize::try_from(3 * CHUNK_SIZE_BYTES).expect("fits");
    let pool = Pool::of(budget_bytes);
    let store = subject.agent("one").with_pool(pool.clone());
    let uploads = (0..3).map(|number| {
        let key = format!("v1/budget/{number}.bak");
        let (store, path) = (&store, &path);
        async move { super::sent(store, path, &key).await }
    });
    futures::future::join_all(uploads).await;
    assert!(pool.peak_bytes() <= budget_bytes, "{}", pool.peak_bytes());
    assert!(pool.peak_bytes() > budget_bytes / 2, "and it was used");
}
