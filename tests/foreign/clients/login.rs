//! Logging in: each protection that FreeTDS knows, and what it is told when a login is refused.

use sqlsim::certificate::Authority;

use super::tsql::{Encryption, Tsql};
use crate::hosts::{Hosts, LOGIN};

const IS_ENCRYPTED: &str =
    "SELECT 'encrypted', encrypt_option FROM sys.dm_exec_connections WHERE session_id = @@SPID";

#[tokio::test(flavor = "multi_thread")]
async fn freetds_logs_in_with_each_protection_and_the_host_knows_which() {
    let hosts = Hosts::start(&["ONE"]).await;
    for (encryption, expected) in [
        (Encryption::Off, "encrypted|FALSE"),
        (Encryption::Request, "encrypted|FALSE"),
        (Encryption::Require, "encrypted|TRUE"),
    ] {
        let client = Tsql::new(&hosts, "ONE").over(&hosts, "ONE", encryption);
        let answer = client.say(&[IS_ENCRYPTED]).await;
        assert!(answer.is_ok, "{encryption:?}: {answer:?}");
        assert!(answer.has_row(expected), "{encryption:?}: {answer:?}");
    }
    hosts.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn freetds_refuses_a_host_whose_authority_it_does_not_trust() {
    let hosts = Hosts::start(&["ONE"]).await;
    let other = Authority::open(&hosts.folder().join("other")).expect("an authority");
    let client = Tsql::new(&hosts, "ONE").trusting(hosts.authority_file(), other.file());
    let answer = client.say(&[IS_ENCRYPTED]).await;
    assert!(!answer.is_ok, "{answer:?}");
    assert!(!answer.output.contains("encrypted|"), "{answer:?}");
    hosts.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_and_an_unknown_login_are_refused_in_the_same_words() {
    let hosts = Hosts::start(&["ONE"]).await;
    for login in [LOGIN, "nobody"] {
        let client = Tsql::new(&hosts, "ONE").with_login(login, "wrong");
        let answer = client.say(&["SELECT 1"]).await;
        assert!(!answer.is_ok, "{answer:?}");
        assert_eq!(answer.numbers(), [18456], "{answer:?}");
        let words = format!("\"Login failed for user '{login}'.\"");
        assert!(
            answer.messages.contains("(severity 14, state 1) from ONE"),
            "{answer:?}"
        );
        assert!(answer.messages.contains(&words), "{answer:?}");
    }
    hosts.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_into_a_database_that_is_not_there_is_refused_with_4060() {
    let hosts = Hosts::start(&["ONE"]).await;
    let client = Tsql::new(&hosts, "ONE").into_database("nowhere");
    let answer = client.say(&["SELECT 1"]).await;
    assert!(!answer.is_ok, "{answer:?}");
    assert_eq!(answer.numbers().first(), Some(&4060), "{answer:?}");
    let words = "\"Cannot open database \"nowhere\" requested by the login. The login failed.\"";
    assert!(answer.messages.contains(words), "{answer:?}");
    hosts.stop().await;
}
