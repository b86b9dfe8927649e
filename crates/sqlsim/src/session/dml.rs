//! SELECT, UPDATE and DELETE.
//!
//! Start at [`Session::select`]. Which rows change, and into what, is computed by `query/`; here
//! rows are locked, looked at again, and written. INSERT has a file of its own.

use std::sync::Arc;

use super::Session;
use super::tables::{StoredTarget, Target};
use super::transaction::Position;
use crate::error::SqlResult;
use crate::lang::ast::{Delete, Expr, ObjectName, Output, Select, Statement, Update};
use crate::link;
use crate::query::{self, Change};
use crate::storage::{Database, RowId, TxId};
use crate::value::{Row, Rows, Typed, Value};

/// How often rows are looked at again because others changed them while their locks were waited
/// for.
const MAX_LOOKS: usize = 100;

impl Session {
    /// `SELECT`: rows for the client, values for variables, or a new table.
    pub(super) async fn select(&mut self, select: &Select) -> SqlResult<()> {
        self.lock_hinted(select).await?;
        if query::assigns(select) {
            let assigned = query::assign(&self.scope(), select)?;
            for (name, value) in &assigned.values {
                self.put_variable(name, value)?;
            }
            self.last.rows = assigned.rows;
            return Ok(());
        }
        let mut rows = query::select(&self.scope(), select)?;
        if let Ok(limit @ 1..) = usize::try_from(self.options.row_count) {
            rows.rows.truncate(limit);
        }
        if let Some(into) = &select.first.into {
            return self.select_into(into, rows).await;
        }
        let count = rows.rows.len() as u64;
        self.output.rows(rows).await;
        self.done(count).await;
        Ok(())
    }

    /// `WITH (TABLOCKX)` of tables in FROM: to the end of an open transaction nobody else writes them.
    /// Readers see committed rows and never wait here.
    async fn lock_hinted(&mut self, select: &Select) -> SqlResult<()> {
        if self.transaction_count() == 0 {
            return Ok(());
        }
        for name in query::locked_tables(select) {
            let Ok(Target::Stored(stored)) = self.target(&name, "SELECT") else {
                continue;
            };
            let (tx, storage) = self.join(&stored.database)?;
            let waiting = self.lock_patience();
            self.locked(storage.lock_table(tx, stored.table(), waiting).await)?;
        }
        Ok(())
    }

    /// `UPDATE`.
    pub(super) async fn update(&mut self, update: &Update, whole: &Statement) -> SqlResult<()> {
        let name = query::target_of_update(update);
        if self.is_remote(&name) {
            let rows = link::change(self, &name, whole).await?;
            self.done(rows).await;
            return Ok(());
        }
        let target = self.target(&name, "UPDATE")?;
        let before = self.begin_statement().await?;
        let updated = match &target {
            Target::Stored(stored) => self.update_stored(update, stored, &target).await,
            Target::Local { key, .. } => self.update_local(update, key, &target),
        };
        let touched = self.end_statement(before, updated).await?;
        self.tell(&target, update.output.as_ref(), touched).await
    }

    /// `DELETE`.
    pub(super) async fn delete(&mut self, delete: &Delete, whole: &Statement) -> SqlResult<()> {
        let name = query::target_of_delete(delete);
        if self.is_remote(&name) {
            let rows = link::change(self, &name, whole).await?;
            self.done(rows).await;
            return Ok(());
        }
        let target = self.target(&name, "DELETE")?;
        let before = self.begin_statement().await?;
        let deleted = match &target {
            Target::Stored(stored) => self.delete_stored(delete, stored).await,
            Target::Local { key, .. } => self.delete_local(delete, key),
        };
        let touched = self.end_statement(before, deleted).await?;
        self.tell(&target, delete.output.as_ref(), touched).await
    }

    /// Whether a name of four parts means another host; the host's own name means itself.
    pub(super) fn is_remote(&self, name: &ObjectName) -> bool {
        let own = self.instance.name();
        name.server
            .as_ref()
            .is_some_and(|server| !server.eq_ignore_ascii_case(&own))
    }

