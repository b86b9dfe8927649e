//! A group whose pieces are sealed: backed up, marked, proven and brought back; and what becomes of it without keys.

use std::fs;
use std::path::PathBuf;

use secrecy::ExposeSecret as _;
use serde_json::Value;
use stopmark::error::Exit;
use stopmark::seal::{Keys, MAGIC};

use crate::damage::stored;
use crate::hostile_names::files_below;
use crate::stage::{Printed, Stage};

/// A stage whose store is sealed for two keys, the first of which the agent has.
async fn sealed_stage() -> (Stage, [Keys; 2]) {
    let stage = Stage::set(&[
        ("SQL1", &["Ledger"][..]),
        ("SQL2", &["Accounts"]),
        ("SPARE", &[]),
    ])
    .await;
    let keys = [Keys::generate(), Keys::generate()];
    write_key(&stage, &keys[0]);
    stage.edit("[paths]", &format!("{}\n[paths]", section(&keys)));
    (stage, keys)
}

fn section(keys: &[Keys]) -> String {
    let recipients: Vec<String> = keys
        .iter()
        .flat_map(Keys::recipients)
        .map(|one| format!("\"{one}\""))
        .collect();
    format!(
        "[encryption]\nrecipients = [{}]\nidentity = {{ file = \"key.txt\" }}\n",
        recipients.join(", ")
    )
}

fn write_key(stage: &Stage, keys: &Keys) {
    let text = format!("# a key\n{}", keys.to_text().expose_secret());
    stage.write_secret("key.txt", &text);
}

fn without_key(stage: &Stage) {
    stage.edit("identity = { file = \"key.txt\" }\n", "");
}

async fn back_up(stage: &Stage) {
    let table = "CREATE TABLE dbo.T (id bigint NOT NULL); INSERT INTO dbo.T VALUES (1);";
    stage.script("SQL1", "Ledger", table).await;
    stage.must(&["backup", "full"]).await;
    let insert = "INSERT INTO dbo.T VALUES (20);";
    stage.script("SQL1", "Ledger", insert).await;
    stage.must(&["backup", "log"]).await;
    let late = "INSERT INTO dbo.T VALUES (300);";
    stage.script("SQL1", "Ledger", late).await;
}

async fn restore(stage: &Stage) -> Printed {
    let files = stage.path("restored");
    fs::create_dir_all(&files).expect("a folder");
    let files = files.display().to_string();
    stage
        .run(&["restore", "run", "--to-host", "SPARE", "--files-in", &files])
        .await
}

