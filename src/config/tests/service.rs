//! Schedules with something of their own, and whom the service tells.

use std::time::Duration;

use super::{SECRET, WHOLE, check, whole};
use crate::config::{AlarmsConfig, DrillPoint, Job, MailTls, Wants, WebhookKind};
use crate::model::Severity;
use secrecy::ExposeSecret as _;

fn with(from: &str, to: &str) -> String {
    assert!(WHOLE.contains(from), "`{from}` is not in the file");
    WHOLE.replacen(from, to, 1)
}

#[test]
fn a_job_may_have_something_of_its_own() {
    let text = "full = \"30 1 * * sun\"\n\
                scrub = { at = \"0 12 * * *\", jitter = \"10m\", budget = \"2GiB\", catch_up = false }\n\
                prune = { at = \"0 4 * * *\", window = { from = \"22:00\", until = \"06:00\" }, time_zone = \"UTC\" }\n\
                log = ";
    let schedule = whole(&with("log = ", text)).schedule;
    let jobs: Vec<Job> = schedule.jobs.keys().copied().collect();
    assert_eq!(jobs, [Job::Full, Job::Log, Job::Scrub, Job::Prune]);
    let (full, scrub, prune) = (
        &schedule.jobs[&Job::Full],
        &schedule.jobs[&Job::Scrub],
        &schedule.jobs[&Job::Prune],
    );
    assert!(full.catch_up && full.jitter.is_zero() && full.window.is_none());
    assert_eq!(
        (scrub.jitter, scrub.catch_up),
        (Duration::from_secs(600), false)
    );
    assert_eq!(scrub.budget_bytes, Some(2 << 30));
    let window = prune.window.expect("a window");
    assert_eq!((window.from.hour(), window.until.hour()), (22, 6));
    assert_eq!(prune.zone_name(), "UTC");
}

#[test]
fn what_a_job_cannot_have_is_refused() {
    for (value, told) in [
        ("{ jitter = \"5m\" }", "`schedule.log.at` is missing"),
        (
            "{ at = \"* * *\" }",
            "a schedule has five fields, this one has 3",
        ),
        (
            "{ at = \"0 * * * *\", time_zone = \"Mars/Olympus\" }",
            "Mars/Olympus",
        ),
        (
            "{ at = \"0 * * * *\", budget = \"1GiB\" }",
            "only a scrub reads back by the budget",
        ),
        (
            "{ at = \"0 * * * *\", window = { from = \"7\", until = \"08:00\" } }",
            "`7` is not a time of day",
        ),
        (
            "{ at = \"0 * * * *\", jitter = \"0s\" }",
            "`0s` is not a duration",
        ),
        (
            "{ at = \"0 * * * *\", every = 1 }",
            "key `every` is not known here",
        ),
    ] {
        let faults = check(&[("\"*/15 * * * *\"", value)]);
        assert!(faults.contains(told), "{value}: {faults}");
    }
}

#[test]
fn a_drill_by_schedule_needs_hosts() {
    let schedule = "drill = \"0 5 * * sat\"\nlog = ";
    let faults = check(&[("log = ", schedule)]);
    assert!(faults.contains("nobody says on which hosts"), "{faults}");
    let hosts = "[drill]\nhosts = [\"DRILL1\"]\npoint = \"random\"\n[policy]";
    let config = whole(&with("log = ", schedule).replacen("[policy]", hosts, 1));
    assert!(config.schedule.jobs.contains_key(&Job::Drill));
    let drill = config.drill.expect("a section");
    assert_eq!(drill.point, DrillPoint::Random);
}

#[test]
fn a_page_that_others_reach_needs_a_token() {
    let faults = check(&[("[policy]", "[page]\nlisten = \"0.0.0.0:80\"\n[policy]")]);
    assert!(
        faults.contains("whoever reaches this address would see the page"),
        "{faults}"
    );
    let page = |text: &str| {
        whole(&with("[policy]", &format!("[page]\n{text}\n[policy]")))
            .service
            .page
    };
    let open = page("listen = \"0.0.0.0:80\"\ntoken = { env = \"PASSWORD\" }");
    assert_eq!(open.token.expect("a token").expose_secret(), SECRET);
    assert!(page("listen = \"off\"").listen.is_none());
    assert!(page("").listen.is_some_and(|at| at.ip().is_loopback()));
}

