//! Expressions and conditions.
//!
//! Start at [`Expr`] (a value) and [`Condition`] (true, false or unknown); T-SQL keeps the two
//! apart and so does the tree. Chains of operators are flat lists, never deep trees, so that a long
//! text cannot exhaust the stack of whoever walks it.

use super::{ObjectName, OrderItem, Select};
use crate::value::{SqlType, Typed};

/// An expression that yields a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// A literal with its type; NULL is an `int`.
    Literal(Typed),
    /// `@variable` or `@@GLOBAL`, marks included, as written.
    Variable(String),
    /// A column, perhaps qualified.
    Column {
        /// The table, alias or `INSERTED`/`DELETED`.
        qualifier: Option<ObjectName>,
        /// The column.
        name: String,
    },
    /// `-x`, `+x`, `~x`.
    Unary {
        /// The operator.
        operator: UnaryOperator,
        /// The operand.
        operand: Box<Self>,
    },
    /// A chain of operators of one precedence, applied from left to right.
    Chain {
        /// The first operand.
        first: Box<Self>,
        /// What is applied to it, in order.
        rest: Vec<(Operator, Self)>,
    },
    /// `CASE x WHEN v THEN r`.
    SimpleCase {
        /// What is compared.
        subject: Box<Self>,
        /// Values and results.
        branches: Vec<(Self, Self)>,
        /// `ELSE`.
        otherwise: Option<Box<Self>>,
    },
    /// `CASE WHEN c THEN r`.
    Case {
        /// Conditions and results.
        branches: Vec<(Condition, Self)>,
        /// `ELSE`.
        otherwise: Option<Box<Self>>,
    },
    /// `CAST`, `CONVERT`, `TRY_CAST`, `TRY_CONVERT`.
    Cast {
        /// What is converted.
        value: Box<Self>,
        /// The type it becomes.
        ty: SqlType,
        /// The style of `CONVERT`.
        style: Option<Box<Self>>,
        /// Whether failure is NULL (`TRY_`).
        lenient: bool,
    },
    /// `IIF`.
    Iif {
        /// The condition.
        condition: Box<Condition>,
        /// The value where it is true.
        then: Box<Self>,
        /// The value where it is not.
        otherwise: Box<Self>,
    },
    /// Any other function call; `DATEADD(day, ..)` has its part as a text literal.
    Function {
        /// The function.
        name: ObjectName,
        /// Its arguments.
        arguments: Vec<Self>,
    },
    /// `COUNT`, `COUNT_BIG`, `SUM`, `MIN`, `MAX`, `AVG`, `STRING_AGG`.
    Aggregate(Box<Aggregate>),
    /// `ROW_NUMBER() OVER ([PARTITION BY ..] ORDER BY ..)`.
    RowNumber {
        /// The expressions that begin a new count.
        partition_by: Vec<Self>,
        /// The order of counting.
        order_by: Vec<OrderItem>,
    },
    /// A subquery that yields one value.
    Subquery(Box<Select>),
}

/// An aggregate call.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// Which one.
    pub kind: AggregateKind,
    /// Whether `DISTINCT` was said.
    pub distinct: bool,
    /// The argument; `None` is `COUNT(*)`.
    pub argument: Option<Expr>,
    /// The separator of `STRING_AGG`.
    pub separator: Option<Expr>,
    /// `WITHIN GROUP (ORDER BY ..)` of `STRING_AGG`.
    pub order_by: Vec<OrderItem>,
}

/// The aggregates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "every variant is the T-SQL function of the same name"
)]
pub enum AggregateKind {
    Count,
    CountBig,
    Sum,
    Min,
    Max,
    Avg,
    StringAgg,
}

/// Operators with one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOperator {
    /// `-`
    Minus,
    /// `+`
    Plus,
    /// `~`
    BitNot,
}

/// Operators between two values. `Add` also joins text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Modulo,
    /// `&`
    BitAnd,
    /// `|`
    BitOr,
    /// `^`
    BitXor,
}

/// Comparisons between two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `<>`, `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`, `!>`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`, `!<`
    GreaterOrEqual,
}

/// A condition: true, false or unknown.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// `AND` of all.
    All(Vec<Self>),
    /// `OR` of all.
    Any(Vec<Self>),
    /// `NOT`.
    Not(Box<Self>),
    /// A comparison.
    Compare {
        /// The comparison.
        comparison: Comparison,
        /// The left side.
        left: Expr,
        /// The right side.
        right: Expr,
    },
    /// `IS [NOT] NULL`.
    IsNull {
        /// The operand.
        operand: Expr,
        /// Whether `NOT` was said.
        negated: bool,
    },
    /// `[NOT] BETWEEN`.
    Between {
        /// The operand.
        operand: Expr,
        /// The lower bound, included.
        low: Expr,
        /// The upper bound, included.
        high: Expr,
        /// Whether `NOT` was said.
        negated: bool,
    },
    /// `[NOT] LIKE`.
    Like {
        /// The operand.
        operand: Expr,
        /// The pattern.
        pattern: Expr,
        /// The escape character.
        escape: Option<Expr>,
        /// Whether `NOT` was said.
        negated: bool,
    },
    /// `[NOT] IN (values)`.
    In {
        /// The operand.
        operand: Expr,
        /// The values.
        values: Vec<Expr>,
        /// Whether `NOT` was said.
        negated: bool,
    },
    /// `[NOT] IN (SELECT ..)`.
    InSelect {
        /// The operand.
        operand: Expr,
        /// The subquery, of one column.
        select: Box<Select>,
        /// Whether `NOT` was said.
        negated: bool,
    },
    /// `EXISTS (SELECT ..)`.
    Exists(Box<Select>),
}
