//! A group for tests: five members on three hosts, all well, as configuration and as survey.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use uuid::Uuid;

use super::asked::Names;
use super::{Asked, BackupKind, CatalogView};
use crate::chain::samples::{local, lsn, piece};
use crate::config::{
    BizTalkConfig, Config, Encryption, HostConfig, KeepingConfig, LoginConfig, MarkLogKind,
    MemberConfig, PolicyConfig, ReadBack, ScheduleConfig, ServiceConfig, ShareConfig, StoreConfig,
    TransferConfig,
};
use crate::model::{
    DatabaseFile, DatabaseFileKind, HostName, Mark, MarkName, MemberMark, MemberName, Piece,
    PieceKind, RunId, Set, SetId, SetKind, Sha256Digest, StoredStripe, SurveyId, Timestamp,
};
use crate::survey::{
    BackupRow, EventSession, HostFacts, HostReport, LinkFacts, LinkMapping, MemberFacts,
    RecoveryModel, Survey, TargetDatabase, TargetFacts, TargetFile, TargetState, Volume,
};

pub(super) const MEMBERS: [&str; 5] = [
    "PAY1/Config",
    "PAY1/Ledger",
    r"PAY2\SQL/Orders",
    r"PAY2\SQL/O'Brien]",
    "PAY3/Archive",
];

pub(super) fn member(text: &str) -> MemberName {
    text.parse().expect("a member")
}

pub(super) fn host(text: &str) -> HostName {
    text.parse().expect("a host")
}

/// 2026-11-21 02:00:00 UTC.
pub(super) fn now() -> Timestamp {
    Timestamp::from_millis(1_795_226_400_000)
}

/// Counts up, so that plans in snapshots are the same every time.
pub(super) struct Counter(pub(super) u128);

impl Names for Counter {
    fn next(&mut self) -> Uuid {
        self.0 += 1;
        Uuid::from_u128(self.0)
    }
}

fn login(user: &str) -> LoginConfig {
    LoginConfig::Sql {
        user: user.to_owned(),
        password: "hunter2".to_owned().into(),
    }
}

fn host_config(name: &str) -> HostConfig {
    let lower = name.to_lowercase().replace('\\', "-");
    HostConfig {
        name: host(name),
        address: format!("{lower}.example,1433"),
        login: login("stopmark"),
        encryption: Encryption::Required,
        trust_ca: None,
        trust_any_certificate: false,
        share: Some(ShareConfig {
            sql: format!(r"\\nas\backup\{lower}"),
            agent: PathBuf::from(format!("/mnt/backup/{lower}")),
        }),
        foreign: Vec::new(),
        link_address: None,
        link_login: (name != "PAY1").then(|| login("stopmark_link")),
    }
}

pub(super) fn config() -> Config {
    let hosts = ["PAY1", r"PAY2\SQL", "PAY3"].map(|name| (host(name), host_config(name)));
    Config {
        group: "payments".parse().expect("a group"),
        management_host: host("PAY1"),
        mark_prefix: "SM".parse().expect("a prefix"),
        mark_log: MarkLogKind::Stopmark,
        discovery: None,
        biztalk: BizTalkConfig::default(),
        members: MEMBERS
            .map(|name| MemberConfig {
                name: member(name),
                stripes: 1,
                compression: None,
                best_effort: false,
            })
            .to_vec(),
        hosts: BTreeMap::from(hosts),
        store: StoreConfig {
            name: crate::model::StoreName::default(),
            url: "file:///srv/store".to_owned(),
            options: BTreeMap::new(),
            secrets: BTreeMap::new(),
            transfer: TransferConfig::default(),
            keeping: KeepingConfig::default(),
        },
        further_stores: Vec::new(),
        schedule: ScheduleConfig::default(),
        service: ServiceConfig::default(),
        sealing: None,
        policy: PolicyConfig {
            read_back: ReadBack::Whole,
            sample_over_bytes: 64 << 30,
            copies: 1,
            copy_budget_bytes: 8 << 30,
            staging_max_bytes: 100 << 30,
            statement_silence_max: Duration::from_secs(600),
            mark_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(15),
            lease_ttl: Duration::from_secs(60),
            ..PolicyConfig::default()
        },
        retention: None,
        drill: None,
        companions: Vec::new(),
        state: PathBuf::from("/var/lib/stopmark"),
        logs: PathBuf::from("/var/log/stopmark"),
    }
}

