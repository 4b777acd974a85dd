//! Why a handler stops without an answer of its own, and the table in which an endpoint lists its reasons.

use domain::{ports::Failure, region::Region};

use crate::{
    caller_assertion::CallerAssertion,
    problem::{Code, Problem},
};

/// What dispatch does instead of sending a handler's answer.
#[derive(Debug)]
pub enum Stop {
    /// Answers with a problem document.
    Problem(Problem),
    /// Runs the handler again: an earlier request with the same `Idempotency-Key` made the change.
    Replay,
    /// Forwards the request to the region that it belongs to, with what this region read about the caller.
    Forward(Region, Box<CallerAssertion>),
}

impl Stop {
    /// Forwards the request to `region`, which authenticates the caller itself.
    pub fn elsewhere(region: Region) -> Self {
        Self::asserting(region, CallerAssertion::default())
    }

    /// Forwards the request to `region` without its credentials, and vouches for the caller.
    pub fn asserting(region: Region, assertion: CallerAssertion) -> Self {
        Self::Forward(region, Box::new(assertion))
    }

    /// The problem that the client sees. A request that can be neither replayed nor forwarded any more is a defect.
    pub fn into_problem(self) -> Problem {
        match self {
            Self::Problem(problem) => problem,
            Self::Replay => Problem::internal("an unanswered receipt"),
            Self::Forward(region, _) => Problem::internal(format!("a request for {region} came here")),
        }
    }
}

impl<T: Into<Problem>> From<T> for Stop {
    fn from(problem: T) -> Self {
        Self::Problem(problem.into())
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        let inside = Some(failure.to_string());
        Self::Problem(match failure {
            Failure::AlreadyDone => return Self::Replay,
            Failure::Unavailable { .. } | Failure::Raced => {
                let sentence = "This is not available right now. Please try again in a moment.";
                Problem { retry_after: Some(1), inside, ..Problem::new(Code::Unavailable, sentence) }
            }
            Failure::Rejected { .. } | Failure::Unreadable | Failure::Broken(_) => {
                Problem { inside, ..Problem::internal("") }
            }
        })
    }
}

/// Declares the errors of an endpoint as a table: each row is an error and the problem that answers it.
///
/// The types after `from` convert into the enum with `?`, and answer as they do everywhere.
///
/// ```
/// use domain::{ports::Failure, region::Region};
/// use kit::{Problem, Stop};
///
/// kit::errors! {
///     pub enum Error from Failure {
///         /// The key was revoked.
///         Gone => Problem::not_found(),
///         /// The account belongs to another region.
///         Elsewhere(region: Region) => Stop::elsewhere(region),
///     }
/// }
/// ```
#[macro_export]
macro_rules! errors {
    ($visibility:vis enum $name:ident from $($source:ident),+ {
        $($(#[$doc:meta])* $variant:ident $(($field:ident: $type:ty))? => $answer:expr,)*
    }) => {
        /// Errors, and the answer to each.
        #[derive(Debug)]
        $visibility enum $name {
            $($(#[$doc])* $variant $(($type))?,)*
            $(#[doc = concat!("A [`", stringify!($source), "`].")] $source($source),)+
        }

        $(impl From<$source> for $name {
            fn from(error: $source) -> Self {
                Self::$source(error)
            }
        })+

        impl From<$name> for $crate::Stop {
            fn from(error: $name) -> Self {
                match error {
                    $($name::$variant $(($field))? => $answer.into(),)*
                    $($name::$source(error) => error.into(),)+
                }
            }
        }
    };
}
