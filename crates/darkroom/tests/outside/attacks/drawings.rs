//! SVGs that would run, or fetch, something.

use super::{DAMAGED, Fate, Target};

const HEAD: &str = r#"<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="4" height="3">"#;

/// What no drawing may have that is sent, in lower case. What is left may have the words, but nothing that runs
/// or fetches them: of an address, its path.
const FORBIDDEN: [&str; 18] = [
    "<script",
    "script:",
    "onload=",
    "onclick=",
    "onbegin=",
    "attributename",
    "href=\"http",
    "href=\"//",
    "href=\"data:",
    "url(h",
    "url(//",
    "@",
    "\\",
    "foreignobject",
    "iframe",
    "stylesheet",
    "<!",
    "passwd",
];

#[tokio::test]
async fn nothing_runs_and_nothing_is_fetched() {
    let target = Target::start().await;
    for inside in [
        "<script>alert(1)</script>",
        "<script href='http://evil.example/x.js'/>",
        "<SCRIPT>alert(1)</SCRIPT>",
        "<g onload='alert(1)' onclick='alert(2)' ONLOAD='alert(3)'/>",
        "<animate onbegin='alert(1)' attributeName='href' to='//evil'/>",
        "<set attributeName='onload' to='alert(1)'/>",
        "<image href='http://evil.example/x.png'/><image xlink:href='//evil.example/x.png'/>",
        "<use href='http://evil.example/x.svg#a'/><use xlink:href='data:image/svg+xml,&lt;svg/>#a'/>",
        "<feImage href='https://evil.example/x.png'/>",
        "<rect style='fill:url(http://evil.example/x#a)' fill='url(//evil.example/x)'/>",
        "<style>@import 'http://evil.example/x.css'; g { background: url(http://evil.example/x) }</style>",
        "<style>@\\69mport '//evil.example/x.css'; g { background: u\\72l(//evil.example/x) }</style>",
        "<?xml-stylesheet href='http://evil.example/x.css'?>",
        "<a href='javascript:alert(1)'><g/></a>",
        "<a xlink:href=' JaVaScRiPt&#58;alert(1)'><g/></a>",
        "<a href='java&#10;script&#x3a;alert(1)'><g/></a>",
        "<a href='vbscript:alert(1)'><g/></a>",
        "<a href='data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg=='><g/></a>",
        "<image href='data:text/html,&lt;script>alert(1)&lt;/script>'/>",
        "<foreignObject><body xmlns='http://www.w3.org/1999/xhtml' onload='alert(1)'><iframe src='//evil.example'/></body></foreignObject>",
        "<h:script xmlns:h='http://www.w3.org/1999/xhtml'>alert(1)</h:script>",
        "<![CDATA[<script>alert(1)</script>]]>",
        "<text><![CDATA[<b>]]></text><!-- <script>alert(1)</script> -->",
        "<x:include xmlns:x='http://www.w3.org/2001/XInclude' href='file:///etc/passwd'/>",
    ] {
        let file = format!("{HEAD}{inside}<circle r=\"1\"/></svg>");
        check_harmless(&target, inside, &file).await;
    }
    // What XML does not know is no XML.
    for link in ["&#1;javascript:alert(1)", "java&Tab;script:alert(1)", "javascript&colon;alert(1)"] {
        let file = format!("{HEAD}<a href='{link}'><g/></a></svg>");
        target.check(link, file.as_bytes(), "format=svg", None, DAMAGED).await;
    }
    for before in [
        "<?xml version='1.0'?><?xml-stylesheet type='text/xsl' href='http://evil.example/x.xsl'?>",
        "<!DOCTYPE svg PUBLIC '-//W3C//DTD SVG 1.1//EN' 'http://evil.example/svg.dtd'>",
        "<!DOCTYPE svg [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>",
        "<!-- <script>alert(1)</script> -->",
    ] {
        let text = if before.contains("ENTITY a") { "&a;" } else { "" };
        let file = format!("{before}{HEAD}<text>{text}</text><circle r=\"1\"/></svg>");
        check_harmless(&target, before, &file).await;
    }
    target.stop().await;
}

async fn check_harmless(target: &Target, name: &str, file: &str) {
    for options in ["w=40", "format=svg"] {
        let picture = Fate::Picture("image/svg+xml", 4, 3);
        let answer = target.check(name, file.as_bytes(), options, None, picture).await;
        let text = answer.text().to_lowercase();
        assert!(text.contains("<circle r=\"1\""), "{name}: {text}");
        for forbidden in FORBIDDEN {
            assert!(!text.contains(forbidden), "{name}: {forbidden} in {text}");
        }
    }
}
