//! The environment variables of a function instance: those that Lambda sets ([documented]), those of the template, and
//! the AWS endpoint. Instances inherit no variables of this process.
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

/// The environment of an instance, except its Runtime API.
pub struct Environment {
    /// The configuration in the template.
    pub config: Config,
    /// The function.
    pub function: &'static str,
    /// The memory size in the template. It is not enforced.
    pub memory: Memory,
    /// The AWS endpoint.
    pub aws: String,
    /// The file with the AWS partitions, for the SDK.
    pub partitions: PathBuf,
    /// libfaketime, so that the instance uses the local clock.
    pub faketime: Option<Arc<Faketime>>,
}

type Variables = Vec<(&'static str, String)>;

impl Environment {
    /// All variables of an instance with its Runtime API at `api` and its program in `folder`.
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

/// The variables of `Globals` in `template.yaml`, and the minimum delay of refusals.
fn of_template(config: &Config, partitions: &Path) -> Variables {
    let endpoint = |region: Region| {
        let url = config.endpoints.get(&region).map(String::as_str).unwrap_or_default();
        format!("{region}={url}")
    };
    let breached_passwords = config.breached_passwords.as_ref().map(ToString::to_string).unwrap_or_default();
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
        ("SHARED_ENDPOINT", config.shared_endpoint.clone().unwrap_or_default()),
        ("MAIL_FROM", config.mail_from.clone()),
        ("MAIL_CONFIGURATION_SET", config.mail_configuration_set.clone()),
        ("FEEDBACK_TO", config.feedback_to.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("BREACHED_PASSWORDS_URL", breached_passwords),
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
        crate::region_config::config(Region::Eu, "http://127.0.0.1:9", &Region::ALL.map(endpoint).into())
    }

    #[test]
    fn instance_reads_its_configuration() {
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
    fn instance_has_exactly_the_variables_of_the_template() {
        let template = include_str!("../../../stacks/auth.yaml");
        let (_, after) = template.split_once("      Variables:\n").unwrap();
        let named = after.lines().map_while(|line| line.strip_prefix("        "));
        let named = named.filter(|line| !line.starts_with('#'));
        let mut expected_names: Vec<&str> = named.filter_map(|line| line.split(':').next()).collect();
        expected_names.push("REFUSALS_AFTER_MILLIS");
        let mut names: Vec<&str> =
            of_template(&config(), Path::new("")).into_iter().map(|(name, _)| name).collect();
        expected_names.sort_unstable();
        names.sort_unstable();
        assert_eq!(names, expected_names);
    }
}