/// A backup that somebody else took, as msdb tells it.
pub(super) fn foreign(kind: PieceKind, first: u32, last: u32) -> BackupRow {
    BackupRow {
        server: None,
        backup_set_guid: Uuid::from_u128(0xdead),
        kind,
        first_lsn: lsn(first),
        last_lsn: lsn(last),
        checkpoint_lsn: lsn(first),
        database_backup_lsn: lsn(10),
        differential_base_guid: None,
        first_recovery_fork_guid: None,
        last_recovery_fork_guid: None,
        fork_point_lsn: None,
        family_guid: Uuid::from_u128(0xfa),
        is_copy_only: false,
        begins_log_chain: false,
        has_bulk_logged_data: false,
        has_backup_checksums: false,
        user_name: r"CORP\olaf".to_owned(),
        machine: None,
        database_guid: None,
        program: None,
        device: r"D:\olaf\orders.bak".to_owned(),
        further_devices: Vec::new(),
        is_virtual: false,
        is_snapshot: false,
        started: local(4),
        finished: local(5),
    }
}

/// A member that is online, in FULL, whose next log begins at `next`; msdb knows that something was backed up till there.
pub(super) fn facts(next: Option<u32>) -> MemberFacts {
    let known = next.map(|next| foreign(PieceKind::Differential, 10, next));
    MemberFacts {
        size_bytes: 1 << 30,
        history: known.into_iter().collect(),
        ..crate::chain::samples::facts(next)
    }
}

/// A link as Stopmark makes it from the management host, a SQL Server 2022.
pub(super) fn link(name: &str) -> LinkFacts {
    let address = name.to_lowercase().replace('\\', "-");
    LinkFacts {
        name: name.to_owned(),
        product: String::new(),
        provider: "MSOLEDBSQL".to_owned(),
        data_source: Some(format!("tcp:{address}.example,1433")),
        provider_string: Some("APP=Stopmark;Encrypt=yes;TrustServerCertificate=no;".to_owned()),
        is_rpc: true,
        is_rpc_out: true,
        is_data_access: true,
        is_promotion: true,
        query_timeout_s: 60,
        connect_timeout_s: 0,
        is_collation_compatible: false,
        mappings: vec![LinkMapping {
            local_login: Some("stopmark".to_owned()),
            uses_self: false,
            remote_login: Some("stopmark_link".to_owned()),
            is_sql_login: true,
        }],
    }
}

fn host_facts(name: &str, next: Option<u32>) -> HostFacts {
    let own = MEMBERS
        .map(member)
        .into_iter()
        .filter(|member| member.host.as_str() == name);
    HostFacts {
        true_name: host(name),
        version: "16.0.1000.6".to_owned(),
        edition: "Developer Edition (64-bit)".to_owned(),
        offset_minutes: 0,
        clock_ahead_s: 0,
        auth_scheme: "SQL".to_owned(),
        is_encrypted: true,
        missing_rights: Vec::new(),
        missing_to_restore: Vec::new(),
        links: if name == "PAY1" {
            vec![link(r"PAY2\SQL"), link("PAY3")]
        } else {
            Vec::new()
        },
        members: own.map(|member| (member.database, facts(next))).collect(),
        open_marks: Vec::new(),
        event_session: EventSession::Running,
    }
}

/// Every host answers; every member's next log begins at `next`.
pub(super) fn survey(next: Option<u32>) -> Survey {
    let hosts = ["PAY1", r"PAY2\SQL", "PAY3"].map(|name| {
        (
            host(name),
            HostReport::Facts(Box::new(host_facts(name, next))),
        )
    });
    let mut members = MEMBERS.map(member).to_vec();
    members.sort();
    Survey {
        id: SurveyId(Uuid::from_u128(0x50)),
        taken_at: now(),
        hosts: BTreeMap::from(hosts),
        members,
        unresolved: Vec::new(),
        moved: Vec::new(),
        biztalk: None,
        drift: Vec::new(),
        dropped: Vec::new(),
        contested: Vec::new(),
        management_host: None,
    }
}

pub(super) fn change_host(survey: &mut Survey, name: &str, change: impl FnOnce(&mut HostFacts)) {
    let report = survey.hosts.get_mut(&host(name));
    let Some(HostReport::Facts(facts)) = report else {
        panic!("`{name}` is a host that answers");
    };
    change(facts);
}

pub(super) fn change_member(
    survey: &mut Survey,
    name: &str,
    change: impl FnOnce(&mut MemberFacts),
) {
    let name = member(name);
    change_host(survey, name.host.as_str(), |host| {
        change(
            host.members
                .get_mut(&name.database)
                .expect("a member of the host"),
        );
    });
}

