//! What routes are called in the log and in the metrics: never by a path, which holds ids.

use darkroom_api::EndpointName;

use super::router::Route;

impl Route {
    /// Returns the name for log and metrics, which does not depend on ids.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Route::Live => "health_live",
            Route::Ready => "health_ready",
            Route::Metrics => "metrics",
            Route::Call(Ok(found)) => call_name(found.endpoint.name),
            Route::Call(Err(_)) => "no_call",
            Route::Batch(Ok(found)) => call_name(found.endpoint.name),
            Route::Batch(Err(_)) => "batch",
            Route::UploadHost(_) => "direct_upload",
            Route::Transformation => "transform",
            Route::Image => "deliver",
            Route::Nothing => "nothing",
        }
    }
}

fn call_name(name: EndpointName) -> &'static str {
    match name {
        EndpointName::VerifyToken => "verify_token",
        EndpointName::UploadImage => "upload_image",
        EndpointName::ListImagesV1 => "list_images_v1",
        EndpointName::ImageDetails => "image_details",
        EndpointName::EditImage => "edit_image",
        EndpointName::DeleteImage => "delete_image",
        EndpointName::ImageBlob => "image_blob",
        EndpointName::Stats => "stats",
        EndpointName::ListVariants => "list_variants",
        EndpointName::CreateVariant => "create_variant",
        EndpointName::VariantDetails => "variant_details",
        EndpointName::EditVariant => "edit_variant",
        EndpointName::DeleteVariant => "delete_variant",
        EndpointName::FlatVariant => "flat_variant",
        EndpointName::ListKeys => "list_keys",
        EndpointName::CreateKey => "create_key",
        EndpointName::DeleteKey => "delete_key",
        EndpointName::Config => "config",
        EndpointName::EditConfig => "edit_config",
        EndpointName::CreateDirectUpload => "create_direct_upload",
        EndpointName::CreateDirectUploadV1 => "create_direct_upload_v1",
        EndpointName::DirectUpload => "direct_upload",
        EndpointName::BatchToken => "batch_token",
        EndpointName::ListImagesV2 => "list_images_v2",
        EndpointName::SourcingKit => "sourcing_kit",
    }
}
