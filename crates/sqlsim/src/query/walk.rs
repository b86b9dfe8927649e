//! Walking over syntax: which tables a statement names, and whether an expression aggregates.
//!
//! Start at [`relations_of`].

use crate::lang::ast::{
    Condition, Delete, Expr, FromItem, Insert, InsertSource, ObjectName, OrderItem, Select,
    SelectCore, SelectItem, SetVariable, Statement, StatementKind, TableSource, Update,
};

/// Every table that a statement names, in the order of its text, common tables excepted, so that
/// remote ones can be fetched before it is evaluated. The statements inside a block or a branch are
/// not entered: they are asked when they run.
#[must_use]
pub fn relations_of(statement: &Statement) -> Vec<ObjectName> {
    let mut walk = Walk::default();
    match &statement.kind {
        StatementKind::Select(select) | StatementKind::DeclareCursor { select, .. } => {
            walk.select(select);
        }
        StatementKind::Insert(insert) => walk.insert(insert),
        StatementKind::Update(update) => walk.update(update),
        StatementKind::Delete(delete) => walk.delete(delete),
        StatementKind::If { condition, .. } | StatementKind::While { condition, .. } => {
            walk.condition(condition);
        }
        StatementKind::SetVariable(SetVariable { value, .. })
        | StatementKind::Print(value)
        | StatementKind::Return(Some(value)) => walk.expr(value),
        StatementKind::Declare(declarations) => {
            for declaration in declarations {
                if let crate::lang::ast::DeclarationKind::Scalar {
                    initial: Some(initial),
                    ..
                } = &declaration.kind
                {
                    walk.expr(initial);
                }
            }
        }
        _ => {}
    }
    walk.found
}

/// Whether an aggregate stands in an expression, subqueries not entered.
pub(super) fn contains_aggregate(expr: &Expr) -> bool {
    let mut walk = Walk {
        own_level_only: true,
        ..Walk::default()
    };
    walk.expr(expr);
    walk.aggregate
}

/// Tables in FROM whose hint takes them whole.
#[must_use]
pub fn locked_tables(select: &Select) -> Vec<ObjectName> {
    fn of_item(item: &FromItem, found: &mut Vec<ObjectName>) {
        let joined = item.joins.iter().map(|join| &join.source);
        for source in std::iter::once(&item.first).chain(joined) {
            match source {
                TableSource::Table { name, hints, .. } => {
                    let has = |hint: &str| hints.iter().any(|known| known == hint);
                    if has("TABLOCKX") || has("TABLOCK") && has("XLOCK") {
                        found.push(name.clone());
                    }
                }
                TableSource::Nested(inner) => of_item(inner, found),
                _ => {}
            }
        }
    }
    let mut found = Vec::new();
    let arms = std::iter::once(&select.first).chain(select.rest.iter().map(|(_, arm)| arm));
    for item in arms.flat_map(|arm| &arm.from) {
        of_item(item, &mut found);
    }
    found
}

#[derive(Default)]
struct Walk {
    found: Vec<ObjectName>,
    commons: Vec<String>,
    aggregate: bool,
    own_level_only: bool,
}

impl Walk {
    fn select(&mut self, select: &Select) {
        if self.own_level_only {
            return;
        }
        let outer = self.commons.len();
        for table in &select.with {
            self.select(&table.select);
            self.commons.push(table.name.clone());
        }
        self.core(&select.first);
        select.rest.iter().for_each(|(_, core)| self.core(core));
        self.order(&select.order_by);
        self.commons.truncate(outer);
    }

    fn core(&mut self, core: &SelectCore) {
        self.items(&core.items);
        core.from.iter().for_each(|item| self.from(item));
        self.optional(core.condition.as_ref());
        self.exprs(&core.group_by);
        self.optional(core.having.as_ref());
    }

    fn items(&mut self, items: &[SelectItem]) {
        for item in items {
            if let SelectItem::Expr { expr, .. } | SelectItem::Assign { expr, .. } = item {
                self.expr(expr);
            }
        }
    }

    fn order(&mut self, items: &[OrderItem]) {
        for item in items {
            self.expr(&item.expr);
        }
    }

    fn from(&mut self, item: &FromItem) {
        self.source(&item.first);
        for join in &item.joins {
            self.source(&join.source);
            self.optional(join.on.as_ref());
        }
    }

