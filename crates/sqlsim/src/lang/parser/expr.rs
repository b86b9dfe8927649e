//! Expressions and conditions.
//!
//! Start at [`Parser::expr`] and [`Parser::condition`]. A bracket may hold either, and only its
//! inside tells which; so the steps between pass an [`Either`] and nothing is ever parsed twice.

use super::Parser;
use crate::error::SqlResult;
use crate::lang::ast::{Comparison, Condition, Expr, ObjectName, Operator, UnaryOperator};
use crate::lang::lexer::TokenKind;
use crate::messages;
use crate::value::{Decimal, SqlType, Typed, Value};

/// What a bracket turned out to hold.
enum Either {
    Scalar(Expr),
    Condition(Box<Condition>),
}

/// A condition as an [`Either`], boxed because it is large and passes through many frames.
fn whole(condition: Condition) -> Either {
    Either::Condition(Box::new(condition))
}

const ADDITIVE: [(&str, Operator); 5] = [
    ("+", Operator::Add),
    ("-", Operator::Subtract),
    ("&", Operator::BitAnd),
    ("|", Operator::BitOr),
    ("^", Operator::BitXor),
];

const MULTIPLICATIVE: [(&str, Operator); 3] = [
    ("*", Operator::Multiply),
    ("/", Operator::Divide),
    ("%", Operator::Modulo),
];

const COMPARISONS: [(&str, Comparison); 9] = [
    ("=", Comparison::Equal),
    ("<>", Comparison::NotEqual),
    ("!=", Comparison::NotEqual),
    ("<=", Comparison::LessOrEqual),
    ("!>", Comparison::LessOrEqual),
    (">=", Comparison::GreaterOrEqual),
    ("!<", Comparison::GreaterOrEqual),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
];

