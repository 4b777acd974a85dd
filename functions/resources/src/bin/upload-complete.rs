//! Lambda entry point of `upload-complete`.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<resources::upload_complete::UploadComplete>()
}
