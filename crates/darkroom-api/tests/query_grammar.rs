//! The query grammar under chance: what is written from the grammar is read as it was meant, however it is encoded,
//! and nothing at all makes the reader panic.

use darkroom_api::{ListQuery, fuzz_targets};
use darkroom_model::{Creator, FieldPath, Limits, MetaFilter, Number, Predicate, Scalar, SortOrder};
use proptest::prelude::*;

/// A filter as someone means it: field, operator, value, and what it says.
#[derive(Clone, Debug)]
struct Meant {
    field: String,
    operator: &'static str,
    value: String,
    predicate: Predicate,
}

/// A text for a value: often plain, sometimes of characters that the encoding cares for.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{0,8}",
        proptest::collection::vec(
            prop_oneof![
                proptest::sample::select(vec![
                    '%', '+', '&', '=', ' ', '[', ']', ':', '#', '5', '2', 'B', 'é', '\u{0}', '𝄞'
                ]),
                any::<char>(),
            ],
            0..8
        )
        .prop_map(|chars| chars.into_iter().collect::<String>()),
    ]
}

/// A literal, with the number that it is.
fn number() -> impl Strategy<Value = (String, Number)> {
    let literal = prop_oneof![
        any::<i64>().prop_map(|value| value.to_string()),
        any::<u64>().prop_map(|value| value.to_string()),
        (-1000i64..1000).prop_map(|value| value.to_string()),
        proptest::num::f64::NORMAL.prop_map(|value| format!("{value:e}")),
        (any::<i16>(), any::<u16>()).prop_map(|(whole, part)| format!("{whole}.{part}")),
        (any::<i16>(), 0..200i32).prop_map(|(digits, exponent)| format!("{digits}E+{exponent}")),
    ];
    literal.prop_map(|literal| {
        let number = Number::parse(&literal).expect("a literal of the grammar");
        (literal, number)
    })
}

/// What a bare operator finds in a text: every type that it can be read as.
fn any_type() -> impl Strategy<Value = (String, Vec<Scalar>)> {
    let string = |text: &str| Scalar::String(text.into());
    prop_oneof![
        // A letter in front keeps a text from being a number or a boolean.
        text().prop_map(move |text| {
            let text = format!("x{text}");
            (text.clone(), vec![string(&text)])
        }),
        number().prop_map(move |(literal, number)| {
            (literal.clone(), vec![string(&literal), Scalar::Number(number)])
        }),
        any::<bool>().prop_map(move |value| {
            (value.to_string(), vec![string(&value.to_string()), Scalar::Boolean(value)])
        }),
        Just((String::new(), vec![string("")])),
    ]
}

fn one_string() -> impl Strategy<Value = (String, Vec<Scalar>)> {
    text().prop_map(|text| (text.clone(), vec![Scalar::String(text.into())]))
}

fn one_number() -> impl Strategy<Value = (String, Vec<Scalar>)> {
    number().prop_map(|(literal, number)| (literal, vec![Scalar::Number(number)]))
}

