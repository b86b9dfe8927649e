//! Cursors: a query's rows, one at a time.
//!
//! Start at [`Session::cursor`]. A cursor takes all its rows when it is opened (STATIC); that is
//! what `LOCAL FAST_FORWARD` cursors over unchanging rows see in SQL Server.

use std::sync::Arc;

use super::Session;
use super::frame::Cursor;
use crate::error::SqlResult;
use crate::lang::ast::StatementKind;
use crate::messages;
use crate::query;
use crate::value::{Rows, Typed};

impl Session {
    /// DECLARE CURSOR, OPEN, FETCH, CLOSE and DEALLOCATE.
    pub(super) async fn cursor(&mut self, kind: &StatementKind) -> SqlResult<()> {
        match kind {
            StatementKind::DeclareCursor { name, select } => {
                let cursor = Cursor {
                    select: Some(Arc::new((**select).clone())),
                    ..Cursor::default()
                };
                self.declare_cursor(name, cursor)
            }
            StatementKind::OpenCursor(name) => self.open_cursor(name),
            StatementKind::Fetch { cursor, into } => self.fetch(cursor, into).await,
            StatementKind::CloseCursor(name) => self.close_cursor(name),
            StatementKind::DeallocateCursor(name) => self.deallocate_cursor(name),
            _ => Ok(()),
        }
    }

    fn declare_cursor(&mut self, name: &str, cursor: Cursor) -> SqlResult<()> {
        let Some(frame) = self.frames.last_mut() else {
            return Ok(());
        };
        let key = name.to_lowercase();
        let is_taken = frame
            .cursors
            .get(&key)
            .is_some_and(|known| known.select.is_some());
        if is_taken && !name.starts_with('@') {
            return Err(messages::cursor_exists(name));
        }
        frame.cursors.insert(key, cursor);
        Ok(())
    }

    /// A cursor of the innermost frame that has one of this name.
    fn find_cursor(&mut self, name: &str) -> SqlResult<&mut Cursor> {
        let key = name.to_lowercase();
        let mut frames = self.frames.iter_mut().rev();
        let found = frames.find_map(|frame| frame.cursors.get_mut(&key));
        found.ok_or_else(|| messages::cursor_not_found(name))
    }

    fn open_cursor(&mut self, name: &str) -> SqlResult<()> {
        let cursor = self.find_cursor(name)?;
        if cursor.open.is_some() {
            return Err(messages::cursor_already_open());
        }
        let select = cursor
            .select
            .clone()
            .ok_or_else(|| messages::cursor_not_found(name))?;
        let Rows { columns, rows } = query::select(&self.scope(), &select)?;
        let cursor = self.find_cursor(name)?;
        cursor.columns = columns;
        cursor.open = Some((rows, 0));
        Ok(())
    }

    async fn fetch(&mut self, name: &str, into: &[String]) -> SqlResult<()> {
        let cursor = self.find_cursor(name)?;
        let columns = cursor.columns.clone();
        let Some((rows, next)) = &mut cursor.open else {
            return Err(messages::cursor_not_open());
        };
        let row = rows.get(*next).cloned();
        *next += 1;
        self.last.fetch_status = if row.is_some() { 0 } else { -1 };
        if into.is_empty() {
            let rows = row.into_iter().collect::<Vec<_>>();
            let count = rows.len() as u64;
            self.output.rows(Rows { columns, rows }).await;
            self.done(count).await;
            return Ok(());
        }
        if into.len() != columns.len() {
            return Err(messages::cursor_into_mismatch());
        }
        let values = row.unwrap_or_default().into_iter().zip(&columns);
        for (name, (value, column)) in into.iter().zip(values) {
            self.assign_variable(
                name,
                &Typed {
                    ty: column.ty,
                    value,
                },
            )?;
        }
        Ok(())
    }

    fn close_cursor(&mut self, name: &str) -> SqlResult<()> {
        let cursor = self.find_cursor(name)?;
        cursor
            .open
            .take()
            .map(drop)
            .ok_or_else(messages::cursor_not_open)
    }

    fn deallocate_cursor(&mut self, name: &str) -> SqlResult<()> {
        self.find_cursor(name)?;
        let key = name.to_lowercase();
        let frame = self
            .frames
            .iter_mut()
            .rev()
            .find(|frame| frame.cursors.contains_key(&key));
        if let Some(frame) = frame {
            frame.cursors.remove(&key);
        }
        Ok(())
    }
}
