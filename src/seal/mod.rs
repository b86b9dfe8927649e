//! Sealing: pieces are encrypted before they leave this machine, in the age format, version 1.
//!
//! Start at [`Recipient`] and [`Keys`], which the configuration gives, then [`Sealer`] and [`open`]. The format is
//! that of <https://age-encryption.org/v1>; the `age` crate does all of the cryptography, so `age -d` and `rage -d`
//! open what stands in a store. Only native X25519 keys are taken: no passphrases, ssh keys or plugins, which
//! would ask somebody at the moment of a restore.
//!
//! This room reads no file, and never shows a key.

mod keys;
mod stream;

use std::io::Read as _;

pub use keys::{KeyFault, Keys, Recipient, RecipientFault};
pub use stream::{OpenFault, Sealer, open};

/// What a sealed object begins with.
pub const MAGIC: &[u8] = b"age-encryption.org/v1\n";

/// What pieces are sealed for, and what opens them here.
#[derive(Clone, Debug)]
pub struct Ring {
    /// Whoever holds the key of one of them can open what is sealed. At least one.
    pub recipients: Vec<Recipient>,
    /// The keys that this agent has; none where it only seals.
    pub keys: Option<Keys>,
}

impl Ring {
    /// The recipients in their text form, as manifests name them.
    #[must_use]
    pub fn recipients_text(&self) -> Vec<String> {
        self.recipients.iter().map(ToString::to_string).collect()
    }

    /// Seals a short text and opens it again; none where no key is here.
    ///
    /// # Errors
    /// Why it could not be opened.
    #[must_use]
    pub fn trial(&self) -> Option<Result<(), OpenFault>> {
        const TRIAL: &[u8] = b"the trial of a seal";
        let keys = self.keys.as_ref()?;
        let mut sealer = Sealer::begin(&self.recipients);
        sealer.push(TRIAL);
        sealer.finish();
        let mut stream = Vec::new();
        sealer.drain(&mut stream, usize::MAX);
        let opened = open(stream.as_slice(), keys).and_then(|mut plain| {
            let mut text = Vec::new();
            let read = plain.read_to_end(&mut text);
            read.map_err(|error| OpenFault::Damaged(error.to_string()))?;
            let is_same = text == TRIAL;
            is_same
                .then_some(())
                .ok_or_else(|| OpenFault::Damaged("another text came back".to_owned()))
        });
        Some(opened)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_tries_its_own_keys() {
        let (keys, other) = (Keys::generate(), Keys::generate());
        let ring = |keys| Ring {
            recipients: other.recipients(),
            keys,
        };
        assert!(ring(None).trial().is_none());
        assert!(matches!(ring(Some(other.clone())).trial(), Some(Ok(()))));
        let stranger = ring(Some(keys)).trial();
        assert!(matches!(stranger, Some(Err(OpenFault::NoKey))));
    }
}