#[test]
fn those_who_are_told_are_read_with_their_secrets() {
    let text = "[notify]\n\
                mail = { server = \"smtp\", from = \"a@b.c\", to = [\"d@e.f\"], user = \"u\", password = { env = \"PASSWORD\" } }\n\
                webhooks = [{ url = { env = \"PASSWORD\" }, kind = \"slack\", min_severity = \"error\", only_bad = true }]\n\
                heartbeat = { env = \"PASSWORD\" }\n[policy]";
    let config = whole(&with("[policy]", text));
    let notify = &config.service.notify;
    let mail = notify.mail.as_ref().expect("mail");
    assert_eq!((mail.port, mail.tls), (587, MailTls::StartTls));
    assert_eq!(notify.webhooks[0].kind, WebhookKind::Slack);
    let wants = Wants {
        min_severity: Severity::Error,
        only_bad: true,
    };
    assert_eq!(
        (notify.webhooks[0].wants, mail.wants),
        (wants, Wants::default())
    );
    assert!(notify.heartbeat.is_some());
    assert!(!format!("{config:?}").contains(SECRET));
    let literal = check(&[("[policy]", "[notify]\nheartbeat = \"https://x\"\n[policy]")]);
    assert!(
        literal.contains("a secret may not stand in the configuration"),
        "{literal}"
    );
    let faults = check(&[(
        "[policy]",
        "[notify]\nmail = { server = \"s\", port = 0, from = \"a b@c\", to = [\"nobody\"] }\n[policy]",
    )]);
    assert!(faults.contains("there is no such port"), "{faults}");
    let places = |text: &str| {
        let config = whole(&with("[policy]", &format!("[notify]\n{text}\n[policy]")));
        let notify = config.service.notify.clone();
        (notify.desktop, notify.system_log)
    };
    assert_eq!(places(""), (None, None));
    let both = "desktop = \"off\"\nsystem_log = \"warning\"";
    assert_eq!(places(both), (None, Some(Severity::Warning)));
    let unknown = check(&[("[policy]", "[notify]\ndesktop = \"loud\"\n[policy]")]);
    assert!(unknown.contains("`loud` is not known here"), "{unknown}");
}

#[test]
fn fulls_may_come_before_their_time_and_other_jobs_may_not() {
    let text = "full = { at = \"30 1 * * sun\", log_since = \"2GiB\", age = \"8d\" }\nlog = ";
    let schedule = whole(&with("log = ", text)).schedule;
    let triggers = schedule.jobs[&Job::Full].triggers;
    assert_eq!(triggers.log_since_bytes, Some(2 << 30));
    assert_eq!(triggers.age, Some(Duration::from_secs(8 * 24 * 3600)));
    for (value, told) in [
        (
            "{ at = \"0 * * * *\", log_since = \"2GiB\" }",
            "only fulls come when logs have grown",
        ),
        (
            "{ at = \"0 * * * *\", age = \"8d\" }",
            "only fulls come when the last one is old",
        ),
    ] {
        let faults = check(&[("\"*/15 * * * *\"", value)]);
        assert!(faults.contains(told), "{value}: {faults}");
    }
    let none = "full = { at = \"30 1 * * sun\", age = \"0h\" }\nlog = ";
    let faults = check(&[("log = ", none)]);
    assert!(faults.contains("every full would be too old"), "{faults}");
}

#[test]
fn what_is_looked_at_between_runs_may_be_said() {
    let alarms = |text: &str| {
        let text = with("[policy]", &format!("[alarms]\n{text}\n[policy]"));
        whole(&text).service.alarms
    };
    let own = alarms("every = \"30s\"\nlog_used = 85\ndisk_free = \"1TiB\"");
    assert_eq!(own.every, Some(Duration::from_secs(30)));
    assert_eq!((own.log_used_percent, own.disk_free_bytes), (85, 1 << 40));
    assert_eq!(alarms("every = \"off\"").every, None);
    assert_eq!(alarms(""), AlarmsConfig::default());
    let faults = check(&[("[policy]", "[alarms]\nlog_used = 101\n[policy]")]);
    assert!(faults.contains("101 is not a count"), "{faults}");
    let several = with("[policy]", "[service]\nseveral_agents = true\n[policy]");
    assert!(whole(&several).service.several_agents);
    let watched = |text: &str| {
        let text = with("[policy]", &format!("[service]\n{text}\n[policy]"));
        whole(&text).service.watch_every
    };
    assert_eq!(watched(""), Some(Duration::from_secs(5 * 60)));
    assert_eq!(
        watched("watch_every = \"90s\""),
        Some(Duration::from_secs(90))
    );
    assert_eq!(watched("watch_every = \"off\""), None);
}
