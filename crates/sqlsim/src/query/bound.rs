//! Expressions and conditions with every name resolved and every type known.
//!
//! Start at [`Bound`]. `bind` makes them, `eval` computes them. They own all that they need, so
//! that one binding serves any number of rows.

use crate::lang::ast::{Comparison, ObjectName, Operator, UnaryOperator};
use crate::value::{SqlType, Value};

use super::functions::Builtin;
use super::plan::SubPlan;

/// An expression with its type.
pub(super) struct Bound {
    pub(super) ty: SqlType,
    pub(super) node: Node,
}

pub(super) enum Node {
    Constant(Value),
    Variable(String),
    Column {
        depth: usize,
        index: usize,
    },
    Aggregate(usize),
    Window(usize),
    Unary(UnaryOperator, Box<Bound>),
    Chain(Box<Bound>, Vec<Step>),
    Case {
        branches: Vec<(BoundCondition, Bound)>,
        otherwise: Option<Box<Bound>>,
    },
    SimpleCase {
        subject: Box<Bound>,
        branches: Vec<(Bound, Bound)>,
        otherwise: Option<Box<Bound>>,
    },
    Coalesce(Vec<Bound>),
    Cast {
        value: Box<Bound>,
        style: Option<Box<Bound>>,
        lenient: bool,
    },
    Builtin(&'static Builtin, Vec<Bound>),
    Function(ObjectName, Vec<Bound>),
    Subquery(Box<SubPlan>),
}

/// One operator of a chain, its right operand, and the type after it.
pub(super) struct Step {
    pub(super) operator: Operator,
    pub(super) operand: Bound,
    pub(super) ty: SqlType,
}

pub(super) enum BoundCondition {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Compare(Comparison, Bound, Bound),
    IsNull(Bound),
    Between {
        operand: Bound,
        low: Bound,
        high: Bound,
    },
    Like {
        operand: Bound,
        pattern: Bound,
        escape: Option<Bound>,
    },
    In(Bound, Vec<Bound>),
    InSelect(Bound, Box<SubPlan>),
    Exists(Box<SubPlan>),
}

/// The row under evaluation, with what was computed for it, and the rows of the enclosing queries.
#[derive(Clone, Copy, Default)]
pub(super) struct Frame<'a> {
    pub(super) row: &'a [Value],
    pub(super) aggregates: &'a [Value],
    pub(super) windows: &'a [Value],
    pub(super) parent: Option<&'a Self>,
}

impl Bound {
    /// Whether it is the literal NULL, whose type gives way to any other.
    pub(super) const fn is_null_literal(&self) -> bool {
        matches!(self.node, Node::Constant(Value::Null))
    }

    /// The place of a column of the innermost row, where it is just that.
    pub(super) const fn own_column(&self) -> Option<usize> {
        match self.node {
            Node::Column { depth: 0, index } => Some(index),
            _ => None,
        }
    }
}
