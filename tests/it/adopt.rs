//! Backups of others: adopted, known again, refused; and the chains that they heal.
//!
//! Start at [`a_stolen_log_is_adopted_and_the_chain_is_whole_again`]. Foreign backups are taken on the hosts by
//! plain T-SQL, as a colleague or another tool takes them.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use stopmark::error::{Exit, Result};
use stopmark::model::{Set, SetKind};
use stopmark::plan::BackupKind;
use stopmark::run::Interrupt;
use stopmark::run::adopt;
use stopmark::run::events::Verdict;
use stopmark::run::record::{Record, Round};
use stopmark::world::{Brought, Foreign, StepProgress, World};

use crate::bank::TOTAL;
use crate::saga_kinds::{SPARE, Scene, adopt_wanted};
use crate::stage::{Printed, Stage};

/// What a command printed, with its exit code, without what differs from run to run.
fn told(stage: &Stage, printed: &Printed) -> String {
    let (out, err) = (stage.scrub(&printed.stdout), stage.scrub(&printed.stderr));
    let text = format!("{out}{err}exit {}\n", printed.exit as u8);
    lsns_out_of(&text)
}

/// LSNs differ with the machine's timing: `<lsn>` stands for them, and `<when>` for a host's clock.
pub(crate) fn lsns_out_of(text: &str) -> String {
    let words = text.split_inclusive([' ', '\n', ',', ')', ';']);
    let word = |word: &str| {
        let digits = word.trim_end_matches([' ', '\n', ',', ')', ';']);
        let is_lsn = digits.len() >= 16 && digits.bytes().all(|b| b.is_ascii_digit());
        if is_lsn {
            word.replace(digits, "<lsn>")
        } else {
            word.to_owned()
        }
    };
    let text: String = words.map(word).collect();
    clocks_out_of(&text)
}

/// `2026-11-21 09:30:00 +00:00` becomes `<when>`.
fn clocks_out_of(text: &str) -> String {
    const SHAPE: &str = "0000-00-00 00:00:00 +00:00";
    let chars: Vec<char> = text.chars().collect();
    let fits = |at: usize| {
        let part = chars.get(at..at + SHAPE.len());
        part.is_some_and(|part| {
            let mut pairs = part.iter().zip(SHAPE.chars());
            pairs.all(|(c, shape)| {
                if shape == '0' {
                    c.is_ascii_digit()
                } else {
                    *c == shape
                }
            })
        })
    };
    let (mut out, mut at) = (String::new(), 0);
    while at < chars.len() {
        if fits(at) {
            out.push_str("<when>");
            at += SHAPE.len();
        } else {
            out.push(chars[at]);
            at += 1;
        }
    }
    out
}

async fn adopted(stage: &Stage, args: &[&str]) -> Printed {
    let args = [&["adopt", "--group", "stage"], args].concat();
    stage.run(&args).await
}

