//! Signed URLs: what a URL must show for a private image (reference: delivery §3).
//!
//! A signature is the HMAC-SHA256 of path and query as they stand in the URL, without scheme, host and the parameter
//! `sig` itself. The parameter `exp` says until when it counts, and is signed with the rest.

use std::borrow::Cow;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{SigningKeyValue, Timestamp};

/// The parts of a URL that are signed, as they were received.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SignedUrl<'u> {
    /// The path, encoded as it came.
    pub raw_path: &'u str,
    /// What follows the question mark, encoded as it came; empty if there is none.
    pub raw_query: &'u str,
}

/// Why a URL does not open a private image, in the order of the checks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SignatureError {
    /// It has no signature.
    #[error("signature missing")]
    Missing,
    /// Its signature was not made for it with any of the keys.
    #[error("signature does not match")]
    Mismatch,
    /// Its time is over, or cannot be read.
    #[error("signature has expired")]
    Expired,
}

/// Below this a domain of one's own serves images; signers may leave it out of what they sign.
const OWN_DOMAIN_PREFIX: &str = "/cdn-cgi/imagedelivery";

/// Most digits of an expiry.
const EXPIRY_DIGITS_MAX: usize = 12;

impl SignedUrl<'_> {
    /// Says whether one of these keys has signed the URL, for now, and returns the moment with whose end the signature
    /// counts no more, if there is one. How long that takes tells nothing of a key or of the right signature.
    pub fn verify<'k>(
        &self,
        keys: impl IntoIterator<Item = &'k SigningKeyValue>,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, SignatureError> {
        let query = SignedQuery::read(self.raw_query);
        let signature = match query.signatures.as_slice() {
            [] => return Err(SignatureError::Missing),
            [one] => digest_of(one),
            _ => None,
        };
        let signature = signature.filter(|_| query.expiries.len() <= 1).ok_or(SignatureError::Mismatch)?;
        let messages = self.messages(&query);
        if !keys.into_iter().any(|key| messages.iter().any(|message| is_made(&signature, key, message))) {
            return Err(SignatureError::Mismatch);
        }
        let Some(text) = query.expiries.first() else { return Ok(None) };
        let expiry = expiry_seconds(text).filter(|expiry| *expiry >= now.0 / 1000);
        let expiry = expiry.ok_or(SignatureError::Expired)?;
        Ok(Some(Timestamp(expiry * 1000)))
    }

    /// Returns what a signer may have signed: the path as received, or without what comes before the account's hash;
    /// the query as received, or as its parameters are written anew, since the documented signer signs that.
    fn messages(&self, query: &SignedQuery<'_>) -> Vec<String> {
        let received = query.rest.join("&");
        let rewritten = rewrite(&received);
        let queries = [Some(&received), Some(&rewritten).filter(|rewritten| **rewritten != received)];
        let hosted = self.raw_path.strip_prefix(OWN_DOMAIN_PREFIX).filter(|path| path.starts_with('/'));
        let paths = [Some(self.raw_path), hosted];
        let message = |path: &str, query: &str| match query {
            "" => path.to_owned(),
            query => format!("{path}?{query}"),
        };
        let of_path = |path| queries.into_iter().flatten().map(move |query| message(path, query));
        paths.into_iter().flatten().flat_map(of_path).collect()
    }
}

/// Returns what `sig` must be behind a path, or a path, `?` and a query.
pub fn sign(key: &SigningKeyValue, message: &str) -> String {
    hmac(key, message).finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A query, taken apart.
struct SignedQuery<'q> {
    /// Values of `sig`, decoded.
    signatures: Vec<Cow<'q, str>>,
    /// Values of `exp`, decoded.
    expiries: Vec<Cow<'q, str>>,
    /// Every parameter but `sig`, as it came.
    rest: Vec<&'q str>,
}

