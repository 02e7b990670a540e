//! A disk that has too little room for more.

use std::path::Path;
use std::sync::Arc;

use darkroom::commands::serve::{Overrides, Running, start};
use darkroom::settings::{Listen, Secret, Settings};
use darkroom_model::{AccountId, SystemClock};

use super::common::client::{Form, Request};
use super::common::{ACCOUNT, TOKEN, pictures};

async fn start_in(folder: &Path, min_free_bytes: u64) -> Running {
    let mut settings = Settings {
        listen: Listen::Named(vec!["127.0.0.1:0".parse().unwrap()]),
        data: folder.join("data"),
        account_id: Some(AccountId::parse(ACCOUNT).unwrap()),
        api_token: Some(Secret::new(TOKEN.to_owned())),
        ..Settings::default()
    };
    settings.limits.min_free_bytes = min_free_bytes;
    start(settings, Overrides { clock: Arc::new(SystemClock), ..Overrides::default() }).await.unwrap()
}

#[tokio::test]
async fn below_the_reserve_uploads_are_refused_and_all_else_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let call = |running: &Running, method: &str, path: &str| {
        let path = format!("/client/v4/accounts/{ACCOUNT}{path}");
        Request::new(running.addresses()[0], method, &path).token(TOKEN)
    };
    let upload = |running: &Running, id: &str| {
        let form = Form::default().field("id", id).file("a.png", pictures::PNG);
        call(running, "POST", "/images/v1").form(&form)
    };
    let running = start_in(folder.path(), 0).await;
    upload(&running, "a").send().await.result();
    upload(&running, "b").send().await.result();
    running.stop().await;

    let running = start_in(folder.path(), u64::MAX).await;
    let refused = upload(&running, "c").send().await;
    refused.refusal(507, 5507);
    assert_eq!(refused.header("x-should-retry"), Some("false"));
    // Not a byte of a body need come for it.
    let head = call(&running, "POST", "/images/v1").form_header().header("content-length", "5000000");
    head.send().await.refusal(507, 5507);
    call(&running, "PATCH", "/images/v1/a").json(r#"{"metadata":{"x":1}}"#).send().await.result();
    call(&running, "DELETE", "/images/v1/b").send().await.result();
    let listed = call(&running, "GET", "/images/v2?meta.x[eq]=1").send().await.result();
    assert_eq!(listed["images"].as_array().map(Vec::len), Some(1));
    assert_eq!(call(&running, "GET", "/images/v1/a/blob").send().await.body, pictures::PNG);
    let ready = Request::new(running.addresses()[0], "GET", "/health/ready").send().await;
    assert_eq!(ready.status, 200);
    running.stop().await;
}
