//! From syntax to bound expressions: names resolved, types derived.
//!
//! Start at [`Binder::expr`]. The binder knows where it stands: whether aggregates may occur, and
//! which columns a grouped query may still name.

use std::cell::RefCell;

use super::aggregate::BoundAggregate;
use super::bound::{Bound, BoundCondition, Node, Step};
use super::functions;
use super::names::Names;
use super::plan::{Commons, SubPlan};
use super::scope::Scope;
use super::typing;
use crate::error::SqlResult;
use crate::lang::ast::{
    Aggregate, Condition, Expr, ObjectName, Operator, OrderItem, Select, UnaryOperator,
};
use crate::messages;
use crate::value::{SqlType, Typed, Value};

/// Where an expression stands.
#[derive(Clone, Copy)]
pub(super) struct Binder<'a> {
    pub(super) names: &'a dyn Names,
    pub(super) scope: &'a Scope<'a>,
    pub(super) commons: &'a Commons<'a>,
    /// What may be collected here: aggregates and windows; neither in `WHERE` and `ON`.
    pub(super) collected: Option<&'a RefCell<Collected>>,
    /// The keys of `GROUP BY`, where only they and aggregates may be named.
    pub(super) grouping: Option<&'a Grouping>,
}

/// The keys of `GROUP BY`.
pub(super) struct Grouping {
    /// As they were written.
    pub(super) exprs: Vec<Expr>,
    /// The places of those that are plain columns.
    pub(super) columns: Vec<usize>,
}

/// What a select list needs computed before its rows.
#[derive(Default)]
pub(super) struct Collected {
    pub(super) aggregates: Vec<BoundAggregate>,
    pub(super) windows: Vec<BoundWindow>,
}

/// `ROW_NUMBER()`.
pub(super) struct BoundWindow {
    pub(super) partition_by: Vec<Bound>,
    pub(super) order_by: Vec<(Bound, bool)>,
}

