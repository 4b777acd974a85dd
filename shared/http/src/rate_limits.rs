//! The rate limits of API keys. An endpoint names its class in its spec; [`rate_counters`](crate::rate_counters) counts.

/// The counter of an API key that a request counts towards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RateClass {
    /// All requests without a counter of their own.
    Default,
    /// Uploads.
    Upload,
}

impl RateClass {
    /// Requests a minute.
    pub fn per_minute(self) -> u32 {
        match self {
            Self::Default => 100,
            Self::Upload => 10,
        }
    }

    /// How many requests a container takes from a minute at once: a tenth, so that containers leave each other some.
    pub fn lease(self) -> u32 {
        self.per_minute().div_ceil(10)
    }

    /// The counter's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Upload => "upload",
        }
    }
}
