//! The query of list v2 (reference: list-v2 §1 to §6).
//!
//! The whole query is decoded, then judged; only the first problem is reported, in the order of list-v2 §6: UTF-8,
//! repeated parameters, number of filters, each filter from left to right, sort order, page size, creator. The
//! token is judged last, by [`crate::continuation_token::open`], which needs the account and a key.

use std::borrow::Cow;

use darkroom_model::scalar::FieldPathError;
use darkroom_model::{Creator, FieldPath, Filters, Limits, MetaFilter, Number, Predicate, Scalar, SortOrder};
use percent_encoding::percent_decode;
use serde_json::json;

use crate::error_codes::{ApiError, echo};
use crate::schema;

/// Where the call is documented; every error of its query names it.
pub const DOCUMENTATION_URL: &str =
    "https://developers.cloudflare.com/api/resources/images/subresources/v2/methods/list/";

/// What a list v2 call asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListQuery {
    /// Which images.
    pub filters: Filters,
    /// In which order.
    pub sort_order: SortOrder,
    /// How many at most; never more than [`Limits::page_max`].
    pub page_size: usize,
    /// The sealed cursor to go on from; `None` for the first page.
    pub continuation_token: Option<String>,
}

impl ListQuery {
    /// Reads the raw query of a URL (what follows the `?`, still encoded; empty if there is none). Unknown
    /// parameters are ignored, but never one that has the shape of a filter.
    pub fn parse(raw_query: &str, limits: &Limits) -> Result<ListQuery, ApiError> {
        let parameters = decode(raw_query)?;
        let scalars = Scalars::collect(&parameters)?;
        let meta = parse_filters(&parameters, limits)?;
        let sort_order = parse_sort_order(scalars.sort_order)?;
        let page_size = parse_per_page(scalars.per_page, limits)?;
        let creator = scalars.creator.map(|text| parse_creator(text, limits)).transpose()?;
        Ok(ListQuery {
            filters: Filters { creator, meta },
            sort_order,
            page_size,
            continuation_token: scalars.continuation_token.map(str::to_owned),
        })
    }
}

/// Returns the error for a part of the query, with its place and the page that documents it.
pub(crate) fn query_error(message: String, name: &str) -> ApiError {
    let pointer = match name {
        "" => "/query".to_owned(),
        name => format!("/query/{}", name.replace('~', "~0").replace('/', "~1")),
    };
    ApiError { documentation_url: Some(DOCUMENTATION_URL), ..ApiError::invalid(message, Some(pointer)) }
}

/// A decoded parameter.
pub(crate) struct Parameter<'q> {
    pub(crate) name: Cow<'q, str>,
    pub(crate) value: Cow<'q, str>,
}

impl Parameter<'_> {
    /// Says whether the name must be a filter: what looks like one is refused rather than ignored.
    pub(crate) fn is_filter(&self) -> bool {
        self.name == "meta" || self.name.starts_with("meta.") || self.name.starts_with("meta[")
    }

    /// Returns the error for this parameter.
    pub(crate) fn error(&self, message: String) -> ApiError {
        query_error(message, &self.name)
    }
}

/// Splits first and decodes afterwards, so that an encoded `&` or `=` is part of its text (list-v2 §1.3).
pub(crate) fn decode(raw_query: &str) -> Result<Vec<Parameter<'_>>, ApiError> {
    let mut parameters = Vec::new();
    for part in raw_query.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let (Some(name), Some(value)) = (decode_text(name), decode_text(value)) else {
            return Err(query_error("Invalid query string: not valid UTF-8".to_owned(), ""));
        };
        parameters.push(Parameter { name, value });
    }
    Ok(parameters)
}

/// `+` is a space and `%2B` a plus, so the pluses go first. A `%` that begins no escape stays as it is.
fn decode_text(raw: &str) -> Option<Cow<'_, str>> {
    if !raw.contains('+') {
        return percent_decode(raw.as_bytes()).decode_utf8().ok();
    }
    let spaced = raw.replace('+', " ");
    percent_decode(spaced.as_bytes()).decode_utf8().ok().map(|text| Cow::Owned(text.into_owned()))
}

/// The parameters that may stand once; `None` if absent, or if empty and emptiness means absence.
#[derive(Default)]
struct Scalars<'q> {
    sort_order: Option<&'q str>,
    per_page: Option<&'q str>,
    creator: Option<&'q str>,
    continuation_token: Option<&'q str>,
}

