//! `restore`: makes restored tables fit to serve. `infra/restore-region` calls it.

use std::{io::Write, process::ExitCode};

use clap::{Parser, Subcommand};
use domain::region::Region;
use kit::Clock as _;
use lambda::{AwsEndpoint, HttpClient, SystemClock, patient_sdk_config};
use restore::{ErasureLedger, Restoration, TableGroup, erase_objects, settle_followers, settle_names};

/// Make restored tables fit to serve. Uses the credentials in the environment.
#[derive(Parser)]
#[command(name = "restore")]
struct Arguments {
    /// Only print what would be changed.
    #[arg(long, global = true)]
    dry_run: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Erase again in the copies what was erased since, before they serve.
    Erase {
        /// Data region: us, eu or ap.
        #[arg(long)]
        region: Region,
        /// Prefix of the copies, for example `account-platform-us-restored-`.
        #[arg(long)]
        copies: String,
        /// Prefix of the tables that served last, for example `account-platform-us-`.
        #[arg(long)]
        live: String,
        /// Bucket of the region.
        #[arg(long)]
        bucket: String,
        /// Keep API keys that the tables that served last do not hold: they were not revoked, but lost.
        #[arg(long)]
        keep_api_keys: bool,
    },
    /// Make the directory agree with the tables, once the copies serve.
    Names {
        /// Data region: us, eu or ap.
        #[arg(long)]
        region: Region,
        /// Prefix of the region's tables.
        #[arg(long)]
        tables: String,
        /// Name of the directory table.
        #[arg(long)]
        directory: String,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(text) => {
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(Arguments { dry_run, command }: Arguments) -> Result<String, Box<dyn std::error::Error>> {
    let (endpoint, http) = (AwsEndpoint::from_env()?, HttpClient::from_env()?);
    let sdk = |region: Region| patient_sdk_config(region.aws(), &endpoint, &http);
    let dynamodb = |region: Region| aws_sdk_dynamodb::Client::new(&sdk(region));
    match command {
        Command::Erase { region, copies, live, bucket, keep_api_keys } => {
            let live = TableGroup::new(dynamodb(region), live);
            let copies = TableGroup::new(dynamodb(region), copies);
            let ledger = ErasureLedger::read(&live).await?;
            let restoration = Restoration { copies, live, keeps_api_keys: keep_api_keys };
            let report = if dry_run { restoration.look().await? } else { restoration.erase().await? };
            // Stand-ins have no host name for each bucket.
            let s3 = aws_sdk_s3::config::Builder::from(&sdk(region)).force_path_style(endpoint.url.is_some());
            let s3 = aws_sdk_s3::Client::from_conf(s3.build());
            let objects = erase_objects(&s3, &bucket, &ledger, dry_run).await?;
            Ok(format!("{} erased ids in the ledger\n{report}objects erased {objects}\n", ledger.len()))
        }
        Command::Names { region, tables, directory } => {
            let tables = TableGroup::new(dynamodb(region), tables);
            let authority = dynamodb(Region::AUTHORITY);
            let now = SystemClock.now();
            let directory = (&authority, directory.as_str());
            let names = settle_names(&tables, directory, region, now, dry_run).await?;
            let followers = settle_followers(&tables, directory, region, dry_run).await?;
            Ok(format!("{names}numbers of followers published again {followers}\n"))
        }
    }
}
