//! How fast the local index is when a group holds very much: `cargo bench --bench catalog -- [SETS] [PIECES]`.
//!
//! Start at [`main`]. A store folder of SETS sets of one piece (200,000 where nothing else is said) is folded into an
//! empty catalog, beside reading and hashing the same files and doing nothing else. Then a catalog of PIECES pieces
//! (1,000,000) of ten members, with a mark every quarter of an hour and a full a day, is asked what people and the
//! planner ask. Each part is a process of its own, so that its memory is; that is read from `/proc`, which makes it a
//! program for Linux.
//!
//! It judges nothing: the figures stand in `docs/evidence.md`.
#![expect(clippy::print_stdout, reason = "figures are for whoever ran it")]

#[path = "catalog_page.rs"]
mod page;
#[path = "catalog_prune.rs"]
mod prune;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use stopmark::catalog::{SqliteCatalog, fold, view};
use stopmark::clock::SystemClock;
use stopmark::config::{self, Config, OsSecrets};
use stopmark::model::{
    GroupName, Lsn, Mark, MemberMark, MemberName, Piece, PieceId, PieceKind, ProofLevel, RunId,
    ServerLocal, Set, SetId, SetKind, Sha256Digest, StoredStripe, Timestamp,
};
use stopmark::plan::{Asked, BackupKind, Names, plan_backup};
use stopmark::store::hash::sha256;
use stopmark::store::{AgentIdentity, Backend, ObjectStore, keys};
use stopmark::survey::Survey;
use stopmark::world::{Catalog, Clock, LogEntry, LogFact, Taken};
use uuid::Uuid;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Log sets between two fulls: a day of quarters of an hour.
const LOGS_A_FULL: u64 = 96;
/// Members of the group that is asked.
const MEMBERS: u64 = 10;
/// Entries that are taken in together while the asked catalog is made.
const TAKEN_TOGETHER: u64 = 1024;
/// How often a question is asked for its percentiles.
const ASKED: usize = 2000;

fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [part, folder, count] = args.as_slice()
        && let Ok(count) = count.parse()
    {
        return run_part(part, Path::new(folder), count);
    }
    let numbers: Vec<u64> = args.iter().filter_map(|arg| arg.parse().ok()).collect();
    let at = |index: usize, default: u64| numbers.get(index).copied().unwrap_or(default);
    let folder = tempfile::tempdir()?;
    for (part, count) in [
        ("store", at(0, 200_000)),
        ("read", at(0, 200_000)),
        ("rebuild", at(0, 200_000)),
        ("take-in", at(1, 1_000_000)),
        ("ask", at(1, 1_000_000)),
        ("plan", at(1, 1_000_000)),
        ("prune", at(1, 1_000_000)),
        ("page", at(1, 1_000_000)),
    ] {
        let mut child = Command::new(std::env::current_exe()?);
        let child = child.arg(part).arg(folder.path()).arg(count.to_string());
        if !child.status()?.success() {
            return Err(format!("`{part}` failed").into());
        }
    }
    Ok(())
}

fn run_part(part: &str, folder: &Path, count: u64) -> Outcome<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    match part {
        "store" => write_store(&folder.join("store"), count)?,
        "read" => read_and_hash(&folder.join("store"), count)?,
        "rebuild" => runtime.block_on(rebuild(folder, count))?,
        "take-in" => runtime.block_on(take_in(&folder.join("asked"), count))?,
        "ask" => runtime.block_on(ask(&folder.join("asked")))?,
        "prune" => runtime.block_on(prune::prune(&folder.join("asked")))?,
        "page" => runtime.block_on(page::page(&folder.join("asked")))?,
        _ => runtime.block_on(plan(&folder.join("asked")))?,
    }
    println!("  {part}: peak memory {} MiB", peak_mib()?);
    Ok(())
}

fn group() -> GroupName {
    "many".parse().expect("a group's name")
}