impl<'q> Scalars<'q> {
    fn collect(parameters: &'q [Parameter<'_>]) -> Result<Scalars<'q>, ApiError> {
        let mut scalars = Scalars::default();
        for parameter in parameters {
            let place = match &*parameter.name {
                "sort_order" => &mut scalars.sort_order,
                "per_page" => &mut scalars.per_page,
                "creator" => &mut scalars.creator,
                "continuation_token" => &mut scalars.continuation_token,
                _ => continue,
            };
            if place.replace(&parameter.value).is_some() {
                let message = format!("Duplicate query parameter: '{}'", parameter.name);
                return Err(parameter.error(message));
            }
        }
        for place in [&mut scalars.sort_order, &mut scalars.per_page, &mut scalars.continuation_token] {
            place.take_if(|text| text.is_empty());
        }
        Ok(scalars)
    }
}

fn parse_sort_order(text: Option<&str>) -> Result<SortOrder, ApiError> {
    match text {
        None | Some("desc") => Ok(SortOrder::Descending),
        Some("asc") => Ok(SortOrder::Ascending),
        Some(other) => Err(query_error(format!("Invalid sort_order: '{}'", echo(other)), "sort_order")),
    }
}

/// Reads a whole number from 1 on. `10.0` is one: clients in languages whose number is a float here write it so.
pub(crate) fn whole_number(text: &str) -> Option<u64> {
    let digits = match text.split_once('.') {
        Some((digits, zeros)) if !zeros.is_empty() && zeros.bytes().all(|byte| byte == b'0') => digits,
        Some(_) => return None,
        None => text,
    };
    let is_plain = !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_plain { digits.parse().ok() } else { None }
}

/// More than a page holds is accepted and cut: whoever follows the token loses nothing (list-v2 §1.2).
fn parse_per_page(text: Option<&str>, limits: &Limits) -> Result<usize, ApiError> {
    let Some(text) = text else { return Ok(limits.page_max) };
    match whole_number(text) {
        Some(number) if number <= limits.per_page_max as u64 => Ok(limits.page_max.min(number as usize)),
        _ => Err(query_error(format!("Invalid per_page: '{}'", echo(text)), "per_page")),
    }
}

fn parse_creator(text: &str, limits: &Limits) -> Result<Option<Creator>, ApiError> {
    Creator::parse(text, limits)
        .map_err(|problem| query_error(format!("Invalid creator: {problem}"), "creator"))
}

