//! `stopmark service run` as a service manager sees it: a process that says when it is ready, hears signals, and
//! ends well. The manager here is a socket that systemd's protocol is spoken to.

use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::stage::Stage;

struct Managed {
    process: Child,
    socket: UnixDatagram,
}

impl Managed {
    fn start(stage: &Stage) -> Self {
        let path = stage.path("notify.sock");
        let _ = std::fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).expect("a socket");
        let patience = Some(Duration::from_secs(30));
        socket.set_read_timeout(patience).expect("it may be set");
        let process = Command::new(env!("CARGO_BIN_EXE_stopmark"))
            .arg("--config")
            .arg(stage.config_path())
            .args(["service", "run"])
            .env("NOTIFY_SOCKET", &path)
            .stderr(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        Self {
            process: process.expect("the program starts"),
            socket,
        }
    }

    /// Reads what it says until it says this.
    fn until(&self, wanted: &str) -> String {
        let mut said = String::new();
        let mut buffer = [0; 4096];
        while !said.contains(wanted) {
            let length = self.socket.recv(&mut buffer);
            let length = length.unwrap_or_else(|error| panic!("no {wanted} in {said}: {error}"));
            said.push_str(&String::from_utf8_lossy(&buffer[..length]));
            said.push('\n');
        }
        said
    }

    fn signal(&self, name: &str) {
        let pid = self.process.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(sent.expect("kill is there").success());
    }

    fn end(self) -> (Option<i32>, String) {
        let output = self.process.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said)
    }
}

async fn stage() -> Stage {
    let stage = Stage::set(&[("SQL1", &["Ledger"])]).await;
    stage.edit(
        "[policy]",
        "[page]\nlisten = \"off\"\n[schedule]\nlog = \"0 0 29 2 *\"\n[policy]",
    );
    stage
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_says_that_it_is_ready_reads_its_configuration_again_and_stops() {
    let stage = stage().await;
    let service = Managed::start(&stage);
    service.until("READY=1");
    let alive = service.until("WATCHDOG=1");
    assert!(alive.contains("STATUS=next: log at"), "{alive}");
    stage.edit("0 0 29 2 *", "30 0 29 2 *");
    service.signal("HUP");
    let again = service.until("READY=1");
    assert!(again.contains("RELOADING=1"), "{again}");
    service.signal("TERM");
    service.until("STOPPING=1");
    let (code, said) = service.end();
    assert_eq!(code, Some(0), "{said}");
    let change = r#"schedule.log: "0 0 29 2 *" -> "30 0 29 2 *""#;
    for line in [change, "the service has stopped"] {
        assert!(said.contains(line), "{line} is not in:\n{said}");
    }
}

/// What an idle service may have of memory that is its own. A release build has some 3 MiB, this one 8 to 12.
#[cfg(target_os = "linux")]
const OWN_MEMORY_KIB_MAX: u64 = 20 * 1024;

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_service_has_little_memory_of_its_own() {
    let stage = stage().await;
    let service = Managed::start(&stage);
    service.until("READY=1");
    service.until("WATCHDOG=1");
    let path = format!("/proc/{}/status", service.process.id());
    let status = std::fs::read_to_string(path).expect("it lives");
    let own = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let own = own.and_then(|line| line.split_whitespace().next()?.parse().ok());
    let own_kib: u64 = own.expect("Linux tells it");
    service.signal("TERM");
    let (code, said) = service.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(own_kib < OWN_MEMORY_KIB_MAX, "{own_kib} KiB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_folder_that_cannot_be_written_is_named_before_anything_begins() {
    let stage = stage().await;
    stage.edit("logs = \"logs\"", "logs = \"/proc/stopmark\"");
    let service = Managed::start(&stage);
    let (code, said) = service.end();
    assert_eq!(code, Some(1), "{said}");
    for part in ["SM0901", "the log folder cannot be used", "/proc/stopmark"] {
        assert!(said.contains(part), "{part} is not in:\n{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_service_hears_of_the_first_and_not_of_its_port_and_hears_it_once() {
    let stage = stage().await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = free.local_addr().expect("it has one").port();
    drop(free);
    stage.edit(
        "listen = \"off\"",
        &format!("listen = \"127.0.0.1:{port}\""),
    );
    let first = Managed::start(&stage);
    first.until("READY=1");
    let (code, said) = Managed::start(&stage).end();
    assert_eq!(code, Some(11), "{said}");
    assert_eq!(said.matches("SM0905").count(), 1, "{said}");
    first.signal("TERM");
    let (code, said) = first.end();
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupt_from_a_terminal_stops_it_too() {
    let stage = stage().await;
    let service = Managed::start(&stage);
    service.until("READY=1");
    service.signal("INT");
    let (code, said) = service.end();
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_with_a_faulty_configuration_does_not_start_and_says_why() {
    let stage = stage().await;
    stage.edit("0 0 29 2 *", "0 0 30 2 *");
    let service = Managed::start(&stage);
    let (code, said) = service.end();
    assert_eq!(code, Some(10), "{said}");
    assert!(said.contains("never comes"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configuration_broken_by_an_edit_is_told_and_the_service_lives() {
    let stage = stage().await;
    let service = Managed::start(&stage);
    service.until("READY=1");
    service.until("WATCHDOG=1");
    stage.edit("0 0 29 2 *", "0 0 30 2 *");
    service.signal("HUP");
    let again = service.until("READY=1");
    assert!(again.contains("RELOADING=1"), "{again}");
    service.until("WATCHDOG=1");
    service.signal("TERM");
    let (code, said) = service.end();
    assert_eq!(code, Some(0), "{said}");
    for line in ["never comes", "the old configuration stays in force"] {
        assert!(said.contains(line), "{line} is not in:\n{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_cannot_write_its_state_does_not_start_and_says_where() {
    let stage = stage().await;
    // Nobody makes a folder there, not even root.
    stage.edit("state = \"state\"", "state = \"/proc/stopmark\"");
    let service = Managed::start(&stage);
    let (code, said) = service.end();
    assert_eq!(code, Some(1), "{said}");
    for part in ["SM0901", "/proc/stopmark"] {
        assert!(said.contains(part), "{part} is not in:\n{said}");
    }
}