impl<'q> SignedQuery<'q> {
    fn read(raw_query: &'q str) -> SignedQuery<'q> {
        let mut query = SignedQuery { signatures: Vec::new(), expiries: Vec::new(), rest: Vec::new() };
        for parameter in raw_query.split('&') {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match &*decode(name) {
                "sig" => {
                    query.signatures.push(decode(value));
                    continue;
                }
                "exp" => query.expiries.push(decode(value)),
                _ => {}
            }
            query.rest.push(parameter);
        }
        query
    }
}

/// Returns the bytes of a signature: 64 lower-case hexadecimal digits, and nothing else.
fn digest_of(text: &str) -> Option<[u8; 32]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let pairs: &[[u8; 2]; 32] = text.as_bytes().as_chunks::<2>().0.try_into().ok()?;
    let mut digest = [0; 32];
    for (byte, [high, low]) in digest.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    (text.len() == 64).then_some(digest)
}

/// Says whether this key makes this signature of this message.
fn is_made(signature: &[u8; 32], key: &SigningKeyValue, message: &str) -> bool {
    hmac(key, message).verify_slice(signature).is_ok()
}

/// The key is its text, not what base64 may see in it.
fn hmac(key: &SigningKeyValue, message: &str) -> Hmac<Sha256> {
    let hmac = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes());
    hmac.expect("HMAC takes keys of every length").chain_update(message.as_bytes())
}

/// Reads an expiry, in Unix seconds; `None` for what is no such number.
fn expiry_seconds(text: &str) -> Option<u64> {
    let is_number = (1..=EXPIRY_DIGITS_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// Decodes a name or a value as forms encode them; what is no text is replaced.
fn decode(raw: &str) -> Cow<'_, str> {
    if !raw.contains(['%', '+']) {
        return Cow::Borrowed(raw);
    }
    let bytes = raw.as_bytes();
    let hex = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match (byte, hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high << 4 | low) as u8);
                at += 2;
            }
            (b'+', ..) => decoded.push(b' '),
            _ => decoded.push(byte),
        }
        at += 1;
    }
    Cow::Owned(String::from_utf8_lossy(&decoded).into_owned())
}

/// Writes the parameters of a query as browsers write forms (URL Standard §5.2).
fn rewrite(query: &str) -> String {
    let mut written = String::new();
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if !written.is_empty() {
            written.push('&');
        }
        push_encoded(&mut written, &decode(name));
        written.push('=');
        push_encoded(&mut written, &decode(value));
    }
    written
}

