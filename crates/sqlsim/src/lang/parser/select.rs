//! `SELECT`.
//!
//! Start at [`Parser::select`].

use super::Parser;
use crate::error::SqlResult;
use crate::lang::ast::{
    CommonTable, Expr, Operator, Page, Select, SelectCore, SelectItem, SetOperator, Top,
};
use crate::lang::lexer::TokenKind;

/// The assignments with an operator.
const COMPOUND: [(&str, Operator); 8] = [
    ("+=", Operator::Add),
    ("-=", Operator::Subtract),
    ("*=", Operator::Multiply),
    ("/=", Operator::Divide),
    ("%=", Operator::Modulo),
    ("&=", Operator::BitAnd),
    ("|=", Operator::BitOr),
    ("^=", Operator::BitXor),
];

impl Parser<'_> {
    /// A whole query, with `WITH`, `UNION`, `ORDER BY` and an `OPTION` that is read and ignored.
    pub(super) fn select(&mut self) -> SqlResult<Box<Select>> {
        self.nested(|p| {
            let with = if p.take_word("WITH") {
                p.comma_list(Self::common_table)?
            } else {
                Vec::new()
            };
            let first = *p.select_core()?;
            let mut rest = Vec::new();
            while let Some(operator) = p.set_operator() {
                rest.push((operator, *p.select_core()?));
            }
            let order_by = if p.is_word("ORDER") {
                p.order_by()?
            } else {
                Vec::new()
            };
            let page = if order_by.is_empty() { None } else { p.page()? };
            if p.take_word("OPTION") {
                p.skip_bracket()?;
            }
            Ok(Box::new(Select {
                with,
                first,
                rest,
                order_by,
                page,
            }))
        })
    }

    /// `OFFSET n ROWS [FETCH NEXT m ROWS ONLY]`, or nothing.
    fn page(&mut self) -> SqlResult<Option<Page>> {
        if !self.take_word("OFFSET") {
            return Ok(None);
        }
        let offset = self.expr()?;
        self.rows_word()?;
        let fetch = if self.take_word("FETCH") {
            if !self.take_any_word(&["NEXT", "FIRST"]) {
                return Err(self.unexpected());
            }
            let fetch = self.expr()?;
            self.rows_word()?;
            self.expect_word("ONLY")?;
            Some(fetch)
        } else {
            None
        };
        Ok(Some(Page { offset, fetch }))
    }

    fn rows_word(&mut self) -> SqlResult<()> {
        if self.take_any_word(&["ROWS", "ROW"]) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn common_table(&mut self) -> SqlResult<CommonTable> {
        let name = self.name()?;
        let columns = self.optional_names()?;
        self.expect_word("AS")?;
        let select = *self.bracketed(Self::select)?;
        Ok(CommonTable {
            name,
            columns,
            select,
        })
    }

    /// `(a, b)`, or nothing.
    pub(super) fn optional_names(&mut self) -> SqlResult<Vec<String>> {
        if self.is_symbol("(") {
            self.bracketed_list(Self::name)
        } else {
            Ok(Vec::new())
        }
    }

    fn set_operator(&mut self) -> Option<SetOperator> {
        if self.take_word("UNION") {
            let all = self.take_word("ALL");
            Some(if all {
                SetOperator::UnionAll
            } else {
                SetOperator::Union
            })
        } else if self.take_word("EXCEPT") {
            Some(SetOperator::Except)
        } else {
            self.take_word("INTERSECT")
                .then_some(SetOperator::Intersect)
        }
    }

    fn select_core(&mut self) -> SqlResult<Box<SelectCore>> {
        self.expect_word("SELECT")?;
        let distinct = self.take_word("DISTINCT");
        if !distinct {
            self.take_word("ALL");
        }
        let top = self.top()?;
        let items = self.comma_list(Self::select_item)?;
        let into = if self.take_word("INTO") {
            Some(self.object_name()?)
        } else {
            None
        };
        let from = if self.take_word("FROM") {
            self.comma_list(Self::source_and_joins)?
        } else {
            Vec::new()
        };
        let condition = if self.take_word("WHERE") {
            Some(self.condition()?)
        } else {
            None
        };
        let group_by = if self.take_words(&["GROUP", "BY"]) {
            self.comma_list(Self::expr)?
        } else {
            Vec::new()
        };
        let having = if self.take_word("HAVING") {
            Some(self.condition()?)
        } else {
            None
        };
        Ok(Box::new(SelectCore {
            distinct,
            top,
            items,
            into,
            from,
            condition,
            group_by,
            having,
        }))
    }

    /// `TOP (n) [PERCENT]`, or nothing.
    pub(super) fn top(&mut self) -> SqlResult<Option<Top>> {
        if !self.take_word("TOP") {
            return Ok(None);
        }
        let count = match self.kind() {
            TokenKind::Symbol("(") => self.bracketed(Self::expr)?,
            TokenKind::Variable(_) => Expr::Variable(self.variable()?),
            _ => self.literal()?,
        };
        let percent = self.take_word("PERCENT");
        Ok(Some(Top { count, percent }))
    }

    /// One item of a select list or an `OUTPUT` clause.
    pub(super) fn select_item(&mut self) -> SqlResult<SelectItem> {
        if self.take_symbol("*") {
            return Ok(SelectItem::All);
        }
        if let Some(item) = self.assignment_item()? {
            return Ok(item);
        }
        if let Some(item) = self.all_of()? {
            return Ok(item);
        }
        if (self.is_name() || self.is_text()) && self.is_symbol_after(1, "=") {
            let alias = Some(self.name_or_text()?);
            self.advance();
            return Ok(SelectItem::Expr {
                expr: self.expr()?,
                alias,
            });
        }
        let expr = self.expr()?;
        let alias = if self.take_word("AS") || self.is_name() || self.is_text() {
            Some(self.name_or_text()?)
        } else {
            None
        };
        Ok(SelectItem::Expr { expr, alias })
    }

    fn assignment_item(&mut self) -> SqlResult<Option<SelectItem>> {
        if !matches!(self.kind(), TokenKind::Variable(_)) {
            return Ok(None);
        }
        let start = self.at;
        let variable = self.variable()?;
        let Some(operator) = self.assignment_operator() else {
            self.at = start;
            return Ok(None);
        };
        Ok(Some(SelectItem::Assign {
            variable,
            operator,
            expr: self.expr()?,
        }))
    }

    /// `=` or `+=` and its kin; the inner `None` is the plain one.
    #[expect(
        clippy::option_option,
        reason = "no assignment, a plain one, one with an operator"
    )]
    pub(super) fn assignment_operator(&mut self) -> Option<Option<Operator>> {
        if self.take_symbol("=") {
            return Some(None);
        }
        let (_, operator) = COMPOUND
            .into_iter()
            .find(|(symbol, _)| self.is_symbol(symbol))?;
        self.advance();
        Some(Some(operator))
    }

    /// `t.*`, looked for ahead because its beginning looks like a column.
    fn all_of(&mut self) -> SqlResult<Option<SelectItem>> {
        let mut ahead = 0;
        while self.is_name_after(ahead) && self.is_symbol_after(ahead + 1, ".") {
            ahead += 2;
        }
        if ahead == 0 || !self.is_symbol_after(ahead, "*") {
            return Ok(None);
        }
        let mut parts = vec![self.name()?];
        self.advance();
        while !self.take_symbol("*") {
            parts.push(self.name()?);
            self.advance();
        }
        let name = crate::lang::ast::ObjectName::from_parts(parts);
        name.map(|name| Some(SelectItem::AllOf(name)))
            .ok_or_else(|| self.unexpected())
    }

    /// A bracket whose inside has no effect here.
    pub(super) fn skip_bracket(&mut self) -> SqlResult<()> {
        self.expect_symbol("(")?;
        let mut depth = 1_usize;
        while depth > 0 {
            if self.at_end() {
                return Err(self.unexpected());
            }
            if self.is_symbol("(") {
                depth += 1;
            } else if self.is_symbol(")") {
                depth -= 1;
            }
            self.advance();
        }
        Ok(())
    }
}