type Reading = (&'static str, String, Predicate);

fn list_of(
    operator: &'static str,
    element: impl Strategy<Value = (String, Vec<Scalar>)>,
) -> impl Strategy<Value = Reading> {
    let element = element.prop_filter("a list has no escape for a pipe", |(text, _)| !text.contains('|'));
    proptest::collection::vec(element, 1..=10).prop_map(move |elements| {
        let texts: Vec<&str> = elements.iter().map(|(text, _)| text.as_str()).collect();
        let scalars = elements.iter().flat_map(|(_, scalars)| scalars.clone()).collect();
        (operator, texts.join("|"), Predicate::AnyOf(scalars))
    })
}

type Range = (&'static str, fn(Number) -> Predicate);

fn reading() -> impl Strategy<Value = Reading> {
    let equal = |operator: &'static str| {
        move |(text, scalars): (String, Vec<Scalar>)| (operator, text, Predicate::AnyOf(scalars))
    };
    let ranges: Vec<Range> = vec![
        ("gt", Predicate::Greater),
        ("gt:number", Predicate::Greater),
        ("gte", Predicate::GreaterOrEqual),
        ("gte:number", Predicate::GreaterOrEqual),
        ("lt", Predicate::Less),
        ("lt:number", Predicate::Less),
        ("lte", Predicate::LessOrEqual),
        ("lte:number", Predicate::LessOrEqual),
    ];
    prop_oneof![
        any_type().prop_map(equal("eq")),
        one_string().prop_map(equal("eq:string")),
        one_number().prop_map(equal("eq:number")),
        any::<bool>().prop_map(|value| {
            ("eq:boolean", value.to_string(), Predicate::AnyOf(vec![Scalar::Boolean(value)]))
        }),
        list_of("in", any_type()),
        list_of("in:string", one_string()),
        list_of("in:number", one_number()),
        (proptest::sample::select(ranges), number())
            .prop_map(|((operator, predicate), (literal, number))| (operator, literal, predicate(number))),
    ]
}

fn meant() -> impl Strategy<Value = Meant> {
    let field = proptest::collection::vec("[A-Za-z0-9_]{1,19}", 1..=5).prop_map(|names| names.join("."));
    (field, reading()).prop_map(|(field, (operator, value, predicate))| Meant {
        field,
        operator,
        value,
        predicate,
    })
}

/// Writes a text for a query; each byte of `choices` decides how one byte of the text is spelled.
fn encode(text: &str, choices: &[u8]) -> String {
    let mut encoded = String::new();
    for (index, character) in text.chars().enumerate() {
        let choice = choices.get(index % choices.len().max(1)).copied().unwrap_or(0);
        match character {
            ' ' if choice & 1 == 0 => encoded.push('+'),
            // Raw is allowed for all but what divides a query, and what an escape begins with.
            character if choice & 2 == 0 && !"&=+% #".contains(character) => encoded.push(character),
            character => {
                for byte in character.to_string().bytes() {
                    let lower = choice & 4 == 0;
                    encoded.push_str(&if lower { format!("%{byte:02x}") } else { format!("%{byte:02X}") });
                }
            }
        }
    }
    encoded
}

fn write(filters: &[Meant], choices: &[u8]) -> String {
    let write = |filter: &Meant| {
        let name = encode(&format!("meta.{}[{}]", filter.field, filter.operator), choices);
        format!("{name}={}", encode(&filter.value, choices))
    };
    filters.iter().map(write).collect::<Vec<_>>().join("&")
}

fn parse(query: &str) -> ListQuery {
    ListQuery::parse(query, &Limits::default()).unwrap_or_else(|error| panic!("{query:?}: {error}"))
}

/// A piece of a query that is almost right.
fn fragment() -> impl Strategy<Value = String> {
    let words = vec![
        "meta.",
        "meta[",
        "meta",
        ".",
        "[",
        "]",
        "%5B",
        "%5d",
        ":",
        "%3A",
        "=",
        "&",
        "&",
        "|",
        "%7C",
        "%",
        "%25",
        "%FF",
        "%C3",
        "%A9",
        "+",
        "%2B",
        "a",
        "status",
        "eq",
        "in",
        "gt",
        "lte",
        "number",
        "string",
        "boolean",
        "true",
        "5",
        "-",
        "1e400",
        "9007199254740993",
        "per_page",
        "sort_order",
        "asc",
        "creator",
        "continuation_token",
        "é",
        "\0",
        "#",
        "?",
        "~",
        "/",
    ];
    prop_oneof![
        4 => proptest::sample::select(words).prop_map(str::to_owned),
        1 => meant().prop_map(|filter| write(&[filter], &[])),
        1 => any::<char>().prop_map(String::from),
    ]
}

proptest! {
    #[test]
    fn filters_are_read_as_meant_however_they_are_encoded(
        filters in proptest::collection::vec(meant(), 0..=5),
        choices in proptest::collection::vec(any::<u8>(), 1..40),
    ) {
        let expected: Vec<MetaFilter> = filters
            .iter()
            .map(|filter| MetaFilter {
                path: FieldPath::parse(&filter.field).unwrap(),
                predicate: filter.predicate.clone(),
            })
            .collect();
        let query = write(&filters, &choices);
        prop_assert_eq!(parse(&query).filters.meta, expected, "{}", query);
        fuzz_targets::list_query(query.as_bytes());
    }

    #[test]
    fn raw_and_encoded_filters_are_one_question(
        filters in proptest::collection::vec(meant(), 0..=5),
        one in proptest::collection::vec(any::<u8>(), 1..40),
        other in proptest::collection::vec(any::<u8>(), 1..40),
    ) {
        let (one, other) = (parse(&write(&filters, &one)), parse(&write(&filters, &other)));
        prop_assert_eq!(one.filters.digest(), other.filters.digest());
        prop_assert_eq!(one, other);
    }

    #[test]
    fn the_order_of_parameters_changes_no_digest(
        filters in proptest::collection::vec(meant(), 0..=5).prop_shuffle(),
    ) {
        let mut turned = filters.clone();
        turned.reverse();
        prop_assert_eq!(
            parse(&format!("creator=a&{}", write(&filters, &[]))).filters.digest(),
            parse(&format!("{}&creator=a", write(&turned, &[]))).filters.digest()
        );
    }

    #[test]
    fn a_text_is_decoded_exactly_once(text in text(), choices in proptest::collection::vec(any::<u8>(), 1..40)) {
        // Encoded twice, it is read as encoded once.
        for text in [text.clone(), encode(&text, &choices)] {
            let query = format!("creator={}", encode(&text, &choices));
            let expected = Creator::parse(&text, &Limits::default()).unwrap();
            prop_assert_eq!(parse(&query).filters.creator, Some(expected), "{}", query);
        }
    }

    #[test]
    fn scalars_are_read_wherever_they_stand(
        per_page in 1usize..=10_000,
        ascending: bool,
        token in "[A-Za-z0-9_-]{1,50}",
        filters in proptest::collection::vec(meant(), 0..=5),
    ) {
        let sort_order = if ascending { "asc" } else { "desc" };
        let mut parts = [
            format!("per_page={per_page}"),
            format!("sort_order={sort_order}"),
            format!("continuation_token={token}"),
            write(&filters, &[]),
        ];
        for _ in 0..parts.len() {
            parts.rotate_left(1);
            let query = parse(&parts.join("&"));
            prop_assert_eq!(query.page_size, per_page.min(1000));
            prop_assert_eq!(query.sort_order == SortOrder::Ascending, ascending);
            prop_assert_eq!(query.continuation_token.as_deref(), Some(token.as_str()));
            prop_assert_eq!(query.filters.meta.len(), filters.len());
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        fuzz_targets::list_query(&bytes);
        let encoded: String = bytes.iter().map(|byte| format!("%{byte:02X}")).collect();
        fuzz_targets::list_query(format!("meta.a[eq]={encoded}").as_bytes());
        fuzz_targets::list_query(format!("meta.{encoded}=x").as_bytes());
    }

    #[test]
    fn almost_right_queries_are_read_or_refused(fragments in proptest::collection::vec(fragment(), 0..24)) {
        fuzz_targets::list_query(fragments.concat().as_bytes());
    }

    #[test]
    fn what_has_the_shape_of_a_filter_is_a_filter_or_an_error(
        tail in proptest::collection::vec(fragment(), 0..12),
        opening in proptest::sample::select(vec!["meta", "meta.", "meta[", "%6deta.", "meta%2E"]),
    ) {
        let tail = tail.concat().replace(['&', '='], "");
        let query = format!("{opening}{tail}=x");
        let decoded = percent_encoding::percent_decode_str(&query).decode_utf8_lossy().into_owned();
        let is_filter = decoded.starts_with("meta.") || decoded.starts_with("meta[") || decoded.starts_with("meta=");
        if let Ok(found) = ListQuery::parse(&query, &Limits::default()) {
            prop_assert_eq!(found.filters.meta.len(), usize::from(is_filter), "{}", query);
        }
    }
}