impl Binder<'_> {
    /// Binds an expression.
    pub(super) fn expr(&self, expr: &Expr) -> SqlResult<Bound> {
        if self
            .grouping
            .is_some_and(|grouping| grouping.exprs.contains(expr))
        {
            return Self {
                grouping: None,
                ..*self
            }
            .expr(expr);
        }
        match expr {
            Expr::Literal(Typed { ty, value }) => Ok(Bound {
                ty: *ty,
                node: Node::Constant(value.clone()),
            }),
            Expr::Variable(name) => {
                let ty = self.names.variable(name)?.ty;
                Ok(Bound {
                    ty,
                    node: Node::Variable(name.clone()),
                })
            }
            Expr::Column { qualifier, name } => self.column(qualifier.as_ref(), name),
            Expr::Unary { operator, operand } => self.unary(*operator, operand),
            Expr::Chain { first, rest } => self.chain(first, rest),
            Expr::Case {
                branches,
                otherwise,
            } => self.case(branches, otherwise.as_deref()),
            Expr::SimpleCase {
                subject,
                branches,
                otherwise,
            } => self.simple_case(subject, branches, otherwise.as_deref()),
            Expr::Cast {
                value,
                ty,
                style,
                lenient,
            } => {
                let value = Box::new(self.expr(value)?);
                let style = self.optional(style.as_deref())?;
                Ok(Bound {
                    ty: *ty,
                    node: Node::Cast {
                        value,
                        style,
                        lenient: *lenient,
                    },
                })
            }
            Expr::Iif {
                condition,
                then,
                otherwise,
            } => self.iif(condition, then, otherwise),
            Expr::Function { name, arguments } => self.function(name, arguments),
            Expr::Aggregate(aggregate) => self.aggregate(aggregate),
            Expr::RowNumber {
                partition_by,
                order_by,
            } => self.row_number(partition_by, order_by),
            Expr::Subquery(select) => self.scalar(select),
        }
    }

    fn case(&self, branches: &[(Condition, Expr)], otherwise: Option<&Expr>) -> SqlResult<Bound> {
        let branches = branches
            .iter()
            .map(|(when, then)| Ok((self.condition(when)?, self.expr(then)?)))
            .collect::<SqlResult<Vec<_>>>()?;
        let otherwise = self.optional(otherwise)?;
        let ty = case_type(branches.iter().map(|(_, then)| then), otherwise.as_deref());
        Ok(Bound {
            ty,
            node: Node::Case {
                branches,
                otherwise,
            },
        })
    }

    fn simple_case(
        &self,
        subject: &Expr,
        branches: &[(Expr, Expr)],
        otherwise: Option<&Expr>,
    ) -> SqlResult<Bound> {
        let subject = Box::new(self.expr(subject)?);
        let branches = branches
            .iter()
            .map(|(when, then)| Ok((self.expr(when)?, self.expr(then)?)))
            .collect::<SqlResult<Vec<_>>>()?;
        let otherwise = self.optional(otherwise)?;
        let ty = case_type(branches.iter().map(|(_, then)| then), otherwise.as_deref());
        Ok(Bound {
            ty,
            node: Node::SimpleCase {
                subject,
                branches,
                otherwise,
            },
        })
    }

    fn iif(&self, condition: &Condition, then: &Expr, otherwise: &Expr) -> SqlResult<Bound> {
        let branches = vec![(self.condition(condition)?, self.expr(then)?)];
        let otherwise = Some(Box::new(self.expr(otherwise)?));
        let ty = case_type(branches.iter().map(|(_, then)| then), otherwise.as_deref());
        Ok(Bound {
            ty,
            node: Node::Case {
                branches,
                otherwise,
            },
        })
    }

    fn scalar(&self, select: &Select) -> SqlResult<Bound> {
        let plan = self.subquery(select)?;
        let [column] = plan.columns() else {
            return Err(messages::only_one_expression());
        };
        Ok(Bound {
            ty: column.ty,
            node: Node::Subquery(Box::new(plan)),
        })
    }

    fn optional(&self, expr: Option<&Expr>) -> SqlResult<Option<Box<Bound>>> {
        expr.map(|expr| self.expr(expr).map(Box::new)).transpose()
    }

    /// Binds each of several.
    pub(super) fn exprs(&self, exprs: &[Expr]) -> SqlResult<Vec<Bound>> {
        exprs.iter().map(|expr| self.expr(expr)).collect()
    }

    /// Binds the keys of an order, each with whether it descends.
    pub(super) fn order(&self, items: &[OrderItem]) -> SqlResult<Vec<(Bound, bool)>> {
        items
            .iter()
            .map(|item| Ok((self.expr(&item.expr)?, item.descending)))
            .collect()
    }

    fn column(&self, qualifier: Option<&ObjectName>, name: &str) -> SqlResult<Bound> {
        let place = self.scope.resolve(qualifier, name)?;
        if let Some(grouping) = self.grouping
            && place.depth == 0
            && !grouping.columns.contains(&place.index)
        {
            let column = &self.scope.columns[place.index];
            let source = &self.scope.sources[column.source].name.name;
            return Err(messages::column_not_grouped(&format!(
                "{source}.{}",
                column.column.name
            )));
        }
        let node = Node::Column {
            depth: place.depth,
            index: place.index,
        };
        Ok(Bound { ty: place.ty, node })
    }

    fn unary(&self, operator: UnaryOperator, operand: &Expr) -> SqlResult<Bound> {
        let operand = self.expr(operand)?;
        let ty = operand.ty;
        let fits = match operator {
            UnaryOperator::Plus => true,
            UnaryOperator::Minus => ty.is_number(),
            UnaryOperator::BitNot => ty.is_integer(),
        };
        if !fits {
            let name = if operator == UnaryOperator::Minus {
                "minus"
            } else {
                "'~'"
            };
            return Err(messages::invalid_operand(ty.base_name(), name));
        }
        Ok(Bound {
            ty,
            node: Node::Unary(operator, Box::new(operand)),
        })
    }

    fn chain(&self, first: &Expr, rest: &[(Operator, Expr)]) -> SqlResult<Bound> {
        let first = self.expr(first)?;
        let mut steps: Vec<Step> = Vec::with_capacity(rest.len());
        for (operator, operand) in rest {
            let operand = self.expr(operand)?;
            let ty = match steps.last() {
                None => typing::chain_type(*operator, &first, &operand)?,
                Some(last) if operand.is_null_literal() => last.ty,
                Some(last) => {
                    let right = typing::narrowed(&operand, last.ty);
                    typing::step_type(*operator, last.ty, right)?
                }
            };
            steps.push(Step {
                operator: *operator,
                operand,
                ty,
            });
        }
        let ty = steps.last().map_or(first.ty, |step| step.ty);
        Ok(Bound {
            ty,
            node: Node::Chain(Box::new(first), steps),
        })
    }

    fn function(&self, name: &ObjectName, arguments: &[Expr]) -> SqlResult<Bound> {
        let arguments = self.exprs(arguments)?;
        let bare = name.schema.is_none() && name.database.is_none() && name.server.is_none();
        if bare && name.name.eq_ignore_ascii_case("COALESCE") && !arguments.is_empty() {
            let ty = typing::common_type(&arguments);
            return Ok(Bound {
                ty,
                node: Node::Coalesce(arguments),
            });
        }
        if bare && let Some(builtin) = functions::find(&name.name) {
            builtin.check_count(arguments.len())?;
            let ty = builtin.result_type(&arguments);
            return Ok(Bound {
                ty,
                node: Node::Builtin(builtin, arguments),
            });
        }
        let types: Vec<SqlType> = arguments.iter().map(|argument| argument.ty).collect();
        let ty = self.names.function_type(name, &types)?;
        Ok(Bound {
            ty,
            node: Node::Function(name.clone(), arguments),
        })
    }

    fn aggregate(&self, aggregate: &Aggregate) -> SqlResult<Bound> {
        let Some(collected) = self.collected else {
            return Err(messages::aggregate_in_where());
        };
        let inner = Self {
            collected: None,
            grouping: None,
            ..*self
        };
        let bound = BoundAggregate::bind(aggregate, &inner)?;
        let ty = bound.ty;
        let aggregates = &mut collected.borrow_mut().aggregates;
        aggregates.push(bound);
        Ok(Bound {
            ty,
            node: Node::Aggregate(aggregates.len() - 1),
        })
    }

    fn row_number(&self, partition_by: &[Expr], order_by: &[OrderItem]) -> SqlResult<Bound> {
        let Some(collected) = self.collected else {
            return Err(messages::incorrect_syntax_near_keyword("OVER"));
        };
        let partition_by = self.exprs(partition_by)?;
        let order_by = self.order(order_by)?;
        let windows = &mut collected.borrow_mut().windows;
        windows.push(BoundWindow {
            partition_by,
            order_by,
        });
        Ok(Bound {
            ty: SqlType::BigInt,
            node: Node::Window(windows.len() - 1),
        })
    }

    fn subquery(&self, select: &Select) -> SqlResult<SubPlan> {
        SubPlan::bind(self.names, select, Some(self.scope), self.commons)
    }

    /// Binds a condition.
    pub(super) fn condition(&self, condition: &Condition) -> SqlResult<BoundCondition> {
        let negated_if = |negated: bool, inner: BoundCondition| {
            if negated {
                BoundCondition::Not(Box::new(inner))
            } else {
                inner
            }
        };
        Ok(match condition {
            Condition::All(all) => BoundCondition::All(self.conditions(all)?),
            Condition::Any(any) => BoundCondition::Any(self.conditions(any)?),
            Condition::Not(inner) => BoundCondition::Not(Box::new(self.condition(inner)?)),
            Condition::Compare {
                comparison,
                left,
                right,
            } => BoundCondition::Compare(*comparison, self.expr(left)?, self.expr(right)?),
            Condition::IsNull { operand, negated } => {
                negated_if(*negated, BoundCondition::IsNull(self.expr(operand)?))
            }
            Condition::Between {
                operand,
                low,
                high,
                negated,
            } => {
                let (operand, low, high) = (self.expr(operand)?, self.expr(low)?, self.expr(high)?);
                negated_if(*negated, BoundCondition::Between { operand, low, high })
            }
            Condition::Like {
                operand,
                pattern,
                escape,
                negated,
            } => {
                let (operand, pattern) = (self.expr(operand)?, self.expr(pattern)?);
                let escape = escape
                    .as_ref()
                    .map(|escape| self.expr(escape))
                    .transpose()?;
                negated_if(
                    *negated,
                    BoundCondition::Like {
                        operand,
                        pattern,
                        escape,
                    },
                )
            }
            Condition::In {
                operand,
                values,
                negated,
            } => {
                let values = self.exprs(values)?;
                negated_if(*negated, BoundCondition::In(self.expr(operand)?, values))
            }
            Condition::InSelect {
                operand,
                select,
                negated,
            } => negated_if(*negated, self.membership(operand, select)?),
            Condition::Exists(select) => BoundCondition::Exists(Box::new(self.subquery(select)?)),
        })
    }

    fn membership(&self, operand: &Expr, select: &Select) -> SqlResult<BoundCondition> {
        let plan = Box::new(self.subquery(select)?);
        if plan.columns().len() != 1 {
            return Err(messages::only_one_expression());
        }
        Ok(BoundCondition::InSelect(self.expr(operand)?, plan))
    }

    fn conditions(&self, conditions: &[Condition]) -> SqlResult<Vec<BoundCondition>> {
        conditions
            .iter()
            .map(|condition| self.condition(condition))
            .collect()
    }
}

fn case_type<'a>(
    results: impl Iterator<Item = &'a Bound>,
    otherwise: Option<&'a Bound>,
) -> SqlType {
    typing::common_type(results.chain(otherwise))
}

/// NULL of a type, for places that have nothing to say.
pub(super) const fn null(ty: SqlType) -> Bound {
    Bound {
        ty,
        node: Node::Constant(Value::Null),
    }
}
