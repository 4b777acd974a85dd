//! `cargo local`: starts the platform on this machine.

use std::{io::Write, path::PathBuf, process::ExitCode};

use aws::LeadingKeys;
use clap::{Parser, ValueEnum};
use domain::region::Region;
use lambda::RangeUrl;
use local::{Options, Platform, SERVICE_ACCESS_KEY_ID, SERVICE_SECRET_ACCESS_KEY};

/// Run the whole platform on this machine, with embedded stand-ins for AWS.
#[derive(Parser)]
#[command(name = "cargo local")]
struct Arguments {
    /// Port of the entry point; the regions use the next ports, in the order us, eu, ap.
    #[arg(long, default_value_t = 9000)]
    port: u16,
    /// Data folder.
    #[arg(long, default_value = ".local")]
    data: PathBuf,
    /// Use a temporary folder and delete it at the end.
    #[arg(long, conflicts_with = "data")]
    ephemeral: bool,
    /// Address of an external emulator for DynamoDB and S3, instead of the embedded stand-ins.
    #[arg(long)]
    aws: Option<url::Url>,
    /// Folder with the built binaries of functions (FUNCTION/bootstrap or FUNCTION), to run instead of their library
    /// code.
    #[arg(long, value_name = "DIR")]
    binaries: Option<PathBuf>,
    /// Keys that a permission for a batch or a transaction is judged with: those of its table or item, for batches all, or
    /// for both all.
    #[arg(long, value_enum, default_value_t)]
    leading_keys: JudgedKeys,
    /// Origins of web pages that may use the APIs and upload files, for example http://localhost:3000,https://app.example.com.
    #[arg(long, value_name = "ORIGINS", value_delimiter = ',', value_parser = origin)]
    origins: Vec<String>,
    /// Service that looks up new passwords among breached ones, for example https://api.pwnedpasswords.com/range/.
    #[arg(long, value_name = "URL", value_parser = range_url)]
    breached_passwords: Option<RangeUrl>,
}

fn range_url(text: &str) -> Result<RangeUrl, &'static str> {
    RangeUrl::parse(text).ok_or("use https://HOST/PATH/ or, on this machine, http://localhost:PORT/")
}

fn origin(text: &str) -> Result<String, String> {
    let is_origin = infra::cors::is_origin(text);
    is_origin.then(|| text.to_owned()).ok_or("use https://HOST[:PORT] or http://localhost[:PORT]".to_owned())
}

/// The values of `--leading-keys`.
#[expect(
    clippy::enum_variant_names,
    reason = "the names of `LeadingKeys`, which are the values of the option"
)]
#[derive(Clone, Copy, Default, ValueEnum)]
enum JudgedKeys {
    #[default]
    PerTable,
    PerBatch,
    PerRequest,
}

impl From<JudgedKeys> for LeadingKeys {
    fn from(keys: JudgedKeys) -> Self {
        match keys {
            JudgedKeys::PerTable => Self::PerTable,
            JudgedKeys::PerBatch => Self::PerBatch,
            JudgedKeys::PerRequest => Self::PerRequest,
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info,s3s=warn,dynoxide=warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let temporary = arguments.ephemeral.then(tempfile::tempdir).transpose()?;
    let data = temporary.as_ref().map_or(arguments.data.clone(), |folder| folder.path().to_owned());
    let Arguments { port, aws, binaries, leading_keys, origins, breached_passwords, .. } = arguments;
    let platform = Platform::start(Options {
        port,
        data: data.clone(),
        aws,
        binaries,
        leading_keys: leading_keys.into(),
        origins,
        accepts_feedback: true,
        breached_passwords,
    })
    .await?;
    let url = platform.url();
    let mut out = std::io::stdout();
    writeln!(out, "The platform is ready at {url}")?;
    for region in Region::ALL {
        writeln!(out, "  Region {region}      {}", platform.region_url(region))?;
    }
    writeln!(out, "  API reference  {url}/_local/reference")?;
    writeln!(out, "  Mailbox        {url}/_local/mailbox")?;
    writeln!(out, "  Everything     {url}/_local/")?;
    writeln!(out, "  Services       sign as {SERVICE_ACCESS_KEY_ID} with {SERVICE_SECRET_ACCESS_KEY}")?;
    writeln!(out, "  Data           {}", data.display())?;
    writeln!(out, "Press Ctrl-C to stop.")?;
    stop_signal().await?;
    platform.stop().await;
    Ok(())
}

/// Waits for Ctrl-C or SIGTERM.
async fn stop_signal() -> std::io::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed,
        _ = terminate.recv() => Ok(()),
    }
}
