//! The CORS rules of the file bucket. A test compares them with the data stack.

/// A CORS rule.
pub struct Rule {
    /// The allowed methods.
    pub methods: &'static [&'static str],
    /// The allowed origins.
    pub origins: &'static [&'static str],
    /// The allowed request headers, in addition to the CORS-safelisted ones.
    pub headers: &'static [&'static str],
    /// The response headers that scripts may read.
    pub exposed: &'static [&'static str],
    /// How long browsers may cache a preflight response, in seconds.
    pub max_age: i32,
}

/// Pages of any origin may put files and get bundles: a presigned URL authorizes the request, without cookies.
pub const RULES: [Rule; 2] = [
    Rule {
        methods: &["PUT"],
        origins: &["*"],
        headers: &["content-type", "if-none-match"],
        exposed: &[],
        max_age: 3_600,
    },
    Rule {
        methods: &["GET", "HEAD"],
        origins: &["*"],
        headers: &["range"],
        exposed: &["accept-ranges", "content-disposition", "content-range"],
        max_age: 3_600,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The rule as the template's YAML.
    fn line(rule: &Rule) -> String {
        let list = |names: &[&str]| {
            let quoted = |name: &&str| if *name == "*" { format!("{name:?}") } else { (*name).to_owned() };
            format!("[{}]", names.iter().map(quoted).collect::<Vec<_>>().join(", "))
        };
        let lists = [
            ("AllowedMethods", rule.methods),
            ("AllowedOrigins", rule.origins),
            ("AllowedHeaders", rule.headers),
            ("ExposedHeaders", rule.exposed),
        ];
        let lists = lists.into_iter().filter(|(_, names)| !names.is_empty());
        let members: String = lists.map(|(name, names)| format!("{name}: {}, ", list(names))).collect();
        format!("- {{ {members}MaxAge: {} }}", rule.max_age)
    }

    #[test]
    fn template_has_exactly_these_rules() {
        let template = include_str!("../stacks/data.yaml");
        let (_, after) = template.split_once("CorsRules:\n").unwrap();
        let found: Vec<&str> =
            after.lines().map(str::trim).take_while(|line| line.starts_with('-')).collect();
        assert_eq!(found, RULES.iter().map(line).collect::<Vec<_>>());
    }
}