/// A host that a restore may go to: SQL Server 2022, room enough, and nothing in its way.
pub(super) fn target(name: &str) -> TargetFacts {
    TargetFacts {
        true_name: host(name),
        version: "16.0.1000.6".to_owned(),
        edition: "Developer Edition (64-bit)".to_owned(),
        collation: "SQL_Latin1_General_CP1_CI_AS".to_owned(),
        data_folder: Some(r"E:\Data\".to_owned()),
        log_folder: Some(r"L:\Log\".to_owned()),
        databases: Vec::new(),
        keys: Some(Vec::new()),
        volumes: vec![Volume {
            root: r"D:\".to_owned(),
            free_bytes: 1 << 40,
        }],
        log_shipping: None,
    }
}

/// A database of a target host with one data file.
pub(super) fn there(name: &str, state: TargetState) -> TargetDatabase {
    TargetDatabase {
        name: name.parse().expect("a database"),
        state,
        recovery_model: RecoveryModel::Full,
        availability_group: None,
        is_primary: false,
        files: vec![TargetFile {
            logical_name: "rows".to_owned(),
            physical_name: format!(r"D:\there\{name}.mdf"),
            is_data: true,
            size_bytes: 1 << 20,
            redo_start_lsn: None,
        }],
        restored: None,
    }
}

/// A delivered piece of one member, with its files and one stripe.
fn delivered(id: u128, of: &str, kind: PieceKind, first: u32, last: u32) -> Piece {
    let file = |logical: &str, kind, end: &str| DatabaseFile {
        logical_name: logical.to_owned(),
        physical_name: format!(r"D:\data\{}.{end}", member(of).database),
        kind,
        size_bytes: 1 << 20,
    };
    Piece {
        member: member(of),
        files: vec![
            file("rows", DatabaseFileKind::Data, "mdf"),
            file("log", DatabaseFileKind::Log, "ldf"),
        ],
        stripes: vec![StoredStripe {
            key: format!("v1/payments/pieces/{id}.{}.1of1.bak", kind.word()),
            size_bytes: 1000,
            chunk_size_bytes: 8 << 20,
            root: Sha256Digest([7; 32]),
            sha256: None,
            segment_size_bytes: None,
            copies: Vec::new(),
            sealed: None,
        }],
        ..piece(id, kind, first, last)
    }
}

fn set(number: u128, kind: SetKind, pieces: Vec<Piece>, mark: Option<Mark>) -> Set {
    Set {
        id: SetId(Uuid::from_u128(number)),
        group: "payments".parse().expect("a group"),
        kind,
        run: RunId(Uuid::from_u128(number)),
        made_at: Timestamp::from_millis(1_795_226_000_000),
        mark,
        members: survey(None).members,
        pieces,
        missing: Vec::new(),
        adopted: Vec::new(),
        companions: Vec::new(),
        settings: Vec::new(),
        best_effort: Vec::new(),
    }
}

/// A full of every member from 10 to 20 and a log from 10 to 30 with a mark at 25.
pub(super) fn catalog() -> CatalogView {
    let every = |kind: PieceKind, last: u32, base: u128| -> Vec<Piece> {
        let numbered = MEMBERS.into_iter().zip(base..);
        numbered
            .map(|(of, id)| delivered(id, of, kind, 10, last))
            .collect()
    };
    let mark = Mark {
        name: "SM_2026_11_21_01_45_00_000"
            .parse::<MarkName>()
            .expect("a mark"),
        placed_at: Timestamp::from_millis(1_795_225_500_000),
        members: MEMBERS
            .map(|name| MemberMark {
                member: member(name),
                lsn: lsn(25),
                fork_guid: None,
            })
            .to_vec(),
    };
    CatalogView {
        sets: vec![
            set(0xa1, SetKind::Full, every(PieceKind::Full, 20, 0x100), None),
            set(
                0xa2,
                SetKind::Log,
                every(PieceKind::Log, 30, 0x200),
                Some(mark),
            ),
        ],
        newest_stamp: Some(Timestamp::from_millis(1_795_225_500_000)),
        damaged: Vec::new(),
        later_marks: BTreeMap::new(),
    }
}

pub(super) fn asked(kind: BackupKind) -> Asked {
    Asked {
        run: RunId(Uuid::from_u128(0x40)),
        kind,
        new_chain: Vec::new(),
        round: 1,
        previous: None,
        quarantined: Vec::new(),
        undecided: Vec::new(),
    }
}
