//! How BizTalk's list differs from the group that the newest set holds, and what is made of that.
//!
//! Start at [`judge`]. A database that leaves the list would leave every Point without a word, so it stays a member
//! until somebody approves, or the configuration says that the list is followed.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::config::DriftRule;
use crate::model::MemberName;

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// The member.
    pub member: MemberName,
    /// What became of it in the list.
    pub change: Change,
    /// The group follows; else it is as before until somebody approves.
    pub is_followed: bool,
}

/// What became of a database in the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Change {
    /// It is listed now.
    Joined,
    /// It is listed no more.
    Left,
    /// It is listed with another server.
    Moved {
        /// Where it is listed now.
        to: MemberName,
    },
}

/// The members that count, and the differences; `before` is empty where nothing was published yet.
pub(super) fn judge(
    listed: &BTreeSet<MemberName>,
    before: &BTreeSet<MemberName>,
    rule: DriftRule,
) -> (BTreeSet<MemberName>, Vec<Drift>) {
    if before.is_empty() {
        return (listed.clone(), Vec::new());
    }
    let mut members = listed.clone();
    let mut drifts = Vec::new();
    let named = |member: &MemberName| member.database.as_str().to_lowercase();
    let joined: Vec<&MemberName> = listed.difference(before).collect();
    let left: Vec<&MemberName> = before.difference(listed).collect();
    for member in &left {
        let to = joined.iter().find(|it| named(it) == named(member));
        let change = to.map_or(Change::Left, |to| Change::Moved { to: (*to).clone() });
        let is_followed = rule == DriftRule::Follow;
        if !is_followed {
            members.insert((*member).clone());
        }
        drifts.push(drift(member, change, is_followed));
    }
    for member in &joined {
        let is_followed = rule != DriftRule::Hold;
        if !is_followed {
            members.remove(*member);
        }
        if !left.iter().any(|it| named(it) == named(member)) {
            drifts.push(drift(member, Change::Joined, is_followed));
        }
    }
    (members, drifts)
}

fn drift(member: &MemberName, change: Change, is_followed: bool) -> Drift {
    Drift {
        member: member.clone(),
        change,
        is_followed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> BTreeSet<MemberName> {
        let names = list.iter().map(|name| name.parse().expect("a member"));
        names.collect()
    }

    fn told(listed: &[&str], before: &[&str], rule: DriftRule) -> (Vec<String>, Vec<String>) {
        let (members, drifts) = judge(&names(listed), &names(before), rule);
        let drifts = drifts.iter().map(|it| {
            let word = match &it.change {
                Change::Joined => "joined".to_owned(),
                Change::Left => "left".to_owned(),
                Change::Moved { to } => format!("moved to {to}"),
            };
            let end = if it.is_followed { "" } else { ", held" };
            format!("{} {word}{end}", it.member)
        });
        let members = members.iter().map(ToString::to_string);
        (members.collect(), drifts.collect())
    }

    #[test]
    fn a_group_that_was_never_published_is_its_list() {
        let (members, drifts) = told(&["A/X", "A/Y"], &[], DriftRule::Hold);
        assert_eq!(members, ["A/X", "A/Y"]);
        assert!(drifts.is_empty());
    }

    #[test]
    fn a_new_database_joins_and_one_that_leaves_stays_until_somebody_approves() {
        let (members, drifts) = told(&["A/X", "A/Z"], &["A/X", "A/Y"], DriftRule::Join);
        assert_eq!(members, ["A/X", "A/Y", "A/Z"]);
        assert_eq!(drifts, ["A/Y left, held", "A/Z joined"]);
    }

    #[test]
    fn an_approved_list_is_the_group() {
        let (members, drifts) = told(&["A/X", "B/Y"], &["A/X", "A/y"], DriftRule::Follow);
        assert_eq!(members, ["A/X", "B/Y"]);
        assert_eq!(drifts, ["A/y moved to B/Y"]);
    }

    #[test]
    fn a_group_that_is_held_is_what_it_was() {
        let (members, drifts) = told(&["A/X", "A/Z"], &["A/X", "A/Y"], DriftRule::Hold);
        assert_eq!(members, ["A/X", "A/Y"]);
        assert_eq!(drifts, ["A/Y left, held", "A/Z joined, held"]);
    }
}
