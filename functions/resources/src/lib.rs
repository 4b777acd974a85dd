//! Projects, datasets and models: create, list, read, update, trash; uploads and storage usage.

mod view;

kit::functions! {
    endpoint list::ListResources;
    endpoint create::CreateResource;
    endpoint read::Read;
    endpoint update::Update;
    endpoint trash::TrashResource;
    endpoint upload_url::UploadUrl;
    endpoint upload_complete::UploadComplete;
    endpoint storage::ReadStorage;
}
