//! Who may see the page: whoever sits at this machine, or whoever shows the token.
//!
//! Start at [`Guard::admits`]. Without a token the page is on loopback, and a request must also be meant for
//! loopback: a foreign web site may point its own name at this machine, and its visitor's browser would fetch the
//! page for it.

use std::net::{IpAddr, SocketAddr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

/// Decides on requests.
#[derive(Clone, Debug)]
pub struct Guard {
    is_loopback: bool,
    /// The digest of the token: comparing digests tells nobody how much of a guess was right.
    token: Option<[u8; 32]>,
}

/// What a request gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// The page.
    Welcome,
    /// A question for the token.
    WhoAreYou,
    /// A refusal: it was meant for another machine.
    NotForUs,
}

impl Guard {
    /// The guard of a page at this address.
    #[must_use]
    pub fn new(address: SocketAddr, token: Option<&SecretString>) -> Self {
        Self {
            is_loopback: address.ip().is_loopback(),
            token: token.map(|token| digest(token.expose_secret())),
        }
    }

    /// What a request with these headers gets.
    #[must_use]
    pub fn admits(&self, host: Option<&str>, authorization: Option<&str>) -> Admission {
        match self.token {
            Some(token) => {
                let shown = authorization.and_then(shown);
                if shown.is_some_and(|shown| digest(&shown) == token) {
                    Admission::Welcome
                } else {
                    Admission::WhoAreYou
                }
            }
            None if self.is_loopback && host.is_some_and(is_here) => Admission::Welcome,
            None => Admission::NotForUs,
        }
    }
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// The token of a header: `Bearer TOKEN`, or the password of `Basic`.
fn shown(authorization: &str) -> Option<String> {
    let (scheme, value) = authorization.split_once(' ')?;
    let value = value.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(value.to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(value).ok()?).ok()?;
    decoded.split_once(':').map(|(_, it)| it.to_owned())
}

/// Whether a `Host` header names this machine to itself.
fn is_here(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let is_loopback = name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    is_loopback || name.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_on_loopback_is_for_requests_to_loopback() {
        let guard = Guard::new("127.0.0.1:7475".parse().expect("an address"), None);
        for (host, admission) in [
            (Some("127.0.0.1:7475"), Admission::Welcome),
            (Some("localhost:7475"), Admission::Welcome),
            (Some("[::1]:7475"), Admission::Welcome),
            (Some("evil.example.com:7475"), Admission::NotForUs),
            (Some("127.0.0.1.example.com"), Admission::NotForUs),
            (None, Admission::NotForUs),
        ] {
            assert_eq!(guard.admits(host, None), admission, "{host:?}");
        }
    }

    #[test]
    fn beyond_loopback_only_the_token_opens() {
        let token = SecretString::from("open sesame");
        let guard = Guard::new("0.0.0.0:80".parse().expect("an address"), Some(&token));
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        for (shown, admission) in [
            (None, Admission::WhoAreYou),
            (Some("Bearer open sesame".to_owned()), Admission::Welcome),
            (Some("Bearer open".to_owned()), Admission::WhoAreYou),
            (Some(basic("anybody:open sesame")), Admission::Welcome),
            (Some(basic("open sesame")), Admission::WhoAreYou),
            (Some("Basic %%%".to_owned()), Admission::WhoAreYou),
        ] {
            assert_eq!(
                guard.admits(Some("x"), shown.as_deref()),
                admission,
                "{shown:?}"
            );
        }
    }
}
