//! INSERT, from values, queries and procedures, and SELECT INTO.
//!
//! Start at [`Session::insert`].

use super::Session;
use super::dml::Touched;
use super::execute::{Flow, Performed};
use super::tables::{StoredTarget, Target};
use crate::catalog::shape::TableShape;
use crate::error::SqlResult;
use crate::lang::ast::{Insert, InsertSource, ObjectName, Statement};
use crate::link;
use crate::messages;
use crate::query;
use crate::value::{Column, Row, Rows, Typed, Value};

/// A new row before its defaults are filled in: `None` asks for the default.
type Draft = Vec<Option<Value>>;

impl Session {
    /// `INSERT`.
    pub(super) async fn insert(&mut self, insert: &Insert, whole: &Statement) -> Performed {
        if self.is_remote(&insert.target) {
            let rows = link::change(self, &insert.target, whole).await?;
            self.done(rows).await;
            return Ok(Flow::Next);
        }
        let target = self.target(&insert.target, "INSERT")?;
        let places = self.places(&target, insert)?;
        let columns: Vec<Column> = places
            .iter()
            .map(|&at| target.shape().relation_columns()[at].clone())
            .collect();
        let drafts = match &insert.source {
            InsertSource::Execute(execute) => {
                self.output.capture()?;
                let ran = self.execute(execute).await;
                let captured = self.output.captured();
                ran?;
                drafts_of(captured, &columns)?
            }
            _ => query::insert(&self.scope(), insert, &columns)?,
        };
        let touched = self.insert_drafts(&target, &places, drafts).await?;
        self.tell(&target, insert.output.as_ref(), touched).await?;
        Ok(Flow::Next)
    }

    /// Rows of an OUTPUT clause on their way into a table.
    pub(super) async fn insert_output(
        &mut self,
        into: &ObjectName,
        names: &[String],
        rows: Rows,
    ) -> SqlResult<()> {
        let target = self.target(into, "INSERT")?;
        let places = places_of(target.shape(), names)?;
        let columns: Vec<Column> = places
            .iter()
            .map(|&at| target.shape().relation_columns()[at].clone())
            .collect();
        let drafts = drafts_of(rows.rows, &columns)?;
        self.insert_drafts(&target, &places, drafts).await.map(drop)
    }

    /// `SELECT INTO`.
    pub(super) async fn select_into(&mut self, into: &ObjectName, rows: Rows) -> SqlResult<()> {
        self.create_table_like(into, &rows.columns).await?;
        let target = self.target(into, "INSERT")?;
        let places: Vec<usize> = (0..rows.columns.len()).collect();
        let drafts = rows
            .rows
            .into_iter()
            .map(|r| r.into_iter().map(Some).collect())
            .collect();
        let touched = self.insert_drafts(&target, &places, drafts).await?;
        self.tell(&target, None, touched).await
    }

    async fn insert_drafts(
        &mut self,
        target: &Target,
        places: &[usize],
        drafts: Vec<Draft>,
    ) -> SqlResult<Touched> {
        let before = self.begin_statement().await?;
        let inserted = self.insert_rows(target, places, drafts).await;
        let inserted = self.end_statement(before, inserted).await?;
        Ok(Touched {
            inserted,
            deleted: Vec::new(),
        })
    }

    async fn insert_rows(
        &mut self,
        target: &Target,
        places: &[usize],
        drafts: Vec<Draft>,
    ) -> SqlResult<Vec<Row>> {
        let mut rows = Vec::with_capacity(drafts.len());
        for draft in drafts {
            rows.push(self.complete(target, places, draft)?);
        }
        self.check_rows(target, &rows, "INSERT")?;
        match target {
            Target::Stored(stored) => self.insert_stored(stored, rows.clone()).await?,
            Target::Local { key, shape } => {
                let mut all = self.local_table_mut(key)?.rows.clone();
                all.extend(rows.iter().cloned());
                Self::check_local_keys(shape, key, &all)?;
                self.local_table_mut(key)?.rows = all;
            }
        }
        Ok(rows)
    }

    async fn insert_stored(&mut self, stored: &StoredTarget, rows: Vec<Row>) -> SqlResult<()> {
        let (tx, storage) = self.join(&stored.database)?;
        // A key of nobody else's: it waits only for one who has the whole table.
        let own = format!("insert by {}", tx.0).into_bytes();
        let waiting = self.lock_patience();
        self.locked(storage.lock_key(tx, stored.table(), &own, waiting).await)?;
        if !stored.shape.keys.is_empty() {
            let new: Vec<_> = rows.iter().map(|row| (None, row.clone())).collect();
            self.check_keys(stored, &storage, tx, &new).await?;
        }
        for row in rows {
            storage.insert(tx, stored.table(), row)?;
        }
        Ok(())
    }

