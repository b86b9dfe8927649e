//! The fleet's reading verbs and logins against simulated hosts.

use stopmark::config::{Encryption, LoginConfig};
use stopmark::error::Code;
use stopmark::model::PieceKind;
use stopmark::survey::{MemberState, RecoveryModel};
use stopmark::world::Fleet;

use crate::fleet_hosts::{Hosts, Told, member, named, wanted};

#[tokio::test]
async fn a_hosts_facts_are_read_over_verified_tls() {
    let hosts = Hosts::start(&["PAY1"]).await;
    hosts.prepare("PAY1", &["Ledger", "a]b'c 🦀"]).await;
    hosts
        .run(
            "PAY1",
            "CREATE DATABASE Scratch; ALTER DATABASE Scratch SET RECOVERY SIMPLE;",
        )
        .await;
    let wanted = wanted(&["ledger", "a]b'c 🦀", "Scratch", "Missing"], true);
    let facts = hosts
        .fleet()
        .host_facts(&named("PAY1"), &wanted)
        .await
        .expect("facts");
    assert_eq!(facts.true_name.as_str(), "PAY1");
    assert!(facts.version.starts_with("16.0."), "{}", facts.version);
    assert_eq!(
        (facts.auth_scheme.as_str(), facts.is_encrypted),
        ("SQL", true)
    );
    assert_eq!(facts.missing_rights, Vec::<String>::new());
    assert_eq!((facts.open_marks.len(), facts.links.len()), (0, 0));
    assert_eq!(facts.members.len(), 3, "{:?}", facts.members.keys());
    let ledger = &facts.members[&named("ledger")];
    assert_eq!(
        (ledger.state, ledger.recovery_model),
        (MemberState::Online, RecoveryModel::Full)
    );
    assert_eq!(ledger.last_log_backup_lsn, None, "no full was taken yet");
    assert!(ledger.size_bytes > 0 && ledger.family_guid.is_some());
    let hostile = &facts.members[&named("a]b'c 🦀")].mark_log;
    assert!(hostile.has_table && hostile.has_procedure && hostile.has_remote_procedure);
    let scratch = &facts.members[&named("Scratch")];
    assert_eq!(scratch.recovery_model, RecoveryModel::Simple);
    assert!(!scratch.mark_log.has_table && !scratch.mark_log.has_procedure);
}

#[tokio::test]
async fn a_members_history_shows_what_was_backed_up_newest_first() {
    let hosts = Hosts::start(&["PAY1"]).await;
    hosts.create("PAY1", &["Ledger"]).await;
    let (fleet, ledger) = (hosts.fleet(), member("PAY1", "Ledger"));
    let mut taken = Vec::new();
    for (kind, stripes) in [(PieceKind::Full, 1), (PieceKind::Log, 3)] {
        let step = hosts.backup(&ledger, kind, stripes);
        taken.push(
            fleet
                .back_up(&step, &Told::default())
                .await
                .expect("backed up"),
        );
    }
    let facts = fleet
        .host_facts(&named("PAY1"), &wanted(&["Ledger"], false))
        .await;
    let facts = facts.expect("facts");
    let ledger = &facts.members[&named("Ledger")];
    let kinds: Vec<_> = ledger.history.iter().map(|row| row.kind).collect();
    assert_eq!(kinds, [PieceKind::Log, PieceKind::Full]);
    assert_eq!(ledger.last_log_backup_lsn, Some(taken[1].last_lsn));
    assert_eq!(ledger.history[0].backup_set_guid, taken[1].backup_set_guid);
    assert_eq!(ledger.history[0].user_name, "agent");
    let devices: Vec<&str> = ledger.history[0].devices().collect();
    let ends = ["2.1of3.bak", "2.2of3.bak", "2.3of3.bak"];
    let named = devices.iter().zip(ends);
    assert!(
        named.clone().all(|(device, end)| device.ends_with(end)),
        "{devices:?}"
    );
    assert_eq!((devices.len(), named.len()), (3, 3));
    let full = &ledger.history[1];
    assert!(full.further_devices.is_empty() && full.device.ends_with("1.1of1.bak"));
    assert!(!full.is_virtual && !full.is_snapshot);
}

#[tokio::test]
async fn rights_that_are_missing_are_named_and_no_error() {
    let hosts = Hosts::start(&["PAY1"]).await;
    hosts.create("PAY1", &["Ledger"]).await;
    let fleet = hosts.fleet_with(|host| {
        host.login = host.link_login.clone().expect("a login without rights");
    });
    let facts = fleet
        .host_facts(&named("PAY1"), &wanted(&["Ledger"], true))
        .await;
    let missing = facts.expect("facts").missing_rights;
    for right in [
        "VIEW SERVER STATE",
        "ALTER ANY LINKED SERVER",
        "access to the database `Ledger`",
    ] {
        assert!(
            missing.iter().any(|missing| missing == right),
            "{right}: {missing:?}"
        );
    }
}

#[tokio::test]
async fn logins_and_certificates_that_do_not_fit_have_their_codes() {
    let hosts = Hosts::start(&["PAY1"]).await;
    let ask = async |fleet: stopmark::sql::SqlFleet| {
        let facts = fleet.host_facts(&named("PAY1"), &wanted(&[], false)).await;
        facts
            .map(|facts| facts.is_encrypted)
            .map_err(|error| error.code())
    };
    let wrong_password = hosts.fleet_with(|host| {
        host.login = LoginConfig::Sql {
            user: "agent".to_owned(),
            password: "wrong".to_owned().into(),
        };
    });
    assert_eq!(ask(wrong_password).await, Err(Code::LoginRefused));
    let unknown_authority = hosts.fleet_with(|host| host.trust_ca = None);
    assert_eq!(ask(unknown_authority).await, Err(Code::HostTls));
    let any = hosts.fleet_with(|host| {
        host.trust_ca = None;
        host.trust_any_certificate = true;
    });
    assert_eq!(ask(any).await, Ok(true));
    let strict = hosts.fleet_with(|host| host.encryption = Encryption::Strict);
    assert_eq!(ask(strict).await, Ok(true));
    let login_only = hosts.fleet_with(|host| host.encryption = Encryption::LoginOnly);
    assert_eq!(ask(login_only).await, Ok(false));
}
