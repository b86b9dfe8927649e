//! A stream sealed and opened, in blocks of 64 KiB: plain bytes of any length in little memory.
//!
//! Start at [`Sealer::begin`] and [`open`].

use std::io::{BufRead, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use age::stream::StreamWriter;
use age::{DecryptError, Decryptor, Encryptor};

use super::{Keys, Recipient};

/// The plain bytes of a block.
const BLOCK_BYTES: u64 = 64 * 1024;

/// What sealing adds to a block: its authentication tag.
const TAG_BYTES: u64 = 16;

/// Seals one stream. Bytes are pushed in and drained out; what is held is at most a block each way.
pub struct Sealer {
    stream: Option<StreamWriter<Out>>,
    out: Out,
    header_bytes: u64,
}

/// What was sealed and not drained yet.
#[derive(Clone, Default)]
struct Out(Arc<Mutex<Vec<u8>>>);

impl Out {
    fn with<T>(&self, work: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.with(|held| held.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Sealer {
    /// Begins a stream under a new key of its own, which only these recipients' keys open. One at least.
    #[must_use]
    pub fn begin(recipients: &[Recipient]) -> Self {
        let recipients = recipients.iter().map(|one| &one.0 as &dyn age::Recipient);
        let out = Out::default();
        let stream = Encryptor::with_recipients(recipients)
            .expect("native recipients fit each other, and there is one")
            .wrap_output(out.clone())
            .expect("memory takes all");
        let header_bytes = out.with(|held| held.len() as u64);
        Self {
            stream: Some(stream),
            out,
            header_bytes,
        }
    }

    /// The size of the whole stream, in bytes, when so many plain bytes go in.
    #[must_use]
    pub const fn sealed_size_bytes(&self, plain_bytes: u64) -> u64 {
        // An empty stream has one empty block.
        let blocks = match plain_bytes.div_ceil(BLOCK_BYTES) {
            0 => 1,
            blocks => blocks,
        };
        self.header_bytes + plain_bytes + blocks * TAG_BYTES
    }

    /// Takes the next plain bytes. A full block comes out when the one after it begins.
    pub fn push(&mut self, plain: &[u8]) {
        let stream = self.stream.as_mut();
        let stream = stream.expect("nothing is pushed after the end");
        stream.write_all(plain).expect("memory takes all");
    }

    /// Ends the stream; what is left can be drained.
    pub fn finish(&mut self) {
        if let Some(stream) = self.stream.take() {
            stream.finish().expect("memory takes all");
        }
    }

    /// Moves sealed bytes to `to`, until it has `limit` or there are no more.
    pub fn drain(&mut self, to: &mut Vec<u8>, limit: usize) {
        self.out.with(|held| {
            let count = held.len().min(limit.saturating_sub(to.len()));
            to.extend(held.drain(..count));
        });
    }
}

/// Why a sealed stream cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenFault {
    /// None of the keys belongs to a recipient.
    #[error("none of the keys belongs to a recipient")]
    NoKey,
    /// It is no sealed stream, or was changed.
    #[error("it is not what was sealed: {0}")]
    Damaged(String),
}

/// Opens a sealed stream. Every block is authenticated before a byte of it is given; an end that was cut off is
/// an error of the reader.
///
/// # Errors
/// Whether the keys or the stream are wrong.
pub fn open<R: BufRead>(sealed: R, keys: &Keys) -> Result<impl Read + use<R>, OpenFault> {
    let damaged = |error: DecryptError| match error {
        DecryptError::NoMatchingKeys => OpenFault::NoKey,
        other => OpenFault::Damaged(other.to_string()),
    };
    let keys = keys.0.iter().map(|key| key as &dyn age::Identity);
    let sealed = Decryptor::new_buffered(sealed).map_err(damaged)?;
    sealed.decrypt(keys).map_err(damaged)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Pushed in pieces of one size, drained in objects of another.
    fn sealed(keys: &Keys, plain: &[u8], (push, drain): (usize, usize)) -> Vec<u8> {
        let mut sealer = Sealer::begin(&keys.recipients());
        let wanted = sealer.sealed_size_bytes(plain.len() as u64);
        let mut all = Vec::new();
        for pushed in plain.chunks(push) {
            sealer.push(pushed);
            let mut object = Vec::new();
            sealer.drain(&mut object, drain);
            assert!(object.len() <= drain);
            all.append(&mut object);
        }
        sealer.finish();
        sealer.drain(&mut all, usize::MAX);
        assert_eq!(all.len() as u64, wanted);
        assert!(all.starts_with(crate::seal::MAGIC));
        all
    }

    fn opened(sealed: &[u8], keys: &Keys) -> Result<Vec<u8>, OpenFault> {
        let mut plain = Vec::new();
        let read = open(sealed, keys)?.read_to_end(&mut plain);
        read.map_err(|error| OpenFault::Damaged(error.to_string()))?;
        Ok(plain)
    }

    #[test]
    fn every_size_around_a_block_comes_back_and_is_foretold() {
        let keys = Keys::generate();
        for size in [0, 1, 65_535, 65_536, 65_537, 131_072, 200_000] {
            let plain: Vec<u8> = (0..size).map(|at: u32| at.to_le_bytes()[0]).collect();
            let sealed = sealed(&keys, &plain, (65_536, 70_000));
            assert_eq!(opened(&sealed, &keys).expect("opens"), plain, "{size}");
        }
    }

    #[test]
    fn a_stranger_s_key_opens_nothing_and_a_changed_stream_is_noticed() {
        let keys = Keys::generate();
        let whole = sealed(&keys, &vec![7; 70_000], (70_000, 70_000));
        let stranger = opened(&whole, &Keys::generate());
        assert!(matches!(stranger, Err(OpenFault::NoKey)));
        for at in [0, 30, whole.len() - 1, whole.len() - 70_000] {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            assert!(opened(&changed, &keys).is_err(), "byte {at}");
        }
        for end in [0, 10, 300, 65_536 + 300, whole.len() - 1] {
            assert!(opened(&whole[..end], &keys).is_err(), "cut at {end}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn any_bytes_in_any_cutting_come_back(
            plain in proptest::collection::vec(any::<u8>(), 0..150_000),
            push in 1_usize..100_000,
            drain in 1_usize..100_000,
        ) {
            let keys = Keys::generate();
            let sealed = sealed(&keys, &plain, (push, drain));
            prop_assert_eq!(opened(&sealed, &keys).expect("opens"), plain);
        }

        #[test]
        fn no_hostile_stream_makes_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut stream = crate::seal::MAGIC.to_vec();
            stream.extend(bytes);
            prop_assert!(opened(&stream, &Keys::generate()).is_err());
        }
    }
}
