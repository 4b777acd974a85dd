//! What an instance is told: what Lambda sets ([documented]), what the template sets, and where AWS is. Nothing of this
//! process's own environment.
//!
//! [documented]: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use domain::region::Region;
use kit::Memory;
use lambda::Config;

use super::faketime::Faketime;
use crate::functions::credentials;

/// An instance's environment, but for its Runtime API.
pub struct Environment {
    /// What the template tells its functions.
    pub config: Config,
    /// The function.
    pub function: &'static str,
    /// How much memory the template gives it. It gets what it takes.
    pub memory: Memory,
    /// Where AWS is.
    pub aws: String,
    /// The file that tells the SDK of AWS's partitions.
    pub partitions: PathBuf,
    /// What has it follow the local clock.
    pub faketime: Option<Arc<Faketime>>,
}

type Variables = Vec<(&'static str, String)>;

impl Environment {
    /// All variables of an instance whose Runtime API is at `api` and whose program is in `folder`.
    pub fn variables(&self, api: SocketAddr, folder: &Path) -> Variables {
        let mut variables = self.of_lambda(api, folder);
        variables.extend(of_template(&self.config, &self.partitions));
        variables.push(("AWS_ENDPOINT_URL", self.aws.clone()));
        variables.extend(self.faketime.iter().flat_map(|faketime| faketime.variables()));
        variables
    }

    fn of_lambda(&self, api: SocketAddr, folder: &Path) -> Variables {
        let (region, function) = (self.config.region, self.function);
        let caller = credentials(region, function);
        let folder = folder.display().to_string();
        vec![
            ("AWS_LAMBDA_RUNTIME_API", api.to_string()),
            ("AWS_LAMBDA_FUNCTION_NAME", function.to_owned()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", self.memory.megabytes().to_string()),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{function}")),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "local".to_owned()),
            ("AWS_REGION", region.aws().to_owned()),
            ("AWS_DEFAULT_REGION", region.aws().to_owned()),
            ("AWS_ACCESS_KEY_ID", caller.access_key_id().to_owned()),
            ("AWS_SECRET_ACCESS_KEY", caller.secret_access_key().to_owned()),
            ("AWS_SESSION_TOKEN", "local".to_owned()),
            ("_HANDLER", "bootstrap".to_owned()),
            ("LAMBDA_RUNTIME_DIR", folder.clone()),
            ("LAMBDA_TASK_ROOT", folder),
            ("LANG", "en_US.UTF-8".to_owned()),
            ("PATH", "/usr/local/bin:/usr/bin:/bin".to_owned()),
            ("TZ", ":UTC".to_owned()),
        ]
    }
}

/// What `Globals` of `template.yaml` sets, and how long refusals are held back.
fn of_template(config: &Config, partitions: &Path) -> Variables {
    let endpoint = |region: Region| {
        let url = config.endpoints.get(&region).map(String::as_str).unwrap_or_default();
        format!("{region}={url}")
    };
    vec![
        ("PLATFORM_REGION", config.region.to_string()),
        ("TABLE_PREFIX", config.table_prefix.clone()),
        ("SECRET_PREFIX", config.secret_prefix.clone()),
        ("SHARED_SECRET_PREFIX", config.shared_secret_prefix.clone()),
        ("KMS_KEY", config.kms_key.clone()),
        ("EVENT_BUS", config.event_bus.clone()),
        ("BUCKET", config.bucket.clone()),
        ("DIRECTORY_TABLE", config.directory_table.clone()),
        ("API_ENDPOINTS", Region::ALL.map(endpoint).join(",")),
        ("MAIL_FROM", config.mail_from.clone()),
        ("GLIBC_TUNABLES", "glibc.malloc.tcache_count=127".to_owned()),
        ("SMITHY_CLIENT_SDK_CUSTOM_PARTITION", partitions.display().to_string()),
        ("REFUSALS_AFTER_MILLIS", config.refusals_after.as_millis().to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn config() -> Config {
        let endpoint = |region: Region| (region, format!("http://127.0.0.1:1/{region}"));
        crate::region::config(Region::Eu, &Region::ALL.map(endpoint).into())
    }

    #[test]
    fn an_instance_reads_the_configuration_that_it_was_meant_to_have() {
        let environment = Environment {
            config: config(),
            function: "auth-sign-in",
            memory: Memory::FullCpu,
            aws: "http://127.0.0.1:2".to_owned(),
            partitions: "/data/partitions.json".into(),
            faketime: None,
        };
        let api = ([127, 0, 0, 1], 3).into();
        let variables: BTreeMap<_, _> =
            environment.variables(api, Path::new("/functions")).into_iter().collect();
        let read = Config::read(|name| variables.get(name).cloned()).unwrap();
        assert_eq!(format!("{read:?}"), format!("{:?}", config()));
        assert_eq!(variables["AWS_LAMBDA_RUNTIME_API"], "127.0.0.1:3");
        assert_eq!(variables["AWS_ACCESS_KEY_ID"], "eu-central-1.auth-sign-in");
        assert_eq!(variables["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"], "1769");
    }

    #[test]
    fn an_instance_is_told_what_the_template_tells_and_no_more() {
        let template = include_str!("../../../../template.yaml");
        let (_, after) = template.split_once("      Variables:\n").unwrap();
        let named = after.lines().map_while(|line| line.strip_prefix("        "));
        let named = named.filter(|line| !line.starts_with('#'));
        let mut told: Vec<&str> = named.filter_map(|line| line.split(':').next()).collect();
        told.push("REFUSALS_AFTER_MILLIS");
        let mut ours: Vec<&str> =
            of_template(&config(), Path::new("")).into_iter().map(|(name, _)| name).collect();
        told.sort_unstable();
        ours.sort_unstable();
        assert_eq!(ours, told);
    }
}