    async fn update_stored(
        &mut self,
        update: &Update,
        stored: &StoredTarget,
        target: &Target,
    ) -> SqlResult<Touched> {
        let (tx, storage) = self.join(&stored.database)?;
        let found = |session: &Self, rows: &Rows| query::update(&session.scope(), update, rows);
        let index = |change: &Change| change.index;
        let (rows, changes) = self.lock_found(stored, &storage, tx, found, index).await?;
        let mut touched = Touched::default();
        let mut new = Vec::new();
        for change in changes {
            let (id, old) = &rows[change.index];
            let row = self.with_defaults(target, change.row, &change.defaults)?;
            new.push((Some(*id), row.clone()));
            touched.deleted.push(old.clone());
            touched.inserted.push(row);
            for (name, value) in &change.variables {
                self.put_variable(name, value)?;
            }
        }
        self.check_rows(target, &touched.inserted, "UPDATE")?;
        if keys_change(stored, &touched) {
            self.check_keys(stored, &storage, tx, &new).await?;
        }
        for (id, row) in new {
            storage.update(tx, stored.table(), id.unwrap_or(RowId(0)), row)?;
        }
        Ok(touched)
    }

    async fn delete_stored(
        &mut self,
        delete: &Delete,
        stored: &StoredTarget,
    ) -> SqlResult<Touched> {
        let (tx, storage) = self.join(&stored.database)?;
        let found = |session: &Self, rows: &Rows| query::delete(&session.scope(), delete, rows);
        let (rows, places) = self
            .lock_found(stored, &storage, tx, found, |at| *at)
            .await?;
        let mut touched = Touched::default();
        for at in places {
            let (id, row) = &rows[at];
            storage.delete(tx, stored.table(), *id)?;
            touched.deleted.push(row.clone());
        }
        Ok(touched)
    }

    /// Finds rows, locks them, and looks again until none of them has changed meanwhile.
    async fn lock_found<T>(
        &self,
        stored: &StoredTarget,
        storage: &Arc<Database>,
        tx: TxId,
        find: impl Fn(&Self, &Rows) -> SqlResult<Vec<T>> + Send + Sync,
        index: impl Fn(&T) -> usize + Send + Sync,
    ) -> SqlResult<(Vec<(RowId, Row)>, Vec<T>)>
    where
        T: Send + Sync,
    {
        let table = stored.table();
        for _ in 0..MAX_LOOKS {
            let rows = storage.scan(Some(tx), table);
            let relation = Rows {
                columns: stored.shape.relation_columns(),
                rows: rows.iter().map(|(_, row)| row.clone()).collect(),
            };
            let found = find(self, &relation)?;
            let mut is_unchanged = true;
            for item in &found {
                let (id, row) = &rows[index(item)];
                let waiting = self.lock_patience();
                self.locked(storage.lock_row(tx, table, *id, waiting).await)?;
                is_unchanged &= storage.get(Some(tx), table, *id).as_ref() == Some(row);
            }
            if is_unchanged {
                return Ok((rows, found));
            }
        }
        Err(crate::messages::deadlock_victim(self.record.id, "lock"))
    }

    fn update_local(&mut self, update: &Update, key: &str, target: &Target) -> SqlResult<Touched> {
        let relation = self.local_table_mut(key)?.relation();
        let changes = query::update(&self.scope(), update, &relation)?;
        let mut touched = Touched::default();
        let mut rows = relation.rows;
        for change in changes {
            let row = self.with_defaults(target, change.row, &change.defaults)?;
            touched.inserted.push(row.clone());
            touched
                .deleted
                .push(std::mem::replace(&mut rows[change.index], row));
            for (name, value) in &change.variables {
                self.put_variable(name, value)?;
            }
        }
        self.check_rows(target, &touched.inserted, "UPDATE")?;
        Self::check_local_keys(target.shape(), key, &rows)?;
        self.local_table_mut(key)?.rows = rows;
        Ok(touched)
    }

    fn delete_local(&mut self, delete: &Delete, key: &str) -> SqlResult<Touched> {
        let relation = self.local_table_mut(key)?.relation();
        let places = query::delete(&self.scope(), delete, &relation)?;
        let mut touched = Touched::default();
        let mut kept = Vec::new();
        for (at, row) in relation.rows.into_iter().enumerate() {
            if places.contains(&at) {
                touched.deleted.push(row);
            } else {
                kept.push(row);
            }
        }
        self.local_table_mut(key)?.rows = kept;
        Ok(touched)
    }

    /// Fills the columns that were set to DEFAULT.
    fn with_defaults(&self, target: &Target, mut row: Row, defaults: &[usize]) -> SqlResult<Row> {
        for &at in defaults {
            row[at] = self.default_of(target, at)?;
        }
        Ok(row)
    }

