//! Media that are not what msdb and the plan say: each is refused, and no Point stands on it.
//!
//! Start at [`no_medium_passes_for_another`]. Files on the share are exchanged in the moment between the backup
//! and its delivery, which is all that a tired administrator, a sync tool or a thief needs.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use stopmark::error::Result;
use stopmark::plan::{BackupKind, ShareFile, StagedStripe};
use stopmark::run::events::Verdict;
use stopmark::run::record::{Record, Round};
use stopmark::run::{self, BackupWanted, Interrupt};
use stopmark::world::{Staging, World};

use crate::bank::TOTAL;
use crate::saga_kinds::{SPARE, Scene};

/// What somebody does to the files of one delivery.
type Deed = Arc<dyn Fn(&[StagedStripe]) + Send + Sync>;

/// A share that somebody meddles with once, when the first delivery of the wanted database begins.
struct Meddled {
    share: Arc<dyn Staging>,
    database: &'static str,
    deed: Deed,
    is_done: AtomicBool,
}

#[async_trait]
impl Staging for Meddled {
    async fn sizes(&self, stripes: &[StagedStripe]) -> Result<Vec<u64>> {
        let is_wanted = stripes.iter().any(|it| is_of(it, self.database));
        if is_wanted && !self.is_done.swap(true, Ordering::SeqCst) {
            (self.deed)(stripes);
        }
        self.share.sizes(stripes).await
    }

    async fn make_room(&self, stripes: &[StagedStripe]) -> Result<()> {
        self.share.make_room(stripes).await
    }

    async fn require_folders(&self, stripes: &[StagedStripe]) -> Result<()> {
        self.share.require_folders(stripes).await
    }

    async fn remove(&self, files: &[PathBuf]) -> Result<()> {
        self.share.remove(files).await
    }

    async fn list(&self, folder: &Path) -> Result<Vec<ShareFile>> {
        self.share.list(folder).await
    }
}

fn is_of(stripe: &StagedStripe, database: &str) -> bool {
    name_of(&stripe.agent_path).starts_with(&format!("{database}-"))
}

fn name_of(path: &Path) -> String {
    let name = path.file_name().expect("a file");
    name.to_string_lossy().into_owned()
}

/// The file beside this one that is of another database and the same round.
fn beside(path: &Path, database: &str) -> PathBuf {
    let own = name_of(path);
    let (_, round) = own.split_once('_').expect("a kind and a stamp");
    let folder = fs::read_dir(path.parent().expect("a folder")).expect("a share");
    let mut files = folder.map(|entry| entry.expect("an entry").path());
    let is_it = |path: &PathBuf| {
        let name = name_of(path);
        name.starts_with(&format!("{database}-")) && name.ends_with(round)
    };
    files.find(is_it).expect("the other member's file")
}

fn exchange(one: &Path, other: &Path) {
    let aside = one.with_extension("aside");
    fs::rename(one, &aside).expect("it is there");
    fs::rename(other, one).expect("it is there");
    fs::rename(aside, other).expect("it is there");
}

fn over(file: &Path, content: &[u8]) {
    fs::write(file, content).expect("the share takes it");
}

/// Lays other stripes under the names of these.
fn lay(stripes: &[StagedStripe], contents: &[Vec<u8>]) {
    for (stripe, content) in stripes.iter().zip(contents) {
        over(&stripe.agent_path, content);
    }
}

/// One thing that is done to the files of `SQL1/Ledger`, which has two stripes.
struct Story {
    title: &'static str,
    kind: BackupKind,
    deed: Deed,
}

fn story(
    title: &'static str,
    kind: BackupKind,
    deed: impl Fn(&[StagedStripe]) + Send + Sync + 'static,
) -> Story {
    Story {
        title,
        kind,
        deed: Arc::new(deed),
    }
}

