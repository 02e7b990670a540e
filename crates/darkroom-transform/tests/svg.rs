//! What is left of an SVG, by the text that comes out.

#![expect(clippy::unwrap_used, reason = "a test that fails there has failed")]

use std::time::{Duration, Instant};

use darkroom_model::image_options::{OutputFormat, Width};
use darkroom_model::{ImageOptions, Limits, MediaType, RenderLimits};
use darkroom_transform::{
    Accepts, RenderError, RenderRequest, Rendered, RenderedContent, probe, render, sanitise_svg,
};

const HEAD: &str = r#"<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">"#;

fn sanitised(text: &str) -> Result<String, RenderError> {
    let bytes = sanitise_svg(text.as_bytes(), &RenderLimits::default())?;
    Ok(String::from_utf8(bytes).unwrap())
}

/// Sanitises an SVG with this in it, and checks that a circle behind it is still there and nothing of `gone` is.
fn check(inside: &str, gone: &[&str]) -> String {
    let text = sanitised(&format!("{HEAD}{inside}<circle r=\"5\"/></svg>")).unwrap();
    assert!(text.contains("<circle r=\"5\""), "{text}");
    for gone in gone {
        assert!(!text.to_lowercase().contains(gone), "{gone} is left: {text}");
    }
    text
}

#[test]
fn drawings_stay_what_they_are() {
    let text = check(
        r##"<title>Räder</title><defs><linearGradient id="a"><stop offset="0"/></linearGradient></defs>
        <g fill="url(#a)" transform="rotate(5)"><path d="M0 0L9 9"/><use xlink:href="#b"/></g>"##,
        &[],
    );
    for kept in ["Räder", r##"fill="url(#a)""##, "rotate(5)", r#"d="M0 0L9 9""#, r##"href="#b""##] {
        assert!(text.contains(kept), "{kept} is missing: {text}");
    }
}

#[test]
fn what_comes_out_has_the_same_size_and_is_not_changed_again() {
    let source = r#"<svg xmlns="http://www.w3.org/2000/svg" width="12" height="7"><rect width="3"/></svg>"#;
    let once = sanitised(source).unwrap();
    let found = probe(once.as_bytes(), &Limits::default()).unwrap();
    assert_eq!((found.media_type, found.width, found.height), (MediaType::Svg, 12, 7));
    let shape = |text: &str| text.split_whitespace().collect::<String>();
    assert_eq!(shape(&sanitised(&once).unwrap()), shape(&once));
}

#[test]
fn scripts_and_events_go() {
    check("<script>alert(1)</script>", &["script", "alert"]);
    check("<script xlink:href='http://evil.example/x.js'/>", &["script", "evil"]);
    check("<x:script xmlns:x='http://www.w3.org/2000/svg'>alert(1)</x:script>", &["script", "alert"]);
    check("<g onload='alert(1)' OnClick='alert(2)'/>", &["alert", "onload", "onclick"]);
    check("<animate onbegin='alert(1)'/>", &["alert", "onbegin"]);
    check("<set attributeName='onload' to='alert(1)'/>", &["onload"]);
    check("<animate attributeName='href' to='javascript:alert(1)'/>", &["attributename"]);
    check("<handler type='application/ecmascript'>alert(1)</handler>", &["handler", "alert"]);
}

#[test]
fn links_go() {
    check("<a href='javascript:alert(1)'><g/></a>", &["javascript", "href"]);
    check("<a xlink:href=' JavaScript&#58;alert(1)'><g/></a>", &["javascript", "alert"]);
    check("<a href='data:text/html,&lt;script>alert(1)&lt;/script>'><g/></a>", &["data:", "alert"]);
    check("<a href='https://evil.example/'><g/></a>", &["evil", "href"]);
}

#[test]
fn no_address_leads_to_another_host() {
    // What is left is a path on the host that the SVG comes from, which its policy forbids to fetch.
    let gone = ["//evil", "\\\\evil", "https:evil", "href=\"http"];
    for address in ["http://evil.example/x", "//evil.example/x", "https:evil.example/x", "\\\\evil.example/x"]
    {
        check(&format!("<use href='{address}#a'/>"), &gone);
        check(&format!("<image xlink:href='{address}.png'/>"), &gone);
        check(&format!("<feImage href='{address}'/>"), &gone);
        check(&format!("<g fill=\"url('{address}')\"/>"), &gone);
        check(&format!("<g style=\"fill:url({address})\"/>"), &gone);
        check(&format!("<style>g {{ fill: url({address}) }}</style>"), &gone);
    }
}

