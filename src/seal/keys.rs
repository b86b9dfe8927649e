//! Recipients, which are public, and keys, which are not.
//!
//! Start at [`Recipient`] and [`Keys::read`]. A text that could be a secret in the wrong place is never repeated in
//! a fault.

use std::fmt;
use std::str::FromStr;

use age::x25519;
use secrecy::{ExposeSecret as _, SecretString};

/// What a secret key of age begins with.
const SECRET_PREFIX: &str = "AGE-SECRET-KEY-";

/// A public key that pieces are sealed for: `age1` and 58 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient(pub(super) x25519::Recipient);

/// Why a text is no recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecipientFault {
    /// It is the secret itself.
    #[error("a secret key stands where a recipient belongs")]
    SecretKey,
    /// It is anything else.
    #[error("this is not an age recipient")]
    NoRecipient,
}

impl RecipientFault {
    /// What a person should do.
    #[must_use]
    pub const fn hint(self) -> &'static str {
        match self {
            Self::SecretKey => {
                "write the recipient that `age-keygen -y FILE` prints, and make a new key: this one was in the open"
            }
            Self::NoRecipient => {
                "write `age1` and what follows it, as `age-keygen` prints it; ssh keys and plugins are not taken"
            }
        }
    }
}

impl FromStr for Recipient {
    type Err = RecipientFault;

    fn from_str(text: &str) -> Result<Self, RecipientFault> {
        if text
            .trim_start()
            .to_ascii_uppercase()
            .starts_with(SECRET_PREFIX)
        {
            return Err(RecipientFault::SecretKey);
        }
        text.parse()
            .map(Self)
            .map_err(|_: &str| RecipientFault::NoRecipient)
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The secret keys of a key file, one or several. They print as `[REDACTED]` and are wiped when dropped.
#[derive(Clone)]
pub struct Keys(pub(super) Vec<x25519::Identity>);

/// Why a text holds no keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// The file is sealed itself, with a passphrase as a rule.
    #[error("the key file is sealed itself")]
    Sealed,
    /// It has the public half only.
    #[error("this is a recipient, and the secret key is wanted here")]
    Recipient,
    /// A line, from 1, is neither a key nor a comment.
    #[error("line {0} of the key file is no secret key of age")]
    Line(usize),
    /// There is nothing but comments.
    #[error("the key file holds no key")]
    Empty,
}

impl KeyFault {
    /// What a person should do.
    #[must_use]
    pub const fn hint(self) -> &'static str {
        match self {
            Self::Sealed => {
                "nobody is there to type a passphrase: open it with `age -d`, and give the key as a credential or a file that only the agent reads"
            }
            Self::Recipient | Self::Line(_) | Self::Empty => {
                "name the file that `age-keygen` wrote: lines that begin with `AGE-SECRET-KEY-1`, and comments"
            }
        }
    }
}

impl Keys {
    /// Reads the text of a key file, as `age-keygen` writes it.
    ///
    /// # Errors
    /// Which line is no key; never what stands there.
    pub fn read(text: &SecretString) -> Result<Self, KeyFault> {
        let text = text.expose_secret();
        if text.starts_with("age-encryption.org/") || text.starts_with("-----BEGIN AGE") {
            return Err(KeyFault::Sealed);
        }
        let mut keys = Vec::new();
        for (line, number) in text.lines().map(str::trim).zip(1..) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let key = line.parse().map_err(|_: &str| {
                if line.parse::<Recipient>().is_ok() {
                    KeyFault::Recipient
                } else {
                    KeyFault::Line(number)
                }
            });
            keys.push(key?);
        }
        if keys.is_empty() {
            return Err(KeyFault::Empty);
        }
        Ok(Self(keys))
    }

    /// A new key, for trials and tests; nobody else has it.
    #[must_use]
    pub fn generate() -> Self {
        Self(vec![x25519::Identity::generate()])
    }

    /// The text of a key file.
    #[must_use]
    pub fn to_text(&self) -> SecretString {
        let mut text = String::new();
        for key in &self.0 {
            text.push_str(key.to_string().expose_secret());
            text.push('\n');
        }
        text.into()
    }

    /// Whom these keys open for.
    #[must_use]
    pub fn recipients(&self) -> Vec<Recipient> {
        let keys = self.0.iter();
        keys.map(|key| Recipient(key.to_public())).collect()
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_is_read_as_age_keygen_writes_it() {
        let keys = Keys::generate();
        let public = keys.recipients().remove(0);
        let text = keys.to_text();
        let file = format!(
            "# created: 2026-11-21T12:00:00Z\n# public key: {public}\n{}\r\n",
            text.expose_secret().trim()
        );
        let read = Keys::read(&file.into()).expect("a key file");
        assert_eq!(read.recipients(), keys.recipients());
        assert_eq!(public.to_string().parse(), Ok(public));
        assert_eq!(format!("{keys:?}"), "[REDACTED]");
    }

    #[test]
    fn a_hostile_key_file_is_refused_without_being_repeated() {
        let public = Keys::generate().recipients().remove(0).to_string();
        let cases = [
            (String::new(), KeyFault::Empty),
            ("# nothing\n\n".to_owned(), KeyFault::Empty),
            (public, KeyFault::Recipient),
            ("# one\nhunter2".to_owned(), KeyFault::Line(2)),
            ("AGE-SECRET-KEY-1QQQ".to_owned(), KeyFault::Line(1)),
            ("AGE-SECRET-KEY-1".repeat(4000), KeyFault::Line(1)),
            (
                "age-encryption.org/v1\n-> scrypt".to_owned(),
                KeyFault::Sealed,
            ),
            (
                "-----BEGIN AGE ENCRYPTED FILE-----".to_owned(),
                KeyFault::Sealed,
            ),
        ];
        for (text, wanted) in cases {
            let fault = Keys::read(&text.clone().into()).expect_err("no keys");
            assert_eq!(fault, wanted);
            assert!(!format!("{fault}{}", fault.hint()).contains("hunter2"));
        }
    }

    #[test]
    fn a_secret_key_is_no_recipient_and_neither_is_anything_else() {
        let secret = Keys::generate().to_text();
        let secret: Result<Recipient, _> = secret.expose_secret().trim().parse();
        assert_eq!(secret, Err(RecipientFault::SecretKey));
        for text in ["", "age1", "ssh-ed25519 AAAA", "age1pq1qqqq", "é"] {
            let none: Result<Recipient, _> = text.parse();
            assert_eq!(none, Err(RecipientFault::NoRecipient), "{text}");
        }
    }
}
