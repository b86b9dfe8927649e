//! Messages of the parser and of names, types and parameters.
//!
//! Search for the number. Nothing here decides when a message is raised.

use crate::error::SqlError;

/// 102: a syntax error near some text.
#[must_use]
pub fn incorrect_syntax(near: &str) -> SqlError {
    SqlError::new(102, 15, format!("Incorrect syntax near '{near}'."))
}

/// 105: a text that never ends.
#[must_use]
pub fn unclosed_quote(text: &str) -> SqlError {
    SqlError::new(
        105,
        15,
        format!("Unclosed quotation mark after the character string '{text}'."),
    )
}

/// 111: a module made amid other statements.
#[must_use]
pub fn not_first_in_batch(statement: &str) -> SqlError {
    SqlError::new(
        111,
        15,
        format!("'{statement}' must be the first statement in a query batch."),
    )
}

/// 113: a comment that never ends.
#[must_use]
pub fn missing_end_comment() -> SqlError {
    SqlError::new(113, 15, "Missing end comment mark '*/'.")
}

/// 128: a column where no rows are.
#[must_use]
pub fn name_not_permitted(name: &str) -> SqlError {
    SqlError::new(
        128,
        15,
        format!(
            "The name \"{name}\" is not permitted in this context. Valid expressions are \
         constants, constant expressions, and (in some contexts) variables. Column \
         names are not permitted."
        ),
    )
}

/// 134: a variable declared twice.
#[must_use]
pub fn variable_declared_twice(name: &str) -> SqlError {
    SqlError::new(
        134,
        15,
        format!(
            "The variable name '{name}' has already been declared. Variable names must be \
         unique within a query batch or stored procedure."
        ),
    )
}

/// 137: an unknown variable; the name has its `@`.
#[must_use]
pub fn scalar_variable_not_declared(name: &str) -> SqlError {
    SqlError::new(
        137,
        15,
        format!("Must declare the scalar variable \"{name}\"."),
    )
}

/// 141: `SELECT @v = 1, 2`.
#[must_use]
pub fn assignment_mixed_with_retrieval() -> SqlError {
    SqlError::new(
        141,
        15,
        "A SELECT statement that assigns a value to a variable must not be combined \
         with data-retrieval operations.",
    )
}

/// 147: an aggregate in `WHERE`.
#[must_use]
pub fn aggregate_in_where() -> SqlError {
    SqlError::new(
        147,
        15,
        "An aggregate may not appear in the WHERE clause unless it is in a subquery \
         contained in a HAVING clause or a select list, and the column being \
         aggregated is an outer reference.",
    )
}

/// 155: an option that the statement does not have, for instance kind `BACKUP`.
#[must_use]
pub fn unrecognized_option(name: &str, kind: &str) -> SqlError {
    SqlError::new(
        155,
        15,
        format!("'{name}' is not a recognized {kind} option."),
    )
}

/// 156: a syntax error near a reserved word.
#[must_use]
pub fn incorrect_syntax_near_keyword(keyword: &str) -> SqlError {
    SqlError::new(
        156,
        15,
        format!("Incorrect syntax near the keyword '{keyword}'."),
    )
}

/// 170: the syntax error of old servers, kept for linked servers.
#[must_use]
pub fn incorrect_syntax_at_line(line: u32, near: &str) -> SqlError {
    SqlError::new(
        170,
        15,
        format!("Line {line}: Incorrect syntax near '{near}'."),
    )
}

/// 174: a built-in with too few or too many arguments.
#[must_use]
pub fn function_argument_count(function: &str, count: usize) -> SqlError {
    SqlError::new(
        174,
        15,
        format!("The {function} function requires {count} argument(s)."),
    )
}

/// 178: `RETURN n` outside a module.
#[must_use]
pub fn return_with_value() -> SqlError {
    SqlError::new(
        178,
        15,
        "A RETURN statement with a return value cannot be used in this context.",
    )
}

/// 179: `OUTPUT` on a constant.
#[must_use]
pub fn output_of_constant() -> SqlError {
    SqlError::new(
        179,
        15,
        "Cannot use the OUTPUT option when passing a constant to a stored procedure.",
    )
}

