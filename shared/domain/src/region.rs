//! Data regions. Each workspace keeps its data in one region, chosen at sign-up.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A data region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Region {
    /// Americas.
    Us,
    /// Europe, Middle East & Africa.
    Eu,
    /// Asia Pacific.
    Ap,
}

impl Region {
    /// Every region.
    pub const ALL: [Self; 3] = [Self::Us, Self::Eu, Self::Ap];

    /// The region that writes the directory, so that concurrent claims on a name are ordered. The other regions read
    /// replicas.
    pub const AUTHORITY: Self = Self::Us;

    /// The short name: `us`, `eu` or `ap`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Us => "us",
            Self::Eu => "eu",
            Self::Ap => "ap",
        }
    }

    /// The AWS region of this data region.
    pub fn aws(self) -> &'static str {
        match self {
            Self::Us => "us-east-1",
            Self::Eu => "eu-central-1",
            Self::Ap => "ap-southeast-1",
        }
    }
}

impl std::fmt::Display for Region {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Region {
    type Err = UnknownRegion;

    fn from_str(text: &str) -> Result<Self, UnknownRegion> {
        Self::ALL.into_iter().find(|region| region.as_str() == text).ok_or(UnknownRegion)
    }
}

/// The text is not the name of a data region.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the data region must be us, eu or ap")]
pub struct UnknownRegion;
