//! One object sent in parts of one chunk each: a few in flight, hashed while they are sent, resumed after a crash.
//!
//! Start at [`ObjectStore::send_parts`]. Every part that the store confirms is remembered before the next one
//! takes its place, so after a crash at most the parts in flight are sent again.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use object_store::MultipartId;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path as Key;
use tokio::task::{JoinError, JoinSet};

use super::ObjectStore;
use super::chunk::Stored;
use super::errors::store_error;
use super::layout::Span;
use super::retry::Calls;
use super::throttle::Throttle;
use super::upload::Pass;
use super::uploads::{KnownPart, Ledger};
use crate::error::{Code, Error, Result, Retry};
use crate::model::Sha256Digest;

/// An upload that was begun, now or by an earlier process.
struct Session {
    upload: MultipartId,
    ledger: Ledger,
    known: BTreeMap<usize, KnownPart>,
    is_resumed: bool,
    may_be_resumed: bool,
}

/// All parts of an object, in the store and not put together yet.
pub(super) struct Sent {
    session: Session,
    arrived: BTreeMap<usize, KnownPart>,
}

impl Sent {
    /// The digests of its chunks, in order.
    pub(super) fn digests(&self) -> impl Iterator<Item = Sha256Digest> {
        self.arrived.values().map(|part| part.digest)
    }
}

/// What a part needs on its way.
#[derive(Clone)]
struct Sender {
    parts: Arc<dyn MultipartStore>,
    throttle: Arc<Throttle>,
    calls: Arc<Calls>,
    key: Key,
    upload: MultipartId,
}

/// A part that has arrived.
struct Arrived {
    part: usize,
    known: KnownPart,
    size_bytes: u64,
    is_new: bool,
}

impl ObjectStore {
    /// Sends one object; the digests of its chunks, in order.
    ///
    /// # Errors
    /// `SM0705` when the store does not know an upload that an earlier process began; it is forgotten then, and
    /// the next try begins anew.
    pub(super) async fn send_parts(
        &self,
        span: &Span,
        file: &Path,
        pass: &mut Pass<'_, '_>,
    ) -> Result<Vec<Sha256Digest>> {
        let session = self.session(span, file).await?;
        let sent = self.send_all(span, session, pass).await?;
        let digests = sent.digests().collect();
        self.put_together(span, sent).await?;
        Ok(digests)
    }

    /// Sends the parts of an object whose bytes will never be the same again, and so cannot be gone on with: what
    /// an earlier process began is given up first.
    pub(super) async fn send_parts_afresh(
        &self,
        span: &Span,
        file: &Path,
        pass: &mut Pass<'_, '_>,
    ) -> Result<Sent> {
        self.give_up_earlier(span).await?;
        let mut session = self.session(span, file).await?;
        session.may_be_resumed = false;
        self.send_all(span, session, pass).await
    }

    /// Gives up what an earlier process began under this key, if it did.
    pub(super) async fn give_up_earlier(&self, span: &Span) -> Result<()> {
        let Some(found) = self.uploads.find(&span.key) else {
            return Ok(());
        };
        self.abort(&self.key(&span.key), &found.head.upload).await?;
        self.uploads.forget(&span.key);
        Ok(())
    }

    async fn send_all(
        &self,
        span: &Span,
        mut session: Session,
        pass: &mut Pass<'_, '_>,
    ) -> Result<Sent> {
        let mut in_flight = JoinSet::new();
        let sent = self
            .send_each(span, &mut session, &mut in_flight, pass)
            .await;
        match sent {
            Ok(arrived) => Ok(Sent { session, arrived }),
            Err(error) => {
                note_those_that_arrived(&mut in_flight, &mut session);
                // No part may arrive after the upload was given up.
                in_flight.shutdown().await;
                self.give_up_unless_resumable(span, &session, &error).await;
                Err(error)
            }
        }
    }

    /// Makes the object of its parts.
    pub(super) async fn put_together(&self, span: &Span, sent: Sent) -> Result<()> {
        match self.complete(span, &sent.session, &sent.arrived).await {
            Ok(()) => {
                // Locked first: after a crash in between the next process finds the upload, and locks it.
                self.lock(&span.key).await?;
                self.uploads.forget(&span.key);
                Ok(())
            }
            Err(error) => {
                self.give_up(span, &sent, &error).await;
                Err(error)
            }
        }
    }

    /// Gives the parts up, since the object is not to be made.
    pub(super) async fn give_up(&self, span: &Span, sent: &Sent, error: &Error) {
        self.give_up_unless_resumable(span, &sent.session, error)
            .await;
    }

    async fn session(&self, span: &Span, file: &Path) -> Result<Session> {
        if let Some(found) = self.uploads.find(&span.key) {
            tracing::info!(
                object = span.key,
                parts = found.parts.len(),
                "going on with an upload"
            );
            return Ok(Session {
                upload: found.head.upload,
                ledger: self.uploads.go_on(&span.key)?,
                known: found.parts,
                is_resumed: true,
                may_be_resumed: true,
            });
        }
        let key = self.key(&span.key);
        let begun = self.calls.call(|| async {
            let begun = self.parts.create_multipart(&key).await;
            begun.map_err(|error| store_error(error, &span.key))
        });
        let upload = begun.await?;
        Ok(Session {
            ledger: self.uploads.begin(&span.key, file, &upload)?,
            upload,
            known: BTreeMap::new(),
            is_resumed: false,
            may_be_resumed: true,
        })
    }