/// 189: a built-in with too few or too many arguments.
#[must_use]
pub fn function_argument_range(function: &str, low: usize, high: usize) -> SqlError {
    SqlError::new(
        189,
        15,
        format!("The {function} function requires {low} to {high} arguments."),
    )
}

/// 191: nesting beyond the limit.
#[must_use]
pub fn nested_too_deeply() -> SqlError {
    SqlError::new(
        191,
        15,
        "Some part of your SQL statement is nested too deeply. Rewrite the query or \
         break it up into smaller queries.",
    )
}

/// 195: an unknown function (kind `built-in function name`) or option.
#[must_use]
pub fn unrecognized_name(name: &str, kind: &str) -> SqlError {
    SqlError::new(195, 15, format!("'{name}' is not a recognized {kind}."))
}

/// 201: a parameter without value and default.
#[must_use]
pub fn parameter_missing(procedure: &str, parameter: &str) -> SqlError {
    SqlError::new(
        201,
        16,
        format!(
            "Procedure or function '{procedure}' expects parameter '{parameter}', which \
         was not supplied."
        ),
    )
}

/// 205: arms of different width.
#[must_use]
pub fn union_column_counts() -> SqlError {
    SqlError::new(
        205,
        16,
        "All queries combined using a UNION, INTERSECT or EXCEPT operator must have \
         an equal number of expressions in their target lists.",
    )
}

/// 206: types that never convert.
#[must_use]
pub fn operand_type_clash(from: &str, to: &str) -> SqlError {
    SqlError::new(
        206,
        16,
        format!("Operand type clash: {from} is incompatible with {to}"),
    )
}

/// 207: an unknown column.
#[must_use]
pub fn invalid_column(name: &str) -> SqlError {
    SqlError::new(207, 16, format!("Invalid column name '{name}'."))
}

/// 208: an unknown table or view.
#[must_use]
pub fn invalid_object(name: &str) -> SqlError {
    SqlError::new(208, 16, format!("Invalid object name '{name}'."))
}

/// 209: a column of two sources.
#[must_use]
pub fn ambiguous_column(name: &str) -> SqlError {
    SqlError::new(209, 16, format!("Ambiguous column name '{name}'."))
}

/// 213: `INSERT` of the wrong width.
#[must_use]
pub fn values_do_not_match() -> SqlError {
    SqlError::new(
        213,
        16,
        "Column name or number of supplied values does not match table definition.",
    )
}

/// 109: fewer values than columns.
#[must_use]
pub fn too_many_columns_in_insert() -> SqlError {
    SqlError::new(
        109,
        15,
        "There are more columns in the INSERT statement than values specified in the \
         VALUES clause. The number of values in the VALUES clause must match the \
         number of columns specified in the INSERT statement.",
    )
}

/// 110: more values than columns.
#[must_use]
pub fn too_few_columns_in_insert() -> SqlError {
    SqlError::new(
        110,
        15,
        "There are fewer columns in the INSERT statement than values specified in the \
         VALUES clause. The number of values in the VALUES clause must match the \
         number of columns specified in the INSERT statement.",
    )
}

/// 120: fewer selected values than columns.
#[must_use]
pub fn too_many_columns_in_insert_select() -> SqlError {
    SqlError::new(
        120,
        15,
        "The select list for the INSERT statement contains fewer items than the \
         insert list. The number of SELECT values must match the number of INSERT \
         columns.",
    )
}

/// 121: more selected values than columns.
#[must_use]
pub fn too_few_columns_in_insert_select() -> SqlError {
    SqlError::new(
        121,
        15,
        "The select list for the INSERT statement contains more items than the insert \
         list. The number of SELECT values must match the number of INSERT columns.",
    )
}

/// 108: `ORDER BY 9` of fewer items.
#[must_use]
pub fn order_by_position(position: i64) -> SqlError {
    SqlError::new(
        108,
        15,
        format!(
            "The ORDER BY position number {position} is out of range of the number of \
         items in the select list."
        ),
    )
}

/// 107: `t.*` of no source.
#[must_use]
pub fn column_prefix_no_match(prefix: &str) -> SqlError {
    SqlError::new(
        107,
        15,
        format!(
            "The column prefix '{prefix}' does not match with a table name or alias name \
         used in the query."
        ),
    )
}

