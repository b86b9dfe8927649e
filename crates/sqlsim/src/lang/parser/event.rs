//! `CREATE`, `ALTER` and `DROP EVENT SESSION`.
//!
//! Start at [`Parser::create_event_session`].

use super::Parser;
use crate::error::SqlResult;
use crate::lang::ast::{
    CreateEventSession, EventComparison, EventDefinition, EventPredicate, EventSessionAction,
    EventTarget, EventValue, Expr, NamedOption, StatementKind,
};
use crate::lang::lexer::TokenKind;
use crate::value::{Typed, Value};

/// The operators of predicates.
const OPERATORS: [(&str, EventComparison); 7] = [
    ("=", EventComparison::Equal),
    ("<>", EventComparison::NotEqual),
    ("!=", EventComparison::NotEqual),
    ("<=", EventComparison::LessOrEqual),
    (">=", EventComparison::GreaterOrEqual),
    ("<", EventComparison::Less),
    (">", EventComparison::Greater),
];

/// Beginnings of the names of comparators, such as `greater_than_int64`; longer ones first.
const COMPARATORS: [(&str, EventComparison); 7] = [
    ("greater_than_equal", EventComparison::GreaterOrEqual),
    ("greater_than", EventComparison::Greater),
    ("less_than_equal", EventComparison::LessOrEqual),
    ("less_than", EventComparison::Less),
    ("not_equal", EventComparison::NotEqual),
    ("equal", EventComparison::Equal),
    ("like_i_sql", EventComparison::Like),
];

