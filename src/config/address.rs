//! Addresses of hosts: `host`, `host,port` or `host\instance`, over TCP alone.

/// Why a text is not an address over TCP, and what to write instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotAnAddress {
    pub(super) message: &'static str,
    pub(super) hint: &'static str,
}

const FORMS: &str = r"write `host`, `host,port` or `host\instance`";

/// Whether the text names a listener that TCP reaches. The text is not repeated in the answer: people paste
/// whole connection strings, and those hold passwords.
pub(super) fn check(text: &str) -> Result<(), NotAnAddress> {
    let lower = text.trim().to_ascii_lowercase();
    if text.contains([';', '=']) {
        return no("this looks like a connection string, not an address", FORMS);
    }
    if lower.starts_with("np:") || lower.starts_with(r"\\") {
        return no("named pipes are not spoken, only tcp", FORMS);
    }
    if lower.starts_with("lpc:")
        || lower.starts_with("(local")
        || lower == "."
        || lower.starts_with(r".\")
    {
        return no(
            "shared memory and `(local)` are not spoken, only tcp",
            "write `localhost` and a port or instance",
        );
    }
    let rest = lower.strip_prefix("tcp:").unwrap_or(&lower);
    let (place, port) = rest
        .split_once(',')
        .map_or((rest, None), |(place, port)| (place, Some(port.trim())));
    if port.is_some_and(|port| !port.parse::<u16>().is_ok_and(|port| port > 0)) {
        return no("the port is not a number from 1 to 65535", FORMS);
    }
    let (machine, instance) = place
        .split_once('\\')
        .map_or((place, None), |(machine, instance)| {
            (machine, Some(instance))
        });
    if is_machine_and_port(machine) {
        return no(
            "a port stands behind a comma, not a colon",
            "write `host,port`, as SQL Server does",
        );
    }
    if !is_machine(machine) || instance.is_some_and(|name| !is_instance(name)) {
        return no("this is not the address of a host", FORMS);
    }
    Ok(())
}

const fn no(message: &'static str, hint: &'static str) -> Result<(), NotAnAddress> {
    Err(NotAnAddress { message, hint })
}

fn is_machine_and_port(machine: &str) -> bool {
    machine.split_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && !port.is_empty() && port.chars().all(|c| c.is_ascii_digit())
    })
}

/// A name of DNS or Windows, or an address of either IP.
fn is_machine(machine: &str) -> bool {
    let is_name_character = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    machine.parse::<std::net::IpAddr>().is_ok()
        || (!machine.is_empty() && machine.chars().all(is_name_character))
}

/// The rules for instance names, loosely: SQL Server's setup allows at most 16 characters without blanks.
fn is_instance(name: &str) -> bool {
    let is_name_character = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '#');
    !name.is_empty() && name.chars().all(is_name_character)
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn what_tcp_reaches_is_taken() {
        for text in [
            "pay1",
            "pay1.example.com",
            "10.0.0.7,1433",
            r"pay1\SQL2",
            r"pay1\SQL2,14330",
            "tcp:pay1",
            "pay1, 14330",
            "::1,14330",
            "fe80::1",
            "bücher",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_tcp_does_not_reach_is_refused() {
        for text in [
            "",
            ",1433",
            "pay1,",
            "pay1,0",
            "pay1,70000",
            "pay1,x",
            "pay1:1433",
            r"pay1\",
            r"pay1\a\b",
            "np:pay1",
            r"\\.\pipe\sql\query",
            "lpc:pay1",
            ".",
            r".\SQL",
            "(local)",
            r"(localdb)\v11",
            "pay 1",
            "Server=pay1;",
        ] {
            assert!(check(text).is_err(), "{text}");
        }
    }
}
