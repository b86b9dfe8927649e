//! `[encryption]`: for whom pieces are sealed, and what opens them here.

use jiff::civil;

use super::Surroundings;
use crate::config::checked::SealConfig;
use crate::config::node::{Node, Table};
use crate::error::Code;
use crate::seal::{Keys, Recipient, Ring};

pub(super) const KEYS: &[&str] = &["recipients", "identity", "escrow_confirmed"];

const RECIPIENTS_HINT: &str = "write `recipients = [\"age1...\"]`; `age-keygen -o key.txt` makes a key and prints its recipient";

/// Reads the section; none where it is absent, or where a fault was added.
pub(super) fn read(root: &Table<'_>, around: &Surroundings<'_>) -> Option<SealConfig> {
    let table = root.optional("encryption")?.table(KEYS)?;
    let recipients = table
        .required("recipients", RECIPIENTS_HINT)
        .and_then(|node| recipients(&node));
    let keys = table.optional("identity").and_then(|node| {
        let keys = keys(&node, around)?;
        opens_one(&node, &keys, recipients.as_deref()?);
        Some(keys)
    });
    let escrow_confirmed = table.optional("escrow_confirmed");
    let escrow_confirmed = escrow_confirmed.and_then(|node| day(&node));
    Some(SealConfig {
        ring: Ring {
            recipients: recipients?,
            keys,
        },
        escrow_confirmed,
    })
}

/// Their texts are not repeated in faults: one of them may be a secret key.
fn recipients(node: &Node<'_>) -> Option<Vec<Recipient>> {
    let items = node.items()?;
    if items.is_empty() {
        let message = "nobody could open what is sealed for nobody";
        node.refuse(Code::ConfigValue, message, RECIPIENTS_HINT);
    }
    let mut recipients: Vec<Recipient> = Vec::new();
    for item in &items {
        match item.string().map(str::parse::<Recipient>) {
            Some(Ok(one)) if recipients.contains(&one) => {
                let message = "the same recipient stands here twice";
                item.refuse(Code::ConfigDuplicate, message, "keep one of the two");
            }
            Some(Ok(one)) => recipients.push(one),
            Some(Err(fault)) => item.refuse(Code::ConfigValue, fault.to_string(), fault.hint()),
            None => {}
        }
    }
    (!items.is_empty() && recipients.len() == items.len()).then_some(recipients)
}

fn keys(node: &Node<'_>, around: &Surroundings<'_>) -> Option<Keys> {
    match Keys::read(&around.secrets.read(node)?) {
        Ok(keys) => Some(keys),
        Err(fault) => {
            node.refuse(Code::ConfigValue, fault.to_string(), fault.hint());
            None
        }
    }
}

/// A key that opens nothing here would be found out at the first restore.
fn opens_one(node: &Node<'_>, keys: &Keys, recipients: &[Recipient]) {
    let own = keys.recipients();
    if own.iter().any(|own| recipients.contains(own)) {
        return;
    }
    let own: Vec<String> = own.iter().map(|own| format!("`{own}`")).collect();
    let hint = format!(
        "add {} to `recipients`, or name another key",
        own.join(", ")
    );
    let message = "this key opens for none of the recipients";
    node.refuse(Code::ConfigValue, message, &hint);
}

fn day(node: &Node<'_>) -> Option<civil::Date> {
    let day = node.string()?.parse();
    if day.is_err() {
        let message = "this is not a day";
        node.refuse(
            Code::ConfigValue,
            message,
            "write it in quotes, `\"2026-11-01\"`",
        );
    }
    day.ok()
}
