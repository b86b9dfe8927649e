//! Expressions that begin with a word: columns, calls, and the forms with a grammar of their own
//! (`CASE`, `CAST`, `CONVERT`, `IIF`, aggregates, `ROW_NUMBER`, date parts).
//!
//! Start at [`Parser::word`].

use super::Parser;
use super::expr::word_literal;
use super::types::Place;
use crate::error::SqlResult;
use crate::lang::ast::{Aggregate, AggregateKind, Expr, ObjectName, OrderItem};

/// Functions whose first argument is a bare word such as `day`.
const WITH_DATE_PART: [&str; 5] = [
    "DATEADD",
    "DATEDIFF",
    "DATEDIFF_BIG",
    "DATEPART",
    "DATENAME",
];

/// Functions that are called without brackets.
const WITHOUT_BRACKETS: [&str; 5] = [
    "CURRENT_TIMESTAMP",
    "CURRENT_USER",
    "SESSION_USER",
    "SYSTEM_USER",
    "USER",
];

/// Functions whose names are reserved words.
const RESERVED_FUNCTIONS: [&str; 4] = ["COALESCE", "NULLIF", "LEFT", "RIGHT"];

impl Parser<'_> {
    /// An expression whose first token is `word`, not followed by a dot.
    pub(super) fn word(&mut self, word: &str) -> SqlResult<Expr> {
        let upper = word.to_ascii_uppercase();
        match upper.as_str() {
            "CASE" => return self.case(),
            "NULL" => return self.literal(),
            name if WITHOUT_BRACKETS.contains(&name) => {
                self.advance();
                return Ok(call(&upper, Vec::new()));
            }
            _ => {}
        }
        if !self.is_symbol_after(1, "(") {
            let name = self.name()?;
            return Ok(Expr::Column {
                qualifier: None,
                name,
            });
        }
        match upper.as_str() {
            "CAST" | "TRY_CAST" => self.cast(upper.starts_with("TRY")),
            "CONVERT" | "TRY_CONVERT" => self.convert(upper.starts_with("TRY")),
            "IIF" => self.iif(),
            "ROW_NUMBER" => self.row_number(),
            name if WITH_DATE_PART.contains(&name) => self.date_call(name),
            name => match aggregate_kind(name) {
                Some(kind) => self.aggregate(kind),
                None => self.plain_call(word),
            },
        }
    }

    fn plain_call(&mut self, word: &str) -> SqlResult<Expr> {
        if RESERVED_FUNCTIONS
            .iter()
            .any(|name| name.eq_ignore_ascii_case(word))
        {
            self.advance();
        } else {
            self.name()?;
        }
        let arguments = self.arguments()?;
        Ok(call(word, arguments))
    }

    /// `(a, b)`, or `()`.
    pub(super) fn arguments(&mut self) -> SqlResult<Vec<Expr>> {
        self.bracketed(|p| {
            if p.is_symbol(")") {
                Ok(Vec::new())
            } else {
                p.comma_list(Self::expr)
            }
        })
    }

    fn date_call(&mut self, name: &str) -> SqlResult<Expr> {
        self.advance();
        self.bracketed(|p| {
            let part = p.any_word()?;
            let mut arguments = vec![word_literal(&part)];
            while p.take_symbol(",") {
                arguments.push(p.expr()?);
            }
            Ok(call(name, arguments))
        })
    }

    fn cast(&mut self, lenient: bool) -> SqlResult<Expr> {
        self.advance();
        self.bracketed(|p| {
            let value = Box::new(p.expr()?);
            p.expect_word("AS")?;
            let ty = p.data_type(Place::Cast)?;
            Ok(Expr::Cast {
                value,
                ty,
                style: None,
                lenient,
            })
        })
    }

    fn convert(&mut self, lenient: bool) -> SqlResult<Expr> {
        self.advance();
        self.bracketed(|p| {
            let ty = p.data_type(Place::Cast)?;
            p.expect_symbol(",")?;
            let value = Box::new(p.expr()?);
            let style = if p.take_symbol(",") {
                Some(Box::new(p.expr()?))
            } else {
                None
            };
            Ok(Expr::Cast {
                value,
                ty,
                style,
                lenient,
            })
        })
    }

    fn iif(&mut self) -> SqlResult<Expr> {
        self.advance();
        self.bracketed(|p| {
            let condition = Box::new(p.condition()?);
            p.expect_symbol(",")?;
            let then = Box::new(p.expr()?);
            p.expect_symbol(",")?;
            let otherwise = Box::new(p.expr()?);
            Ok(Expr::Iif {
                condition,
                then,
                otherwise,
            })
        })
    }

    fn case(&mut self) -> SqlResult<Expr> {
        self.advance();
        self.deeper(2, |p| {
            if p.is_word("WHEN") {
                let branches = p.branches(Self::condition)?;
                Ok(Expr::Case {
                    branches,
                    otherwise: p.case_end()?,
                })
            } else {
                let subject = Box::new(p.expr()?);
                let branches = p.branches(Self::expr)?;
                Ok(Expr::SimpleCase {
                    subject,
                    branches,
                    otherwise: p.case_end()?,
                })
            }
        })
    }

    fn branches<T>(
        &mut self,
        when: impl Fn(&mut Self) -> SqlResult<T>,
    ) -> SqlResult<Vec<(T, Expr)>> {
        let mut branches = Vec::new();
        while branches.is_empty() || self.is_word("WHEN") {
            self.expect_word("WHEN")?;
            let when = when(self)?;
            self.expect_word("THEN")?;
            branches.push((when, self.expr()?));
        }
        Ok(branches)
    }

    fn case_end(&mut self) -> SqlResult<Option<Box<Expr>>> {
        let otherwise = if self.take_word("ELSE") {
            Some(Box::new(self.expr()?))
        } else {
            None
        };
        self.expect_word("END")?;
        Ok(otherwise)
    }

    fn aggregate(&mut self, kind: AggregateKind) -> SqlResult<Expr> {
        self.advance();
        let mut aggregate = self.bracketed(|p| {
            let star = matches!(kind, AggregateKind::Count | AggregateKind::CountBig)
                && p.take_symbol("*");
            let distinct = !star && p.take_word("DISTINCT");
            if !distinct && !star {
                p.take_word("ALL");
            }
            let argument = if star { None } else { Some(p.expr()?) };
            let separator = match kind {
                AggregateKind::StringAgg => {
                    p.expect_symbol(",")?;
                    Some(p.expr()?)
                }
                _ => None,
            };
            Ok(Aggregate {
                kind,
                distinct,
                argument,
                separator,
                order_by: Vec::new(),
            })
        })?;
        if kind == AggregateKind::StringAgg && self.take_words(&["WITHIN", "GROUP"]) {
            aggregate.order_by = self.bracketed(Self::order_by)?;
        }
        Ok(Expr::Aggregate(Box::new(aggregate)))
    }

    fn row_number(&mut self) -> SqlResult<Expr> {
        self.advance();
        self.bracketed(|_| Ok(()))?;
        self.expect_word("OVER")?;
        self.bracketed(|p| {
            let partition_by = if p.take_words(&["PARTITION", "BY"]) {
                p.comma_list(Self::expr)?
            } else {
                Vec::new()
            };
            let order_by = p.order_by()?;
            Ok(Expr::RowNumber {
                partition_by,
                order_by,
            })
        })
    }

    /// `ORDER BY a, b DESC`
    pub(super) fn order_by(&mut self) -> SqlResult<Vec<OrderItem>> {
        self.expect_words(&["ORDER", "BY"])?;
        self.comma_list(|p| {
            let expr = p.expr()?;
            let descending = p.take_word("DESC");
            if !descending {
                p.take_word("ASC");
            }
            Ok(OrderItem { expr, descending })
        })
    }
}

fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    Expr::Function {
        name: ObjectName::bare(name),
        arguments,
    }
}

fn aggregate_kind(name: &str) -> Option<AggregateKind> {
    Some(match name {
        "COUNT" => AggregateKind::Count,
        "COUNT_BIG" => AggregateKind::CountBig,
        "SUM" => AggregateKind::Sum,
        "MIN" => AggregateKind::Min,
        "MAX" => AggregateKind::Max,
        "AVG" => AggregateKind::Avg,
        "STRING_AGG" => AggregateKind::StringAgg,
        _ => return None,
    })
}