fn push_encoded(written: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b' ' => written.push('+'),
            b'*' | b'-' | b'.' | b'_' => written.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => written.push(char::from(byte)),
            _ => written.push_str(&format!("%{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VECTORS: &str = include_str!("../../../tests/vectors/signed-urls.json");
    const KEY: &str = "Oix0bbNaT8Rge9PuyxUBrjI6zrgnsyJ5=";
    const PATH: &str = "/Vi7wi5KSItxGFsWRG2Us6Q/8f14e45f-ceea-4e7a-9c1b-2d3a5b6c7d12/public";
    const SIG: &str = "b727655cec156aa6296fc562602de8cb955441211aed2b4369b7d9fff8ffb5d1";
    /// 2025-01-01.
    const NOW: u64 = 1_735_689_600;

    fn sign(key: &str, message: &str) -> String {
        super::sign(&SigningKeyValue::from_stored(key), message)
    }

    fn verify(url: &str, keys: &[&str], now_seconds: u64) -> Result<(), SignatureError> {
        let (raw_path, raw_query) = url.split_once('?').unwrap_or((url, ""));
        let keys: Vec<SigningKeyValue> = keys.iter().map(|key| SigningKeyValue::from_stored(key)).collect();
        SignedUrl { raw_path, raw_query }.verify(&keys, Timestamp(now_seconds * 1000 + 999)).map(|_| ())
    }

    #[track_caller]
    fn check(url: &str, expected: Result<(), SignatureError>) {
        assert_eq!(verify(url, &["another", KEY, "and another"], NOW), expected, "{url}");
    }

    const MISMATCH: Result<(), SignatureError> = Err(SignatureError::Mismatch);
    const EXPIRED: Result<(), SignatureError> = Err(SignatureError::Expired);

    #[test]
    fn the_vectors_of_the_reference_hold() {
        let vectors: serde_json::Value = serde_json::from_str(VECTORS).unwrap();
        let vectors = vectors["vectors"].as_array().unwrap();
        assert_eq!(vectors.len(), 6);
        for vector in vectors {
            let text = |name: &str| vector[name].as_str().unwrap();
            let (name, key) = (text("name"), text("key"));
            assert_eq!(sign(key, text("message")), text("sig"), "{name}");
            let host_end = text("url").match_indices('/').nth(2).unwrap().0;
            let url = &text("url")[host_end..];
            let today = if name == "A" { EXPIRED } else { Ok(()) };
            assert_eq!(verify(url, &["another", key], NOW), today, "{name}");
            assert_eq!(verify(url, &[key], 1_631_289_275), Ok(()), "{name}, in time");
            assert_eq!(verify(url, &["another"], NOW), MISMATCH, "{name}, with another key");
            assert_eq!(verify(url, &[], NOW), MISMATCH, "{name}, without a key");
        }
    }

    #[test]
    fn what_was_not_signed_is_refused() {
        check(&format!("{PATH}?exp=4102444800&sig={SIG}"), Ok(()));
        check(&format!("{PATH}?exp=4102444801&sig={SIG}"), MISMATCH);
        check(&format!("{PATH}?sig={SIG}"), MISMATCH);
        check(&format!("{PATH}?exp=4102444800&sig=c{}", &SIG[1..]), MISMATCH);
        check(&format!("{PATH}?exp=4102444800&sig={}", &SIG[..63]), MISMATCH);
        check(&format!("{PATH}?exp=4102444800&sig={SIG}0"), MISMATCH);
        check(&format!("{PATH}?exp=4102444800&sig={}", SIG.to_uppercase()), MISMATCH);
        check(&format!("{}thumbnail?exp=4102444800&sig={SIG}", &PATH[..PATH.len() - 6]), MISMATCH);
        check(&format!("{PATH}?exp=4102444800&dl=1&sig={SIG}"), MISMATCH);
        for sig in ["", "0", "é", "%00"] {
            check(&format!("{PATH}?exp=4102444800&sig={sig}"), MISMATCH);
        }
        check(&format!("{PATH}?sig"), MISMATCH);
    }

    #[test]
    fn a_signature_of_the_path_alone_does_not_cover_an_expiry() {
        let of_path = sign(KEY, PATH);
        check(&format!("{PATH}?sig={of_path}"), Ok(()));
        check(&format!("{PATH}?exp=4102444800&sig={of_path}"), MISMATCH);
        check(&format!("{PATH}?%65xp=4102444800&sig={of_path}"), MISMATCH);
    }

    #[test]
    fn a_url_without_a_signature_has_none() {
        for query in ["", "?", "?exp=4102444800", "?a&b=sig", "?Sig=0", "?sig%3D0"] {
            check(&format!("{PATH}{query}"), Err(SignatureError::Missing));
        }
    }

    #[test]
    fn the_signature_may_stand_anywhere_and_nothing_may_stand_twice() {
        let sig = sign(KEY, &format!("{PATH}?a=1&exp=4102444800&b"));
        check(&format!("{PATH}?a=1&exp=4102444800&b&sig={sig}"), Ok(()));
        check(&format!("{PATH}?sig={sig}&a=1&exp=4102444800&b"), Ok(()));
        check(&format!("{PATH}?a=1&sig={sig}&exp=4102444800&b"), Ok(()));
        check(&format!("{PATH}?exp=4102444800&a=1&b&sig={sig}"), MISMATCH);
        check(&format!("{PATH}?a=1&exp=4102444800&b&sig={sig}&sig={sig}"), MISMATCH);
        check(&format!("{PATH}?a=1&exp=4102444800&b&sig={sig}&%73ig=0"), MISMATCH);
        let twice = sign(KEY, &format!("{PATH}?exp=4102444800&exp=4102444800"));
        check(&format!("{PATH}?exp=4102444800&exp=4102444800&sig={twice}"), MISMATCH);
        let twice = sign(KEY, &format!("{PATH}?exp=4102444800&e%78p=1"));
        check(&format!("{PATH}?exp=4102444800&e%78p=1&sig={twice}"), MISMATCH);
    }

    #[test]
    fn who_opens_an_image_is_told_for_how_long() {
        let key = SigningKeyValue::from_stored(KEY);
        for (raw_query, end) in [("exp=4102444800", Some(Timestamp(4_102_444_800_000))), ("", None)] {
            let message = if raw_query.is_empty() { PATH.to_owned() } else { format!("{PATH}?{raw_query}") };
            let raw_query = format!("{raw_query}&sig={}", super::sign(&key, &message));
            let url = SignedUrl { raw_path: PATH, raw_query: raw_query.trim_start_matches('&') };
            assert_eq!(url.verify([&key], Timestamp(NOW * 1000)), Ok(end), "{raw_query}");
        }
    }

    #[test]
    fn an_expiry_is_a_number_of_seconds_that_is_not_over() {
        for (exp, expected) in [
            (NOW.to_string(), Ok(())),
            ((NOW - 1).to_string(), EXPIRED),
            ("999999999999".to_owned(), Ok(())),
            ("004102444800".to_owned(), Ok(())),
            ("1000000000000".to_owned(), EXPIRED),
            (String::new(), EXPIRED),
            ("soon".to_owned(), EXPIRED),
            ("+4102444800".to_owned(), EXPIRED),
            ("-1".to_owned(), EXPIRED),
            ("4102444800.5".to_owned(), EXPIRED),
            ("4e9".to_owned(), EXPIRED),
        ] {
            let sig = sign(KEY, &format!("{PATH}?exp={exp}"));
            check(&format!("{PATH}?exp={exp}&sig={sig}"), expected);
        }
        let sig = sign(KEY, &format!("{PATH}?exp"));
        check(&format!("{PATH}?exp&sig={sig}"), EXPIRED);
    }

    #[test]
    fn a_query_may_be_signed_as_browsers_rewrite_it() {
        let sig = sign(KEY, &format!("{PATH}?name=a+b%2Fc%C3%A9%7E*&empty=&exp=4102444800"));
        check(&format!("{PATH}?name=a%20b/c%c3%a9~*&empty&exp=4102444800&sig={sig}"), Ok(()));
        check(&format!("{PATH}?name=a%20b/c%c3%a9~*&&empty&exp=4102444800&&sig={sig}"), Ok(()));
        check(&format!("{PATH}?name=a%20b/d%c3%a9~*&empty&exp=4102444800&sig={sig}"), MISMATCH);
        let as_sent = sign(KEY, &format!("{PATH}?name=a%20b/c&exp=4102444800"));
        check(&format!("{PATH}?name=a%20b/c&exp=4102444800&sig={as_sent}"), Ok(()));
        check(&format!("{PATH}?name=a+b%2Fc&exp=4102444800&sig={as_sent}"), MISMATCH);
    }

    #[test]
    fn a_domain_of_ones_own_may_sign_either_path() {
        for message in [PATH.to_owned(), format!("/cdn-cgi/imagedelivery{PATH}")] {
            check(&format!("/cdn-cgi/imagedelivery{PATH}?sig={}", sign(KEY, &message)), Ok(()));
        }
        let longer = sign(KEY, &format!("/cdn-cgi/imagedelivery{PATH}"));
        check(&format!("{PATH}?sig={longer}"), MISMATCH);
    }
}
