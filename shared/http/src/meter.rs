//! Counts a request's AWS calls. The SDK clients' interceptor counts; dispatch reads.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU32, Ordering},
};

tokio::task_local! {
    static CURRENT: Arc<Meter>;
}

/// One request's counter.
pub struct Meter {
    request: Mutex<String>,
    calls: AtomicU32,
}

impl Meter {
    /// A counter at zero for the request with this id.
    pub fn new(request: String) -> Arc<Self> {
        Arc::new(Self { request: Mutex::new(request), calls: AtomicU32::new(0) })
    }

    /// Goes on under the id that the request has in the region that sent it here.
    pub fn rename(&self, request: String) {
        *self.request.lock().unwrap_or_else(PoisonError::into_inner) = request;
    }

    /// How many AWS calls were made.
    pub fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Runs `work` with this counter as the current one.
    pub async fn measure<T>(self: &Arc<Self>, work: impl Future<Output = T>) -> T {
        CURRENT.scope(Arc::clone(self), work).await
    }
}

/// Counts one AWS call of the current request.
pub fn count_call() {
    // Nobody counts those of no request.
    let _ = CURRENT.try_with(|meter| meter.calls.fetch_add(1, Ordering::Relaxed));
}

/// The current request's id.
pub fn request() -> Option<String> {
    CURRENT.try_with(|meter| meter.request.lock().unwrap_or_else(PoisonError::into_inner).clone()).ok()
}
