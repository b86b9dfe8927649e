//! SHA-256, by whichever of two implementations is the faster one on this processor.
//!
//! Start at [`sha256`] and `Hasher`. `sha2` uses the processor's SHA extensions where it has them and is half as
//! fast as aws-lc where it has not; aws-lc is in the program anyway, for TLS. Each is the other's oracle in the
//! tests.
//!
//! Nothing else in Stopmark hashes.

use aws_lc_rs::digest as aws_lc;
use sha2::Digest as _;

use crate::model::Sha256Digest;

/// SHA-256 of some bytes.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Sha256Digest {
    let mut hasher = Hasher::new();
    hasher.update(bytes);
    hasher.finish()
}

/// SHA-256 of bytes that come one after the other.
pub(super) struct Hasher(State);

enum State {
    Sha2(sha2::Sha256),
    AwsLc(Box<aws_lc::Context>),
}

impl Hasher {
    /// Of nothing yet, with what is fastest here.
    pub(super) fn new() -> Self {
        if has_sha_extensions() {
            Self::of_sha2()
        } else {
            Self::of_aws_lc()
        }
    }

    fn of_sha2() -> Self {
        Self(State::Sha2(sha2::Sha256::new()))
    }

    fn of_aws_lc() -> Self {
        Self(State::AwsLc(Box::new(aws_lc::Context::new(
            &aws_lc::SHA256,
        ))))
    }

    /// Takes the next bytes in.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Sha2(hasher) => hasher.update(bytes),
            State::AwsLc(context) => context.update(bytes),
        }
    }

    /// The digest of everything that was taken in.
    pub(super) fn finish(self) -> Sha256Digest {
        match self.0 {
            State::Sha2(hasher) => Sha256Digest(hasher.finalize().into()),
            State::AwsLc(context) => {
                let mut raw = [0; 32];
                raw.copy_from_slice(context.finish().as_ref());
                Sha256Digest(raw)
            }
        }
    }
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
fn has_sha_extensions() -> bool {
    std::arch::is_x86_feature_detected!("sha")
}

/// Elsewhere aws-lc finds out by itself what the processor can do.
#[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
const fn has_sha_extensions() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_what_sha256sum_prints() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(sha256(b"").to_string(), empty);
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(b"abc").to_string(), abc);
    }

    #[test]
    fn both_implementations_agree_however_the_bytes_are_cut() {
        let bytes: Vec<u8> = (0..70_000_u32)
            .map(|at| at.to_le_bytes()[usize::from(at.is_multiple_of(3))])
            .collect();
        for length in [0, 1, 55, 56, 63, 64, 65, 4096, 70_000] {
            for cut in [1, 64, 1000, 70_000] {
                let mut both = [Hasher::of_sha2(), Hasher::of_aws_lc()];
                for piece in bytes[..length].chunks(cut) {
                    for hasher in &mut both {
                        hasher.update(piece);
                    }
                }
                let [one, other] = both.map(Hasher::finish);
                assert_eq!(one, other, "{length} bytes cut by {cut}");
                assert_eq!(one, sha256(&bytes[..length]));
            }
        }
    }
}
