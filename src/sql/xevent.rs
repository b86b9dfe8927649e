//! Extended Events as XML: one event with its values, from a file or a ring buffer.
//!
//! Start at [`event`] and [`ring`]. What an event means is for those who asked for it.

use serde::Deserialize;

use super::fault::Fault;

/// One event.
#[derive(Deserialize)]
pub(super) struct EventXml {
    #[serde(rename = "@name", default)]
    pub(super) name: String,
    #[serde(rename = "@timestamp")]
    timestamp: String,
    #[serde(default)]
    data: Vec<ItemXml>,
    #[serde(default)]
    action: Vec<ItemXml>,
}

/// A value with its name; one of a map has its words too.
#[derive(Deserialize)]
struct ItemXml {
    #[serde(rename = "@name")]
    name: String,
    #[serde(default)]
    value: String,
    #[serde(default)]
    text: String,
}

/// What a ring buffer holds.
#[derive(Deserialize)]
struct RingXml {
    #[serde(default)]
    event: Vec<EventXml>,
}

/// The event that an event file holds in one row.
pub(super) fn event(xml: &str) -> Result<EventXml, Fault> {
    quick_xml::de::from_str(xml).map_err(|error| shape(&error.to_string()))
}

/// The events that a ring buffer holds, in their order.
pub(super) fn ring(xml: &str) -> Result<Vec<EventXml>, Fault> {
    let ring: RingXml = quick_xml::de::from_str(xml).map_err(|error| shape(&error.to_string()))?;
    Ok(ring.event)
}

/// An event that cannot be read.
pub(super) fn shape(what: &str) -> Fault {
    Fault::Shape(format!("an event cannot be read: {what}"))
}

impl EventXml {
    /// When it was raised, in UTC.
    pub(super) fn at(&self) -> Result<jiff::Timestamp, Fault> {
        self.timestamp.parse().map_err(|_| shape("its time"))
    }

    /// A value of the event's own; none where it is empty or there is none.
    pub(super) fn data(&self, name: &str) -> Option<String> {
        value(&self.data, name)
    }

    /// A value that was collected with it.
    pub(super) fn action(&self, name: &str) -> Option<String> {
        value(&self.action, name)
    }

    /// The words of the first value that has some: what a map's number means.
    pub(super) fn words(&self) -> Option<String> {
        let texts = self.data.iter().map(|item| &item.text);
        texts.into_iter().find(|text| !text.is_empty()).cloned()
    }
}

fn value(items: &[ItemXml], name: &str) -> Option<String> {
    let found = items.iter().find(|item| item.name == name);
    found
        .map(|item| item.value.clone())
        .filter(|value| !value.is_empty())
}