fn stories(older: Vec<Vec<u8>>, namesake: Vec<Vec<u8>>) -> Vec<Story> {
    let older_stripe = older[1].clone();
    vec![
        story("files of two members exchanged", BackupKind::Log, |it| {
            for stripe in it {
                exchange(&stripe.agent_path, &beside(&stripe.agent_path, "orders"));
            }
        }),
        story("stripes of one piece exchanged", BackupKind::Log, |it| {
            exchange(&it[0].agent_path, &it[1].agent_path);
        }),
        story(
            "an older backup under its name",
            BackupKind::Log,
            move |it| {
                lay(it, &older);
            },
        ),
        story(
            "one stripe of an older backup",
            BackupKind::Log,
            move |it| {
                over(&it[1].agent_path, &older_stripe);
            },
        ),
        story(
            "the namesake of another host",
            BackupKind::Full,
            move |it| {
                lay(it, &namesake);
            },
        ),
        story("a file cut short", BackupKind::Log, |it| {
            let whole = fs::read(&it[1].agent_path).expect("it is there");
            over(&it[1].agent_path, &whole[..whole.len() / 2]);
        }),
        story("a file that is no backup", BackupKind::Full, |it| {
            over(&it[0].agent_path, b"the quarterly figures, in a hurry");
        }),
        story("an empty file", BackupKind::Full, |it| {
            over(&it[0].agent_path, b"");
        }),
        story("a bit turned over", BackupKind::Log, |it| {
            let mut bytes = fs::read(&it[0].agent_path).expect("it is there");
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0x10;
            over(&it[0].agent_path, &bytes);
        }),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_medium_passes_for_another() {
    let scene = scene().await;
    let older = stored(&scene).await;
    let namesake = namesake(&scene).await;
    let mut told = String::new();
    for story in stories(older, namesake) {
        scene.bank.transfer(&scene.stage, 9).await;
        let points = scene.points().await.len();
        let record = play(&scene, &story).await;
        let title = story.title;
        assert_ne!(
            record.ended.map(|(verdict, _)| verdict),
            Some(Verdict::Done),
            "{title}"
        );
        assert_eq!(scene.points().await.len(), points, "{title} made a Point");
        write!(told, "{title}\n{}", failures(&record)).expect("a string");
        scene.back_up(BackupKind::Log).await;
        // What was only exchanged is whole: the next run brings it in by what it is, and its mark counts as well.
        let brought = usize::from(title.ends_with("exchanged"));
        assert_eq!(
            scene.points().await.len(),
            points + 1 + brought,
            "{title} was not healed"
        );
    }
    insta::assert_snapshot!(scene.stage.scrub(&told));
    let newest = scene.points().await.pop().expect("a Point");
    scene.restore(&newest).await;
    assert_eq!(scene.bank.sum_on(&scene.stage, SPARE).await, TOTAL);
}

/// Two striped members on one host, one on another.
async fn scene() -> Scene {
    let mut scene = Scene::of(&["Ledger", "Orders"], &["Accounts"]).await;
    for database in ["Ledger", "Orders"] {
        let (plain, striped) = (
            format!("\"SQL1/{database}\""),
            format!("{{ name = \"SQL1/{database}\", stripes = 2 }}"),
        );
        scene.stage.edit(&plain, &striped);
    }
    (scene.config, scene.world) = scene.stage.world();
    scene.back_up(BackupKind::Full).await;
    scene.back_up(BackupKind::Log).await;
    scene
}

/// The stripes of the newest log of `Ledger`, as the store holds them.
async fn stored(scene: &Scene) -> Vec<Vec<u8>> {
    let set = scene.sets().await.pop().expect("the set of logs");
    let mut pieces = set.pieces.iter();
    let ledger = pieces.find(|piece| piece.member.database.as_str() == "Ledger");
    let stripes = ledger.expect("its log").stripes.iter();
    let file = |key: &str| fs::read(scene.stage.path("store").join(key)).expect("an object");
    stripes.map(|stripe| file(&stripe.key)).collect()
}

/// A full of a database of the same name on another host, in two stripes.
async fn namesake(scene: &Scene) -> Vec<Vec<u8>> {
    let files = [1, 2].map(|nth| scene.stage.path(&format!("namesake{nth}")));
    let devices = files
        .each_ref()
        .map(|file| format!("DISK = N'{}'", file.display()));
    let script = format!(
        "CREATE DATABASE Ledger;\nGO\nBACKUP DATABASE Ledger TO {} WITH CHECKSUM;",
        devices.join(", ")
    );
    scene.stage.script("SQL2", "master", &script).await;
    files
        .map(|file| fs::read(file).expect("it was written"))
        .to_vec()
}

async fn play(scene: &Scene, story: &Story) -> Record {
    let meddled = Meddled {
        share: scene.world.staging.clone(),
        database: "ledger",
        deed: story.deed.clone(),
        is_done: AtomicBool::new(false),
    };
    let world = World {
        staging: Arc::new(meddled),
        ..scene.world.clone()
    };
    let wanted = BackupWanted {
        kind: story.kind,
        new_chain: Vec::new(),
    };
    let record = run::back_up(&world, &scene.config, &wanted, &Interrupt::default()).await;
    record.unwrap_or_else(|error| panic!("{}: {error:?}", story.title))
}

fn failures(record: &Record) -> String {
    let failures = record.rounds.iter().flat_map(Round::failures);
    let lines: std::collections::BTreeSet<String> = failures
        .map(|(_, failure)| format!("  {}\n", failure.line()))
        .collect();
    assert!(!lines.is_empty(), "nothing failed");
    lines.into_iter().collect()
}