    /// A whole row from a draft: defaults, and the next value of the identity column.
    fn complete(&mut self, target: &Target, places: &[usize], draft: Draft) -> SqlResult<Row> {
        let shape = std::sync::Arc::clone(target.shape());
        let mut given: Vec<Option<Value>> = vec![None; shape.columns.len()];
        for (&at, value) in places.iter().zip(draft) {
            given[at] = value;
        }
        let mut row = Vec::with_capacity(given.len());
        for (at, value) in given.into_iter().enumerate() {
            row.push(match value {
                Some(value) => {
                    self.note_identity(target, at, &value)?;
                    value
                }
                None if shape.columns[at].identity.is_some() => self.next_identity(target)?,
                None => self.default_of(target, at)?,
            });
        }
        Ok(row)
    }

    fn next_identity(&mut self, target: &Target) -> SqlResult<Value> {
        let Some((_, seed, step)) = target.shape().identity() else {
            return Ok(Value::Null);
        };
        let next = match target {
            Target::Stored(stored) => {
                let (_, storage) = self.join(&stored.database)?;
                storage.advance(stored.table(), seed, step)?
            }
            Target::Local { key, .. } => {
                let table = self.local_table_mut(key)?;
                let next = table
                    .identity
                    .map_or(seed, |last| last.saturating_add(step));
                table.identity = Some(next);
                next
            }
        };
        self.last.identity = Some(next);
        Ok(Value::Int(next))
    }

    /// A value that was given for an identity column moves its counter on.
    fn note_identity(&mut self, target: &Target, at: usize, value: &Value) -> SqlResult<()> {
        let (Some((identity, _, step)), Value::Int(value)) = (target.shape().identity(), value)
        else {
            return Ok(());
        };
        if identity != at {
            return Ok(());
        }
        self.last.identity = Some(*value);
        let is_ahead = |last: Option<i64>| match last {
            Some(last) if step >= 0 => *value > last,
            Some(last) => *value < last,
            None => true,
        };
        match target {
            Target::Stored(stored) => {
                let (_, storage) = self.join(&stored.database)?;
                if is_ahead(storage.counter(stored.table())) {
                    storage.set_counter(stored.table(), *value)?;
                }
            }
            Target::Local { key, .. } => {
                let table = self.local_table_mut(key)?;
                if is_ahead(table.identity) {
                    table.identity = Some(*value);
                }
            }
        }
        Ok(())
    }

    /// The columns that an INSERT fills, in the order of its list.
    fn places(&self, target: &Target, insert: &Insert) -> SqlResult<Vec<usize>> {
        let shape = target.shape();
        let is_explicit = self.inserts_identity(target);
        if insert.columns.is_empty() {
            let all = shape.columns.iter().enumerate();
            return Ok(all
                .filter(|(_, c)| c.identity.is_none())
                .map(|(at, _)| at)
                .collect());
        }
        let places = places_of(shape, &insert.columns)?;
        if let Some((identity, ..)) = shape.identity() {
            let names_it = places.contains(&identity);
            if names_it && !is_explicit {
                return Err(messages::identity_insert_off(&table_name(target)));
            }
        }
        Ok(places)
    }

    fn inserts_identity(&self, target: &Target) -> bool {
        self.options.identity_insert.as_deref() == Some(target.name().to_lowercase().as_str())
    }
}

fn table_name(target: &Target) -> String {
    match target {
        Target::Stored(stored) => stored.object.object.name.clone(),
        Target::Local { key, .. } => key.clone(),
    }
}

/// Positions of columns by name, or of all when none is named.
fn places_of(shape: &TableShape, names: &[String]) -> SqlResult<Vec<usize>> {
    if names.is_empty() {
        return Ok((0..shape.columns.len()).collect());
    }
    let place = |name: &String| {
        shape
            .position(name)
            .ok_or_else(|| messages::invalid_column(name))
    };
    names.iter().map(place).collect()
}

/// Rows that a procedure returned, converted to the columns that they fill; 213 when their number
/// differs.
fn drafts_of(rows: Vec<Row>, columns: &[Column]) -> SqlResult<Vec<Draft>> {
    let draft = |row: Row| {
        if row.len() != columns.len() {
            return Err(messages::values_do_not_match());
        }
        let cell = |(value, column): (Value, &Column)| {
            let typed = Typed {
                ty: value.natural_type(),
                value,
            };
            super::assign::assign(&typed, column.ty).map(Some)
        };
        row.into_iter().zip(columns).map(cell).collect()
    };
    rows.into_iter().map(draft).collect()
}
