//! Files and export bundles in the bucket. Reading a file's length takes `ListBucket`, and each step of writing a bundle
//! `PutObject`.

use super::method::PortMethod;
use crate::grant::Grant;

port! {
    /// Signed requests that clients send to the bucket.
    presigner = "Presigner" {
        PUT = "put": [Grant::files("PutObject")];
        GET = "get": [Grant::bundles("GetObject")];
        ICON = "icon": [Grant::icons("GetObject")];
    }
}

port! {
    /// Objects in the bucket.
    blobs = "Blobs" {
        STORED_LENGTH = "stored_length": [Grant::files("ListBucket")];
        FILES_UNDER = "under": [Grant::files("ListBucket")];
        BUNDLES_UNDER = "under": [Grant::bundles("ListBucket")];
        ICONS_UNDER = "under": [Grant::icons("ListBucket")];
        DELETE_FILES = "delete": [Grant::files("DeleteObject")];
        DELETE_BUNDLES = "delete": [Grant::bundles("DeleteObject")];
        DELETE_ICONS = "delete": [Grant::icons("DeleteObject")];
        ABORT = "abort": [Grant::bundles("AbortMultipartUpload")];
    }
}

port! {
    /// Storing pictures.
    icons = "Icons" {
        PUT = "put": [Grant::icons("PutObject")];
    }
}

port! {
    /// Writing export bundles.
    bundles = "Bundles" {
        BEGIN = "begin": [Grant::bundles("PutObject")];
        PUT_PART = "put_part": [Grant::bundles("PutObject")];
        COMPLETE = "complete": [Grant::bundles("PutObject"), Grant::bundles("ListBucket")];
    }
}
