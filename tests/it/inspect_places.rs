//! Where `stopmark inspect` looks: paths and buckets that are not there, not readable, or not simple; and what
//! a server (the simulated one) wrote, compared with what that server says of it.

use std::fmt::Write as _;
use std::os::unix::fs::symlink;
use std::sync::Arc;

use insta::assert_snapshot;
use mtf::Level;
use object_store::memory::InMemory;
use object_store::path::Path as Key;
use object_store::{ObjectStoreExt as _, PutPayload};
use stopmark::cli::progress::NoProgress;
use stopmark::error::{Exit, render};
use stopmark::media::{Access, Gathered, Source, gather};
use stopmark::store::Shelf as Bucket;

use crate::bad_input::point_at_forbidding_store;
use crate::shelf::{Shelf, full, logs};
use crate::stage::{PASSWORD, Stage};

#[tokio::test]
async fn places_that_are_none_are_told_before_anything_is_read() {
    let shelf = Shelf::of_chain();
    let mut told = shelf.tell(&["no-such-folder"], &[]).await;
    told += &shelf
        .tell(&["full.bak", "no-such-file.bak"], &["--json"])
        .await;
    std::os::unix::net::UnixListener::bind(shelf.path("pipe")).expect("a socket");
    told += &shelf.tell(&["pipe"], &[]).await;
    std::fs::create_dir(shelf.path("nothing")).expect("a folder");
    told += &shelf.tell(&["nothing"], &[]).await;
    told += &shelf.tell(&["nothing"], &["--chain"]).await;
    assert_snapshot!(told);
}

#[test]
fn urls_that_cannot_be_used_are_told_without_their_secrets() {
    let mut told = String::new();
    for url in [
        "s3://bucket/prefix",
        "az://container/prefix",
        "gs://bucket/prefix",
        "s3://key:secret@bucket/prefix",
        "s3://bucket/prefix?X-Amz-Signature=secret",
        "ftp://host/secret?secret",
        "http://host/backups",
        "s3://",
        "file://elsewhere/share",
    ] {
        let error = Source::open(url, &Access::default()).expect_err("it cannot be used");
        let exit = error.code().exit() as u8;
        writeln!(told, "{}exit {exit}", render::text(&error)).expect("a string takes everything");
    }
    assert!(!told.contains("X-Amz") && !told.contains("key:"), "{told}");
    assert_snapshot!(told);
}