    /// The default of a column, NULL where it has none.
    pub(super) fn default_of(&self, target: &Target, at: usize) -> SqlResult<Value> {
        let column = &target.shape().columns[at];
        match &column.default {
            Some(default) => super::assign::assign(&self.evaluate(default)?, column.ty),
            None => Ok(Value::Null),
        }
    }

    /// Tells what a statement touched: its OUTPUT, then its DONE.
    pub(super) async fn tell(
        &mut self,
        target: &Target,
        output: Option<&Output>,
        touched: Touched,
    ) -> SqlResult<()> {
        let count = touched.inserted.len().max(touched.deleted.len()) as u64;
        if let Some(output) = output {
            let columns = target.shape().relation_columns();
            let (inserted, deleted) = (&touched.inserted, &touched.deleted);
            let rows = query::output(&self.scope(), output, &columns, inserted, deleted)?;
            match &output.into {
                Some((into, names)) => self.insert_output(into, names, rows).await?,
                None => self.output.rows(rows).await,
            }
        }
        self.done(count).await;
        Ok(())
    }

    /// Begins a statement that writes: in a transaction of its own when none is open.
    pub(super) async fn begin_statement(&mut self) -> SqlResult<Position> {
        if self.options.implicit_transactions && self.transaction_count() == 0 {
            self.begin_transaction(None, None).await?;
        }
        Ok(self.open_transaction().position())
    }

    /// Ends a statement that wrote: a failed one leaves nothing behind, one outside a transaction
    /// commits.
    pub(super) async fn end_statement<T>(
        &mut self,
        before: Position,
        outcome: SqlResult<T>,
    ) -> SqlResult<T> {
        let is_alone = self.transaction.as_ref().is_some_and(|t| t.count == 0);
        match outcome {
            Ok(value) if is_alone => {
                self.finish_commit(false).await?;
                Ok(value)
            }
            Ok(value) => Ok(value),
            Err(error) => {
                if is_alone {
                    self.roll_back_all().await;
                } else if let Some(transaction) = &self.transaction {
                    transaction.return_to(&before)?;
                }
                Err(error)
            }
        }
    }

    /// Gives a variable of the innermost frame a value.
    pub(super) fn assign_variable(&mut self, name: &str, value: &Typed) -> SqlResult<()> {
        match self.frames.last_mut() {
            Some(frame) => frame.variables.set(name, value),
            None => Err(crate::messages::scalar_variable_not_declared(name)),
        }
    }

    /// Gives a variable a value that has its type already.
    pub(super) fn put_variable(&mut self, name: &str, value: &Value) -> SqlResult<()> {
        match self.frames.last_mut() {
            Some(frame) => frame.variables.put(name, value),
            None => Err(crate::messages::scalar_variable_not_declared(name)),
        }
    }

    /// The value of a variable or `@@` global.
    pub(super) fn scope_variable(&self, name: &str) -> SqlResult<Typed> {
        self.evaluate(&Expr::Variable(name.to_owned()))
    }

    /// Fetches the rows of other hosts that a statement names.
    pub(super) async fn fetch_remote(&mut self, statement: &Statement) -> SqlResult<()> {
        for name in query::relations_of(statement) {
            if name.server.is_none() || self.remote.contains_key(&name) {
                continue;
            }
            let rows = if self.is_remote(&name) {
                link::fetch(self, &name).await?
            } else {
                self.own_rows(&name)?
            };
            self.remote.insert(name, rows);
        }
        Ok(())
    }

    /// A four-part name with this host's own name.
    fn own_rows(&self, name: &ObjectName) -> SqlResult<Rows> {
        let local = ObjectName {
            server: None,
            ..name.clone()
        };
        let relation = query::Names::relation(&self.scope(), &local)?;
        match relation {
            query::Relation::Rows(rows) => Ok(rows),
            query::Relation::View(select) => query::select(&self.scope(), &select),
        }
    }
}

/// Rows that a statement touched; where both are there, they belong together.
#[derive(Debug, Default)]
pub(super) struct Touched {
    /// Rows as they are now.
    pub(super) inserted: Vec<Row>,
    /// Rows as they were.
    pub(super) deleted: Vec<Row>,
}

fn keys_change(stored: &StoredTarget, touched: &Touched) -> bool {
    let places: Vec<usize> = stored
        .shape
        .keys
        .iter()
        .flat_map(|k| k.columns.clone())
        .collect();
    let pairs = touched.inserted.iter().zip(&touched.deleted);
    pairs
        .into_iter()
        .any(|(new, old)| places.iter().any(|&at| new.get(at) != old.get(at)))
}
