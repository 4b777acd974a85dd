//! Projects, datasets and models: made, listed, read, changed, put into the trash; their files sent and counted.

mod view;

kit::functions! {
    endpoint list::List;
    endpoint create::Create;
    endpoint read::Read;
    endpoint update::Update;
    endpoint trash::Trash;
    endpoint upload_url::UploadUrl;
    endpoint upload_complete::UploadComplete;
    endpoint storage::Storage;
}
