//! What is typed to be told something: sets, points, errors.

use clap::Args;

/// `stopmark show`
#[derive(Args, Debug)]
pub struct ShowArgs {
    /// A mark, a set's stamp or a run's id; the newest set when left out.
    pub what: Option<String>,
}

/// `stopmark points`
#[derive(Args, Clone, Copy, Debug)]
pub struct PointsArgs {
    /// How many points to show, the newest first.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
}

/// `stopmark explain`
#[derive(Args, Debug)]
pub struct ExplainArgs {
    /// The error: a number of SQL Server or a code of Stopmark.
    #[arg(value_name = "NUMBER|CODE")]
    pub error: String,
}