fn member(number: u64) -> MemberName {
    let name = format!("HOST{}/db{number}", number % 3);
    name.parse().expect("a member's name")
}

/// The set at this place of a history with so many members: a full of each, then logs of each around marks.
fn set(number: u64, members: u64) -> Set {
    let is_full = number.is_multiple_of(LOGS_A_FULL + 1);
    // A full moves no archive point: the log after it begins where the one before it ended.
    let follows_a_full = number % (LOGS_A_FULL + 1) == 1;
    let names: Vec<MemberName> = (0..members).map(member).collect();
    let made_at = Timestamp::from_millis(1_700_000_000_000 + number.cast_signed() * 900_000);
    let id = |kind: u128| Uuid::from_u128(u128::from(number) << 32 | kind << 16);
    let lsn = |at: u64| Lsn::from_parts(u32::try_from(at).unwrap_or(u32::MAX), 16, 1);
    let marked = |member: &MemberName| MemberMark {
        member: member.clone(),
        lsn: lsn(number * 10 + 5),
        fork_guid: None,
    };
    let mark = Mark {
        name: format!("BTS_{number:020}").parse().expect("a mark's name"),
        placed_at: made_at,
        members: names.iter().map(marked).collect(),
    };
    let pieces = (0_u128..).zip(&names).map(|(nth, member)| Piece {
        id: PieceId(Uuid::from_u128(id(1).as_u128() + nth)),
        kind: if is_full {
            PieceKind::Full
        } else {
            PieceKind::Log
        },
        first_lsn: lsn(if follows_a_full { number - 1 } else { number } * 10),
        last_lsn: lsn(number * 10 + if is_full { 2 } else { 10 }),
        ..piece(member, number, nth)
    });
    Set {
        id: SetId(id(0)),
        group: group(),
        kind: if is_full { SetKind::Full } else { SetKind::Log },
        run: RunId(id(2)),
        made_at,
        mark: (!is_full).then_some(mark),
        pieces: pieces.collect(),
        members: names,
        missing: Vec::new(),
        adopted: Vec::new(),
        companions: Vec::new(),
        best_effort: Vec::new(),
        settings: Vec::new(),
    }
}

fn piece(member: &MemberName, number: u64, nth: u128) -> Piece {
    let moment = ServerLocal {
        civil: jiff::civil::date(2026, 11, 21).at(2, 0, 0, 0),
        offset_minutes: Some(60),
    };
    // GUIDs of backups are drawn by SQL Server, so they fall anywhere.
    let drawn = sha256(&(u128::from(number) << 16 | nth).to_le_bytes()).0;
    let fork = Uuid::from_u128(0xf0);
    Piece {
        id: PieceId(Uuid::nil()),
        member: member.clone(),
        kind: PieceKind::Log,
        backup_set_guid: Uuid::from_slice(&drawn[..16]).expect("sixteen bytes"),
        family_guid: Uuid::from_u128(0xfa),
        first_lsn: Lsn::ZERO,
        last_lsn: Lsn::ZERO,
        checkpoint_lsn: Lsn::ZERO,
        database_backup_lsn: Lsn::ZERO,
        differential_base: None,
        first_fork_guid: fork,
        last_fork_guid: fork,
        fork_point_lsn: None,
        has_bulk_logged_data: false,
        begins_log_chain: false,
        is_copy_only: false,
        has_backup_checksums: true,
        started: moment,
        finished: moment,
        server_version: "16.0.1000".to_owned(),
        files: Vec::new(),
        position: 1,
        stripes: vec![StoredStripe {
            key: format!("v1/many/pieces/h/d/{number:020}.log.1of1.bak"),
            size_bytes: 65_536,
            chunk_size_bytes: 8 << 20,
            root: Sha256Digest(drawn),
            sha256: None,
            segment_size_bytes: None,
            sealed: None,
            copies: Vec::new(),
        }],
        proof: Some(ProofLevel::Whole),
    }
}

