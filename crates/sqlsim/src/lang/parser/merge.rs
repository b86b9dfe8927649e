//! `MERGE`, in its simple form: at most one clause for rows that match, for rows of the source alone,
//! and for rows of the target alone; no `OUTPUT`.
//!
//! Start at [`Parser::merge`]. It becomes the statements that do the same one after the other: first
//! what concerns the target alone, then matches, then new rows.

use super::Parser;
use crate::error::{SqlError, SqlResult};
use crate::lang::ast::{
    Condition, Delete, Expr, FromItem, Insert, InsertSource, Join, JoinKind, ObjectName, Select,
    SelectCore, SelectItem, Span, Statement, StatementKind, TableSource, Update,
};

/// What stands before the clauses.
struct Merged {
    target: ObjectName,
    alias: Option<String>,
    source: TableSource,
    on: Condition,
}

impl Parser<'_> {
    pub(super) fn merge(&mut self) -> SqlResult<StatementKind> {
        let line = self.line();
        self.advance();
        self.take_word("INTO");
        let target = self.object_name()?;
        self.hints()?;
        let alias = if self.is_word("USING") {
            None
        } else {
            self.alias()?
        };
        self.expect_word("USING")?;
        let source = self.table_source()?;
        self.expect_word("ON")?;
        let on = self.condition()?;
        let merged = Merged {
            target,
            alias,
            source,
            on,
        };
        // The order in which the clauses take effect.
        let mut clauses: [Option<StatementKind>; 3] = [None, None, None];
        while self.take_word("WHEN") {
            let (place, statement) = self.merge_clause(&merged)?;
            if clauses[place].is_some() {
                return Err(self.unexpected());
            }
            clauses[place] = Some(statement);
        }
        if !self.is_symbol(";") {
            return Err(merge_needs_semicolon().at_line(line));
        }
        let span = Span { start: 0, end: 0 };
        let statement = |kind| Statement { line, span, kind };
        let statements = clauses.into_iter().flatten().map(statement).collect();
        Ok(StatementKind::Merge(statements))
    }

    fn merge_clause(&mut self, merged: &Merged) -> SqlResult<(usize, StatementKind)> {
        let negated = self.take_word("NOT");
        self.expect_word("MATCHED")?;
        let by_source = negated && self.take_words(&["BY", "SOURCE"]);
        if negated && !by_source {
            self.take_words(&["BY", "TARGET"]);
        }
        let also = if self.take_word("AND") {
            Some(self.condition()?)
        } else {
            None
        };
        self.expect_word("THEN")?;
        match (negated, by_source) {
            (true, true) => Ok((0, self.merge_change(merged, also, true)?)),
            (false, _) => Ok((1, self.merge_change(merged, also, false)?)),
            (true, false) => Ok((2, self.merge_insert(merged, also)?)),
        }
    }

    /// `UPDATE SET ..` or `DELETE`, of rows that match or of rows that do not.
    fn merge_change(
        &mut self,
        merged: &Merged,
        also: Option<Condition>,
        alone: bool,
    ) -> SqlResult<StatementKind> {
        let (from, condition) = if alone {
            let missing = Condition::Not(Box::new(merged.exists(merged.source.clone())));
            (merged.target_alone(), Some(both(missing, also)))
        } else {
            (merged.joined(), also)
        };
        let target = merged.target_name();
        if self.take_word("DELETE") {
            return Ok(StatementKind::Delete(Box::new(Delete {
                top: None,
                target,
                output: None,
                from: vec![from],
                condition,
            })));
        }
        self.expect_words(&["UPDATE", "SET"])?;
        let assignments = self.comma_list(Self::assignment)?;
        Ok(StatementKind::Update(Box::new(Update {
            top: None,
            target,
            assignments,
            output: None,
            from: vec![from],
            condition,
        })))
    }

    fn merge_insert(
        &mut self,
        merged: &Merged,
        also: Option<Condition>,
    ) -> SqlResult<StatementKind> {
        self.expect_word("INSERT")?;
        let columns = self.optional_names()?;
        self.expect_word("VALUES")?;
        let values = self.bracketed_list(Self::expr)?;
        let missing = Condition::Not(Box::new(merged.exists(merged.target_source())));
        let item = |expr: Expr| SelectItem::Expr { expr, alias: None };
        let select = select(
            values.into_iter().map(item).collect(),
            merged.source.clone(),
            Some(both(missing, also)),
        );
        Ok(StatementKind::Insert(Box::new(Insert {
            target: merged.target.clone(),
            columns,
            output: None,
            source: InsertSource::Select(Box::new(select)),
        })))
    }
}

impl Merged {
    fn target_source(&self) -> TableSource {
        TableSource::Table {
            name: self.target.clone(),
            alias: self.alias.clone(),
            hints: Vec::new(),
        }
    }

    /// How `UPDATE` and `DELETE` name the target.
    fn target_name(&self) -> ObjectName {
        let alias = self.alias.as_ref();
        alias.map_or_else(|| self.target.clone(), ObjectName::bare)
    }

    fn target_alone(&self) -> FromItem {
        FromItem {
            first: self.target_source(),
            joins: Vec::new(),
        }
    }

    fn joined(&self) -> FromItem {
        let join = Join {
            kind: JoinKind::Inner,
            source: self.source.clone(),
            on: Some(self.on.clone()),
        };
        FromItem {
            joins: vec![join],
            ..self.target_alone()
        }
    }

    /// Whether the other side has a row that matches.
    fn exists(&self, other: TableSource) -> Condition {
        let one = Expr::Literal(crate::value::Typed::int(1_i64));
        let item = SelectItem::Expr {
            expr: one,
            alias: None,
        };
        let select = select(vec![item], other, Some(self.on.clone()));
        Condition::Exists(Box::new(select))
    }
}

fn select(items: Vec<SelectItem>, source: TableSource, condition: Option<Condition>) -> Select {
    let from = FromItem {
        first: source,
        joins: Vec::new(),
    };
    Select {
        with: Vec::new(),
        first: SelectCore {
            distinct: false,
            top: None,
            items,
            into: None,
            from: vec![from],
            condition,
            group_by: Vec::new(),
            having: None,
        },
        rest: Vec::new(),
        order_by: Vec::new(),
        page: None,
    }
}

fn both(first: Condition, second: Option<Condition>) -> Condition {
    match second {
        Some(second) => Condition::All(vec![first, second]),
        None => first,
    }
}

/// 10713: `MERGE` ends with a semicolon.
fn merge_needs_semicolon() -> SqlError {
    let text = "A MERGE statement must be terminated by a semi-colon (;).";
    SqlError::new(10713, 15, text)
}