/// 4104: a qualified column whose qualifier is no source.
#[must_use]
pub fn multi_part_identifier(name: &str) -> SqlError {
    SqlError::new(
        4104,
        16,
        format!("The multi-part identifier \"{name}\" could not be bound."),
    )
}

/// 1011: one alias twice.
#[must_use]
pub fn duplicate_source(name: &str) -> SqlError {
    SqlError::new(
        1011,
        15,
        format!("The correlation name '{name}' is specified multiple times in a FROM clause."),
    )
}

/// 116: a subquery of several columns.
#[must_use]
pub fn only_one_expression() -> SqlError {
    SqlError::new(
        116,
        16,
        "Only one expression can be specified in the select list when the subquery is \
         not introduced with EXISTS.",
    )
}

/// 4145: a value where a condition belongs.
#[must_use]
pub fn not_boolean(near: &str) -> SqlError {
    SqlError::new(
        4145,
        15,
        format!(
            "An expression of non-boolean type specified in a context where a condition \
         is expected, near '{near}'."
        ),
    )
}

/// 1087: an unknown table variable.
#[must_use]
pub fn table_variable_not_declared(name: &str) -> SqlError {
    SqlError::new(
        1087,
        15,
        format!("Must declare the table variable \"{name}\"."),
    )
}

/// 8120: a column that is neither grouped nor aggregated.
#[must_use]
pub fn column_not_grouped(column: &str) -> SqlError {
    SqlError::new(
        8120,
        16,
        format!(
            "Column '{column}' is invalid in the select list because it is not contained \
         in either an aggregate function or the GROUP BY clause."
        ),
    )
}

/// 8155: an unnamed column of a derived table.
#[must_use]
pub fn no_column_name(position: usize, table: &str) -> SqlError {
    SqlError::new(
        8155,
        16,
        format!("No column name was specified for column {position} of '{table}'."),
    )
}

/// 8158: a derived table wider than its list.
#[must_use]
pub fn column_list_mismatch(table: &str) -> SqlError {
    SqlError::new(
        8158,
        16,
        format!("'{table}' has more columns than were specified in the column list."),
    )
}

/// 8159: a derived table narrower than its list.
#[must_use]
pub fn column_list_too_long(table: &str) -> SqlError {
    SqlError::new(
        8159,
        16,
        format!("'{table}' has fewer columns than were specified in the column list."),
    )
}

/// 8144: more arguments than parameters.
#[must_use]
pub fn too_many_arguments(procedure: &str) -> SqlError {
    SqlError::new(
        8144,
        16,
        format!("Procedure or function {procedure} has too many arguments specified."),
    )
}

/// 8145: a named argument that fits nothing.
#[must_use]
pub fn not_a_parameter(parameter: &str, procedure: &str) -> SqlError {
    SqlError::new(
        8145,
        16,
        format!("{parameter} is not a parameter for procedure {procedure}."),
    )
}

/// 8146: arguments for none.
#[must_use]
pub fn procedure_has_no_parameters(procedure: &str) -> SqlError {
    SqlError::new(
        8146,
        16,
        format!("Procedure {procedure} has no parameters and arguments were supplied."),
    )
}

/// 8162: `OUTPUT` on an input parameter.
#[must_use]
pub fn output_not_declared(parameter: &str) -> SqlError {
    SqlError::new(
        8162,
        16,
        format!(
            "The formal parameter \"{parameter}\" was not declared as an OUTPUT \
         parameter, but the actual parameter passed in requested output."
        ),
    )
}

/// 8178: a parameter of `sp_executesql` that was not given.
#[must_use]
pub fn parameterized_query_expects(query: &str, parameter: &str) -> SqlError {
    SqlError::new(
        8178,
        16,
        format!(
            "The parameterized query '{query}' expects the parameter '{parameter}', which \
         was not supplied."
        ),
    )
}

/// 8179: an unknown handle of `sp_execute`.
#[must_use]
pub fn prepared_statement_not_found(handle: i32) -> SqlError {
    SqlError::new(
        8179,
        16,
        format!("Could not find prepared statement with handle {handle}."),
    )
}

/// 117: a name of too many parts.
#[must_use]
pub fn too_many_prefixes(name: &str) -> SqlError {
    let text = format!(
        "The object name '{name}' contains more than the maximum number of prefixes. The maximum \
         is \
         3."
    );
    SqlError::new(117, 15, text)
}