fn entry(number: u64, previous: Sha256Digest, set: SetId, digest: Sha256Digest) -> LogEntry {
    LogEntry {
        format: 1,
        entry: number,
        epoch: 1,
        previous,
        at: Timestamp::from_millis(1_700_000_000_000),
        fact: LogFact::Set {
            set,
            manifest_key: keys::manifest(&group(), &format!("{number:020}"), 0),
            digest,
        },
    }
}

/// Files as an agent leaves them, but not flushed to the disk one by one.
fn write_store(root: &Path, sets: u64) -> Outcome<()> {
    for folder in ["v1/many/log", "v1/many/sets"] {
        fs::create_dir_all(root.join(folder))?;
    }
    let (mut previous, mut bytes) = (Sha256Digest([0; 32]), 0);
    for number in 1..=sets {
        let set = set(number - 1, 1);
        let manifest = serde_json::json!({ "format": 1, "stopmark": "0.1.0", "set": set });
        let manifest = serde_json::to_vec(&manifest)?;
        let entry = entry(number, previous, set.id, sha256(&manifest));
        let line = serde_json::to_vec(&entry)?;
        previous = sha256(&line);
        bytes += manifest.len();
        let key = keys::manifest(&group(), &format!("{number:020}"), 0);
        fs::write(root.join(key), manifest)?;
        fs::write(root.join(keys::log_entry(&group(), number)), line)?;
    }
    let mean = bytes / usize::try_from(sets.max(1))?;
    println!("{sets} sets of one piece, manifests of {mean} bytes");
    Ok(())
}

/// What cannot be spared: both files of each set opened, read and hashed, on every core.
fn read_and_hash(root: &Path, sets: u64) -> Outcome<()> {
    let clock = SystemClock::new();
    let cores = std::thread::available_parallelism()?.get();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores)
            .map(|core| {
                scope.spawn(move || {
                    let mine = (1..=sets).skip(core).step_by(cores);
                    mine.map(|number| {
                        let manifest = keys::manifest(&group(), &format!("{number:020}"), 0);
                        let line = keys::log_entry(&group(), number);
                        let files = [manifest, line].map(|key| fs::read(root.join(key)));
                        let digests = files.into_iter().flatten().map(|it| sha256(&it));
                        std::hint::black_box(digests.collect::<Vec<_>>()).len()
                    })
                    .sum::<usize>()
                })
            })
            .collect();
        let read: usize = workers.into_iter().filter_map(|it| it.join().ok()).sum();
        let took = clock.monotonic();
        println!(
            "reading and hashing {read} files on {cores} cores: {:.2} s, {:.0} sets a second",
            took.as_secs_f64(),
            rate(sets, took)
        );
    });
    Ok(())
}

async fn rebuild(folder: &Path, sets: u64) -> Outcome<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let agent = AgentIdentity {
        id: "bench".to_owned(),
        name: "bench".to_owned(),
    };
    let backend = Backend::folder(&folder.join("store"))?;
    let ttl = Duration::from_secs(60);
    let store = ObjectStore::over(backend, "".into(), agent, clock.clone(), ttl);
    let state = folder.join("rebuilt");
    fs::create_dir_all(&state)?;
    let catalog = SqliteCatalog::open(&state)?;
    let begun = clock.monotonic();
    let entries = fold(&store, &catalog, &group()).await?;
    let took = clock.monotonic().saturating_sub(begun);
    println!(
        "rebuild of {entries} entries: {:.2} s, {:.0} sets a second",
        took.as_secs_f64(),
        rate(sets, took)
    );
    let begun = clock.monotonic();
    let newest = catalog.newest_points(&group(), 1).await?;
    println!(
        "newest of {} points right after it: {:.1} ms",
        newest.len(),
        millis(clock.monotonic().saturating_sub(begun))
    );
    Ok(())
}

