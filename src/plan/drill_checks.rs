//! The user's checks of a drill: which databases a file speaks of, and on which drill host it can be asked.
//!
//! Start at [`placed`]. A file names members between braces, `{Ledger}` or in full `{SQL1/Ledger}`; what stands for them
//! is quoted where the text is sent, so that a name is a name whatever is in it.

use std::collections::BTreeMap;

use super::drill_step::{RunCheck, Scratch};
use crate::error::{Code, Error};
use crate::model::{DatabaseName, HostName, MemberName};

/// One check as the configuration has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrillCheck {
    /// Its name: the file's.
    pub name: String,
    /// The T-SQL in the file.
    pub text: String,
    /// What it must find; none: no rows.
    pub value: Option<String>,
}

/// The check as a step, with the host that it is asked on: that of the databases it names, else the first.
///
/// # Errors
/// `SM0808` for a name that is no member's or more than one's, and for members on two hosts, which no query spans.
pub(super) fn placed(
    check: &DrillCheck,
    scratch: &BTreeMap<MemberName, Scratch>,
    first: &HostName,
) -> Result<(HostName, RunCheck), Error> {
    let mut names: Vec<(String, DatabaseName)> = Vec::new();
    let mut host: Option<&HostName> = None;
    for word in words(&check.text) {
        let found = find(word, scratch).map_err(|error| error.at("check", &check.name))?;
        if host.is_some_and(|host| !host.is_same_host(&found.host)) {
            let message = "a check names members on two drill hosts";
            return Err(Error::new(Code::DrillCheckUnfit, message)
                .at("check", &check.name)
                .hint("drill onto one host, or write one check for each"));
        }
        host = Some(&found.host);
        if !names.iter().any(|(name, _)| name == word) {
            names.push((word.to_owned(), found.database.clone()));
        }
    }
    let step = RunCheck {
        name: check.name.clone(),
        text: check.text.clone(),
        names,
        value: check.value.clone(),
    };
    Ok((host.unwrap_or(first).clone(), step))
}

/// What stands between braces and could be a member's name: not empty, of one line, without quotes.
pub(super) fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some((_, from)) = rest.split_once('{') {
        let Some((word, after)) = from.split_once('}') else {
            break;
        };
        let is_name = !word.is_empty() && !word.contains(['\'', '"', '\n', '{']);
        if is_name {
            words.push(word);
            rest = after;
        } else {
            rest = from;
        }
    }
    words
}

fn find<'a>(word: &str, scratch: &'a BTreeMap<MemberName, Scratch>) -> Result<&'a Scratch, Error> {
    let letters = word.to_lowercase();
    let is_it = |member: &MemberName| {
        let whole = member.to_string().to_lowercase();
        whole == letters || member.database.as_str().to_lowercase() == letters
    };
    let mut found = scratch.iter().filter(|(member, _)| is_it(member));
    match (found.next(), found.next()) {
        (Some((_, scratch)), None) => Ok(scratch),
        (None, _) => {
            let message = format!("a check names `{{{word}}}`, which is no member of the point");
            let members: Vec<String> = scratch.keys().map(ToString::to_string).collect();
            Err(Error::new(Code::DrillCheckUnfit, message)
                .at("members", members.join(", "))
                .hint("write a member's database between the braces, or HOST/DATABASE"))
        }
        (Some(_), Some(_)) => {
            let message = format!("a check names `{{{word}}}`, which two members are called");
            Err(Error::new(Code::DrillCheckUnfit, message)
                .hint("write HOST/DATABASE between the braces"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch() -> BTreeMap<MemberName, Scratch> {
        let one = |member: &str, host: &str, database: &str| {
            let scratch = Scratch {
                host: host.parse().expect("a host"),
                database: database.parse().expect("a database"),
            };
            (member.parse().expect("a member"), scratch)
        };
        [
            one("SQL1/Ledger", "DRILL1", "drill_Ledger"),
            one("SQL2/Accounts", "DRILL1", "drill_Accounts"),
            one("SQL3/Accounts", "DRILL2", "drill_Accounts"),
        ]
        .into()
    }

    fn place(text: &str) -> Result<(HostName, RunCheck), Error> {
        let check = DrillCheck {
            name: "sum.sql".to_owned(),
            text: text.to_owned(),
            value: None,
        };
        placed(&check, &scratch(), &"DRILL1".parse().expect("a host"))
    }

    #[test]
    fn names_are_found_short_and_in_full_once_each() {
        let (host, step) = place("SELECT 1 FROM {ledger}.dbo.T, {SQL2/Accounts}.dbo.T, {ledger}.x")
            .expect("members");
        assert_eq!(host.as_str(), "DRILL1");
        let names: Vec<&str> = step.names.iter().map(|(_, it)| it.as_str()).collect();
        assert_eq!(names, ["drill_Ledger", "drill_Accounts"]);
    }

    #[test]
    fn braces_of_others_are_left_alone() {
        assert_eq!(
            words("{ts '2026-11-21'} {} {\"a\": 1} {Ledger}"),
            ["Ledger"]
        );
    }

    #[test]
    fn what_cannot_be_asked_is_refused() {
        for text in ["{Nobody}", "{Accounts}", "{Ledger} {SQL3/Accounts}"] {
            let error = place(text).expect_err(text);
            assert_eq!(error.code(), Code::DrillCheckUnfit, "{text}");
        }
    }
}
