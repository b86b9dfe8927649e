//! Tests of evaluation: a small fake of the session, and one `check` from SQL text to shown rows.

mod changes;
mod expressions;
mod queries;

use super::{Names, Relation};
use crate::error::{SqlError, SqlResult};
use crate::lang::ast::{ObjectName, Select, StatementKind};
use crate::lang::parse;
use crate::messages;
use crate::value::{Column, Decimal, Row, Rows, SqlType, Typed, Value, convert};

/// A session with a few tables, one view and two variables.
struct Fake;

const TEXT: SqlType = SqlType::NVarChar(Some(20));

fn people() -> Rows {
    let row = |id: i64, name: &str, boss: Option<i64>, pay: i128| -> Row {
        vec![
            id.into(),
            name.into(),
            boss.into(),
            Decimal::new(pay, 2).into(),
        ]
    };
    Rows {
        columns: vec![
            Column::required("id", SqlType::Int),
            Column::required("name", TEXT),
            Column::new("boss", SqlType::Int),
            Column::new(
                "pay",
                SqlType::Decimal {
                    precision: 10,
                    scale: 2,
                },
            ),
        ],
        rows: vec![
            row(1, "Ann", None, 50_000),
            row(2, "bob", Some(1), 30_000),
            row(3, "Cid", Some(1), 30_050),
            row(4, "Dee", Some(2), 20_000),
        ],
    }
}

fn places() -> Rows {
    Rows {
        columns: vec![
            Column::new("person", SqlType::Int),
            Column::new("place", TEXT),
        ],
        rows: vec![
            vec![1.into(), "Oslo".into()],
            vec![2.into(), "Bern".into()],
            vec![2.into(), "Oslo".into()],
            vec![Value::Null, "Rome".into()],
        ],
    }
}

fn parsed(sql: &str) -> Select {
    match parse(sql)
        .unwrap_or_else(|error| panic!("{error}\n{sql}"))
        .remove(0)
        .kind
    {
        StatementKind::Select(select) => *select,
        other => panic!("a query, not {other:?}"),
    }
}

impl Names for Fake {
    fn variable(&self, name: &str) -> SqlResult<Typed> {
        match name {
            "@n" => Ok(Typed::int(3)),
            "@s" => Ok(Typed::new(TEXT, "x")),
            "@null" => Ok(Typed::null(TEXT)),
            _ => Err(messages::scalar_variable_not_declared(name)),
        }
    }

    fn relation(&self, name: &ObjectName) -> SqlResult<Relation> {
        match name.name.as_str() {
            "people" => Ok(Relation::Rows(people())),
            "places" => Ok(Relation::Rows(places())),
            "oslo" => Ok(Relation::View(Box::new(parsed(
                "SELECT p.name FROM people p JOIN places q ON q.person = p.id WHERE q.place = \
                 'Oslo'",
            )))),
            "endless" => Ok(Relation::View(Box::new(parsed("SELECT * FROM endless")))),
            "many" => Ok(Relation::Rows(many())),
            _ => Err(messages::invalid_object(&name.to_string())),
        }
    }

    fn table_function(&self, name: &ObjectName, arguments: &[Typed]) -> SqlResult<Rows> {
        if name.name != "upto" {
            return Err(messages::invalid_object(&name.to_string()));
        }
        let count = arguments
            .first()
            .and_then(|typed| typed.value.as_int())
            .unwrap_or(0);
        Ok(Rows {
            columns: vec![Column::required("n", SqlType::Int)],
            rows: (1..=count).map(|n| vec![n.into()]).collect(),
        })
    }

    fn function(&self, name: &ObjectName, arguments: &[Typed]) -> SqlResult<Typed> {
        match (name.name.as_str(), arguments) {
            ("DB_NAME", []) => Ok(Typed::sysname("fake")),
            _ => Err(messages::unrecognized_name(
                &name.name,
                "built-in function name",
            )),
        }
    }
}

fn many() -> Rows {
    Rows {
        columns: vec![
            Column::required("k", SqlType::Int),
            Column::required("t", TEXT),
        ],
        rows: (0..4000_i64)
            .map(|n| vec![n.into(), format!("row {n}").into()])
            .collect(),
    }
}

fn shown(rows: &Rows) -> String {
    let cell = |column: &Column, value: &Value| match value {
        Value::Null => "NULL".to_owned(),
        value => {
            let typed = Typed {
                ty: column.ty,
                value: value.clone(),
            };
            let text = convert::cast(&typed, SqlType::NVarChar(None), None).expect("printable");
            text.as_text().expect("text").to_owned()
        }
    };
    let line = |row: &Row| {
        let cells: Vec<String> = rows
            .columns
            .iter()
            .zip(row)
            .map(|(column, value)| cell(column, value))
            .collect();
        cells.join(" ")
    };
    rows.rows.iter().map(line).collect::<Vec<_>>().join("|")
}

fn failed(error: &SqlError) -> String {
    format!("error {}", error.number)
}

/// Runs a query; rows are parted by `|`, cells by blanks; an error is its number.
fn check(sql: &str, expected: &str) {
    let result = super::select(&Fake, &parsed(sql));
    let shown = result.as_ref().map_or_else(failed, shown);
    assert_eq!(shown, expected, "{sql}: {result:?}");
}

/// Checks the type of the only column.
fn check_type(expr: &str, expected: &str) {
    let rows = super::select(&Fake, &parsed(&format!("SELECT {expr}"))).expect(expr);
    assert_eq!(rows.columns[0].ty.to_string(), expected, "{expr}");
}
