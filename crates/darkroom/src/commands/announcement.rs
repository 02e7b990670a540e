//! What a start tells the operator, ready to paste.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use darkroom_api::endpoints::API_BASE;

use super::first_start::{FirstAccount, FirstToken};
use crate::settings::PublicUrl;

/// Returns the text of a start: the addresses, and at the first start everything that one needs to begin. The token
/// itself is in it only when the text goes to a terminal.
pub(super) fn text(
    addresses: &[SocketAddr],
    public_url: Option<&PublicUrl>,
    first: &FirstAccount,
    on_terminal: bool,
) -> String {
    let urls: Vec<String> = addresses.iter().map(|address| format!("http://{address}")).collect();
    let mut text = format!("Darkroom {} listens on {}\n", env!("CARGO_PKG_VERSION"), urls.join(" and "));
    if let Some(token) = &first.made_with {
        let base = match (public_url, addresses.first()) {
            (Some(url), _) => url.as_str().to_owned(),
            (None, Some(&address)) => format!("http://{}", reachable(address)),
            (None, None) => String::new(),
        };
        text.push_str(&first_steps(&base, first, token, on_terminal));
    }
    text
}

fn first_steps(base: &str, first: &FirstAccount, token: &FirstToken, on_terminal: bool) -> String {
    let (token_line, bearer) = match token {
        FirstToken::Given => ("as given".to_owned(), "$DARKROOM_API_TOKEN".to_owned()),
        FirstToken::Kept { secret, path } => {
            let path = path.display().to_string();
            let line =
                if on_terminal { format!("{secret} (kept in {path})") } else { format!("kept in {path}") };
            (line, format!("$(cat {})", quoted(&path)))
        }
    };
    let (id, hash) = (&first.account.id, &first.account.hash);
    format!(
        "
This is the first start: an account was made, and a token that can do everything in it.

  account  {id}
  token    {token_line}

Upload an image:

  curl -H \"Authorization: Bearer {bearer}\" \\
    -F file=@photo.jpg -F id=first -F 'metadata={{\"status\":\"active\",\"priority\":5}}' \\
    {base}{API_BASE}/accounts/{id}/images/v1

List images by their metadata:

  curl -g -H \"Authorization: Bearer {bearer}\" \\
    '{base}{API_BASE}/accounts/{id}/images/v2?meta.status[eq]=active&meta.priority[gte]=3'

See the image:

  {base}/{hash}/first/public

For Cloudflare's own clients:

  CLOUDFLARE_BASE_URL={base}{API_BASE}

"
    )
}

/// Returns an address that this machine can connect to.
pub(super) fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

/// Writes a path as one word of a shell.
fn quoted(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+".contains(&byte);
    match path.bytes().all(plain) {
        true => path.to_owned(),
        false => format!("'{}'", path.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use darkroom_model::{Account, AccountHash, AccountId};

    fn announced(token: Option<FirstToken>, on_terminal: bool) -> String {
        let account = Account {
            id: AccountId::parse("023e105f4ecef8ad9ca31a8372d0c353").unwrap(),
            hash: AccountHash::parse("Vi7wi5KSItxGFsWRG2Us6Q").unwrap(),
        };
        let addresses = ["0.0.0.0:3535".parse().unwrap()];
        text(&addresses, None, &FirstAccount { account, made_with: token }, on_terminal)
    }

    fn kept() -> FirstToken {
        FirstToken::Kept { secret: "the-secret".into(), path: "/srv/dark room/api-token".into() }
    }

    #[test]
    fn a_later_start_tells_the_addresses_only() {
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(announced(None, true), format!("Darkroom {version} listens on http://0.0.0.0:3535\n"));
    }

    #[test]
    fn the_token_is_shown_on_a_terminal_only() {
        assert!(announced(Some(kept()), true).contains("the-secret"));
        let text = announced(Some(kept()), false);
        assert!(!text.contains("the-secret"));
        assert!(text.contains("token    kept in /srv/dark room/api-token\n"), "{text}");
    }

    #[test]
    fn what_is_printed_can_be_pasted() {
        let text = announced(Some(kept()), false);
        for line in [
            r#"  curl -H "Authorization: Bearer $(cat '/srv/dark room/api-token')" \"#,
            "    http://127.0.0.1:3535/client/v4/accounts/023e105f4ecef8ad9ca31a8372d0c353/images/v1",
            "  http://127.0.0.1:3535/Vi7wi5KSItxGFsWRG2Us6Q/first/public",
            "  CLOUDFLARE_BASE_URL=http://127.0.0.1:3535/client/v4",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }

    #[test]
    fn a_given_token_is_not_repeated() {
        assert!(announced(Some(FirstToken::Given), true).contains("Bearer $DARKROOM_API_TOKEN"));
    }
}