fn parse_filters(parameters: &[Parameter<'_>], limits: &Limits) -> Result<Vec<MetaFilter>, ApiError> {
    let count = parameters.iter().filter(|parameter| parameter.is_filter()).count();
    if count > limits.filters_max {
        let message =
            format!("Too many metadata filters: {count} provided, maximum {} allowed", limits.filters_max);
        return Err(query_error(message, ""));
    }
    let filters = parameters.iter().filter(|parameter| parameter.is_filter());
    filters.map(|filter| parse_filter(filter, limits)).collect()
}

/// Reads one filter: shape, field (depth, length, names), operator, value.
fn parse_filter(parameter: &Parameter<'_>, limits: &Limits) -> Result<MetaFilter, ApiError> {
    let Some((field, operator)) = split_name(&parameter.name) else {
        let message = format!("Invalid metadata filter: '{}'", echo(&parameter.name));
        return Err(parameter.error(message));
    };
    let path = FieldPath::parse(field).map_err(|problem| parameter.error(field_message(field, problem)))?;
    let Some(kind) = Operator::parse(operator) else {
        let message = format!("Unsupported metadata filter operator: '{}'", echo(operator));
        return Err(parameter.error(message));
    };
    let predicate =
        kind.predicate(operator, &parameter.value, limits).map_err(|message| parameter.error(message))?;
    Ok(MetaFilter { path, predicate })
}

/// Splits `meta.<field>[<operator>]`; `None` if the name has another shape, such as two pairs of brackets.
fn split_name(name: &str) -> Option<(&str, &str)> {
    let (field, operator) = name.strip_prefix("meta.")?.strip_suffix(']')?.split_once('[')?;
    (!operator.contains(['[', ']'])).then_some((field, operator))
}

fn field_message(field: &str, problem: FieldPathError) -> String {
    match problem {
        FieldPathError::TooDeep(levels) => format!(
            "Metadata filter field nested too deeply: {levels} levels provided, maximum {} allowed",
            FieldPath::LEVELS_MAX
        ),
        FieldPathError::TooLong(chars) => format!(
            "Metadata filter field name too long: {chars} characters provided, maximum {} allowed",
            FieldPath::CHARS_MAX
        ),
        FieldPathError::BadName => format!("Invalid metadata filter field name: '{}'", echo(field)),
    }
}

/// The operators of the grammar (list-v2 §2.1).
#[derive(Clone, Copy)]
enum Operator {
    Equal(Type),
    In(Type),
    /// Makes a predicate of its bound.
    Range(fn(Number) -> Predicate),
}

/// What a text is to be read as.
#[derive(Clone, Copy)]
enum Type {
    /// Every type that the text can be read as, for the bare operators (list-v2 §2.4).
    Any,
    String,
    Number,
    Boolean,
}

impl Operator {
    fn parse(text: &str) -> Option<Operator> {
        Some(match text {
            "eq" => Operator::Equal(Type::Any),
            "eq:string" => Operator::Equal(Type::String),
            "eq:number" => Operator::Equal(Type::Number),
            "eq:boolean" => Operator::Equal(Type::Boolean),
            "in" => Operator::In(Type::Any),
            "in:string" => Operator::In(Type::String),
            "in:number" => Operator::In(Type::Number),
            "gt" | "gt:number" => Operator::Range(Predicate::Greater),
            "gte" | "gte:number" => Operator::Range(Predicate::GreaterOrEqual),
            "lt" | "lt:number" => Operator::Range(Predicate::Less),
            "lte" | "lte:number" => Operator::Range(Predicate::LessOrEqual),
            _ => return None,
        })
    }

    /// Reads the value; the error is the message, which names the operator as it was written.
    fn predicate(self, operator: &str, value: &str, limits: &Limits) -> Result<Predicate, String> {
        match self {
            Operator::Equal(kind) => kind.read(operator, value).map(Predicate::AnyOf),
            Operator::In(kind) => {
                let count = value.split('|').count();
                if count > limits.list_values_max {
                    return Err(format!(
                        "Too many values for metadata filter operator '{operator}': {count} provided, maximum {} allowed",
                        limits.list_values_max
                    ));
                }
                let mut candidates = Vec::new();
                for element in value.split('|') {
                    candidates.extend(kind.read(operator, element)?);
                }
                Ok(Predicate::AnyOf(candidates))
            }
            Operator::Range(predicate) => read_number(operator, value).map(predicate),
        }
    }
}

impl Type {
    /// Returns every value that the text stands for.
    fn read(self, operator: &str, text: &str) -> Result<Vec<Scalar>, String> {
        match self {
            Type::Any => {
                let number = Number::parse(text).map(Scalar::Number);
                let boolean = parse_boolean(text).map(Scalar::Boolean);
                Ok([Some(Scalar::String(text.into())), number, boolean].into_iter().flatten().collect())
            }
            Type::String => Ok(vec![Scalar::String(text.into())]),
            Type::Number => read_number(operator, text).map(|number| vec![Scalar::Number(number)]),
            Type::Boolean => match parse_boolean(text) {
                Some(value) => Ok(vec![Scalar::Boolean(value)]),
                None => Err(value_message("boolean", operator, text)),
            },
        }
    }
}

fn read_number(operator: &str, text: &str) -> Result<Number, String> {
    Number::parse(text).ok_or_else(|| value_message("number", operator, text))
}

fn parse_boolean(text: &str) -> Option<bool> {
    match text {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

fn value_message(kind: &str, operator: &str, text: &str) -> String {
    format!("Invalid {kind} value for metadata filter operator '{operator}': '{}'", echo(text))
}

/// The parameters of the call, for the OpenAPI document.
pub(crate) const PARAMETERS: &[schema::Parameter] = &[
    schema::Parameter {
        name: "meta",
        description: "Metadata filters, all of which must match: meta.FIELD[OPERATOR]=VALUE.",
        json: |limits| {
            json!({
                "type": "object",
                "maxProperties": limits.filters_max,
                "propertyNames": {"pattern": FILTER_PATTERN},
                "additionalProperties": {"type": "string"},
            })
        },
    },
    schema::Parameter {
        name: "creator",
        description: "Images of this creator; empty: those without one.",
        json: |limits| json!({"type": "string", "maxLength": limits.creator_chars_max}),
    },
    schema::Parameter {
        name: "sort_order",
        description: "By upload: newest first, or oldest first.",
        json: |_| json!({"enum": ["asc", "desc"], "default": "desc"}),
    },
    schema::Parameter {
        name: "per_page",
        description: "Images on a page, which holds no more than the server allows.",
        json: |limits| {
            let default = limits.page_max.min(limits.per_page_max);
            json!({"type": "integer", "minimum": 1, "maximum": limits.per_page_max, "default": default})
        },
    },
    schema::Parameter {
        name: "continuation_token",
        description: "What the page before said; only for the same filters and order.",
        json: |_| json!({"type": "string"}),
    },
];

/// The names of filters (reference: list-v2 §2.1): up to five levels, an operator, perhaps a type.
const FILTER_PATTERN: &str = concat!(
    r"^meta(\.[A-Za-z0-9_]+){1,5}",
    r"\[(eq(:(string|number|boolean))?|in(:(string|number))?|(gt|gte|lt|lte)(:number)?)\]$"
);

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Result<ListQuery, ApiError> {
        ListQuery::parse(query, &Limits::default())
    }

    /// A query that is refused, with the message and the pointer below `/query`.
    fn refused(query: &str, message: &str, pointer: &str) {
        let error = parse(query).unwrap_err();
        assert_eq!(error.message, message, "{query}");
        assert_eq!(error.pointer, Some(format!("/query{pointer}")), "{query}");
        assert_eq!((error.status, error.code), (400, 5400), "{query}");
        assert_eq!(error.documentation_url, Some(DOCUMENTATION_URL), "{query}");
    }

    fn filter(query: &str) -> (String, Predicate) {
        let mut filters = parse(query).unwrap().filters.meta;
        let filter = filters.pop().unwrap();
        assert!(filters.is_empty(), "{query}");
        (filter.path.to_string(), filter.predicate)
    }

    fn check(query: &str, field: &str, predicate: Predicate) {
        assert_eq!(filter(query), (field.to_owned(), predicate), "{query}");
    }

    fn text(value: &str) -> Scalar {
        Scalar::String(value.into())
    }

    fn number(value: &str) -> Number {
        Number::parse(value).unwrap()
    }

    #[test]
    fn nothing_asked_is_everything_newest_first() {
        let all = ListQuery {
            filters: Filters::default(),
            sort_order: SortOrder::Descending,
            page_size: 1000,
            continuation_token: None,
        };
        for query in
            ["", "&&", "sort_order=&per_page=&continuation_token", "page=2&metadata=x&metax[eq]=1", "="]
        {
            assert_eq!(parse(query).as_ref(), Ok(&all), "{query:?}");
        }
    }

    #[test]
    fn every_operator_has_its_meaning() {
        let five = || Scalar::Number(number("5"));
        check("meta.a[eq]=x", "a", Predicate::AnyOf(vec![text("x")]));
        check("meta.a[eq]=5", "a", Predicate::AnyOf(vec![text("5"), five()]));
        check("meta.a[eq]=true", "a", Predicate::AnyOf(vec![text("true"), Scalar::Boolean(true)]));
        check("meta.a[eq:string]=5", "a", Predicate::AnyOf(vec![text("5")]));
        check("meta.a[eq:number]=5.0", "a", Predicate::AnyOf(vec![five()]));
        check("meta.a[eq:boolean]=false", "a", Predicate::AnyOf(vec![Scalar::Boolean(false)]));
        check("meta.a[in]=x|5", "a", Predicate::AnyOf(vec![text("x"), text("5"), five()]));
        check("meta.a[in:string]=5|", "a", Predicate::AnyOf(vec![text("5"), text("")]));
        check("meta.a[in:number]=5", "a", Predicate::AnyOf(vec![five()]));
        for suffix in ["", ":number"] {
            check(&format!("meta.a[gt{suffix}]=5"), "a", Predicate::Greater(number("5")));
            check(&format!("meta.a[gte{suffix}]=5"), "a", Predicate::GreaterOrEqual(number("5")));
            check(&format!("meta.a[lt{suffix}]=-5"), "a", Predicate::Less(number("-5")));
            check(&format!("meta.a[lte{suffix}]=5e2"), "a", Predicate::LessOrEqual(number("500")));
        }
    }

    #[test]
    fn text_is_split_first_and_decoded_once() {
        let equal = |value: &str| Predicate::AnyOf(vec![text(value)]);
        for (query, value) in [
            ("meta.a[eq:string]=x=y", "x=y"),
            ("meta.a%5Beq:string%5D=x%26y", "x&y"),
            ("meta%2Ea[eq%3Astring]=x+y%2Bz%20", "x y+z "),
            ("meta.a[eq:string]=%255B", "%5B"),
            ("meta.a[eq:string]=100%", "100%"),
            ("meta.a[eq:string]=%zz%4", "%zz%4"),
            ("meta.a[eq:string]=na%C3%AFve", "naïve"),
            ("meta.a[eq:string]=naïve", "naïve"),
            ("meta.a[eq:string]=%00", "\0"),
            ("%6Deta.a[eq:string]", ""),
        ] {
            check(query, "a", equal(value));
        }
        check("meta.a[in:string]=x%7Cy|z", "a", Predicate::AnyOf(vec![text("x"), text("y"), text("z")]));
        // An encoded `=` is part of the name.
        refused("meta.a[eq]%3D5=5", "Invalid metadata filter: 'meta.a[eq]=5'", "/meta.a[eq]=5");
    }

    #[test]
    fn only_utf_8_is_read_wherever_it_stands() {
        for query in ["%FF", "x=%C3", "%80=1", "page=%ED%A0%80", "creator=a%FFb", "meta.a[not]=1&x=%FF"] {
            refused(query, "Invalid query string: not valid UTF-8", "");
        }
    }

    #[test]
    fn what_looks_like_a_filter_is_never_ignored() {
        for name in [
            "meta",
            "meta.",
            "meta.status",
            "meta.status.eq",
            "meta[status][eq]",
            "meta[",
            "meta.a[eq",
            "meta.a[eq]x",
            "meta.a[b][eq]",
            "meta.a[eq]]",
            "meta.a eq]",
        ] {
            refused(&format!("{name}=x"), &format!("Invalid metadata filter: '{name}'"), &format!("/{name}"));
        }
        for name in ["", "a..b", ".a", "a.", "first-name", "<field>", "na ïve", "a]b", "a~b/c"] {
            let pointer = format!("/meta.{name}[eq]").replace("a~b/c", "a~0b~1c");
            refused(
                &format!("meta.{name}[eq]=x"),
                &format!("Invalid metadata filter field name: '{name}'"),
                &pointer,
            );
        }
        for operator in
            ["", "not-eq", "EQ", "gt:string", "in:boolean", "eq:", ":string", "eq:string:", "eq ", "ne"]
        {
            refused(
                &format!("meta.a[{operator}]=x"),
                &format!("Unsupported metadata filter operator: '{operator}'"),
                &format!("/meta.a[{operator}]"),
            );
        }
    }

    #[test]
    fn fields_have_bounds() {
        check(
            "meta.first.second.third.fourth.fifth[eq:string]=x",
            "first.second.third.fourth.fifth",
            Predicate::AnyOf(vec![text("x")]),
        );
        refused(
            "meta.a.b.c.d.e.f[eq]=x",
            "Metadata filter field nested too deeply: 6 levels provided, maximum 5 allowed",
            "/meta.a.b.c.d.e.f[eq]",
        );
        let long = "a".repeat(100);
        check(&format!("meta.{long}[eq:string]=x"), &long, Predicate::AnyOf(vec![text("x")]));
        refused(
            &format!("meta.{long}b[eq]=x"),
            "Metadata filter field name too long: 101 characters provided, maximum 100 allowed",
            &format!("/meta.{long}b[eq]"),
        );
    }

    #[test]
    fn values_must_be_of_the_type_named() {
        let bad = |operator: &str, kind: &str, value: &str, echoed: &str| {
            refused(
                &format!("meta.a[{operator}]={value}"),
                &format!("Invalid {kind} value for metadata filter operator '{operator}': '{echoed}'"),
                &format!("/meta.a[{operator}]"),
            );
        };
        for operator in ["eq:number", "in:number", "gt", "gte", "lt", "lte", "gt:number", "lte:number"] {
            for value in ["", "five", "05", ".5", "5.", "0x5", "NaN", "Infinity", "1e400", "1_000"] {
                bad(operator, "number", value, value);
            }
            bad(operator, "number", "%2B5", "+5");
            bad(operator, "number", "+5", " 5");
        }
        for value in ["", "True", "1", "yes", "true "] {
            bad("eq:boolean", "boolean", value, value);
        }
        bad("in:number", "number", "1|x|2|y", "x");
        bad("in:number", "number", "1||5", "");
    }

    #[test]
    fn lists_are_counted_before_repeats_go() {
        let list = |count: usize| vec!["x"; count].join("|");
        assert!(parse(&format!("meta.a[in]={}", list(10))).is_ok());
        for operator in ["in", "in:string", "in:number"] {
            refused(
                &format!("meta.a[{operator}]={}", list(11)),
                &format!(
                    "Too many values for metadata filter operator '{operator}': 11 provided, maximum 10 allowed"
                ),
                &format!("/meta.a[{operator}]"),
            );
        }
    }

    #[test]
    fn filters_are_counted_as_they_stand() {
        let same = |count: usize| vec!["meta.a[eq]=x"; count].join("&");
        assert_eq!(parse(&same(5)).unwrap().filters.meta.len(), 5);
        assert!(parse(&format!("{}&creator=x", same(5))).is_ok());
        for query in [same(6), format!("{}&meta", same(5))] {
            refused(&query, "Too many metadata filters: 6 provided, maximum 5 allowed", "");
        }
    }

    #[test]
    fn page_sizes_are_integers_within_bounds() {
        for (value, page_size) in
            [("1", 1), ("9", 9), ("10.0", 10), ("1000", 1000), ("1001", 1000), ("10000.00", 1000)]
        {
            assert_eq!(parse(&format!("per_page={value}")).unwrap().page_size, page_size, "{value}");
        }
        for value in [
            "0",
            "-1",
            "0.0",
            "10.5",
            "10.",
            ".0",
            "10.0.0",
            "10001",
            "1e1",
            "abc",
            "010",
            "0x10",
            " 1",
            "１",
            "99999999999999999999999",
        ] {
            refused(&format!("per_page={value}"), &format!("Invalid per_page: '{value}'"), "/per_page");
        }
    }

    #[test]
    fn sort_orders_are_two() {
        assert_eq!(parse("sort_order=asc").unwrap().sort_order, SortOrder::Ascending);
        assert_eq!(parse("sort_order=desc").unwrap().sort_order, SortOrder::Descending);
        for value in ["DESC", "Asc", "ascending", " asc"] {
            refused(&format!("sort_order={value}"), &format!("Invalid sort_order: '{value}'"), "/sort_order");
        }
    }

    #[test]
    fn an_empty_creator_is_a_question_of_its_own() {
        let creator = |query: &str| parse(query).unwrap().filters.creator;
        let limits = Limits::default();
        assert_eq!(creator("page=1"), None);
        assert_eq!(creator("creator="), Some(None));
        assert_eq!(creator("creator"), Some(None));
        assert_eq!(creator("creator=a+b"), Some(Creator::parse("a b", &limits).unwrap()));
        let longest = "é".repeat(1024);
        assert_eq!(creator(&format!("creator={longest}")), Some(Creator::parse(&longest, &limits).unwrap()));
        refused(
            &format!("creator={longest}x"),
            "Invalid creator: maximum 1024 characters allowed",
            "/creator",
        );
    }

    #[test]
    fn what_may_stand_once_stands_once() {
        for name in ["per_page", "sort_order", "creator", "continuation_token"] {
            for (first, second) in [("", ""), ("1", "1"), ("", "1")] {
                refused(
                    &format!("{name}={first}&x=1&{name}={second}"),
                    &format!("Duplicate query parameter: '{name}'"),
                    &format!("/{name}"),
                );
            }
        }
        refused("per_page=1&%70er_page=1", "Duplicate query parameter: 'per_page'", "/per_page");
        assert!(parse("page=1&page=2").is_ok());
    }

    #[test]
    fn the_first_problem_is_reported_in_the_order_of_the_reference() {
        // Each part is worse than what follows it; taken away one by one, the next comes to light.
        let creator = format!("creator={}", "x".repeat(1025));
        let parts = [
            ("x=%FF", "Invalid query string: not valid UTF-8"),
            ("continuation_token=1&continuation_token=2", "Duplicate query parameter: 'continuation_token'"),
            (
                "meta.b[eq]=1&meta.b[eq]=1&meta.b[eq]=1&meta.b[eq]=1&meta.b[eq]=1",
                "Too many metadata filters: 6 provided, maximum 5 allowed",
            ),
            (
                "meta.a.b.c.d.e.f[eq]=1",
                "Metadata filter field nested too deeply: 6 levels provided, maximum 5 allowed",
            ),
            ("sort_order=up", "Invalid sort_order: 'up'"),
            ("per_page=x", "Invalid per_page: 'x'"),
            (&creator, "Invalid creator: maximum 1024 characters allowed"),
        ];
        for first in 0..parts.len() {
            // Written in the reverse order, so that the place in the query is not what decides.
            let query: Vec<&str> = parts[first..].iter().rev().map(|(part, _)| *part).collect();
            let query = query.join("&");
            assert_eq!(parse(&query).unwrap_err().message, parts[first].1, "{query}");
        }
    }

    #[test]
    fn within_a_filter_the_shape_comes_first_and_the_value_last() {
        let deep_and_long = format!("a.b.c.d.e.{}-", "f".repeat(100));
        let long_and_bad = format!("{}-", "f".repeat(100));
        for (query, message) in [
            (format!("meta.{deep_and_long}[no]x=1"), "Invalid metadata filter: '"),
            (format!("meta.{deep_and_long}[no]=1"), "Metadata filter field nested too deeply"),
            (format!("meta.{long_and_bad}[no]=1"), "Metadata filter field name too long"),
            ("meta.f-[no]=1".to_owned(), "Invalid metadata filter field name"),
            ("meta.f[no]=1".to_owned(), "Unsupported metadata filter operator"),
            (format!("meta.f[in:number]={}", "x|".repeat(11)), "Too many values"),
            ("meta.f[in:number]=x".to_owned(), "Invalid number value"),
            // From left to right.
            ("meta.f[eq:number]=x&meta.a..b[eq]=1".to_owned(), "Invalid number value"),
            ("meta.a..b[eq]=1&meta.f[eq:number]=x".to_owned(), "Invalid metadata filter field name"),
        ] {
            let found = parse(&query).unwrap_err().message;
            assert!(found.starts_with(message), "{query}: {found}");
        }
    }

    #[test]
    fn echoes_are_cut_to_100_characters_and_pointers_are_not() {
        let long = "é".repeat(101);
        let cut = "é".repeat(100);
        refused(
            &format!("meta.a[eq:number]={long}"),
            &format!("Invalid number value for metadata filter operator 'eq:number': '{cut}'"),
            "/meta.a[eq:number]",
        );
        refused(&format!("per_page={long}"), &format!("Invalid per_page: '{cut}'"), "/per_page");
        refused(&format!("sort_order={long}"), &format!("Invalid sort_order: '{cut}'"), "/sort_order");
        refused(
            &format!("meta.a[{long}]=x"),
            &format!("Unsupported metadata filter operator: '{cut}'"),
            &format!("/meta.a[{long}]"),
        );
        let name: String = format!("meta.{long}").chars().take(100).collect();
        refused(
            &format!("meta.{long}=x"),
            &format!("Invalid metadata filter: '{name}'"),
            &format!("/meta.{long}"),
        );
    }

    #[test]
    fn limits_are_settings() {
        let limits =
            Limits { filters_max: 1, list_values_max: 2, page_max: 3, per_page_max: 4, ..Limits::default() };
        let message = |query: &str| ListQuery::parse(query, &limits).unwrap_err().message;
        assert!(message("meta.a[eq]=1&meta.b[eq]=1").ends_with("2 provided, maximum 1 allowed"));
        assert!(message("meta.a[in]=1|2|3").ends_with("3 provided, maximum 2 allowed"));
        assert_eq!(message("per_page=5"), "Invalid per_page: '5'");
        assert_eq!(ListQuery::parse("", &limits).unwrap().page_size, 3);
        assert_eq!(ListQuery::parse("per_page=4", &limits).unwrap().page_size, 3);
    }
}