/// A folder that somebody else's backups go to.
fn elsewhere(stage: &Stage) -> PathBuf {
    let folder = stage.path("elsewhere");
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// Somebody else backs a database up; the file.
async fn taken(stage: &Stage, host: &str, database: &str, what: &str, file: &str) -> PathBuf {
    let path = elsewhere(stage).join(file);
    let (verb, options) = match what {
        "full" => ("DATABASE", "CHECKSUM"),
        "differential" => ("DATABASE", "DIFFERENTIAL, CHECKSUM, COMPRESSION"),
        "copy-only full" => ("DATABASE", "COPY_ONLY, CHECKSUM"),
        _ => ("LOG", "CHECKSUM"),
    };
    let script = format!(
        "BACKUP {verb} [{database}] TO DISK = N'{}' WITH {options};",
        path.display()
    );
    stage.script(host, "master", &script).await;
    path
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// The command is another agent than the scene's own, and would wait for its lease to end.
async fn let_go(scene: &Scene) {
    let released = scene.world.store.release_lease(&scene.config.group).await;
    released.expect("it was ours");
}

/// How many runs the journal knows.
fn runs(stage: &Stage) -> usize {
    fs::read_dir(stage.path("state/runs")).map_or(0, Iterator::count)
}

/// The sets that adoptions made.
async fn adopted_sets(scene: &Scene) -> Vec<Set> {
    let sets = scene.sets().await.into_iter();
    sets.filter(|set| set.kind == SetKind::Adopted).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stolen_log_is_adopted_and_the_chain_is_whole_again() {
    let scene = Scene::set().await;
    scene.back_up(BackupKind::Log).await;
    scene.bank.transfer(&scene.stage, 11).await;
    let stolen = taken(&scene.stage, "SQL1", "Ledger", "log", "maintenance.trn").await;
    scene.bank.transfer(&scene.stage, 12).await;
    let_go(&scene).await;
    let planned = scene
        .stage
        .run(&["backup", "log", "--dry-run"])
        .await
        .stdout;
    assert!(
        planned.contains("back up the differential of `SQL1/Ledger`: chain broken"),
        "{planned}"
    );
    let first = adopted(&scene.stage, &[&text(&stolen)]).await;
    let before = runs(&scene.stage);
    let again = adopted(&scene.stage, &[&text(&stolen)]).await;
    assert_eq!(runs(&scene.stage), before, "no run was begun for nothing");
    let (first, again) = (told(&scene.stage, &first), told(&scene.stage, &again));
    let planned = scene
        .stage
        .run(&["backup", "log", "--dry-run"])
        .await
        .stdout;
    assert!(!planned.contains("chain broken"), "{planned}");
    scene.back_up(BackupKind::Log).await;
    let sets = adopted_sets(&scene).await;
    assert_eq!(sets.len(), 1, "the second adoption did nothing");
    let point = scene.points().await.pop().expect("a Point");
    let ledger = "SQL1/Ledger".parse().expect("a member");
    let path = &point.paths[&ledger];
    assert!(
        path.logs.contains(&sets[0].pieces[0].id),
        "the way leads through the adopted log"
    );
    scene.restore(&point).await;
    assert_eq!(scene.bank.sum_on(&scene.stage, SPARE).await, TOTAL);
    let shown = scene.stage.run(&["show", &sets[0].stamp()]).await;
    let shown = told(&scene.stage, &shown);
    assert!(
        shown.contains("maintenance.trn (SQL1/Ledger by "),
        "{shown}"
    );
    insta::assert_snapshot!(format!("{first}\nagain\n{again}"));
}

/// A colleague's backups of the group over a day: a full, logs, a differential, stripes, in folders.
async fn a_days_backups(stage: &Stage) {
    for (host, database) in [("SQL1", "Ledger"), ("SQL2", "Accounts")] {
        taken(
            stage,
            host,
            database,
            "full",
            &format!("{database}-full.bak"),
        )
        .await;
        let table = "CREATE TABLE dbo.T (id bigint NOT NULL); INSERT INTO dbo.T VALUES (1);";
        stage.script(host, database, table).await;
        for nth in 1..=4 {
            let insert = format!("INSERT INTO dbo.T VALUES ({nth});");
            stage.script(host, database, &insert).await;
            taken(
                stage,
                host,
                database,
                "log",
                &format!("{database}-{nth}.trn"),
            )
            .await;
        }
        taken(
            stage,
            host,
            database,
            "differential",
            &format!("{database}.dif"),
        )
        .await;
    }
    let (one, two) = (
        elsewhere(stage).join("s1.bak"),
        elsewhere(stage).join("s2.bak"),
    );
    let striped = format!(
        "BACKUP DATABASE Ledger TO DISK = N'{}', DISK = N'{}' WITH COPY_ONLY, CHECKSUM;",
        one.display(),
        two.display()
    );
    stage.script("SQL1", "master", &striped).await;
    let nested = elsewhere(stage).join("nested");
    fs::create_dir_all(&nested).expect("a folder");
    fs::rename(two, nested.join("stripe.bin")).expect("it is there");
    fs::copy(
        elsewhere(stage).join("Ledger-2.trn"),
        nested.join("copy of a log.trn"),
    )
    .expect("it is there");
    fs::write(nested.join("notes.txt"), "remember to call the bank").expect("a file");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_of_backups_becomes_a_catalog() {
    let stage = Stage::set(&[("SQL1", &["Ledger"]), ("SQL2", &["Accounts"]), (SPARE, &[])]).await;
    a_days_backups(&stage).await;
    let lost = elsewhere(&stage).join("Accounts-2.trn");
    let aside = stage.path("aside.trn");
    fs::rename(&lost, &aside).expect("it is there");
    let folder = text(&elsewhere(&stage));
    let planned = adopted(&stage, &[&folder, "--dry-run"]).await;
    assert_eq!(
        (planned.exit, runs(&stage)),
        (Exit::Ok, 1),
        "only `group prepare` ran"
    );
    let first = adopted(&stage, &[&folder]).await;
    fs::rename(&aside, &lost).expect("it is there");
    let second = adopted(&stage, &[&text(&lost)]).await;
    let third = adopted(&stage, &[&folder, "--json"]).await;
    let json: serde_json::Value = serde_json::from_str(&third.stdout).expect("JSON");
    let becomes = |word: &str| {
        let found = json["found"].as_array().expect("a list");
        found.iter().filter(|it| it["becomes"] == word).count()
    };
    assert_eq!(
        (becomes("held"), becomes("copy_of"), becomes("no_backup")),
        (13, 1, 1)
    );
    assert!(json.get("run").is_none(), "nothing was left to adopt");
    insta::assert_snapshot!(format!(
        "{}\n{}\nthe lost log is found\n{}",
        told(&stage, &planned),
        told(&stage, &first),
        told(&stage, &second)
    ));
    for kind in ["log", "log"] {
        let taken = stage.run(&["backup", kind]).await;
        assert_eq!(taken.exit, Exit::Ok, "{}{}", taken.stdout, taken.stderr);
        assert!(
            !taken.stdout.contains("new chain"),
            "the adopted chains go on: {}",
            taken.stdout
        );
    }
    let rebuilt = stage.run(&["catalog", "rebuild"]).await;
    assert_eq!(rebuilt.exit, Exit::Ok, "{}", rebuilt.stderr);
    let files = stage.path("restored");
    fs::create_dir_all(&files).expect("a folder");
    let restored = stage
        .run(&[
            "restore",
            "run",
            "--to-host",
            SPARE,
            "--files-in",
            &text(&files),
        ])
        .await;
    assert_eq!(
        restored.exit,
        Exit::Ok,
        "{}{}",
        restored.stdout,
        restored.stderr
    );
    let sum = stage
        .number(SPARE, "Ledger", "SELECT SUM(id) FROM dbo.T;")
        .await;
    assert_eq!(sum, 11);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_backup_of_a_medium_is_adopted_once_and_restored_from_its_place_there() {
    let stage = Stage::set(&[("SQL1", &["Ledger"]), (SPARE, &[])]).await;
    let table = "CREATE TABLE dbo.T (id bigint NOT NULL); INSERT INTO dbo.T VALUES (1);";
    stage.script("SQL1", "Ledger", table).await;
    // Without INIT or FORMAT each is appended to what is there.
    let medium = taken(&stage, "SQL1", "Ledger", "full", "week.bak").await;
    let append = async |nth: u8| {
        let insert = format!("INSERT INTO dbo.T VALUES ({nth});");
        stage.script("SQL1", "Ledger", &insert).await;
        taken(&stage, "SQL1", "Ledger", "log", "week.bak").await;
    };
    append(2).await;
    append(3).await;
    let first = adopted(&stage, &[&text(&medium)]).await;
    append(4).await;
    let grown = adopted(&stage, &[&text(&medium)]).await;
    insta::assert_snapshot!(format!(
        "{}\nand when it has grown\n{}",
        told(&stage, &first),
        told(&stage, &grown)
    ));
    let taken = stage.run(&["backup", "log"]).await;
    assert_eq!(taken.exit, Exit::Ok, "{}{}", taken.stdout, taken.stderr);
    assert!(!taken.stdout.contains("new chain"), "{}", taken.stdout);
    let rebuilt = stage.run(&["catalog", "rebuild"]).await;
    assert_eq!(rebuilt.exit, Exit::Ok, "{}", rebuilt.stderr);
    let files = stage.path("restored");
    fs::create_dir_all(&files).expect("a folder");
    let files = text(&files);
    let restore = ["restore", "run", "--to-host", SPARE, "--files-in", &files];
    let restored = stage.run(&restore).await;
    assert_eq!(
        restored.exit,
        Exit::Ok,
        "{}{}",
        restored.stdout,
        restored.stderr
    );
    let sum = "SELECT SUM(id) FROM dbo.T;";
    assert_eq!(stage.number(SPARE, "Ledger", sum).await, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_adopted_is_refused_with_the_reason() {
    let stage = Stage::set(&[("SQL1", &["Ledger"])]).await;
    let folder = elsewhere(&stage);
    stage
        .script("SQL1", "master", "CREATE DATABASE Private;")
        .await;
    taken(&stage, "SQL1", "Private", "full", "private.bak").await;
    let base = stage.path("base.bak");
    let base = format!(
        "BACKUP DATABASE Ledger TO DISK = N'{0}';\nBACKUP LOG Ledger TO DISK = N'{0}';",
        base.display()
    );
    stage.script("SQL1", "master", &base).await;
    let cut = taken(&stage, "SQL1", "Ledger", "log", "cut.trn").await;
    let whole = fs::read(&cut).expect("it is there");
    fs::write(&cut, &whole[..whole.len() * 2 / 3]).expect("writes");
    let turned = taken(&stage, "SQL1", "Ledger", "log", "turned.trn").await;
    let mut bytes = fs::read(&turned).expect("it is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&turned, bytes).expect("writes");
    let (one, two) = (folder.join("one of two.bak"), stage.path("two of two.bak"));
    let striped = format!(
        "BACKUP DATABASE Ledger TO DISK = N'{}', DISK = N'{}' WITH CHECKSUM;",
        one.display(),
        two.display()
    );
    stage.script("SQL1", "master", &striped).await;
    fs::write(folder.join("empty.bak"), "").expect("writes");
    fs::write(folder.join("letter.bak"), "dear customer").expect("writes");
    let before = runs(&stage);
    let refused = adopted(&stage, &[&text(&folder)]).await;
    assert_eq!(runs(&stage), before, "nothing was begun");
    let mut said = told(&stage, &refused);
    let nowhere = text(&stage.path("no such place"));
    for args in [
        &["--group", "other", "x"][..],
        &["--group", "stage", &nowhere],
        &["--group", "stage", "x", "--member", "Ledger"],
    ] {
        let printed = stage.run(&[&["adopt"], args].concat()).await;
        write!(said, "\n{}", told(&stage, &printed)).expect("a string");
    }
    let mapped = [
        "--member",
        "SQL1/Ledger=SQL1/Private",
        &text(&folder.join("private.bak")),
    ];
    let mapped = adopted(&stage, &mapped).await;
    assert_eq!(mapped.exit, Exit::Ok, "{}{}", mapped.stdout, mapped.stderr);
    insta::assert_snapshot!(said);
}

/// Foreign media that somebody meddles with when they are sent.
struct Meddled {
    media: Arc<dyn Foreign>,
    deed: Box<dyn Fn(&Path) + Send + Sync>,
}

#[async_trait]
impl Foreign for Meddled {
    async fn bring(&self, place: &str, progress: &dyn StepProgress) -> Result<Brought> {
        (self.deed)(Path::new(place));
        self.media.bring(place, progress).await
    }

    async fn let_go(&self, brought: Brought) {
        self.media.let_go(brought).await;
    }
}

/// Examines a folder and adopts what was found, in this world.
async fn adopt_in(scene: &Scene, world: &World) -> Record {
    let wanted = adopt_wanted(world, elsewhere(&scene.stage)).await;
    let wanted = wanted.expect("it can be read");
    let done = adopt::adopt(world, &scene.config, &wanted, &Interrupt::default()).await;
    done.expect("a record").1.expect("a run")
}

/// What is done to a file between its examination and its adoption.
type Deed = fn(&Path);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_changes_or_vanishes_after_its_examination_is_refused() {
    let scene = Scene::set().await;
    let mut said = String::new();
    let deeds: [(&str, Deed); 3] = [
        ("changed", |path| {
            let mut bytes = fs::read(path).expect("it is there");
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
            fs::write(path, bytes).expect("writes");
        }),
        ("grown", |path| {
            let twice = fs::read(path).expect("it is there").repeat(2);
            fs::write(path, twice).expect("writes");
        }),
        ("vanished", |path| {
            fs::remove_file(path).expect("it is there");
        }),
    ];
    for (title, deed) in deeds {
        let bad = taken(&scene.stage, "SQL1", "Ledger", "copy-only full", "bad.bak").await;
        taken(&scene.stage, "SQL1", "Ledger", "copy-only full", "good.bak").await;
        let meddled = Meddled {
            media: scene.world.foreign.clone(),
            deed: Box::new(move |path| {
                if *path == bad {
                    deed(path);
                }
            }),
        };
        let world = World {
            foreign: Arc::new(meddled),
            ..scene.world.clone()
        };
        let record = adopt_in(&scene, &world).await;
        let verdict = record.ended.map(|(verdict, _)| verdict);
        assert_eq!(
            verdict,
            Some(Verdict::Degraded),
            "{title}: the other file is adopted"
        );
        let set = adopted_sets(&scene).await.pop().expect("a set");
        assert_eq!(set.pieces.len(), 1, "{title}");
        assert!(set.missing.is_empty(), "{title}: no member is missing");
        assert!(set.adopted[0].places[0].ends_with("good.bak"), "{title}");
        for (_, failure) in record.rounds.iter().flat_map(Round::failures) {
            writeln!(said, "{title}: {}", failure.line()).expect("a string");
        }
        fs::remove_dir_all(elsewhere(&scene.stage)).expect("it is there");
    }
    insta::assert_snapshot!(digests_out_of(&said));
}

/// Digests differ from run to run.
fn digests_out_of(text: &str) -> String {
    let word = |word: &str| {
        let is_digest = word.trim_end_matches(',').len() == 64;
        if is_digest {
            "<root>".to_owned()
        } else {
            word.to_owned()
        }
    };
    let lines = text
        .lines()
        .map(|line| line.split(' ').map(word).collect::<Vec<_>>().join(" "));
    lines.collect::<Vec<_>>().join("\n")
}
