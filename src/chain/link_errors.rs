//! SQL Server's errors of linked servers, marks and distributed transactions as data: what each means, and the cure.
//!
//! Start at [`of`]. They are kept apart from [`errors`](super::errors), since none of them says anything about a backup:
//! a run that meets one places no mark, and its logs are taken all the same. Sources: SQL Server's message lists (the
//! numbers from 7000 to 7999 and from 8500 to 8599) and section 4.5 of the facts about SQL Server that this product is
//! built on.

use super::errors::{Class, Known};

const GIVES_UP: &str = "places no mark; the logs are taken without it";
const ANOTHER_MARK: &str = "places another mark, three in a run at most";
const SETTLES: &str =
    "places no mark, and looks in the mark history whether this one stands after all";
const WARNS: &str = "warns of it before the drill";
const LOOKS: &str = "looks first, so that it does not come";

const DTC: &str = "see that MSDTC runs on both hosts, allows network access in and out, and that port 135 and its own ports \
                   are open both ways";
const APPLY: &str = "run `stopmark link apply`";
const TEST: &str = "run `stopmark link test`, which tries each link by itself; 7412 beside it has the provider's own words";
const MAP: &str = "give that host a `link_login` and run `stopmark link apply`: a login of its own passes without delegation";
const REPORT: &str = "report it to Stopmark";

const fn row(
    number: i32,
    class: Class,
    meaning: &'static str,
    stopmark: &'static str,
    person: &'static str,
) -> Known {
    Known {
        number,
        class,
        meaning,
        stopmark,
        person,
    }
}

/// The whole table, by number.
#[rustfmt::skip]
pub const TABLE: &[Known] = &[
    row(1206, Class::Retry, "the coordinator cancelled the distributed transaction", ANOTHER_MARK, DTC),
    row(3910, Class::Configuration, "another session works in the same transaction: a link leads back to where it began", GIVES_UP,
        "run `stopmark link check`, which names the link that leads home, and drop it"),
    row(3920, Class::Configuration, "a second mark in one transaction of one host: two links or two names lead there", GIVES_UP,
        "run `stopmark link check`, which names both; give each host one link, by its true name"),
    row(7201, Class::Configuration, "the other host takes no calls from others: `remote access` is off", GIVES_UP,
        "run `EXEC sp_configure 'remote access', 1; RECONFIGURE;` on the other host, and restart it"),
    row(7202, Class::Configuration, "there is no linked server of this name", GIVES_UP, APPLY),
    row(7303, Class::Configuration, "the link's provider cannot reach the other host: network, certificate or login", GIVES_UP, TEST),
    row(7312, Class::Configuration, "the provider takes no schema or catalog in a name of four parts", WARNS, "leave the part out that it does not know"),
    row(7313, Class::Configuration, "a name of four parts has no schema that the provider knows", WARNS, "write the schema, `dbo` mostly"),
    row(7314, Class::Configuration, "no such table behind the link, or no right to it", "reports it", "correct the name, or grant SELECT over there"),
    row(7391, Class::Configuration, "the link cannot begin a distributed transaction", GIVES_UP, DTC),
    row(7392, Class::Configuration, "the provider cannot start a transaction", GIVES_UP, DTC),
    row(7393, Class::Configuration, "the provider reported an error while it rolled back", GIVES_UP, DTC),
    row(7394, Class::Configuration, "the provider reported an error while it committed", SETTLES, DTC),
    row(7395, Class::Bug, "the provider would need a nested transaction, since XACT_ABORT was off", GIVES_UP, REPORT),
    row(7396, Class::Bug, "an output parameter of a (max) type through a link", GIVES_UP, REPORT),
    row(7397, Class::Bug, "a return value of a (max) type through a link", GIVES_UP, REPORT),
    row(7399, Class::Configuration, "the provider reported an error", GIVES_UP, TEST),
    row(7409, Class::Configuration, "the login is not one that Windows vouches for, and the link passes it on as itself", GIVES_UP, MAP),
    row(7411, Class::Configuration, "the link is not configured for calls (`rpc out`) or for queries (`data access`)", GIVES_UP, APPLY),
    row(7412, Class::Configuration, "what the provider says itself: a time-out of login or query, mostly", GIVES_UP, TEST),
    row(7413, Class::Configuration, "the login cannot be passed on a second time: delegation is not set up", GIVES_UP, MAP),
    row(7416, Class::Configuration, "no login is mapped", GIVES_UP, APPLY),
    row(7437, Class::Configuration, "a link under impersonation, without a mapping for the impersonated login", GIVES_UP, MAP),
    row(8501, Class::Retry, "MSDTC on a host is not available", ANOTHER_MARK, DTC),
    row(8509, Class::Retry, "a host could not import the distributed transaction", ANOTHER_MARK, DTC),
    row(8510, Class::Configuration, "a host could not enlist, or its part of the commit broke off", SETTLES, DTC),
    row(8517, Class::Retry, "the coordinator could not be told the outcome", ANOTHER_MARK, DTC),
    row(8518, Class::Retry, "the coordinator ended a transaction that was to be exported", ANOTHER_MARK, DTC),
    row(8519, Class::Retry, "the coordinator ended the transaction before it began", ANOTHER_MARK, DTC),
    row(8520, Class::Retry, "the coordinator's commit failed", ANOTHER_MARK, DTC),
    row(8521, Class::Retry, "a host woke up in a distributed transaction that was over", ANOTHER_MARK, DTC),
    row(8522, Class::Retry, "MSDTC stopped the transaction", ANOTHER_MARK, DTC),
    row(15015, Class::Configuration, "there is no server of this name", LOOKS, APPLY),
    row(15028, Class::Configuration, "there is a server of this name already", LOOKS, "see what `stopmark link check` says of it"),
    row(18452, Class::Configuration, "the other host trusts the domain of the login not, or saw ANONYMOUS LOGON", GIVES_UP, MAP),
    row(18456, Class::Configuration, "the other host refuses the mapped login", GIVES_UP,
        "see `link_login` of that host; `stopmark link apply --foreign 'LINK'` maps it anew"),
];

/// What a number means for links and marks; none for others.
#[must_use]
pub fn of(number: i32) -> Option<&'static Known> {
    TABLE.iter().find(|known| known.number == number)
}

#[cfg(test)]
mod tests {
    use super::super::errors;
    use super::*;

    #[test]
    fn numbers_rise_and_none_is_in_both_tables() {
        assert!(TABLE.is_sorted_by(|a, b| a.number < b.number));
        for known in TABLE {
            let other = errors::classify(known.number, None);
            assert_eq!(other, None, "{}", known.number);
        }
    }
}
