//! Lambda entry point of `upload-url`.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<resources::upload_url::UploadUrl>()
}