fn pieces(stage: &Stage) -> Vec<PathBuf> {
    stored(stage, ".bak.age")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sealed_group_comes_back_and_nothing_in_the_store_can_be_read() {
    let (stage, keys) = sealed_stage().await;
    back_up(&stage).await;
    assert_eq!(pieces(&stage).len(), 4);
    assert!(stored(&stage, ".bak").is_empty(), "nothing went as it is");
    for piece in pieces(&stage) {
        let content = fs::read(&piece).expect("reads");
        assert!(content.starts_with(MAGIC));
        let has_media = content.windows(4).any(|window| window == b"TAPE");
        assert!(!has_media, "{} can be read", piece.display());
    }
    stage.must(&["verify"]).await;
    stage.must(&["scrub"]).await;
    let printed = restore(&stage).await;
    assert_eq!(
        printed.exit,
        Exit::Ok,
        "{}{}",
        printed.stdout,
        printed.stderr
    );
    let sum = "SELECT SUM(id) FROM dbo.T;";
    assert_eq!(stage.number("SPARE", "Ledger", sum).await, 21);
    no_secret_was_written(&stage, &keys);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inspect_names_sealed_pieces_as_such() {
    let (stage, _) = sealed_stage().await;
    stage.must(&["backup", "full"]).await;
    let store = stage.path("store").display().to_string();
    let inspected = stage.run(&["inspect", &store]).await;
    let said = "passed over, being sealed (age): ";
    assert!(inspected.stdout.contains(said), "{}", inspected.stdout);
    assert!(!inspected.stdout.contains("SM0714"), "{}", inspected.stdout);
    let piece = pieces(&stage).remove(0).display().to_string();
    let one = stage.run(&["inspect", &piece]).await;
    assert!(one.stdout.contains(said), "{}", one.stdout);
}

/// The key is in its file and nowhere else.
fn no_secret_was_written(stage: &Stage, keys: &[Keys]) {
    let secrets = keys.iter().map(Keys::to_text);
    let secrets: Vec<String> = secrets
        .map(|text| text.expose_secret().trim().to_owned())
        .collect();
    let holds = |content: &[u8], secret: &str| {
        let mut windows = content.windows(secret.len());
        windows.any(|window| window.eq_ignore_ascii_case(secret.as_bytes()))
    };
    let mut holders = Vec::new();
    for path in files_below(&stage.path("")) {
        let content = fs::read(stage.path(&path)).expect("reads");
        if secrets.iter().any(|secret| holds(&content, secret)) {
            holders.push(path);
        }
    }
    assert_eq!(holders, ["key.txt"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_manifest_names_both_files_and_who_can_open_them() {
    let (stage, keys) = sealed_stage().await;
    stage.must(&["backup", "full"]).await;
    let manifest = stored(&stage, ".json");
    let manifest = manifest
        .iter()
        .find(|path| path.to_string_lossy().contains("/sets/"));
    let text = fs::read_to_string(manifest.expect("a manifest")).expect("reads");
    let manifest: Value = serde_json::from_str(&text).expect("JSON");
    let stripe = &manifest["set"]["pieces"][0]["stripes"][0];
    let wanted: Vec<String> = keys
        .iter()
        .flat_map(Keys::recipients)
        .map(|one| one.to_string())
        .collect();
    assert_eq!(stripe["sealed"]["for"], serde_json::json!(wanted));
    let size = |stripe: &Value| stripe["size_bytes"].as_u64().expect("a size");
    let (stored, plain) = (size(stripe), size(&stripe["sealed"]["plain"]));
    assert!(
        stored > plain + 300 && stored < plain + plain / 1000 + 2000,
        "{stored} of {plain}"
    );
    assert_ne!(stripe["root"], stripe["sealed"]["plain"]["root"]);
    stage.must(&["catalog", "rebuild"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_let_go_of_a_sealed_group_leaves_no_note_behind() {
    let (stage, _) = sealed_stage().await;
    stage.edit(
        "[paths]",
        "[retention]\nkeep_last = 1\nkeep_for = \"0s\"\n[paths]",
    );
    back_up(&stage).await;
    let before = stored(&stage, ".sealed");
    assert!(!before.is_empty(), "each sealed stripe has a note");
    for args in [["backup", "full"], ["backup", "log"], ["prune", "run"]] {
        stage.must(&args).await;
    }
    let left = stored(&stage, ".sealed");
    assert!(!left.is_empty(), "the newest point keeps its own");
    for note in &before {
        assert!(!left.contains(note), "{}", note.display());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_right_key_a_group_is_backed_up_and_proven_and_not_restored() {
    let (stage, keys) = sealed_stage().await;
    without_key(&stage);
    back_up(&stage).await;
    stage.must(&["verify"]).await;
    stage.must(&["scrub"]).await;
    let printed = restore(&stage).await;
    assert_ne!(printed.exit, Exit::Ok);
    let told = format!("{}{}", printed.stdout, printed.stderr);
    assert!(told.contains("SM0731"), "{told}");
    let recipient = keys[1].recipients()[0].to_string();
    assert!(told.contains(&recipient), "whose key would do: {told}");
    // The key that was kept elsewhere is brought: the recipients stay.
    let key = "[encryption]\nidentity = { file = \"key.txt\" }\n";
    stage.edit("[encryption]\n", key);
    write_key(&stage, &keys[1]);
    let printed = restore(&stage).await;
    assert_eq!(
        printed.exit,
        Exit::Ok,
        "{}{}",
        printed.stdout,
        printed.stderr
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bit_that_flips_in_a_sealed_piece_is_found_without_a_key() {
    let (stage, _) = sealed_stage().await;
    back_up(&stage).await;
    without_key(&stage);
    let full = pieces(&stage)
        .into_iter()
        .find(|path| path.to_string_lossy().contains(".full."));
    let full = full.expect("a full");
    let mut content = fs::read(&full).expect("reads");
    let middle = content.len() / 2;
    content[middle] ^= 4;
    fs::write(&full, content).expect("someone writes");
    let scrubbed = stage.run(&["scrub"]).await;
    assert_eq!(scrubbed.exit, Exit::Degraded, "{}", scrubbed.stdout);
    assert!(scrubbed.stdout.contains("SM0703"), "{}", scrubbed.stdout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_tells_who_can_open_and_whether_a_key_is_kept_elsewhere() {
    let (stage, keys) = sealed_stage().await;
    let checked = stage.run(&["check"]).await;
    assert_eq!(checked.exit, Exit::Degraded, "{}", checked.stdout);
    let opens = format!("opens it as `{}`", keys[0].recipients()[0]);
    assert!(checked.stdout.contains(&opens), "{}", checked.stdout);
    assert!(
        checked.stdout.contains("SM0732"),
        "nobody has confirmed: {}",
        checked.stdout
    );
    let today = "identity = { file = \"key.txt\" }\nescrow_confirmed = \"2026-11-01\"\n";
    stage.edit("identity = { file = \"key.txt\" }\n", today);
    let confirmed = stage.run(&["check"]).await;
    let said = &confirmed.stdout;
    assert!(said.contains("the keeping of the keys was"), "{said}");
    without_key(&stage);
    let checked = stage.run(&["check"]).await;
    assert!(
        checked.stdout.contains("no key is here"),
        "{}",
        checked.stdout
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_of_the_encryption_is_told_at_once_and_no_key_is_repeated() {
    let (stage, keys) = sealed_stage().await;
    let secret = keys[1].to_text();
    let secret = secret.expose_secret().trim();
    let recipient = keys[1].recipients()[0].to_string();
    stage.edit(&recipient, &format!("{secret}\", \"age1nobody"));
    stage.edit("identity = {", "escrow_confirmed = \"soon\"\nidentity = {");
    fs::write(stage.path("key.txt"), "hunter2\n").expect("writes");
    let told = stage.run(&["list"]).await;
    assert_eq!(told.exit, Exit::Config);
    assert!(!told.stderr.contains(secret) && !told.stderr.contains("hunter2"));
    insta::assert_snapshot!(stage.scrub(&told.stderr), @r#"
    error[SM0103]: a secret key stands where a recipient belongs
      file: <stage>/stopmark.toml:14:81
      key:  encryption.recipients[1]
      hint: write the recipient that `age-keygen -y FILE` prints, and make a new key: this one was in the open
    error[SM0103]: this is not an age recipient
      file: <stage>/stopmark.toml:14:159
      key:  encryption.recipients[2]
      hint: write `age1` and what follows it, as `age-keygen` prints it; ssh keys and plugins are not taken
    error[SM0103]: this is not a day
      file: <stage>/stopmark.toml:15:20
      key:  encryption.escrow_confirmed
      hint: write it in quotes, `"2026-11-01"`
    error[SM0103]: line 1 of the key file is no secret key of age
      file: <stage>/stopmark.toml:16:1
      key:  encryption.identity
      hint: name the file that `age-keygen` wrote: lines that begin with `AGE-SECRET-KEY-1`, and comments
    "#);
    fs::write(
        stage.path("key.txt"),
        Keys::generate().to_text().expose_secret(),
    )
    .expect("writes");
    stage.edit(&format!("{secret}\", \"age1nobody"), &recipient);
    stage.edit("escrow_confirmed = \"soon\"\n", "");
    let told = stage.run(&["list"]).await;
    assert_eq!(told.exit, Exit::Config);
    assert!(
        told.stderr.contains("opens for none of the recipients"),
        "{}",
        told.stderr
    );
}
