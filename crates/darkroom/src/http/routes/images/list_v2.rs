//! `GET /accounts/{account}/images/v2` (reference: list-v2).

use std::time::{Duration, Instant};

use darkroom_api::{ApiError, ImageUrls, ListQuery, continuation_token, envelope, write_page};
use darkroom_model::{Cursor, Filters, Predicate};
use darkroom_service::{Listing, Page, PageWork, Service};
use http::StatusCode;
use http::request::Parts;

use crate::http::caller::{Caller, Read};
use crate::http::failures::api_error;
use crate::http::metrics::Metrics;
use crate::http::respond;
use crate::http::server::Response;

/// One page, and the token that leads to the next if there is one. What can go wrong, `ListQuery` and
/// `continuation_token` know.
pub(crate) async fn handle(
    service: &Service,
    caller: Caller<Read>,
    head: &Parts,
    base: &str,
    metrics: &Metrics,
) -> Result<Response, ApiError> {
    let (account, key) = (caller.account(), &service.secrets().continuation_token_key);
    let query = ListQuery::parse(head.uri.query().unwrap_or_default(), service.limits())?;
    let token = query.continuation_token.as_deref();
    let after = token.map(|token| continuation_token::open(token, &account.id, &query, key)).transpose()?;
    let ListQuery { filters, sort_order, page_size, .. } = query;

    let began = Instant::now();
    let listing = Listing { filters: filters.clone(), sort_order, after, page_size };
    let page = service.list(&account.id, listing).await.map_err(api_error)?;
    let took = began.elapsed();
    metrics.listed(filters.meta.len(), took);
    if took >= SLOW {
        log_slow(&filters, page_size, &page, took);
    }

    let next = page.next.map(|sequence| Cursor::new(account.id.clone(), sequence, sort_order, &filters));
    let token = next.map(|cursor| continuation_token::seal(&cursor, key));
    let variants = service.variants(&account.id).await.map_err(api_error)?;
    let urls = ImageUrls { base, account_hash: &account.hash, variants: &variants };
    let mut json = Vec::new();
    write_page(&mut json, page.images(), token.as_deref(), &urls);
    Ok(respond::json(StatusCode::OK, envelope::success(json)))
}

/// A page that takes so long is logged with what it took: even a page of 1,000 from millions of images takes a few
/// milliseconds when it need not wait for the disk.
const SLOW: Duration = Duration::from_millis(250);

/// Logs what was asked for by its shape, never by its values.
fn log_slow(filters: &Filters, page_size: usize, page: &Page, took: Duration) {
    let PageWork {
        records_read,
        hash_mismatches,
        blocks_read,
        containers_read,
        columns_read,
        chunks_visited,
        segments_visited,
        transactions,
    } = page.work;
    tracing::warn!(
        filters = shape(filters),
        page_size,
        images = page.len(),
        duration_ms = took.as_secs_f64() * 1000.0,
        records_read,
        hash_mismatches,
        blocks_read,
        containers_read,
        columns_read,
        chunks_visited,
        segments_visited,
        transactions,
        "a list was slow"
    );
}

/// Returns the kinds of the filters, such as `creator, any of 3, greater`.
fn shape(filters: &Filters) -> String {
    let creator = filters.creator.iter().map(|_| "creator".to_owned());
    let meta = filters.meta.iter().map(|filter| match &filter.predicate {
        Predicate::AnyOf(values) => format!("any of {}", values.len()),
        Predicate::Greater(_) => "greater".to_owned(),
        Predicate::GreaterOrEqual(_) => "greater or equal".to_owned(),
        Predicate::Less(_) => "less".to_owned(),
        Predicate::LessOrEqual(_) => "less or equal".to_owned(),
    });
    creator.chain(meta).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use darkroom_model::Limits;

    #[test]
    fn the_shape_of_a_query_shows_none_of_its_values() {
        let query = "creator=secret&meta.secret[in]=secret|5&meta.n[gte]=4711&meta.n[lt]=4712";
        let filters = ListQuery::parse(query, &Limits::default()).unwrap().filters;
        assert_eq!(shape(&filters), "creator, any of 3, greater or equal, less");
        assert_eq!(shape(&Filters::default()), "");
    }
}