impl Parser<'_> {
    pub(super) fn create_event_session(&mut self) -> SqlResult<StatementKind> {
        let name = self.event_session_name()?;
        let mut create = CreateEventSession {
            name,
            events: Vec::new(),
            targets: Vec::new(),
            options: Vec::new(),
        };
        while self.take_word("ADD") {
            self.event_added(&mut create)?;
            self.take_symbol(",");
        }
        create.options = self.event_session_options()?;
        if create.events.is_empty() {
            return Err(self.unexpected());
        }
        Ok(StatementKind::CreateEventSession(create))
    }

    pub(super) fn alter_event_session(&mut self) -> SqlResult<StatementKind> {
        let name = self.event_session_name()?;
        if self.take_word("STATE") {
            self.expect_symbol("=")?;
            let starts = self.take_word("START");
            if !starts {
                self.expect_word("STOP")?;
            }
            let action = EventSessionAction::State(starts);
            return Ok(StatementKind::AlterEventSession { name, action });
        }
        let mut add = CreateEventSession {
            name: name.clone(),
            events: Vec::new(),
            targets: Vec::new(),
            options: Vec::new(),
        };
        let (mut drop_events, mut drop_targets) = (Vec::new(), Vec::new());
        let first = self.at;
        loop {
            if self.take_word("ADD") {
                self.event_added(&mut add)?;
            } else if self.take_words(&["DROP", "EVENT"]) {
                drop_events.push(self.object_name()?.name);
            } else if self.take_words(&["DROP", "TARGET"]) {
                drop_targets.push(self.object_name()?.name);
            } else {
                break;
            }
            self.take_symbol(",");
        }
        add.options = self.event_session_options()?;
        if self.at == first {
            return Err(self.unexpected());
        }
        let action = EventSessionAction::Change {
            add,
            drop_events,
            drop_targets,
        };
        Ok(StatementKind::AlterEventSession { name, action })
    }

    pub(super) fn drop_event_session(&mut self) -> SqlResult<StatementKind> {
        let name = self.event_session_name()?;
        Ok(StatementKind::DropEventSession { name })
    }

    fn event_session_name(&mut self) -> SqlResult<String> {
        self.expect_word("SESSION")?;
        let name = self.name()?;
        self.expect_words(&["ON", "SERVER"])?;
        Ok(name)
    }

    fn event_session_options(&mut self) -> SqlResult<Vec<NamedOption>> {
        if self.take_word("WITH") {
            self.bracketed(Self::options)
        } else {
            Ok(Vec::new())
        }
    }

    fn event_added(&mut self, to: &mut CreateEventSession) -> SqlResult<()> {
        if self.take_word("TARGET") {
            to.targets.push(self.event_target()?);
            return Ok(());
        }
        self.expect_word("EVENT")?;
        to.events.push(self.event_definition()?);
        Ok(())
    }

    fn event_target(&mut self) -> SqlResult<EventTarget> {
        let name = self.object_name()?.name.to_lowercase();
        let settings = if self.is_symbol("(") {
            self.bracketed(|p| {
                p.expect_word("SET")?;
                p.comma_list(Self::event_setting)
            })?
        } else {
            Vec::new()
        };
        Ok(EventTarget { name, settings })
    }

    fn event_setting(&mut self) -> SqlResult<(String, String)> {
        let name = self.name()?.to_lowercase();
        self.expect_symbol("=")?;
        let value = match self.event_value()? {
            EventValue::Number(number) => number.to_string(),
            EventValue::Text(text) => text,
        };
        Ok((name, value))
    }

    fn event_definition(&mut self) -> SqlResult<EventDefinition> {
        let name = self.object_name()?;
        let mut event = EventDefinition {
            package: name.schema,
            name: name.name.to_lowercase(),
            actions: Vec::new(),
            predicate: None,
            predicate_text: String::new(),
        };
        if self.is_symbol("(") {
            self.bracketed(|p| p.event_body(&mut event))?;
        }
        Ok(event)
    }

    /// `SET .. ACTION (..) WHERE ..`, each of which may be missing.
    fn event_body(&mut self, event: &mut EventDefinition) -> SqlResult<()> {
        if self.take_word("SET") {
            self.comma_list(Self::event_setting)?;
        }
        if self.take_word("ACTION") {
            let actions = self.bracketed_list(Self::object_name)?;
            let plain = actions.into_iter().map(|action| action.name.to_lowercase());
            event.actions = plain.collect();
        }
        if self.take_word("WHERE") {
            let start = self.token().start;
            event.predicate = Some(self.event_predicate()?);
            let end = self.tokens[self.at - 1].end;
            self.sql[start..end].clone_into(&mut event.predicate_text);
        }
        Ok(())
    }

    fn event_predicate(&mut self) -> SqlResult<EventPredicate> {
        let mut all = vec![self.event_conjunction()?];
        while self.take_word("OR") {
            all.push(self.event_conjunction()?);
        }
        Ok(EventPredicate::Any(all))
    }

    fn event_conjunction(&mut self) -> SqlResult<EventPredicate> {
        let mut all = vec![self.event_factor()?];
        while self.take_word("AND") {
            all.push(self.event_factor()?);
        }
        Ok(EventPredicate::All(all))
    }

    fn event_factor(&mut self) -> SqlResult<EventPredicate> {
        if self.take_word("NOT") {
            let inner = self.nested(Self::event_factor)?;
            return Ok(EventPredicate::Not(Box::new(inner)));
        }
        if self.is_symbol("(") {
            return self.bracketed(Self::event_predicate);
        }
        let name = self.object_name()?.name.to_lowercase();
        if self.is_symbol("(") {
            return self.bracketed(|p| p.comparator(&name));
        }
        let comparison = self.event_comparison()?;
        let value = self.event_value()?;
        Ok(EventPredicate::Compare {
            source: name,
            comparison,
            value,
        })
    }

    /// `package0.greater_than_int64(source, value)`, inside its bracket.
    fn comparator(&mut self, name: &str) -> SqlResult<EventPredicate> {
        let known = COMPARATORS
            .into_iter()
            .find(|(beginning, _)| name.starts_with(beginning));
        let (_, comparison) = known.ok_or_else(|| self.unexpected())?;
        let source = self.object_name()?.name.to_lowercase();
        self.expect_symbol(",")?;
        let value = self.event_value()?;
        Ok(EventPredicate::Compare {
            source,
            comparison,
            value,
        })
    }

    fn event_comparison(&mut self) -> SqlResult<EventComparison> {
        if self.take_word("LIKE") {
            return Ok(EventComparison::Like);
        }
        let known = OPERATORS
            .into_iter()
            .find(|(symbol, _)| self.is_symbol(symbol));
        let (_, comparison) = known.ok_or_else(|| self.unexpected())?;
        self.advance();
        Ok(comparison)
    }

    /// A number or a text, in brackets or not.
    fn event_value(&mut self) -> SqlResult<EventValue> {
        if self.is_symbol("(") {
            return self.bracketed(Self::event_value);
        }
        let is_negative = self.take_symbol("-");
        if matches!(self.kind(), TokenKind::Word(_)) {
            return Ok(EventValue::Text(self.any_word()?));
        }
        match self.literal()? {
            Expr::Literal(Typed { value, .. }) => match value {
                Value::Int(number) if is_negative => Ok(EventValue::Number(-number)),
                Value::Int(number) => Ok(EventValue::Number(number)),
                Value::Text(text) if !is_negative => Ok(EventValue::Text(text)),
                _ => Err(self.unexpected()),
            },
            _ => Err(self.unexpected()),
        }
    }
}
