//! List v1 and the statistics (reference: api §4, §9).

use serde_json::json;

use super::common::client::Answer;
use super::common::{OTHER_ACCOUNT, OTHER_TOKEN, READ_TOKEN, TestServer};

fn ids(answer: &Answer) -> Vec<String> {
    let images = answer.result()["images"].clone();
    images.as_array().unwrap().iter().map(|image| image["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn pages_have_numbers_and_say_how_many_there_are() {
    let server = TestServer::start_on_disk().await;
    for index in 0..7 {
        let creator = if index % 2 == 0 { "ann" } else { "bob" };
        server.uploaded(&[("id", &format!("image-{index}")), ("creator", creator)]).await;
    }
    let list = |query: &str| server.call("GET", &format!("/images/v1{query}")).token(READ_TOKEN);

    let all = list("").send().await;
    assert_eq!(ids(&all).first().map(String::as_str), Some("image-6"), "newest first");
    assert_eq!(
        all.json()["result_info"],
        json!({"page": 1, "per_page": 1000, "count": 7, "total_count": 7, "total_pages": 1})
    );
    assert_eq!(all.result().as_object().unwrap().len(), 1, "only images");
    let details = server.call("GET", "/images/v1/image-6").send().await.result();
    assert_eq!(all.result()["images"][0], details);

    let third = list("?page=3&per_page=3").send().await;
    assert_eq!(ids(&third), ["image-0"]);
    assert_eq!(list("?page=3.0&per_page=3.0").send().await.text(), third.text());
    assert_eq!(
        third.json()["result_info"],
        json!({"page": 3, "per_page": 3, "count": 1, "total_count": 7, "total_pages": 3})
    );
    let beyond = list("?page=18446744073709551615&per_page=10000").send().await;
    assert_eq!((ids(&beyond).len(), &beyond.json()["result_info"]["total_count"]), (0, &json!(7)));
    let ann = list("?creator=ann&per_page=2&page=2").send().await;
    assert_eq!(ids(&ann), ["image-2", "image-0"]);
    assert_eq!(ann.json()["result_info"]["total_count"], 4);

    server.call("DELETE", "/images/v1/image-3").send().await.result();
    assert_eq!(ids(&list("?page=2&per_page=3").send().await), ["image-2", "image-1", "image-0"]);
    let stats = server.call("GET", "/images/v1/stats").token(READ_TOKEN).send().await.result();
    assert_eq!(stats, json!({"count": {"current": 6, "allowed": 100_000}}));
}

#[tokio::test]
async fn an_empty_account_has_an_empty_page_and_counts_nothing_of_another() {
    let server = TestServer::start_on_disk().await;
    server.uploaded(&[("id", "mine")]).await;
    let other = |path: &str| {
        let path = format!("/client/v4/accounts/{OTHER_ACCOUNT}/images/v1{path}");
        server.request("GET", &path).token(OTHER_TOKEN)
    };
    let list = other("").send().await;
    assert_eq!((ids(&list).len(), &list.json()["result_info"]["total_pages"]), (0, &json!(0)));
    assert_eq!(other("/stats").send().await.result()["count"]["current"], 0);
}

#[tokio::test]
async fn what_is_no_page_is_refused_and_so_are_filters() {
    let server = TestServer::start().await;
    for (query, pointer) in [
        ("page=0", "/query/page"),
        ("page=1.5", "/query/page"),
        ("page=1&page=2", "/query/page"),
        ("per_page=0", "/query/per_page"),
        ("per_page=10001", "/query/per_page"),
        ("meta.status[eq]=active", "/query/meta.status[eq]"),
        ("meta", "/query/meta"),
        ("%FF", "/query"),
    ] {
        let error = server.call("GET", &format!("/images/v1?{query}")).send().await.refusal(400, 5400);
        assert_eq!(error["source"]["pointer"], pointer, "{query}");
    }
    let unknown = server.call("GET", "/images/v1?sort_order=sideways&continuation_token=x&a=b");
    unknown.send().await.result();
}