#[test]
fn data_is_an_image_of_pixels_or_goes() {
    let text = check("<image href='data:image/png;base64,iVBORw0KGgo='/>", &[]);
    assert!(text.contains("data:image/png;base64,iVBORw0KGgo="), "{text}");
    check("<image href='data:image/svg+xml,&lt;svg/>'/>", &["data:"]);
    check("<image href='data:text/html;base64,PGI+'/>", &["data:"]);
    check("<use href='data:image/svg+xml,&lt;svg id=\"a\"/>#a'/>", &["data:"]);
    check("<style>g { background: url(data:text/html,x) }</style>", &["data:"]);
}

#[test]
fn styles_fetch_nothing() {
    check("<style>@import 'http://evil.example/a.css';</style>", &["import", "evil"]);
    // Addresses may stay behind as words, but nothing that fetches them.
    check("<style>@\\69mport url(//evil.example/a.css);</style>", &["import", "url", "\\", "@"]);
    check("<style><![CDATA[@import url(//evil.example/a.css);]]></style>", &["import", "url", "@"]);
    check("<style>@font-face { src: u\\rl(//evil.example/a) }</style>", &["url", "rl(", "\\"]);
    check("<style type='text/css'>g { fill: red }</style>", &[]);
}

#[test]
fn foreign_content_goes() {
    check(
        "<foreignObject><body xmlns='http://www.w3.org/1999/xhtml'><iframe src='//evil.example'/></body></foreignObject>",
        &["foreignobject", "iframe", "body", "evil"],
    );
    check("<h:script xmlns:h='http://www.w3.org/1999/xhtml'>alert(1)</h:script>", &["script", "alert"]);
    check(
        "<xi:include xmlns:xi='http://www.w3.org/2001/XInclude' href='file:///etc/passwd'/>",
        &["xi:", "passwd"],
    );
    check("<iframe src='//evil.example'/><embed src='x'/><object data='x'/>", &["iframe", "embed", "object"]);
    check(
        "<?xml-stylesheet href='//evil.example/a.css'?><!-- <script> -->",
        &["stylesheet", "evil", "script"],
    );
}

#[test]
fn instructions_and_document_types_in_front_go() {
    let text = format!(
        "<?xml version='1.0'?><?xml-stylesheet type='text/xsl' href='//evil.example/a.xsl'?>\
         <!DOCTYPE svg PUBLIC '-//W3C//DTD SVG 1.1//EN' 'http://evil.example/svg.dtd'>{HEAD}<g/></svg>"
    );
    let text = sanitised(&text).unwrap();
    assert!(text.contains("<g") && !text.contains("evil") && !text.contains("DOCTYPE"), "{text}");
}

#[test]
fn a_text_that_is_html_as_well_comes_out_as_svg_only() {
    let text = check(
        "<desc>--></title><img src=x onerror=alert(1) /></desc><p xmlns='http://www.w3.org/1999/xhtml'>hello</p>"
            .replace(" src=x onerror=alert(1)", " src='x' onerror='alert(1)'")
            .replace("--></title>", "")
            .as_str(),
        &["<img", "onerror", "<p", "hello"],
    );
    assert!(text.starts_with("<?xml"), "{text}");
    assert!(sanitised(&format!("<html>{HEAD}</svg></html>")).is_err());
    assert!(sanitised("<svg><script>alert(1)</script></svg>").is_err(), "an svg of no namespace is none");
}

#[test]
fn plain_entities_are_put_in() {
    let text = "<!DOCTYPE svg [<!ENTITY ns \"http://www.w3.org/2000/svg\"><!ENTITY nbsp \"&#160;\">]>\
                <svg xmlns=\"&ns;\"><text>a&nbsp;b</text></svg>";
    let text = sanitised(text).unwrap();
    assert!(text.contains("a\u{a0}b") && !text.contains("ENTITY"), "{text}");
}

#[test]
fn entities_that_explode_or_reach_out_are_refused() {
    let file = |declarations: &str, inside: &str| {
        sanitised(&format!("<!DOCTYPE svg [{declarations}]>{HEAD}{inside}</svg>"))
    };
    let damaged = |result: Result<String, RenderError>| matches!(result, Err(RenderError::Damaged(_)));
    assert!(damaged(file("<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;'>", "<text>&b;</text>")));
    assert!(damaged(file("<!ENTITY a '&#38;b;'><!ENTITY b '&#x26;a;'>", "<text>&a;</text>")));
    assert!(damaged(file("<!ENTITY % p SYSTEM 'http://evil.example/d'> %p;", "<text>a</text>")));
    assert!(damaged(file("<!ENTITY a '<g><g><g>'>", "&a;")));
    assert!(damaged(file("<!ENTITY a '&#60;script>'>", "&a;")));
    let outside = file("<!ENTITY a SYSTEM 'file:///etc/passwd'>", "<text>&a;</text>").unwrap();
    assert!(outside.contains("<text/>"), "an entity of elsewhere is empty: {outside}");
    assert!(damaged(file("<?p ' ]><svg ?><!ENTITY a '&b;'>", "<text>&a;</text>")));
    let long = format!("<!ENTITY a '{}'>", "a".repeat(1 << 15));
    assert_eq!(file(&long, &"<text>&a;</text>".repeat(2_000)), Err(RenderError::TooLarge));
    assert_eq!(file(&long, &format!("<script>{}</script>", "&a;".repeat(2_000))), Err(RenderError::TooLarge));
}

