//! What `stopmark check` says of encryption: who can open what is sealed, and who made sure that somebody can.
//!
//! Start at [`CheckReport::sealing`]. A lost key loses every piece, and no program can see a safe: that the key lies
//! there is confirmed by a person, with a date.

use jiff::{ToSpan as _, civil};

use super::bytes::counted;
use super::check::CheckReport;
use crate::config::SealConfig;
use crate::error::Code;
use crate::seal::{Keys, OpenFault};

const ABOUT: &str = "encryption";

const TRIED: &str = "a trial text was sealed, and the key that is here opens it";

impl CheckReport {
    /// Adds what is to be said of the encryption; `trial` is what became of sealing and opening a text.
    pub fn sealing(
        &mut self,
        sealing: &SealConfig,
        trial: Option<&Result<(), OpenFault>>,
        today: civil::Date,
    ) {
        let recipients = sealing.ring.recipients_text();
        let count = counted(recipients.len(), "recipient");
        let for_whom = recipients.join(", ");
        self.fine(ABOUT, &format!("sealed for {count}: {for_whom}"));
        match trial {
            Some(Ok(())) => self.fine(ABOUT, &format!("{TRIED}{}", owners(sealing))),
            Some(Err(fault)) => self.fault(
                ABOUT,
                Code::SealKeyMissing,
                &format!("what is sealed cannot be opened here: {fault}"),
                "compare `identity` with `recipients`",
            ),
            None => self.warn(
                ABOUT,
                Code::SealKeyMissing,
                "no key is here, so this agent backs up and proves, and cannot restore",
                "have a key at hand where a restore will run: `identity` in `[encryption]`",
            ),
        }
        if recipients.len() == 1 {
            self.warn(
                ABOUT,
                Code::EscrowUnconfirmed,
                "one key opens everything, and with it everything would be lost",
                "add a second recipient, whose key is kept offline",
            );
        }
        self.escrow(sealing.escrow_confirmed, today);
    }

    fn escrow(&mut self, confirmed: Option<civil::Date>, today: civil::Date) {
        let hint = format!(
            "look whether a key lies in a place that outlives this machine and opens a piece, then write \
             `escrow_confirmed = \"{today}\"`"
        );
        let a_year_ago = today.saturating_sub(1.year());
        let message = match confirmed {
            None => "nobody has confirmed that a key is kept in another place".to_owned(),
            Some(day) if day > today => {
                format!("the keeping of the keys was confirmed for {day}, which is to come")
            }
            Some(day) if day < a_year_ago => {
                format!("the keeping of the keys was last confirmed on {day}")
            }
            Some(day) => {
                let message = format!("the keeping of the keys was confirmed on {day}");
                return self.fine(ABOUT, &message);
            }
        };
        self.warn(ABOUT, Code::EscrowUnconfirmed, &message, &hint);
    }
}

/// The recipients that the keys here open for.
fn owners(sealing: &SealConfig) -> String {
    let keys = sealing.ring.keys.as_ref();
    let own = keys.map(Keys::recipients).unwrap_or_default();
    let own = own
        .iter()
        .filter(|own| sealing.ring.recipients.contains(own));
    let own: Vec<String> = own.map(|own| format!("`{own}`")).collect();
    format!(" as {}", own.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::check::Severity;
    use crate::seal::Ring;

    fn checked(recipients: usize, has_key: bool, confirmed: Option<&str>) -> CheckReport {
        let keys: Vec<Keys> = (0..recipients).map(|_| Keys::generate()).collect();
        let sealing = SealConfig {
            ring: Ring {
                recipients: keys.iter().flat_map(Keys::recipients).collect(),
                keys: keys.first().filter(|_| has_key).cloned(),
            },
            escrow_confirmed: confirmed.map(|day| day.parse().expect("a day")),
        };
        let mut report = CheckReport::new(&"g".parse().expect("a name"));
        let trial = sealing.ring.trial();
        report.sealing(&sealing, trial.as_ref(), civil::date(2026, 11, 21));
        report
    }

    fn warnings(report: &CheckReport) -> Vec<&str> {
        let findings = report.findings.iter();
        findings
            .filter(|it| it.severity != Severity::Fine)
            .map(|it| it.message.as_str())
            .collect()
    }

    #[test]
    fn two_recipients_a_key_and_a_fresh_confirmation_are_fine() {
        let report = checked(2, true, Some("2025-11-21"));
        assert_eq!(warnings(&report), [""; 0]);
        assert!(report.text().contains("a trial text was sealed"));
    }

    #[test]
    fn what_is_missing_is_warned_of_each_for_itself() {
        let report = checked(1, false, None);
        let found = warnings(&report);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].contains("no key is here"));
        assert!(found[1].contains("one key opens everything"));
        assert!(found[2].contains("nobody has confirmed"));
    }

    #[test]
    fn a_confirmation_holds_for_a_year_and_not_from_the_future() {
        for (day, word) in [("2025-11-20", "last confirmed"), ("2026-11-22", "to come")] {
            let report = checked(2, true, Some(day));
            let found = warnings(&report);
            assert!(found.len() == 1 && found[0].contains(word), "{found:?}");
        }
    }
}