    async fn send_each(
        &self,
        span: &Span,
        session: &mut Session,
        in_flight: &mut JoinSet<Result<Arrived>>,
        pass: &mut Pass<'_, '_>,
    ) -> Result<BTreeMap<usize, KnownPart>> {
        let sender = Sender {
            parts: self.parts.clone(),
            throttle: self.throttle.clone(),
            calls: self.calls.clone(),
            key: self.key(&span.key),
            upload: session.upload.clone(),
        };
        let mut arrived = BTreeMap::new();
        for (part, _) in span.chunks().enumerate() {
            let chunk = pass.next().await?;
            while in_flight.len() >= self.transfer.parts_in_flight {
                settle(in_flight.join_next().await, session, &mut arrived, pass)?;
            }
            let known = session.known.remove(&part);
            in_flight.spawn(sender.clone().send(part, chunk, known));
        }
        while !in_flight.is_empty() {
            settle(in_flight.join_next().await, session, &mut arrived, pass)?;
        }
        Ok(arrived)
    }

    /// Puts the parts together. When the answer is lost, the object itself says whether it was done.
    async fn complete(
        &self,
        span: &Span,
        session: &Session,
        arrived: &BTreeMap<usize, KnownPart>,
    ) -> Result<()> {
        let key = self.key(&span.key);
        let parts: Vec<PartId> = arrived.values().map(|part| part.id.clone()).collect();
        self.calls
            .call(|| async {
                let done = self
                    .parts
                    .complete_multipart(&key, &session.upload, parts.clone());
                let Err(error) = done.await else {
                    return Ok(());
                };
                match self.size_of(&span.key).await {
                    Ok(Some(size_bytes)) if size_bytes == span.size_bytes() => Ok(()),
                    _ => Err(store_error(error, &span.key)),
                }
            })
            .await
    }

    /// Parts that nobody will go on with cost money: an upload is kept only where the next try can resume it.
    async fn give_up_unless_resumable(&self, span: &Span, session: &Session, error: &Error) {
        let is_unknown = session.is_resumed && error.code() == Code::ObjectMissing;
        // Credentials, clocks and buckets are mended by people; the parts are still there then.
        let may_pass = error.retry_verdict() != Retry::Never || error.code() == Code::StoreRefused;
        let is_resumable =
            session.may_be_resumed && self.uploads.are_remembered() && !is_unknown && may_pass;
        if is_resumable {
            return;
        }
        let aborted = self
            .parts
            .abort_multipart(&self.key(&span.key), &session.upload)
            .await;
        // The error that matters is the first; what could not be aborted is swept later, where it is listed.
        if aborted.is_ok() || is_unknown {
            self.uploads.forget(&span.key);
        }
    }
}

impl Sender {
    async fn send(self, part: usize, chunk: Stored, known: Option<KnownPart>) -> Result<Arrived> {
        let size_bytes = chunk.len() as u64;
        if let Some(known) = known
            && chunk.digest().await? == known.digest
        {
            return Ok(Arrived {
                part,
                known,
                size_bytes,
                is_new: false,
            });
        }
        self.throttle.pass(size_bytes).await;
        let put = self.calls.call(|| async {
            let payload = chunk.bytes().into();
            let put = self
                .parts
                .put_part(&self.key, &self.upload, part, payload)
                .await;
            put.map_err(|error| store_error(error, &self.key))
        });
        let (digest, id) = tokio::try_join!(chunk.digest(), put)?;
        Ok(Arrived {
            part,
            known: KnownPart { id, digest },
            size_bytes,
            is_new: true,
        })
    }
}

fn settle(
    joined: Option<Result<Result<Arrived>, JoinError>>,
    session: &mut Session,
    arrived: &mut BTreeMap<usize, KnownPart>,
    pass: &mut Pass<'_, '_>,
) -> Result<()> {
    let Some(joined) = joined else {
        return Ok(());
    };
    let one = joined
        .map_err(|error| Error::new(Code::Bug, "an upload task panicked").source(error))??;
    if one.is_new {
        session.ledger.add(one.part, &one.known)?;
    }
    pass.tell(one.size_bytes);
    arrived.insert(one.part, one.known);
    Ok(())
}

/// Parts that the store confirmed while another failed are not sent again either. What cannot be noted is.
fn note_those_that_arrived(in_flight: &mut JoinSet<Result<Arrived>>, session: &mut Session) {
    while let Some(joined) = in_flight.try_join_next() {
        if let Ok(Ok(one)) = joined
            && one.is_new
        {
            let _ = session.ledger.add(one.part, &one.known);
        }
    }
}
