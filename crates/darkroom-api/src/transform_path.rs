//! `/cdn-cgi/image/{options}/{source}`: an image from elsewhere, transformed (reference: delivery §1.2).

use darkroom_model::SourceUrl;

use crate::delivery_error::DeliveryError;
use crate::image_options::OptionList;

/// Where these URLs begin.
pub const TRANSFORM_BASE: &str = "/cdn-cgi/image/";

/// Such a URL, taken apart. Not shown by `Debug`: sources carry secrets.
#[derive(Clone, PartialEq)]
pub struct TransformPath {
    /// What is asked for.
    pub options: OptionList,
    /// Of what.
    pub source: TransformSource,
}

/// Where the image is.
#[derive(Clone, PartialEq, Eq)]
pub enum TransformSource {
    /// On the site that this server stands before: path and query, with their first slash.
    Own(String),
    /// Anywhere.
    Absolute(SourceUrl),
}

/// Which sources are read at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TransformRules {
    /// Whether a source may be `http`.
    pub allows_http: bool,
}

impl TransformPath {
    /// Takes apart the raw path and query of a URL whose path begins with [`TRANSFORM_BASE`]. The query is the source's.
    pub fn parse(
        raw_path: &str,
        raw_query: Option<&str>,
        rules: TransformRules,
    ) -> Result<TransformPath, DeliveryError> {
        let rest = raw_path.strip_prefix(TRANSFORM_BASE).ok_or_else(DeliveryError::not_found)?;
        let (options, source) = rest.split_once('/').ok_or_else(DeliveryError::not_found)?;
        let options = OptionList::parse(options)?;
        let query = raw_query.map(|query| format!("?{query}")).unwrap_or_default();
        let source = format!("{source}{query}");
        Ok(TransformPath { options, source: TransformSource::parse(&source, rules)? })
    }
}

impl TransformSource {
    fn parse(text: &str, rules: TransformRules) -> Result<TransformSource, DeliveryError> {
        if text.is_empty() {
            return Err(DeliveryError::not_found());
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(DeliveryError::invalid_source());
        }
        // Two slashes in a row are no image.
        if text.starts_with('/') {
            return Err(DeliveryError::image_missing());
        }
        let Some((scheme, rest)) = split_scheme(text) else {
            // Which site it is makes no difference to where its dots lead.
            parse_unnested(&format!("https://own.site/{text}"))?;
            return Ok(TransformSource::Own(format!("/{text}")));
        };
        let is_allowed = scheme == "https" || (scheme == "http" && rules.allows_http);
        if !is_allowed {
            return Err(DeliveryError::invalid_source());
        }
        let url = parse_unnested(&format!("{scheme}://{rest}"))?;
        // Origins are asked by nobody in particular (reference: delivery §9).
        if url.credentials().is_some() {
            return Err(DeliveryError::invalid_source());
        }
        Ok(TransformSource::Absolute(url))
    }
}

/// Reads a URL, unless it is one of those that are transformed already.
fn parse_unnested(url: &str) -> Result<SourceUrl, DeliveryError> {
    let url = SourceUrl::parse(url).map_err(|_| DeliveryError::invalid_source())?;
    if url.target().starts_with(TRANSFORM_BASE) { Err(DeliveryError::image_missing()) } else { Ok(url) }
}

/// Splits off the scheme of an absolute URL. Between it and the host clients and proxies leave one slash of two.
fn split_scheme(text: &str) -> Option<(String, &str)> {
    let (scheme, rest) = text.split_once(":/")?;
    let mut characters = scheme.bytes();
    let begins = characters.next().is_some_and(|byte| byte.is_ascii_alphabetic());
    let goes_on = characters.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    (begins && goes_on).then(|| (scheme.to_ascii_lowercase(), rest.strip_prefix('/').unwrap_or(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: TransformRules = TransformRules { allows_http: false };

    #[track_caller]
    fn source(path: &str, query: Option<&str>) -> TransformSource {
        let path = format!("/cdn-cgi/image/width=80,quality=75/{path}");
        let found = TransformPath::parse(&path, query, STRICT).unwrap();
        assert_eq!(found.options.options.quality, Some(75));
        found.source
    }

    #[track_caller]
    fn refused(rest: &str, status: u16, code: u32) {
        let error =
            TransformPath::parse(&format!("/cdn-cgi/image/{rest}"), None, STRICT).map(|_| ()).unwrap_err();
        assert_eq!((error.status, error.code), (status, code), "{rest}");
    }

    fn url(text: &str) -> TransformSource {
        TransformSource::Absolute(SourceUrl::parse(text).unwrap())
    }

    #[test]
    fn the_rest_of_the_url_is_the_source() {
        assert!(source("uploads/a.jpg", None) == TransformSource::Own("/uploads/a.jpg".to_owned()));
        assert!(
            source("a%20b.jpg", Some("v=2&w=1")) == TransformSource::Own("/a%20b.jpg?v=2&w=1".to_owned())
        );
        assert!(source("https://example.com/a.jpg", Some("v=2")) == url("https://example.com/a.jpg?v=2"));
        assert!(source("HTTPS://example.com:8443", None) == url("https://example.com:8443/"));
        // A path may have colons.
        assert!(source("a/b:/c.jpg", None) == TransformSource::Own("/a/b:/c.jpg".to_owned()));
    }

    #[test]
    fn a_slash_that_was_lost_is_found_again() {
        assert!(source("https:/example.com/a.jpg", None) == url("https://example.com/a.jpg"));
    }

    #[test]
    fn what_is_no_source() {
        refused("width=80/", 404, 9431);
        refused("width=80", 404, 9431);
        refused("width=80//media/x.jpg", 404, 9404);
        refused("width=80/cdn-cgi/image/width=20/a.jpg", 404, 9404);
        refused("width=80/x/../cdn-cgi/./image/width=20/a.jpg", 404, 9404);
        refused("width=80/https://example.com/cdn-cgi/image/width=20/a.jpg", 404, 9404);
        refused("width=80/http://example.com/a.jpg", 403, 9406);
        refused("width=80/ftp://example.com/a.jpg", 403, 9406);
        refused("width=80/https://user:secret@example.com/a.jpg", 403, 9406);
        refused("width=80/https://user:a@b@example.com/a.jpg", 403, 9406);
        refused("width=80/https://0x7f000001/a.jpg", 403, 9406);
        refused("width=80/é.jpg", 403, 9406);
        refused("nonsense/a.jpg", 400, 9401);
        refused("blur=300/a.jpg", 400, 9401);
    }

    #[test]
    fn http_where_the_operator_wants_it() {
        let path = "/cdn-cgi/image/width=80/http://example.com/a.jpg";
        let found = TransformPath::parse(path, None, TransformRules { allows_http: true }).unwrap();
        assert!(found.source == url("http://example.com/a.jpg"));
    }
}