async fn take_in(state: &PathBuf, pieces: u64) -> Outcome<()> {
    fs::create_dir_all(state)?;
    let catalog = SqliteCatalog::open(state)?;
    let clock = SystemClock::new();
    let nothing = Sha256Digest([0; 32]);
    let sets = pieces / MEMBERS;
    for first in (1..=sets).step_by(usize::try_from(TAKEN_TOGETHER)?) {
        let taken = (first..(first + TAKEN_TOGETHER).min(sets + 1)).map(|number| {
            let set = set(number - 1, MEMBERS);
            Taken {
                entry: entry(number, nothing, set.id, nothing),
                digest: nothing,
                set: Some(set),
            }
        });
        catalog.take_in(&group(), taken.collect()).await?;
    }
    let took = clock.monotonic();
    println!(
        "{sets} sets of {MEMBERS} pieces made and taken in: {:.1} s, {:.0} pieces a second",
        took.as_secs_f64(),
        rate(pieces, took)
    );
    Ok(())
}

async fn ask(state: &Path) -> Outcome<()> {
    let clock = SystemClock::new();
    let catalog = SqliteCatalog::open(state)?;
    println!("open: {:.1} ms", millis(clock.monotonic()));
    let group = group();
    let begun = clock.monotonic();
    catalog.newest_points(&group, 1).await?;
    println!(
        "newest point, judged: {:.1} ms",
        millis(clock.monotonic().saturating_sub(begun))
    );
    let mut took = Vec::with_capacity(ASKED);
    for _ in 0..ASKED {
        let begun = clock.monotonic();
        catalog.newest_points(&group, 1).await?;
        took.push(clock.monotonic().saturating_sub(begun));
    }
    took.sort_unstable();
    println!(
        "newest point, {ASKED} times: p50 {:.3} ms, p99 {:.3} ms",
        millis(took[ASKED / 2]),
        millis(took[ASKED * 99 / 100])
    );
    let begun = clock.monotonic();
    let sets = catalog.recent(&group, 2, &[]).await?;
    println!(
        "what planning needs: {} sets in {:.1} ms",
        sets.len(),
        millis(clock.monotonic().saturating_sub(begun))
    );
    let begun = clock.monotonic();
    let point = catalog.point(&group, None).await?.ok_or("no point")?;
    println!(
        "newest point with what it needs: {} sets in {:.1} ms",
        point.have.sets.len(),
        millis(clock.monotonic().saturating_sub(begun))
    );
    for which in ["first", "second"] {
        let begun = clock.monotonic();
        let standing = catalog.standing(&group).await?;
        println!(
            "standing with all {} points, {which} time: {:.1} ms",
            standing.points,
            millis(clock.monotonic().saturating_sub(begun))
        );
    }
    Ok(())
}

/// A marked log run of the group whose million pieces are held, all hosts well.
async fn plan(state: &Path) -> Outcome<()> {
    let config = configuration(state)?;
    let catalog = SqliteCatalog::open(state)?;
    let group = group();
    let newest = catalog.page(&group, None, 1).await?;
    let pieces = newest.iter().flat_map(|listed| &listed.set.pieces);
    let next = pieces.map(|piece| piece.last_lsn).max().ok_or("no piece")?;
    let survey = survey(next)?;
    let asked = Asked {
        run: RunId(Uuid::from_u128(1)),
        kind: BackupKind::Log,
        new_chain: Vec::new(),
        round: 1,
        previous: None,
        quarantined: Vec::new(),
        undecided: Vec::new(),
    };
    let clock = SystemClock::new();
    let have = view(&catalog, &group, &survey).await?;
    let viewed = clock.monotonic();
    let pieces: usize = have.sets.iter().map(|set| set.pieces.len()).sum();
    let now = Timestamp::from_millis(1_900_000_000_000);
    let plan = plan_backup(&config, &survey, &have, &asked, &mut Counter(1), now);
    let planned = clock.monotonic();
    let steps = plan.stages.iter().flat_map(|stage| &stage.lanes);
    println!(
        "a log run planned: view of {pieces} pieces {:.1} ms, plan of {} steps {:.1} ms; warnings {}",
        millis(viewed),
        steps.map(|lane| lane.steps.len()).sum::<usize>(),
        millis(planned.saturating_sub(viewed)),
        plan.warnings.len()
    );
    Ok(())
}

