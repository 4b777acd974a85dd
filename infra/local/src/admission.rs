//! Limits the number of concurrent requests. On Lambda, each request has its own CPU; here all requests share one
//! machine, and too many concurrent requests would all exceed their function's timeout. Requests beyond the limit wait
//! in a queue before the timeout starts.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

/// The maximum number of concurrent requests.
const MAX_CONCURRENT: usize = 16;
/// The maximum wait in the queue. [API
/// Gateway](https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html) times out after 30
/// seconds.
const MAX_WAIT: Duration = Duration::from_secs(25);

/// The queue in front of the functions of a platform.
pub struct Admission(Semaphore);

impl Default for Admission {
    fn default() -> Self {
        Self(Semaphore::new(MAX_CONCURRENT))
    }
}

impl Admission {
    /// Waits for a free slot. Returns `None` on timeout. A request that is cancelled leaves the queue.
    pub async fn enter(&self) -> Option<SemaphorePermit<'_>> {
        tokio::time::timeout(MAX_WAIT, self.0.acquire()).await.ok()?.ok()
    }
}
