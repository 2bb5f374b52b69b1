//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, builder::NonEmptyStringValueParser};

use crate::{
    calendar::Calendar,
    limits::{Action, Amount, Scope},
    person::Person,
};

/// Who may spend how much on Amazon Bedrock, from its invocation log.
#[derive(Debug, Parser)]
#[command(name = "bedrock-sso-server", version, disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,

    /// The configuration; without it, the text of the variable BEDROCK_SSO_SERVER_CONFIG
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,

    /// Print {"version":1,"rows":[…]} instead of a table
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Answer the questions of clients, and count the records that arrive
    Serve,
    /// Set, list and remove limits
    #[command(subcommand)]
    Limits(LimitsCommand),
    /// Show what people have used in a month
    Usage(UsageArgs),
    /// Show what a month has cost, as a page with charts
    Report(ReportArgs),
    /// Raise or lift a person's limits for some time
    Grant(GrantArgs),
    /// End a person's grants
    Revoke {
        /// The name of the person's role session
        #[arg(long)]
        person: Person,
    },
    /// Refuse a person, whatever the limits say
    Block(BlockArgs),
    /// End a person's block
    Unblock {
        /// The name of the person's role session
        #[arg(long)]
        person: Person,
    },
    /// Show the prices that calls are counted with
    Prices,
    /// Count the records of files of the invocation log
    Ingest {
        /// JSON lines, or the same compressed with gzip
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Show which records were rejected, and which models have no price
    Faults,
    /// Print limits, grants and blocks as JSON, for `import`; or what analytics needs to know
    Export {
        #[arg(value_enum, default_value = "limits")]
        what: ExportedRows,
    },
    /// Read limits, grants and blocks: an export, or the quota policies of AWS's guidance sample
    Import {
        /// JSON: an export, the sample's `ccwb quota export`, or `aws dynamodb scan --table-name QuotaPolicies`
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub enum LimitsCommand {
    /// Set limits; a limit of the same scope, model, period and unit is replaced
    Set(SetLimitsArgs),
    /// List the limits
    List(MaybeScopeArgs),
    /// Remove the limits of a scope
    Remove(RemoveLimitsArgs),
}

/// For whom a limit is.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct ScopeArgs {
    /// One person, by the name of their role session
    #[arg(long)]
    person: Option<Person>,
    /// Each member of a group
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    group: Option<String>,
    /// Everybody who has no nearer limit
    #[arg(long)]
    default: bool,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct MaybeScopeArgs {
    /// One person, by the name of their role session
    #[arg(long)]
    pub person: Option<Person>,
    /// The members of a group
    #[arg(long)]
    pub group: Option<String>,
}

#[derive(Debug, Args)]
pub struct SetLimitsArgs {
    #[command(flatten)]
    pub scope: ScopeArgs,
    /// Only calls of these models: a pattern over the log's modelId, such as '*claude-opus*'
    #[arg(long, value_name = "PATTERN", value_parser = NonEmptyStringValueParser::new())]
    pub model: Option<String>,
    /// For each hour: tokens such as 200k or 5M, or money such as 20USD
    #[arg(long, value_name = "AMOUNT")]
    pub hour: Vec<Amount>,
    /// For each day
    #[arg(long, value_name = "AMOUNT")]
    pub day: Vec<Amount>,
    /// For each month
    #[arg(long, value_name = "AMOUNT")]
    pub month: Vec<Amount>,
    /// What happens at the limit
    #[arg(long, value_enum, default_value = "block")]
    pub action: Action,
}

#[derive(Debug, Args)]
pub struct RemoveLimitsArgs {
    #[command(flatten)]
    pub scope: ScopeArgs,
    /// Only the limits for this pattern of models
    #[arg(long, value_name = "PATTERN")]
    pub model: Option<String>,
    /// Only those for each hour
    #[arg(long)]
    pub hour: bool,
    /// Only those for each day
    #[arg(long)]
    pub day: bool,
    /// Only those for each month
    #[arg(long)]
    pub month: bool,
}

#[derive(Debug, Args)]
pub struct UsageArgs {
    #[command(flatten)]
    pub whose: MaybeScopeArgs,
    /// The month, such as 2026-11; this month without it
    #[arg(long, value_name = "YYYY-MM", value_parser = parse_month)]
    pub month: Option<String>,
    /// One row for each of these
    #[arg(long, value_enum, default_value = "person")]
    pub by: UsageBreakdown,
}

/// What a row of the usage is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize, serde::Deserialize)]
pub enum UsageBreakdown {
    Person,
    Group,
    Model,
    Account,
}

#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The month, such as 2026-11; this month without it
    #[arg(long, value_name = "YYYY-MM", value_parser = parse_month)]
    pub month: Option<String>,
    /// Write the page to this file instead of stdout
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// How people are shown
    #[arg(long, value_enum, default_value = "pseudonyms")]
    pub people: PeopleShown,
}

/// How a report shows people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeopleShown {
    /// Only the number of people
    None,
    /// As Person 1, Person 2 and so on: the number is the rank by money
    Pseudonyms,
    /// By the names of their role sessions
    Names,
}

/// What an export contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ExportedRows {
    /// Limits, grants and blocks, as one document
    Limits,
    /// Each person's department, team and groups, a JSON object a line
    People,
    /// The prices, a JSON object a line
    Prices,
}

#[derive(Debug, Args)]
pub struct GrantArgs {
    /// The name of the person's role session
    #[arg(long)]
    pub person: Person,
    /// When the grant ends: 2026-12-01T08:00:00Z, 2026-12-01T09:00 or 2026-12-01 in the configured zone
    #[arg(long, value_name = "TIME")]
    pub until: String,
    /// By how much the limits of this unit are raised; without it, no limit holds
    #[arg(long)]
    pub amount: Option<Amount>,
    /// Why, for those who read the list later
    #[arg(long)]
    pub reason: String,
}

#[derive(Debug, Args)]
pub struct BlockArgs {
    /// The name of the person's role session
    #[arg(long)]
    pub person: Person,
    /// When the block ends; without it, when somebody ends it
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Why; the person can read it
    #[arg(long)]
    pub reason: Option<String>,
}

impl ScopeArgs {
    pub fn scope(&self) -> Scope {
        match (&self.person, &self.group) {
            (Some(person), _) => Scope::Person(person.clone()),
            (None, Some(group)) => Scope::Group(group.clone()),
            (None, None) => Scope::Default,
        }
    }
}

impl MaybeScopeArgs {
    pub fn scope(&self) -> Option<Scope> {
        let person = self.person.clone().map(Scope::Person);
        person.or_else(|| self.group.clone().map(Scope::Group))
    }
}

fn parse_month(text: &str) -> Result<String, &'static str> {
    Calendar::parse_month(text).map(|month| month.text).ok_or("a month is written as 2026-11")
}