struct Counter(u128);

impl Names for Counter {
    fn next(&mut self) -> Uuid {
        self.0 += 1;
        Uuid::from_u128(self.0)
    }
}

fn configuration(folder: &Path) -> Outcome<Config> {
    let members: Vec<String> = (0..MEMBERS)
        .map(|it| format!("\"{}\"", member(it)))
        .collect();
    let mut text = format!(
        "format = 1\n[group]\nname = \"many\"\nmanagement_host = \"HOST0\"\nmembers = [{}]\n\
         [store]\nurl = \"file://{}\"\n[paths]\nstate = \"state\"\nlogs = \"logs\"\n",
        members.join(", "),
        folder.display()
    );
    fs::write(folder.join("password"), "Many-1-many")?;
    let login = "{ user = \"stopmark\", password = { file = \"password\" } }";
    for host in 0..3 {
        let host = format!(
            "[hosts.HOST{host}]\naddress = \"127.0.0.1,1433\"\nlogin = {login}\nlink_login = {login}\n\
             share = {{ sql = '/share', agent = '/share' }}\n"
        );
        text.push_str(&host);
    }
    let path = folder.join("stopmark.toml");
    fs::write(&path, text)?;
    config::load(&path, &OsSecrets).map_err(|faults| format!("{faults:?}").into())
}

fn survey(next: Lsn) -> Outcome<Survey> {
    let facts = |host: u64| {
        let mine = (0..MEMBERS).filter(|number| number % 3 == host);
        let members: serde_json::Map<_, _> = mine
            .map(|number| (format!("db{number}"), member_facts(next)))
            .collect();
        serde_json::json!({ "facts": {
            "true_name": format!("HOST{host}"), "version": "16.0.1000", "edition": "Developer",
            "offset_minutes": 60, "auth_scheme": "SQL", "is_encrypted": true, "missing_rights": [], "links": [],
            "members": members, "open_marks": [],
        }})
    };
    let hosts: serde_json::Map<_, _> = (0..3).map(|it| (format!("HOST{it}"), facts(it))).collect();
    let names: Vec<MemberName> = (0..MEMBERS).map(member).collect();
    let survey = serde_json::json!({
        "id": Uuid::from_u128(9), "taken_at": Timestamp::from_millis(1_900_000_000_000), "hosts": hosts,
        "members": names,
    });
    Ok(serde_json::from_value(survey)?)
}

fn member_facts(next: Lsn) -> serde_json::Value {
    serde_json::json!({
        "state": "online", "recovery_model": "full", "is_read_only": false, "database_guid": null,
        "family_guid": Uuid::from_u128(0xfa), "recovery_fork_guid": Uuid::from_u128(0xf0),
        "last_log_backup_lsn": next, "differential_base_guid": null, "availability_group": null, "size_bytes": 1_048_576,
        "mark_log": {
            "has_table": true, "has_procedure": true, "has_remote_procedure": true, "newest": null,
        },
        "history": [], "reported": [],
    })
}

fn rate(count: u64, took: Duration) -> f64 {
    // Counts stay far below what a float holds exactly.
    u32::try_from(count).map_or(f64::NAN, f64::from) / took.as_secs_f64()
}

fn millis(took: Duration) -> f64 {
    took.as_secs_f64() * 1000.0
}

fn peak_mib() -> Outcome<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|text| text.split_whitespace().next());
    Ok(kib.ok_or("no peak")?.parse::<u64>()? / 1024)
}