impl Parser<'_> {
    /// A value.
    pub(super) fn expr(&mut self) -> SqlResult<Expr> {
        match self.additive()? {
            Either::Scalar(expr) => Ok(expr),
            Either::Condition(_) => Err(self.unexpected()),
        }
    }

    /// A condition. Fails with 4145 where a value stands alone.
    pub(super) fn condition(&mut self) -> SqlResult<Condition> {
        let either = self.disjunction()?;
        self.require_condition(either)
    }

    fn require_condition(&self, either: Either) -> SqlResult<Condition> {
        match either {
            Either::Condition(condition) => Ok(*condition),
            Either::Scalar(_) => {
                let near = match self.kind() {
                    TokenKind::Word(word) => word.as_str(),
                    TokenKind::Symbol(symbol) => symbol,
                    _ => return Err(self.unexpected()),
                };
                Err(messages::not_boolean(near).at_line(self.line()))
            }
        }
    }

    fn disjunction(&mut self) -> SqlResult<Either> {
        self.joined("OR", Self::conjunction, Condition::Any)
    }

    fn conjunction(&mut self) -> SqlResult<Either> {
        self.joined("AND", Self::negation, Condition::All)
    }

    fn joined(
        &mut self,
        word: &str,
        operand: impl Fn(&mut Self) -> SqlResult<Either>,
        join: impl Fn(Vec<Condition>) -> Condition,
    ) -> SqlResult<Either> {
        let first = operand(self)?;
        if !self.is_word(word) {
            return Ok(first);
        }
        let mut all = vec![self.require_condition(first)?];
        while self.take_word(word) {
            let next = operand(self)?;
            all.push(self.require_condition(next)?);
        }
        Ok(whole(join(all)))
    }

    fn negation(&mut self) -> SqlResult<Either> {
        if !self.take_word("NOT") {
            return self.predicate();
        }
        let inner = self.nested(Self::negation)?;
        let condition = self.require_condition(inner)?;
        Ok(whole(Condition::Not(Box::new(condition))))
    }

    fn predicate(&mut self) -> SqlResult<Either> {
        if self.take_word("EXISTS") {
            let select = self.bracketed(Self::select)?;
            return Ok(whole(Condition::Exists(select)));
        }
        match self.additive()? {
            Either::Scalar(left) => self.predicate_on(left),
            condition @ Either::Condition(_) => Ok(condition),
        }
    }

    fn predicate_on(&mut self, left: Expr) -> SqlResult<Either> {
        let found = COMPARISONS
            .into_iter()
            .find(|(symbol, _)| self.is_symbol(symbol));
        if let Some((_, comparison)) = found {
            self.advance();
            let right = self.expr()?;
            return Ok(whole(Condition::Compare {
                comparison,
                left,
                right,
            }));
        }
        if self.take_word("IS") {
            let negated = self.take_word("NOT");
            self.expect_word("NULL")?;
            return Ok(whole(Condition::IsNull {
                operand: left,
                negated,
            }));
        }
        let negated = self.is_word("NOT")
            && ["IN", "LIKE", "BETWEEN"]
                .iter()
                .any(|word| self.is_word_after(1, word));
        if negated {
            self.advance();
        }
        if self.take_word("IN") {
            self.membership(left, negated).map(whole)
        } else if self.take_word("LIKE") {
            let pattern = self.expr()?;
            let escape = if self.take_word("ESCAPE") {
                Some(self.expr()?)
            } else {
                None
            };
            Ok(whole(Condition::Like {
                operand: left,
                pattern,
                escape,
                negated,
            }))
        } else if self.take_word("BETWEEN") {
            let low = self.expr()?;
            self.expect_word("AND")?;
            let high = self.expr()?;
            Ok(whole(Condition::Between {
                operand: left,
                low,
                high,
                negated,
            }))
        } else {
            Ok(Either::Scalar(left))
        }
    }

    fn membership(&mut self, operand: Expr, negated: bool) -> SqlResult<Condition> {
        self.bracketed(|p| {
            if p.is_word("SELECT") {
                let select = p.select()?;
                Ok(Condition::InSelect {
                    operand,
                    select,
                    negated,
                })
            } else {
                Ok(Condition::In {
                    operand,
                    values: p.comma_list(Self::expr)?,
                    negated,
                })
            }
        })
    }

    fn additive(&mut self) -> SqlResult<Either> {
        self.chain(&ADDITIVE, |p| p.chain(&MULTIPLICATIVE, Self::unary))
    }

    fn chain(
        &mut self,
        operators: &[(&str, Operator)],
        operand: impl Fn(&mut Self) -> SqlResult<Either>,
    ) -> SqlResult<Either> {
        let first = match operand(self)? {
            Either::Scalar(first) => first,
            condition @ Either::Condition(_) => return Ok(condition),
        };
        let mut rest = Vec::new();
        while let Some((_, operator)) = operators.iter().find(|(symbol, _)| self.is_symbol(symbol))
        {
            self.advance();
            match operand(self)? {
                Either::Scalar(next) => rest.push((*operator, next)),
                Either::Condition(_) => return Err(self.unexpected()),
            }
        }
        Ok(Either::Scalar(if rest.is_empty() {
            first
        } else {
            Expr::Chain {
                first: Box::new(first),
                rest,
            }
        }))
    }

    fn unary(&mut self) -> SqlResult<Either> {
        let operator = match self.kind() {
            TokenKind::Symbol("-") => UnaryOperator::Minus,
            TokenKind::Symbol("+") => UnaryOperator::Plus,
            TokenKind::Symbol("~") => UnaryOperator::BitNot,
            _ => return self.primary(),
        };
        self.advance();
        match self.nested(Self::unary)? {
            Either::Scalar(operand) => Ok(Either::Scalar(negated(operator, operand))),
            Either::Condition(_) => Err(self.unexpected()),
        }
    }

    fn primary(&mut self) -> SqlResult<Either> {
        let primary = match self.kind().clone() {
            TokenKind::Symbol("(") => return self.bracket(),
            TokenKind::Variable(name) => {
                self.advance();
                Expr::Variable(name)
            }
            TokenKind::Word(word) if !self.is_symbol_after(1, ".") => self.word(&word)?,
            TokenKind::Word(_) | TokenKind::Quoted(_) => self.column_or_call()?,
            _ => self.literal()?,
        };
        self.collation()?;
        Ok(Either::Scalar(primary))
    }

    /// A bracket: a subquery, a condition or a value.
    fn bracket(&mut self) -> SqlResult<Either> {
        let inner = self.bracketed(|p| {
            if p.is_word("SELECT") || p.is_word("WITH") {
                let select = p.select()?;
                Ok(Either::Scalar(Expr::Subquery(select)))
            } else {
                p.disjunction()
            }
        })?;
        if matches!(inner, Either::Scalar(_)) {
            self.collation()?;
        }
        Ok(inner)
    }

    /// `COLLATE name`, which is read and has no effect: everything compares by the default
    /// collation.
    fn collation(&mut self) -> SqlResult<()> {
        if self.take_word("COLLATE") && !self.take_any_word(&["DATABASE_DEFAULT"]) {
            self.name()?;
        }
        Ok(())
    }

    fn column_or_call(&mut self) -> SqlResult<Expr> {
        let name = self.object_name()?;
        if self.is_symbol("(") {
            let arguments = self.arguments()?;
            return Ok(Expr::Function { name, arguments });
        }
        Ok(column(name))
    }

    /// A literal: text, number, binary, or NULL.
    pub(super) fn literal(&mut self) -> SqlResult<Expr> {
        let typed = match self.kind() {
            TokenKind::Text { text, unicode } => text_literal(text, *unicode),
            TokenKind::Number(digits) => number_literal(digits)
                .ok_or_else(|| messages::incorrect_syntax(digits).at_line(self.line()))?,
            TokenKind::Binary(bytes) => {
                let value = Value::Binary(bytes.clone());
                Typed {
                    ty: value.natural_type(),
                    value,
                }
            }
            TokenKind::Word(word) if word.eq_ignore_ascii_case("NULL") => Typed::null(SqlType::Int),
            _ => return Err(self.unexpected()),
        };
        self.advance();
        Ok(Expr::Literal(typed))
    }
}

