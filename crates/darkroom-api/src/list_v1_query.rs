//! The query of list v1, whose pages have numbers (reference: api §4).

use darkroom_model::{Creator, Filters, Limits};
use serde_json::json;

use crate::error_codes::{ApiError, echo};
use crate::list_query::{Parameter, decode, whole_number};
use crate::schema;

/// What a list v1 call asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListV1Query {
    /// Which images: all, or those of a creator.
    pub filters: Filters,
    /// Which page, from 1.
    pub page: u64,
    /// How many images on a page.
    pub per_page: usize,
}

/// Images on a page that does not say how many.
const PER_PAGE: usize = 1_000;

impl ListV1Query {
    /// Reads the raw query of a URL. Unknown parameters are ignored, but never one that has the shape of a filter:
    /// who sends it means a part of the images and must not get all of them.
    pub fn parse(raw_query: &str, limits: &Limits) -> Result<ListV1Query, ApiError> {
        let parameters = decode(raw_query).map_err(without_documentation)?;
        let page = only(&parameters, "page")?;
        let per_page = only(&parameters, "per_page")?;
        let creator = only(&parameters, "creator")?;
        if let Some(filter) = parameters.iter().find(|parameter| parameter.is_filter()) {
            let message = format!("Metadata filters are not supported: '{}'", echo(&filter.name));
            return Err(without_documentation(filter.error(message)));
        }
        let page = number(page, "page", u64::MAX)?.unwrap_or(1);
        let per_page = number(per_page, "per_page", limits.per_page_max as u64)?;
        let creator = creator.map(|text| parse_creator(text, limits)).transpose()?;
        let filters = Filters { creator, meta: Vec::new() };
        Ok(ListV1Query { filters, page, per_page: per_page.map_or(PER_PAGE, |number| number as usize) })
    }

    /// Returns how many images come before the page.
    pub fn offset(&self) -> u64 {
        (self.page - 1).saturating_mul(self.per_page as u64)
    }

    /// Returns the page's place among all, as the answer's `result_info`.
    pub fn write_result_info(&self, count: usize, total_count: u64) -> Vec<u8> {
        let ListV1Query { page, per_page, .. } = self;
        let total_pages = total_count.div_ceil(*per_page as u64);
        format!(
            "{{\"page\":{page},\"per_page\":{per_page},\"count\":{count},\"total_count\":{total_count},\"total_pages\":{total_pages}}}"
        )
        .into_bytes()
    }
}

/// Returns the value of a parameter that may stand once; empty numbers count as absent.
fn only<'q>(parameters: &'q [Parameter<'_>], name: &str) -> Result<Option<&'q str>, ApiError> {
    let mut values = parameters.iter().filter(|parameter| parameter.name == name);
    let first = values.next();
    match values.next() {
        Some(_) => Err(query_error(format!("Duplicate query parameter: '{name}'"), name)),
        None => Ok(first.map(|parameter| &*parameter.value)),
    }
}

/// Reads a number from 1 to a limit.
fn number(text: Option<&str>, name: &str, max: u64) -> Result<Option<u64>, ApiError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    match whole_number(text) {
        Some(number) if number <= max => Ok(Some(number)),
        _ => Err(query_error(format!("Invalid {name}: '{}'", echo(text)), name)),
    }
}

fn parse_creator(text: &str, limits: &Limits) -> Result<Option<Creator>, ApiError> {
    Creator::parse(text, limits)
        .map_err(|problem| query_error(format!("Invalid creator: {problem}"), "creator"))
}

fn query_error(message: String, name: &str) -> ApiError {
    ApiError::invalid(message, Some(format!("/query/{name}")))
}

/// The page that documents list v2 does not document this call.
fn without_documentation(error: ApiError) -> ApiError {
    ApiError { documentation_url: None, ..error }
}

/// The parameters of the call, for the OpenAPI document.
pub(crate) const PARAMETERS: &[schema::Parameter] = &[
    schema::Parameter {
        name: "page",
        description: "Which page.",
        json: |_| json!({"type": "integer", "minimum": 1, "default": 1}),
    },
    schema::Parameter {
        name: "per_page",
        description: "Images on a page.",
        json: |limits| json!({"type": "integer", "minimum": 1, "maximum": limits.per_page_max, "default": PER_PAGE}),
    },
    schema::Parameter {
        name: "creator",
        description: "Images of this creator; empty: those without one.",
        json: |limits| json!({"type": "string", "maxLength": limits.creator_chars_max}),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Result<ListV1Query, ApiError> {
        ListV1Query::parse(query, &Limits::default())
    }

    fn check(query: &str, page: u64, per_page: usize, offset: u64) {
        let parsed = parse(query).unwrap();
        assert_eq!((parsed.page, parsed.per_page, parsed.offset()), (page, per_page, offset), "{query}");
    }

    fn refused(query: &str, message: &str, pointer: &str) {
        let error = parse(query).unwrap_err();
        assert_eq!((error.status, error.code, error.message.as_str()), (400, 5400, message), "{query}");
        assert_eq!((error.pointer.as_deref(), error.documentation_url), (Some(pointer), None), "{query}");
    }

    #[test]
    fn pages_are_numbered_from_one() {
        check("", 1, 1_000, 0);
        check("page=&per_page=", 1, 1_000, 0);
        check("page=3&per_page=10", 3, 10, 20);
        check("per_page=10000&unknown=x&sort_order=asc", 1, 10_000, 0);
        check("page=18446744073709551615&per_page=2", u64::MAX, 2, u64::MAX);
    }

    #[test]
    fn a_number_is_refused_unless_it_is_one() {
        for text in ["0", "-1", "1.5", "+1", "01", "x", "18446744073709551616"] {
            let encoded = text.replace('+', "%2B");
            refused(&format!("page={encoded}"), &format!("Invalid page: '{text}'"), "/query/page");
        }
        for text in ["0", "10001", "1e3"] {
            refused(&format!("per_page={text}"), &format!("Invalid per_page: '{text}'"), "/query/per_page");
        }
        refused("page=1&page=1", "Duplicate query parameter: 'page'", "/query/page");
    }

    #[test]
    fn a_creator_is_a_filter_and_others_are_refused() {
        let creator = parse("creator=a+b").unwrap().filters.creator;
        assert_eq!(creator.unwrap().unwrap().as_str(), "a b");
        assert_eq!(parse("").unwrap().filters.creator, None);
        for name in ["meta.a[eq]", "meta", "meta[a]", "meta.a"] {
            refused(
                &format!("{name}=1"),
                &format!("Metadata filters are not supported: '{name}'"),
                &format!("/query/{name}"),
            );
        }
        refused("%FF=1", "Invalid query string: not valid UTF-8", "/query");
        assert!(parse(&format!("creator={}", "x".repeat(1025))).is_err());
    }

    #[test]
    fn the_last_page_may_be_short() {
        let info = |query: &str, count, total| {
            String::from_utf8(parse(query).unwrap().write_result_info(count, total)).unwrap()
        };
        assert_eq!(
            info("page=3&per_page=10", 1, 21),
            r#"{"page":3,"per_page":10,"count":1,"total_count":21,"total_pages":3}"#
        );
        assert_eq!(info("", 0, 0), r#"{"page":1,"per_page":1000,"count":0,"total_count":0,"total_pages":0}"#);
    }
}