#[test]
fn utf_16_is_no_svg() {
    let text = format!("{HEAD}</svg>");
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let limits = RenderLimits::default();
    for bytes in [wide.clone(), [&[0xff, 0xfe], &wide[..]].concat(), [text.as_bytes(), b"\0"].concat()] {
        assert_eq!(sanitise_svg(&bytes, &limits), Err(RenderError::NotAnImage));
    }
}

#[test]
fn deep_and_costly_texts_are_refused_at_once() {
    let began = Instant::now();
    let deep = |depth: usize| format!("{HEAD}{}{}</svg>", "<g>".repeat(depth), "</g>".repeat(depth));
    assert!(sanitised(&deep(255)).is_ok());
    assert!(matches!(sanitised(&deep(256)), Err(RenderError::Damaged(_))));
    assert!(matches!(sanitised(&deep(1_000_000)), Err(RenderError::Damaged(_))));
    let namespaces: String = (0..150).map(|n| format!(" xmlns:a{n}='x'")).collect();
    let wide = format!("{HEAD}<g{namespaces}>{}</g></svg>", "<g/>".repeat(1_000_000));
    assert!(matches!(sanitised(&wide), Err(RenderError::Damaged(_))));
    // Quotes, comments and character data hide no element and make none.
    let hidden = "<g id='>'/><!-- <g><g> --><text><![CDATA[<g><g>]]></text>".repeat(1_000);
    assert!(sanitised(&format!("{HEAD}{hidden}</svg>")).is_ok());
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}

#[test]
fn output_has_a_limit() {
    let limits = RenderLimits { svg_bytes_max: 1_000, ..RenderLimits::default() };
    let source = format!("{HEAD}{}</svg>", "<g>".repeat(40) + &"</g>".repeat(40));
    assert!(source.len() < 1_000);
    assert_eq!(sanitise_svg(source.as_bytes(), &limits), Err(RenderError::TooLarge));
    assert_eq!(sanitise_svg(&[b' '; 1_001], &limits), Err(RenderError::TooLarge));
    let huge = format!("{HEAD}<path d='{}'/></svg>", "1 ".repeat(4 << 20));
    assert_eq!(
        sanitised(&huge).unwrap().matches("1 ").count(),
        (4 << 20) - 1,
        "but an attribute may be long"
    );
}

#[test]
fn each_cut_is_an_error() {
    let text = include_str!("pictures/plain.svg").trim_end();
    for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
        assert!(sanitised(&text[..end]).is_err(), "{end}");
    }
    assert!(sanitised(text).is_ok());
}

fn rendered(options: ImageOptions) -> Result<Rendered, RenderError> {
    let request = RenderRequest {
        options,
        accepts: Accepts { avif: true, webp: true },
        limits: RenderLimits::default(),
    };
    render(include_bytes!("pictures/plain.svg"), &request)
}

#[test]
fn an_svg_is_rendered_as_it_is() {
    let with = |format| ImageOptions { format, width: Some(Width::Pixels(3)), ..ImageOptions::default() };
    for format in [OutputFormat::Auto, OutputFormat::Svg] {
        let Rendered { facts, bytes } = rendered(with(format)).unwrap();
        assert_eq!(facts.content, RenderedContent::Image(MediaType::Svg));
        assert_eq!((facts.width, facts.height), (12, 7), "options are ignored");
        assert_eq!(probe(&bytes, &Limits::default()).unwrap().media_type, MediaType::Svg);
    }
    for format in OutputFormat::ALL {
        if !matches!(format, OutputFormat::Auto | OutputFormat::Svg | OutputFormat::Json) {
            assert_eq!(rendered(with(format)), Err(RenderError::SvgConversion), "{format:?}");
        }
    }
}

#[test]
fn an_svg_is_described() {
    let options = ImageOptions { format: OutputFormat::Json, ..ImageOptions::default() };
    let Rendered { facts, bytes } = rendered(options.clone()).unwrap();
    assert_eq!(facts.content, RenderedContent::Json);
    let size = include_bytes!("pictures/plain.svg").len();
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(&bytes).unwrap(),
        serde_json::json!({
            "width": 12,
            "height": 7,
            "original": {"file_size": size, "width": 12, "height": 7, "format": "image/svg+xml"},
        })
    );
    let request = RenderRequest { options, accepts: Accepts::default(), limits: RenderLimits::default() };
    let bytes = render(b"<svg/>", &request).unwrap().bytes;
    assert_eq!(bytes, br#"{"original":{"file_size":6,"format":"image/svg+xml"}}"#);
}