#[test]
fn credentials_come_from_the_environment_only_by_the_clouds_own_names() {
    let environment = [
        ("AWS_ACCESS_KEY_ID", "agent"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
    ];
    let access = Access {
        environment: environment
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into(),
        ..Access::default()
    };
    assert!(Source::open("s3://bucket/prefix", &access).is_ok());
    assert!(Source::open("gs://bucket/prefix", &access).is_err());
    assert!(matches!(
        Source::open(r"C:\backups", &access),
        Ok(Source::Path(_))
    ));
}

#[tokio::test]
async fn links_that_lead_back_are_walked_once_and_those_to_nothing_hold_nothing() {
    let shelf = Shelf::of_chain();
    symlink(shelf.path("."), shelf.path("back")).expect("a link");
    symlink(shelf.path("full.bak"), shelf.path("full-again")).expect("a link");
    symlink(shelf.path("gone"), shelf.path("gone-too")).expect("a link");
    let printed = shelf.inspect(&[""], &["--level", "1"]).await;
    assert_eq!(printed.exit, Exit::Ok);
    assert!(printed.stdout.starts_with("6 files"), "{}", printed.stdout);
    // What cannot be looked at is told, and the rest still examined.
    symlink(shelf.path("loop"), shelf.path("loop")).expect("a link");
    let printed = shelf.inspect(&[""], &["--level", "1"]).await;
    assert_eq!(printed.exit, Exit::Failed);
    let out = &printed.stdout;
    assert!(
        out.starts_with("6 files") && out.contains("error[SM0712]"),
        "{out}"
    );
    assert!(out.contains("NOT all is well: not read 1"), "{out}");
}

/// A bucket in memory that holds a chain, a backup without a name to be known by, and something else.
async fn bucket(prefix: &str) -> Source {
    let memory = InMemory::new();
    let [first, ..] = logs();
    let objects = [
        ("backups/full.bak", full().write()),
        ("backups/log", first.write()),
        ("backups/notes.txt", b"nothing but words".to_vec()),
        ("backups/empty", Vec::new()),
        ("elsewhere/full.bak", b"not asked for".to_vec()),
    ];
    for (key, bytes) in objects {
        let put = memory.put(&Key::from(key), PutPayload::from(bytes)).await;
        put.expect("memory takes everything");
    }
    let bucket = Bucket::over(Arc::new(memory), Key::from(prefix), "s3://bucket");
    Source::Shelf(Arc::new(bucket))
}

async fn gathered(source: &Source, level: Level) -> Gathered {
    let gathered = gather(std::slice::from_ref(source), level, &NoProgress).await;
    gathered.expect("it can be listed")
}

#[tokio::test]
async fn a_bucket_is_examined_as_a_folder_is_at_every_level() {
    let shelf = Shelf::new();
    let [first, ..] = logs();
    shelf.put("full.bak", &full().write());
    shelf.put("log", &first.write());
    let folder = Source::Path(shelf.path(""));
    let bucket = bucket("backups").await;
    for level in [Level::Structure, Level::Identity, Level::Content] {
        let (there, here) = (
            gathered(&bucket, level).await,
            gathered(&folder, level).await,
        );
        let passed: Vec<String> = there
            .passed_over
            .iter()
            .map(|it| it.place.to_string())
            .collect();
        assert_eq!(
            passed,
            ["s3://bucket/backups/empty", "s3://bucket/backups/notes.txt"]
        );
        assert_eq!(there.examined.len(), 2);
        for (one, other) in there.examined.iter().zip(&here.examined) {
            assert_eq!(one.report, other.report, "{level:?}");
            assert_eq!(one.digest, other.digest, "{level:?}");
            assert_eq!(one.digest.is_some(), level == Level::Content);
            assert_eq!(one.size_bytes, other.size_bytes);
        }
    }
}

#[tokio::test]
async fn an_object_is_examined_by_its_own_url_and_an_empty_prefix_is_told() {
    let object = bucket("backups/notes.txt").await;
    let examined = gathered(&object, Level::Content).await.examined;
    assert_eq!(
        examined.len(),
        1,
        "what was named is examined, whatever it is"
    );
    let sha256 = examined[0].digest.expect("every byte was read").sha256;
    let expected = stopmark::store::hash::sha256(b"nothing but words");
    assert_eq!(sha256, Some(expected));
    let nothing = bucket("no/such").await;
    let error = gather(&[nothing], Level::Content, &NoProgress).await;
    let error = error.expect_err("there is nothing");
    assert_snapshot!(render::text(&error), @r"
    error[SM0711]: there is nothing at this place
      url: s3://bucket/no/such
      hint: look at the spelling; a share must be mounted where this machine sees it
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_of_the_configuration_lends_its_credentials_and_its_refusal_is_told() {
    let stage = Stage::unprepared(&[("SQL1", &["Orders"])]).await;
    let endpoint = point_at_forbidding_store(&stage).await;
    let printed = stage.run(&["inspect", "s3://bucket/elsewhere"]).await;
    assert_eq!(printed.exit, Exit::Failed);
    assert!(!printed.stderr.contains(PASSWORD), "{}", printed.stderr);
    let told = stage.scrub(&printed.stderr);
    assert_snapshot!(told.replace(&endpoint.to_string(), "<endpoint>"));
}

/// Backups as a person takes them: a striped full, logs, one compressed, a differential in the file of a log.
async fn backed_up() -> Stage {
    let stage = Stage::unprepared(&[("SQL1", &["Orders"])]).await;
    std::fs::create_dir_all(stage.path("found")).expect("a folder");
    let disk = |name: &str| format!("DISK = '{}'", stage.path("found").join(name).display());
    let work = "INSERT INTO dbo.T VALUES (7);";
    let script = [
        "CREATE TABLE dbo.T (id bigint NOT NULL);".to_owned(),
        format!(
            "BACKUP DATABASE Orders TO {}, {} WITH FORMAT, CHECKSUM;",
            disk("full_1.bak"),
            disk("full_2.bak")
        ),
        work.to_owned(),
        format!("BACKUP LOG Orders TO {} WITH FORMAT;", disk("log_1.trn")),
        work.to_owned(),
        format!(
            "BACKUP LOG Orders TO {} WITH FORMAT, CHECKSUM;",
            disk("log_2.trn")
        ),
        format!(
            "BACKUP DATABASE Orders TO {} WITH DIFFERENTIAL;",
            disk("log_2.trn")
        ),
        work.to_owned(),
        format!(
            "BACKUP LOG Orders TO {} WITH FORMAT, COMPRESSION;",
            disk("log_3.trn")
        ),
    ];
    for statement in script {
        stage.script("SQL1", "Orders", &statement).await;
    }
    stage
}

async fn chain_of(stage: &Stage) -> (Exit, serde_json::Value) {
    let folder = stage.path("found").display().to_string();
    let printed = stage.run(&["inspect", &folder, "--chain", "--json"]).await;
    let value = serde_json::from_str(&printed.stdout);
    (
        printed.exit,
        value.unwrap_or_else(|error| panic!("{error}: {printed:?}", printed = printed.stderr)),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_server_wrote_is_what_its_history_says() {
    let stage = backed_up().await;
    let (exit, told) = chain_of(&stage).await;
    assert_eq!(exit, Exit::Ok, "{told:#}");
    let lineage = &told["lineages"][0];
    let backups = lineage["backups"].as_array().expect("a list");
    assert_eq!(backups.len(), 5, "{lineage:#}");
    for backup in backups {
        let guid = backup["set_guid"].as_str().expect("a text");
        let history = format!(
            "SELECT CONVERT(nvarchar(40), first_lsn) + N' ' + CONVERT(nvarchar(40), last_lsn)
             FROM msdb.dbo.backupset WHERE backup_set_uuid = '{guid}';"
        );
        let lsns = ["first_lsn", "last_lsn"].map(|key| backup[key].as_str().expect("a text"));
        assert_eq!(stage.text("SQL1", &history).await, lsns.join(" "));
    }
    let spans = lineage["restorable"].as_array().expect("a list");
    assert_eq!(spans.len(), 1, "{lineage:#}");
    assert_eq!(spans[0]["from_lsn"], backups[0]["last_lsn"]);
    assert_eq!(spans[0]["to_lsn"], backups[4]["last_lsn"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_server_wrote_and_somebody_lost_is_missed() {
    let stage = backed_up().await;
    let lose = |name: &str| std::fs::remove_file(stage.path("found").join(name)).expect("there");
    // The differential in the second log's file bridges the first log.
    lose("log_1.trn");
    let (exit, told) = chain_of(&stage).await;
    assert_eq!(exit, Exit::Degraded, "{told:#}");
    let lineage = &told["lineages"][0];
    assert_eq!(
        lineage["breaks"][0]["reason"]["kind"], "log_lost",
        "{told:#}"
    );
    assert_eq!(
        lineage["restorable"].as_array().map(Vec::len),
        Some(2),
        "{told:#}"
    );
    lose("full_2.bak");
    let (exit, told) = chain_of(&stage).await;
    assert_eq!(exit, Exit::NothingRestorable, "{told:#}");
    let findings = told["findings"].as_array().expect("a list");
    let missing = findings.iter().find(|finding| finding["code"] == "SM0715");
    let message = missing.expect("it is told")["message"].clone();
    assert_eq!(message, "stripe 2 of 2 is missing");
}
