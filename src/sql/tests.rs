//! The fleet against wires that no server is behind: what it says, and that it never hangs or panics.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::SqlFleet;
use super::dial::{Dial, Wire};
use super::observe;
use crate::clock::ManualClock;
use crate::config::{
    BizTalkConfig, Config, Encryption, HostConfig, KeepingConfig, LoginConfig, MarkLogKind,
    PolicyConfig, ReadBack, ScheduleConfig, ServiceConfig, StoreConfig, TransferConfig,
};
use crate::error::{Code, Error, Retry};
use crate::model::{HostName, Timestamp};
use crate::world::Fleet;

pub(super) fn name() -> HostName {
    "PAY1".parse().expect("valid")
}

pub(super) fn config() -> Config {
    let host = HostConfig {
        name: name(),
        address: "pay1.example".to_owned(),
        login: LoginConfig::Sql {
            user: "agent".to_owned(),
            password: SecretString::from("hunter2".to_owned()),
        },
        encryption: Encryption::Required,
        trust_ca: None,
        trust_any_certificate: true,
        share: None,
        foreign: Vec::new(),
        link_address: None,
        link_login: None,
    };
    Config {
        group: "payments".parse().expect("valid"),
        management_host: name(),
        mark_prefix: "BTS".parse().expect("valid"),
        mark_log: MarkLogKind::Stopmark,
        discovery: None,
        biztalk: BizTalkConfig::default(),
        members: Vec::new(),
        hosts: BTreeMap::from([(name(), host)]),
        store: StoreConfig {
            name: crate::model::StoreName::default(),
            url: "file:///nowhere".to_owned(),
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
            mark_timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(15),
            lease_ttl: Duration::from_secs(60),
            ..PolicyConfig::default()
        },
        retention: None,
        drill: None,
        companions: Vec::new(),
        state: "/nowhere".into(),
        logs: "/nowhere".into(),
    }
}

/// What is at the other end of the wire.
#[derive(Clone, Copy)]
enum Peer {
    Refuses,
    Closes,
    IsSilent,
    Says(&'static [u8]),
}

#[async_trait]
impl Dial for Peer {
    async fn dial(&self, _host: &HostConfig) -> io::Result<Box<dyn Wire>> {
        let (near, far) = tokio::io::duplex(64 * 1024);
        match *self {
            Self::Refuses => return Err(io::ErrorKind::ConnectionRefused.into()),
            Self::Closes => drop(far),
            Self::IsSilent => drop(tokio::spawn(read_on(far))),
            Self::Says(bytes) => drop(tokio::spawn(say_and_close(far, bytes))),
        }
        Ok(Box::new(near))
    }
}

async fn read_on(mut far: DuplexStream) {
    let mut heard = Vec::new();
    // Ends when the near side does.
    drop(far.read_to_end(&mut heard).await);
}

async fn say_and_close(mut far: DuplexStream, bytes: &[u8]) {
    drop(far.write_all(bytes).await);
}

fn fleet(peer: Peer, clock: &Arc<ManualClock>) -> SqlFleet {
    observe::install_alone();
    let (config, dial) = (Arc::new(config()), Arc::new(peer));
    SqlFleet::new(config, dial, Arc::clone(clock) as _).expect("the layer is installed")
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::from_millis(1_795_226_400_000)))
}

async fn failure(peer: Peer) -> Error {
    let fleet = fleet(peer, &clock());
    fleet
        .test_link(&name(), "x")
        .await
        .expect_err("there is no server")
}

#[tokio::test]
async fn a_host_that_refuses_or_hangs_up_is_unreachable() {
    for peer in [Peer::Refuses, Peer::Closes] {
        let error = failure(peer).await;
        assert_eq!(error.code(), Code::HostUnreachable, "{error}");
        assert_eq!(error.retry_verdict(), Retry::Safe);
        assert!(error.context().contains(&("host", "PAY1".to_owned())));
        assert!(error.context().contains(&("link", "x".to_owned())));
    }
}

#[tokio::test]
async fn a_silent_host_is_given_up_when_the_clock_says_so() {
    let clock = clock();
    let fleet = fleet(Peer::IsSilent, &clock);
    let (name, later) = (name(), Arc::clone(&clock));
    let asking = fleet.test_link(&name, "x");
    let (answer, ()) = tokio::join!(asking, async move {
        tokio::task::yield_now().await;
        later.advance(Duration::from_secs(15));
    });
    let error = answer.expect_err("nobody answers");
    assert_eq!(error.code(), Code::HostUnreachable);
    assert!(error.message().contains("no answer within 15 s"), "{error}");
}

#[tokio::test]
async fn nonsense_on_the_wire_is_an_error_and_no_panic() {
    let noise: &'static [u8] = &[0xEE; 4096];
    for bytes in [
        b"HTTP/1.1 400 Bad Request\r\n\r\n".as_slice(),
        noise,
        &[4, 1, 0, 8, 0, 0, 1, 0],
    ] {
        let error = failure(Peer::Says(bytes)).await;
        let codes = [Code::HostUnreachable, Code::ConnectionLost, Code::HostTls];
        assert!(codes.contains(&error.code()), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"));
    }
}

#[tokio::test]
async fn a_host_that_the_file_does_not_name_is_a_fault_of_the_configuration() {
    let fleet = fleet(Peer::Refuses, &clock());
    let stranger: HostName = "PAY9".parse().expect("valid");
    let error = fleet.test_link(&stranger, "x").await.expect_err("unknown");
    assert_eq!(error.code(), Code::ConfigValue);
}
