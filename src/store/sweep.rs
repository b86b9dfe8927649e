//! The sweep: unfinished uploads that nobody will go on with are given up, since their parts cost money.
//!
//! Start at [`ObjectStore::sweep_group`]. Only the holder of the group's lease may sweep: an upload below the
//! group's prefix that this agent does not remember then belongs to nobody. S3 and folders say what is
//! unfinished. Azure drops unfinished blocks by itself after a week; for Google Cloud Storage the bucket needs a
//! rule that aborts incomplete uploads, since the client library cannot list them.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3;
use object_store::client::{HttpClient, HttpRequestBody};
use object_store::path::Path as Key;
use object_store::signer::{SignedUrlOptions, Signer as _};
use serde::Deserialize;

use super::errors::store_error;
use super::folder::Folder;
use super::{ObjectStore, keys};
use crate::error::{Code, Error, Result, Retry};
use crate::model::GroupName;

/// How long a signed question may be asked.
const SIGNED_FOR: Duration = Duration::from_secs(15 * 60);

/// How a store's unfinished uploads are found.
#[derive(Clone)]
pub(super) enum Unfinished {
    /// The store has no list of them, or drops them by itself.
    Unlisted,
    /// Files in a folder.
    InFolder(Folder),
    /// What S3 lists; the client library signs the question but does not ask it.
    InBucket {
        /// Who signs.
        bucket: Arc<AmazonS3>,
        /// Who asks.
        http: HttpClient,
    },
}

/// S3's answer; other fields are of no interest.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    #[serde(default)]
    upload: Vec<ListedUpload>,
    #[serde(default)]
    is_truncated: bool,
    next_key_marker: Option<String>,
    next_upload_id_marker: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListedUpload {
    key: String,
    upload_id: String,
}

impl ObjectStore {
    /// Gives up every unfinished upload of the group that no file on a share can go on with; how many.
    pub(super) async fn sweep_group(&self, group: &GroupName) -> Result<u64> {
        let mut swept = 0;
        let prefix = format!("{}/", keys::group(group));
        let (gone, alive): (Vec<_>, Vec<_>) = self
            .uploads
            .all()
            .into_iter()
            .filter(|head| head.key.starts_with(&prefix))
            .partition(|head| !head.file.exists());
        for head in gone {
            self.abort(&self.key(&head.key), &head.upload).await?;
            self.uploads.forget(&head.key);
            swept += 1;
        }
        for (key, upload) in self.unfinished(group).await? {
            if !alive.iter().any(|head| head.upload == upload) {
                self.abort(&key, &upload).await?;
                swept += 1;
            }
        }
        Ok(swept)
    }

    /// Gives up an upload; one that is gone already is no error.
    pub(super) async fn abort(&self, key: &Key, upload: &str) -> Result<()> {
        let aborted = self.parts.abort_multipart(key, &upload.to_owned()).await;
        match aborted.map_err(|error| store_error(error, key)) {
            Err(error) if error.code() != Code::ObjectMissing => Err(error),
            _ => Ok(()),
        }
    }

    /// The group's unfinished uploads as the store knows them.
    async fn unfinished(&self, group: &GroupName) -> Result<Vec<(Key, String)>> {
        let below = self.key(&keys::group(group));
        match &self.unfinished {
            Unfinished::Unlisted => Ok(Vec::new()),
            Unfinished::InFolder(folder) => {
                let ids = folder.unfinished(group.as_str());
                Ok(ids.into_iter().map(|id| (below.clone(), id)).collect())
            }
            Unfinished::InBucket { bucket, http } => list_all(bucket, http, &below).await,
        }
    }
}

async fn list_all(bucket: &AmazonS3, http: &HttpClient, below: &Key) -> Result<Vec<(Key, String)>> {
    let mut found = Vec::new();
    let mut marker: Option<(String, String)> = None;
    loop {
        let prefix = format!("{below}/");
        let mut query = vec![("uploads", String::new()), ("prefix", prefix)];
        if let Some((key, upload)) = &marker {
            query.push(("key-marker", key.clone()));
            query.push(("upload-id-marker", upload.clone()));
        }
        let page = list_page(bucket, http, &query).await?;
        let uploads = page.upload.into_iter();
        found.extend(uploads.filter_map(|it| Some((Key::parse(it.key).ok()?, it.upload_id))));
        let next = page.next_key_marker.zip(page.next_upload_id_marker);
        // A server that says "more" and not where would be asked for ever.
        if !page.is_truncated || next.is_none() || next == marker {
            return Ok(found);
        }
        marker = next;
    }
}

async fn list_page(
    bucket: &AmazonS3,
    http: &HttpClient,
    query: &[(&str, String)],
) -> Result<Listed> {
    let options = SignedUrlOptions::new().with_query(query.to_vec());
    let url = bucket
        .signed_url_opts(http::Method::GET, &Key::default(), SIGNED_FOR, &options)
        .await
        .map_err(|error| store_error(error, "unfinished uploads"))?;
    let request = http::Request::get(url.as_str())
        .body(HttpRequestBody::empty())
        .map_err(|error| unlisted("the question cannot be asked").source(error))?;
    let answer = http.execute(request).await;
    let answer = answer.map_err(|error| unlisted("the store does not answer").source(error))?;
    let status = answer.status();
    let body = answer.into_body().bytes().await;
    let body = body.map_err(|error| unlisted("the store's answer breaks off").source(error))?;
    if !status.is_success() {
        return Err(unlisted("the store refuses to list unfinished uploads").at("status", status));
    }
    quick_xml::de::from_reader(body.as_ref())
        .map_err(|error| unlisted("the list of unfinished uploads cannot be read").source(error))
}

fn unlisted(message: &str) -> Error {
    Error::new(Code::StoreUnreachable, message)
        .hint("nothing is lost; give the agent's account the right to list multipart uploads, or the bucket a rule that aborts incomplete ones")
        .retry(Retry::Safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_s3_lists_is_read() {
        let text = r#"<?xml version="1.0" encoding="UTF-8"?>
            <ListMultipartUploadsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Bucket>b</Bucket>
            <NextKeyMarker>k2</NextKeyMarker><NextUploadIdMarker>u2</NextUploadIdMarker>
            <IsTruncated>true</IsTruncated>
            <Upload><Key>k1</Key><UploadId>u1</UploadId><Initiated>2026-11-21T00:00:00Z</Initiated></Upload>
            <Upload><Key>k2</Key><UploadId>u2</UploadId></Upload></ListMultipartUploadsResult>"#;
        let listed: Listed = quick_xml::de::from_str(text).expect("S3's answer");
        assert!(listed.is_truncated);
        let ids: Vec<&str> = listed
            .upload
            .iter()
            .map(|it| it.upload_id.as_str())
            .collect();
        assert_eq!(ids, ["u1", "u2"]);
        let none = "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>";
        let listed: Listed = quick_xml::de::from_str(none).expect("an empty list");
        assert!(listed.upload.is_empty() && !listed.is_truncated);
    }
}
