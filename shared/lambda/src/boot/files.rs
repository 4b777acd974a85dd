//! Files and export bundles in the bucket.

use std::sync::Arc;

use aws_sdk_s3::config::RequestChecksumCalculation;
use domain::blob::{Blobs, Bundles, Icons, Presigner};
use kit::ports::FilePorts;

use super::FunctionRuntime;

impl FilePorts for FunctionRuntime {
    fn presigner(&self) -> Arc<dyn Presigner> {
        let (region, name) = (self.config.region.aws(), &self.config.bucket);
        let bucket = self.endpoint.url.as_ref().map_or_else(
            || format!("https://{name}.s3.{region}.amazonaws.com"),
            |endpoint| format!("{endpoint}/{name}"),
        );
        Arc::new(blobs::S3Presigner::new(self.endpoint.credentials.clone(), region, bucket))
    }

    /// Not certain to be called, and a bucket has a host of its own.
    fn blobs(&self) -> Arc<dyn Blobs> {
        let (quick, patient) = (self.s3(&self.sdk).build(), self.s3(&self.patient()).build());
        Arc::new(blobs::S3Blobs::new(quick, patient, self.config.bucket.clone()))
    }

    /// The same.
    fn icons(&self) -> Arc<dyn Icons> {
        // The signature covers the SHA-256 of the body, which S3 verifies.
        let config =
            |sdk| self.s3(sdk).request_checksum_calculation(RequestChecksumCalculation::WhenRequired).build();
        Arc::new(blobs::S3Blobs::new(config(&self.sdk), config(&self.patient()), self.config.bucket.clone()))
    }

    /// The same. A part of a bundle takes longer than other calls, and nobody waits for it.
    fn bundles(&self) -> Arc<dyn Bundles> {
        // The signature covers the SHA-256 of the body, which S3 verifies; and if parts had checksums, S3 would require
        // them all again at completion.
        let config =
            self.s3(&self.patient()).request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
        Arc::new(blobs::S3Bundles::new(config.build(), self.config.bucket.clone()))
    }
}