    fn source(&mut self, source: &TableSource) {
        match source {
            TableSource::Table { name, .. } => self.table(name),
            TableSource::Function { arguments, .. } => self.exprs(arguments),
            TableSource::Derived { select, .. } => self.select(select),
            TableSource::Values { rows, .. } => rows.iter().for_each(|row| self.exprs(row)),
            TableSource::Nested(inner) => self.from(inner),
        }
    }

    fn table(&mut self, name: &ObjectName) {
        let common = name.schema.is_none()
            && self
                .commons
                .iter()
                .any(|common| common.eq_ignore_ascii_case(&name.name));
        if !common && !self.found.contains(name) {
            self.found.push(name.clone());
        }
    }

    fn insert(&mut self, insert: &Insert) {
        self.table(&insert.target);
        match &insert.source {
            InsertSource::Values(rows) => {
                rows.iter()
                    .flatten()
                    .flatten()
                    .for_each(|expr| self.expr(expr));
            }
            InsertSource::Select(select) => self.select(select),
            InsertSource::Execute(_) | InsertSource::DefaultValues => {}
        }
    }

    fn update(&mut self, update: &Update) {
        let target = super::target_of_update(update);
        self.table(&target);
        update.from.iter().for_each(|item| self.from(item));
        for assignment in &update.assignments {
            if let Some(value) = &assignment.value {
                self.expr(value);
            }
        }
        self.optional(update.condition.as_ref());
    }

    fn delete(&mut self, delete: &Delete) {
        let target = super::target_of_delete(delete);
        self.table(&target);
        delete.from.iter().for_each(|item| self.from(item));
        self.optional(delete.condition.as_ref());
    }

    fn optional(&mut self, condition: Option<&Condition>) {
        if let Some(condition) = condition {
            self.condition(condition);
        }
    }

    fn maybe(&mut self, expr: Option<&Expr>) {
        if let Some(expr) = expr {
            self.expr(expr);
        }
    }

    fn exprs(&mut self, exprs: &[Expr]) {
        for expr in exprs {
            self.expr(expr);
        }
    }

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Literal(_) | Expr::Variable(_) | Expr::Column { .. } => {}
            Expr::Unary { operand, .. } => self.expr(operand),
            Expr::Chain { first, rest } => {
                self.expr(first);
                for (_, expr) in rest {
                    self.expr(expr);
                }
            }
            Expr::SimpleCase {
                subject,
                branches,
                otherwise,
            } => {
                self.expr(subject);
                for (when, then) in branches {
                    self.expr(when);
                    self.expr(then);
                }
                self.maybe(otherwise.as_deref());
            }
            Expr::Case {
                branches,
                otherwise,
            } => {
                for (when, then) in branches {
                    self.condition(when);
                    self.expr(then);
                }
                self.maybe(otherwise.as_deref());
            }
            Expr::Cast { value, style, .. } => {
                self.expr(value);
                self.maybe(style.as_deref());
            }
            Expr::Iif {
                condition,
                then,
                otherwise,
            } => {
                self.condition(condition);
                self.expr(then);
                self.expr(otherwise);
            }
            Expr::Function { arguments, .. } => self.exprs(arguments),
            Expr::Aggregate(aggregate) => {
                self.aggregate = true;
                aggregate.argument.iter().for_each(|expr| self.expr(expr));
            }
            Expr::RowNumber {
                partition_by,
                order_by,
            } => {
                self.exprs(partition_by);
                self.order(order_by);
            }
            Expr::Subquery(select) => self.select(select),
        }
    }

    fn condition(&mut self, condition: &Condition) {
        match condition {
            Condition::All(all) | Condition::Any(all) => {
                for condition in all {
                    self.condition(condition);
                }
            }
            Condition::Not(inner) => self.condition(inner),
            Condition::Compare { left, right, .. } => {
                self.expr(left);
                self.expr(right);
            }
            Condition::IsNull { operand, .. } => self.expr(operand),
            Condition::Between {
                operand, low, high, ..
            } => {
                for expr in [operand, low, high] {
                    self.expr(expr);
                }
            }
            Condition::Like {
                operand,
                pattern,
                escape,
                ..
            } => {
                self.expr(operand);
                self.expr(pattern);
                self.maybe(escape.as_ref());
            }
            Condition::In {
                operand, values, ..
            } => {
                self.expr(operand);
                self.exprs(values);
            }
            Condition::InSelect {
                operand, select, ..
            } => {
                self.expr(operand);
                self.select(select);
            }
            Condition::Exists(select) => self.select(select),
        }
    }
}