/// The column that a dotted name means.
pub(super) fn column(name: ObjectName) -> Expr {
    let ObjectName {
        server,
        database,
        schema,
        name,
    } = name;
    let qualifier = schema.map(|table| ObjectName {
        server: None,
        database: server,
        schema: database,
        name: table,
    });
    Expr::Column { qualifier, name }
}

/// A bare word as a text literal.
pub(super) fn word_literal(word: &str) -> Expr {
    Expr::Literal(text_literal(word, true))
}

fn text_literal(text: &str, unicode: bool) -> Typed {
    let length = text.encode_utf16().count().max(1);
    let within = |limit: u16| u16::try_from(length).ok().filter(|n| *n <= limit);
    let ty = if unicode {
        SqlType::NVarChar(within(4000))
    } else {
        SqlType::VarChar(within(8000))
    };
    Typed::new(ty, text)
}

/// `1` is an int, `1.5` and what exceeds an int is a numeric, `1e3` is a float.
fn number_literal(digits: &str) -> Option<Typed> {
    if digits.contains(['e', 'E']) {
        return Some(Typed {
            ty: SqlType::Float,
            value: Value::Float(digits.parse().ok()?),
        });
    }
    if let Ok(n) = digits.parse::<i32>() {
        return Some(Typed::int(n));
    }
    let number: Decimal = digits.strip_suffix('.').unwrap_or(digits).parse().ok()?;
    let ty = SqlType::Decimal {
        precision: number.precision(),
        scale: number.scale,
    };
    Some(Typed {
        ty,
        value: Value::Decimal(number),
    })
}

/// Folds the sign into a literal, so that `-5` is one.
fn negated(operator: UnaryOperator, operand: Expr) -> Expr {
    match (operator, operand) {
        (
            UnaryOperator::Minus,
            Expr::Literal(Typed {
                ty,
                value: Value::Int(n),
            }),
        ) => Expr::Literal(Typed {
            ty,
            value: Value::Int(-n),
        }),
        (
            UnaryOperator::Minus,
            Expr::Literal(Typed {
                ty,
                value: Value::Decimal(n),
            }),
        ) => {
            let value = Value::Decimal(Decimal::new(-n.unscaled, n.scale));
            Expr::Literal(Typed { ty, value })
        }
        (operator, operand) => Expr::Unary {
            operator,
            operand: Box::new(operand),
        },
    }
}
