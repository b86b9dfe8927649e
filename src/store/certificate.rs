//! Certificates of drills: one JSON object a drill, written once, named by the group's log with its digest.
//!
//! Format 1 is the serialised [`Certificate`]; `docs/store-format.md` describes it. Readers refuse newer formats and
//! ignore fields that they do not know.

use super::hash::sha256;
use super::{ObjectStore, keys};
use crate::error::{Code, Error, Result};
use crate::model::{CERTIFICATE_FORMAT, Certificate, Sha256Digest};

impl ObjectStore {
    /// Writes a drill's certificate; its key and digest. One that stands there already is the one that counts: a drill
    /// that was broken off while it wrote does not tell its story twice.
    pub(super) async fn write_drill(
        &self,
        certificate: &Certificate,
    ) -> Result<(String, Sha256Digest)> {
        let key = keys::drill(&certificate.group, certificate.run);
        let content = serde_json::to_vec_pretty(certificate).map_err(|error| {
            Error::new(Code::Bug, "a certificate cannot be written").source(error)
        })?;
        let digest = sha256(&content);
        match self.create_same(&key, content).await {
            Ok(()) => Ok((key, digest)),
            Err(error) if error.code() == Code::ObjectExists => {
                let first = self.read_small(&key).await?;
                parse(&first)?;
                Ok((key, sha256(&first)))
            }
            Err(error) => Err(error),
        }
    }

    /// Reads a certificate that the group's log names.
    pub(super) async fn read_drill(&self, key: &str, digest: Sha256Digest) -> Result<Certificate> {
        let content = self.read_small(key).await?;
        if sha256(&content) != digest {
            let message = "a certificate is not what the group's log says";
            return Err(Error::new(Code::StoreMismatch, message)
                .at("object", key)
                .hint("someone changed it: bring it back from a version or copy of the bucket"));
        }
        parse(&content).map_err(|error| error.at("object", key))
    }
}

fn parse(content: &[u8]) -> Result<Certificate> {
    let unreadable =
        |error| Error::new(Code::ManifestUnreadable, "a certificate cannot be read").source(error);
    let certificate: Certificate = serde_json::from_slice(content).map_err(unreadable)?;
    let format = certificate.format;
    if format > CERTIFICATE_FORMAT {
        let message = format!("a certificate has format {format}, newer than {CERTIFICATE_FORMAT}");
        return Err(Error::new(Code::ManifestUnreadable, message).hint("use a newer Stopmark"));
    }
    Ok(certificate)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMAT_1: &str = include_str!("../../tests/fixtures/certificate-1.json");

    #[test]
    fn a_certificate_of_format_1_is_read_for_ever() {
        let certificate = parse(FORMAT_1.as_bytes()).expect("format 1");
        assert!(certificate.passed && certificate.is_clean);
        assert_eq!(certificate.members.len(), 1);
        let more = FORMAT_1.replacen('{', "{\"colour\": \"red\", ", 1);
        assert_eq!(parse(more.as_bytes()).expect("format 1"), certificate);
    }

    #[test]
    fn a_newer_format_is_refused_and_named() {
        let newer = FORMAT_1.replacen("\"format\": 1", "\"format\": 2", 1);
        let error = parse(newer.as_bytes()).expect_err("newer");
        assert!(error.message().contains("newer"), "{error}");
    }
}
