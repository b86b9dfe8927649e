//! `SELECT` and what stands in its `FROM`.
//!
//! Start at [`Select`]; one arm of a `UNION` is a [`SelectCore`].

use super::{Condition, Expr, ObjectName, Operator};

/// A whole query: arms joined by `UNION`, then an order.
#[derive(Clone, Debug, PartialEq)]
pub struct Select {
    /// `WITH name AS (..)`, in order; later ones may use earlier ones.
    pub with: Vec<CommonTable>,
    /// The first arm.
    pub first: SelectCore,
    /// The other arms, applied from left to right.
    pub rest: Vec<(SetOperator, SelectCore)>,
    /// `ORDER BY` of the whole.
    pub order_by: Vec<OrderItem>,
    /// `OFFSET .. FETCH ..`.
    pub page: Option<Page>,
}

/// `OFFSET n ROWS [FETCH NEXT m ROWS ONLY]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// How many rows are passed over.
    pub offset: Expr,
    /// How many follow; all if it was not said.
    pub fetch: Option<Expr>,
}

/// A common table expression.
#[derive(Clone, Debug, PartialEq)]
pub struct CommonTable {
    /// Its name.
    pub name: String,
    /// Its column names, where they are given.
    pub columns: Vec<String>,
    /// Its query.
    pub select: Select,
}

/// How two arms are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetOperator {
    /// `UNION`: duplicates are removed.
    Union,
    /// `UNION ALL`.
    UnionAll,
    /// `EXCEPT`.
    Except,
    /// `INTERSECT`.
    Intersect,
}

/// One arm.
#[derive(Clone, Debug, PartialEq)]
pub struct SelectCore {
    /// `DISTINCT`.
    pub distinct: bool,
    /// `TOP (n)`.
    pub top: Option<Top>,
    /// The select list.
    pub items: Vec<SelectItem>,
    /// `INTO`.
    pub into: Option<ObjectName>,
    /// `FROM`: what commas separate; empty without `FROM`.
    pub from: Vec<FromItem>,
    /// `WHERE`.
    pub condition: Option<Condition>,
    /// `GROUP BY`.
    pub group_by: Vec<Expr>,
    /// `HAVING`.
    pub having: Option<Condition>,
}

/// `TOP (n) [PERCENT]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Top {
    /// The number.
    pub count: Expr,
    /// Whether it is a percentage of the rows.
    pub percent: bool,
}

/// One item of a select list.
#[derive(Clone, Debug, PartialEq)]
pub enum SelectItem {
    /// `*`
    All,
    /// `t.*`
    AllOf(ObjectName),
    /// An expression, perhaps with an alias.
    Expr {
        /// The expression.
        expr: Expr,
        /// Its alias.
        alias: Option<String>,
    },
    /// `@v = expr`, `@v += expr`.
    Assign {
        /// The variable, `@` included.
        variable: String,
        /// The operator before `=`.
        operator: Option<Operator>,
        /// The value.
        expr: Expr,
    },
}

/// One item of `ORDER BY`. A plain integer literal is a position in the select list.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderItem {
    /// The key.
    pub expr: Expr,
    /// `DESC`.
    pub descending: bool,
}

/// A source and what is joined to it, from left to right.
#[derive(Clone, Debug, PartialEq)]
pub struct FromItem {
    /// The first source.
    pub first: TableSource,
    /// The joins, in order.
    pub joins: Vec<Join>,
}

/// One join.
#[derive(Clone, Debug, PartialEq)]
pub struct Join {
    /// Which rows survive.
    pub kind: JoinKind,
    /// What is joined.
    pub source: TableSource,
    /// `ON`; none for `CROSS JOIN`.
    pub on: Option<Condition>,
}

/// Which rows survive a join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinKind {
    /// `[INNER] JOIN`
    Inner,
    /// `LEFT [OUTER] JOIN`
    Left,
    /// `RIGHT [OUTER] JOIN`
    Right,
    /// `FULL [OUTER] JOIN`
    Full,
    /// `CROSS JOIN`
    Cross,
    /// `CROSS APPLY`: the right side sees the columns of the left.
    CrossApply,
    /// `OUTER APPLY`
    OuterApply,
}

/// What rows come from.
#[derive(Clone, Debug, PartialEq)]
pub enum TableSource {
    /// A table or view. Hints are kept in capitals.
    Table {
        /// The table.
        name: ObjectName,
        /// Its alias.
        alias: Option<String>,
        /// `TABLOCKX`, `HOLDLOCK`, ...
        hints: Vec<String>,
    },
    /// A table-valued function.
    Function {
        /// The function.
        name: ObjectName,
        /// Its arguments.
        arguments: Vec<Expr>,
        /// Its alias.
        alias: Option<String>,
    },
    /// `(SELECT ..) AS t`
    Derived {
        /// The query.
        select: Box<Select>,
        /// The alias.
        alias: String,
        /// The column names, where they are given.
        columns: Vec<String>,
    },
    /// `(VALUES (..), (..)) AS t(a, b)`
    Values {
        /// The rows.
        rows: Vec<Vec<Expr>>,
        /// The alias.
        alias: String,
        /// The column names.
        columns: Vec<String>,
    },
    /// A join in brackets.
    Nested(Box<FromItem>),
}
