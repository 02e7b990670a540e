//! One who owns an account: changes its keys, variants and configuration, reserves ids and uses them, and makes and
//! revokes accounts and tokens by the commands; and knows what was acknowledged.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use crate::MULTIPART;
use crate::chance::Chance;
use crate::client::{Answer, send_as};
use crate::commands::{account_list, run, token_list};
use crate::picture::picture;

const ACCOUNT: &str = "owner";
const HASH: &str = "owner-hash";
/// Names of keys and of variants.
const NAMES: usize = 4;

/// The parts of what an owner owns; each is an object by name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Part {
    Keys,
    Variants,
    Config,
    Uploads,
    Accounts,
    Tokens,
}

const PARTS: [Part; 6] =
    [Part::Keys, Part::Variants, Part::Config, Part::Uploads, Part::Accounts, Part::Tokens];

pub(crate) struct Owner {
    chance: Chance,
    /// The data folder, which the commands are given.
    data: PathBuf,
    /// The secret of the token that the owner uses.
    token: String,
    /// What stands, by part.
    stands: BTreeMap<Part, Map<String, Value>>,
    /// The secrets of other tokens, with the account that each may read.
    secrets: Vec<(String, String)>,
    /// The secrets of the batch tokens.
    batch: Vec<String>,
    /// A write that was sent and not answered, and what it would make of its part; what the server chooses is null.
    pending: Option<(Part, Map<String, Value>)>,
    /// How many writes were acknowledged.
    pub(crate) acknowledged: usize,
}

impl Owner {
    /// Makes the owner's account and token, while a server runs.
    pub(crate) fn new(server: SocketAddr, data: PathBuf, seed: u64) -> Owner {
        run(&data, &["account", "create", "--id", ACCOUNT, "--hash", HASH]).expect("the server stays");
        let token = run(&data, &["token", "create", "--account", ACCOUNT, "--scope", "write"]);
        let token = token.expect("the server stays").trim_end().to_owned();
        let chance = Chance::from_seed(seed ^ 0x6f77_6e65_7220_2020);
        let (stands, secrets, batch) = (BTreeMap::new(), Vec::new(), Vec::new());
        let mut owner = Owner { chance, data, token, stands, secrets, batch, pending: None, acknowledged: 0 };
        owner.stands = PARTS.into_iter().map(|part| (part, owner.see(server, part))).collect();
        owner
    }

    /// Writes until the server goes away.
    pub(crate) fn work(&mut self, server: SocketAddr) {
        while self.step(server).is_ok() {}
    }

    fn step(&mut self, server: SocketAddr) -> io::Result<()> {
        match self.chance.below(12) {
            0 | 1 => self.make_key(server),
            2 | 3 => self.delete_key(server),
            4 => self.put_variant(server),
            5 => self.delete_variant(server),
            6 => self.edit_config(server),
            7 => self.reserve(server),
            8 => self.use_reserved(server),
            9 => self.ask_for_batch_token(server),
            10 => self.make_account_with_token(),
            _ => self.revoke_token(),
        }
    }

    fn make_key(&mut self, server: SocketAddr) -> io::Result<()> {
        let name = format!("key-{}", self.chance.below(NAMES));
        let mut after = self.stands[&Part::Keys].clone();
        after.entry(&name).or_insert(Value::Null);
        self.begin(Part::Keys, after);
        let answer = self.send(server, "PUT", &format!("/images/v1/keys/{name}"), None)?;
        self.end(keys_of(&answer.result()));
        Ok(())
    }

    /// In the place of the last key comes another one, by the same commit.
    fn delete_key(&mut self, server: SocketAddr) -> io::Result<()> {
        let mut after = self.stands[&Part::Keys].clone();
        let name = after.keys().nth(self.chance.below(after.len())).expect("there is a key").clone();
        after.remove(&name);
        if after.is_empty() {
            after.insert("default".into(), Value::Null);
        }
        self.begin(Part::Keys, after);
        let answer = self.send(server, "DELETE", &format!("/images/v1/keys/{name}"), None)?;
        self.end(keys_of(&answer.result()));
        Ok(())
    }

    /// Makes a variant, or changes it.
    fn put_variant(&mut self, server: SocketAddr) -> io::Result<()> {
        let name = format!("variant-{}", self.chance.below(NAMES));
        let body = json!({ "id": name, "options": { "width": 1 + self.chance.below(1_000) },
                           "neverRequireSignedURLs": self.chance.one_in(2) });
        let mut after = self.stands[&Part::Variants].clone();
        let is_new = after.insert(name.clone(), body.clone()).is_none();
        self.begin(Part::Variants, after.clone());
        let answer = match is_new {
            true => self.send(server, "POST", "/images/v1/variants", Some(body)),
            false => self.send(server, "PATCH", &format!("/images/v1/variants/{name}"), Some(body)),
        };
        answer?.result();
        self.end(after);
        Ok(())
    }

    fn delete_variant(&mut self, server: SocketAddr) -> io::Result<()> {
        let mut after = self.stands[&Part::Variants].clone();
        let Some(name) = after.keys().find(|name| *name != "public").cloned() else { return Ok(()) };
        after.remove(&name);
        self.begin(Part::Variants, after.clone());
        self.send(server, "DELETE", &format!("/images/v1/variants/{name}"), None)?.result();
        self.end(after);
        Ok(())
    }

    /// Two fields at once, of which never one alone may stand.
    fn edit_config(&mut self, server: SocketAddr) -> io::Result<()> {
        let body = json!({ "browser_ttl": 3_600 + self.chance.below(1_000), "flexible_variants": self.chance.one_in(2) });
        let mut after = self.stands[&Part::Config].clone();
        after.extend(body.as_object().expect("an object").clone());
        self.begin(Part::Config, after.clone());
        self.send(server, "PATCH", "/images/v1/config", Some(body))?.result();
        self.end(after);
        Ok(())
    }

    fn reserve(&mut self, server: SocketAddr) -> io::Result<()> {
        let mut after = self.stands[&Part::Uploads].clone();
        let id = format!("upload-{}", after.len());
        after.insert(id.clone(), json!("draft"));
        self.begin(Part::Uploads, after.clone());
        self.send(server, "POST", "/images/v2/direct_upload", Some(json!({ "id": id })))?.result();
        self.end(after);
        Ok(())
    }

    fn use_reserved(&mut self, server: SocketAddr) -> io::Result<()> {
        let mut after = self.stands[&Part::Uploads].clone();
        let Some((id, upload)) = after.iter_mut().find(|(_, upload)| *upload == "draft") else {
            return Ok(());
        };
        let (id, picture) = (id.clone(), picture(self.chance.next()));
        *upload = fingerprint(&picture);
        self.begin(Part::Uploads, after.clone());
        let head = "--cut\r\ncontent-disposition: form-data; name=\"file\"; filename=\"noise.png\"\r\n\r\n";
        let body = [head.as_bytes(), &picture, b"\r\n--cut--\r\n"].concat();
        send_as("", server, "POST", &format!("/upload/{HASH}/{id}"), Some(MULTIPART), &body)?.result();
        self.end(after);
        Ok(())
    }

    fn ask_for_batch_token(&mut self, server: SocketAddr) -> io::Result<()> {
        let answer = self.send(server, "GET", "/images/v1/batch_token", None)?.result();
        self.batch.push(answer["token"].as_str().expect("a token").to_owned());
        Ok(())
    }

    /// Two commands, the second of which needs what the first did.
    fn make_account_with_token(&mut self) -> io::Result<()> {
        let mut accounts = self.stands[&Part::Accounts].clone();
        let id = format!("account-{}", accounts.len());
        let hash = format!("hash-{}", accounts.len());
        accounts.insert(id.clone(), json!(hash));
        self.begin(Part::Accounts, accounts.clone());
        run(&self.data, &["account", "create", "--id", &id, "--hash", &hash])?;
        self.end(accounts);
        let mut tokens = self.stands[&Part::Tokens].clone();
        tokens.insert(format!("{id}=read"), Value::Null);
        self.begin(Part::Tokens, tokens);
        let secret = run(&self.data, &["token", "create", "--account", &id, "--scope", "read"])?;
        self.secrets.push((secret.trim_end().to_owned(), id));
        self.end(token_list(&self.data)?);
        Ok(())
    }

    fn revoke_token(&mut self) -> io::Result<()> {
        let mut after = self.stands[&Part::Tokens].clone();
        let Some((_, account)) = self.secrets.first() else { return Ok(()) };
        let Some(id) = after.remove(&format!("{account}=read")) else { return Ok(()) };
        self.begin(Part::Tokens, after.clone());
        run(&self.data, &["token", "revoke", id.as_str().expect("an id")])?;
        self.end(after);
        Ok(())
    }

    fn begin(&mut self, part: Part, after: Map<String, Value>) {
        self.pending = Some((part, after));
    }

    /// Takes what is acknowledged, which must be what was asked for.
    #[track_caller]
    fn end(&mut self, now: Map<String, Value>) {
        let (part, after) = self.pending.take().expect("a write was begun");
        assert!(is_result(&now, &after, &self.stands[&part]), "{part:?} is {now:?}, not {after:?}");
        self.stands.insert(part, now);
        self.acknowledged += 1;
    }

    /// Sends a request about the owner's account.
    fn send(&self, server: SocketAddr, method: &str, below: &str, body: Option<Value>) -> io::Result<Answer> {
        let (content_type, body) = match body {
            Some(body) => (Some("application/json"), body.to_string()),
            None => (None, String::new()),
        };
        send_as(&self.token, server, method, &path(ACCOUNT, below), content_type, body.as_bytes())
    }

    /// Expects that what was acknowledged stands, and what was not stands wholly or not at all. Returns how many
    /// originals the owner has.
    pub(crate) fn look(&mut self, server: SocketAddr) -> usize {
        let pending = self.pending.take();
        for part in PARTS {
            let now = self.see(server, part);
            let before = &self.stands[&part];
            let is_after =
                pending.as_ref().is_some_and(|(of, after)| *of == part && is_result(&now, after, before));
            assert!(
                is_after || now == *before,
                "{part:?} is {now:?}, was {before:?}, pending was {pending:?}"
            );
            self.stands.insert(part, now);
        }
        self.try_secrets(server);
        self.stands[&Part::Uploads].values().filter(|upload| upload.is_number()).count()
    }

    /// Expects that a token opens what it is for until it is revoked.
    fn try_secrets(&mut self, server: SocketAddr) {
        let tokens = &self.stands[&Part::Tokens];
        self.secrets.retain(|(secret, account)| {
            let stands = tokens.contains_key(&format!("{account}=read"));
            let answer = send_as(secret, server, "GET", &path(account, "/images/v2"), None, b"");
            let status = answer.expect("the server stays").status;
            assert_eq!(status, if stands { 200 } else { 403 }, "the token of {account}");
            stands
        });
        for secret in &self.batch {
            let answer = send_as(secret, server, "GET", "/batch/images/v2", None, b"");
            answer.expect("the server stays").result();
        }
    }

    /// Returns a part as a server, or a command, shows it.
    fn see(&self, server: SocketAddr, part: Part) -> Map<String, Value> {
        let get = |below: &str| self.send(server, "GET", below, None).expect("the server stays");
        match part {
            Part::Keys => keys_of(&get("/images/v1/keys").result()),
            Part::Variants => object(get("/images/v1/variants").result()["variants"].take()),
            Part::Config => object(get("/images/v1/config").result()),
            Part::Uploads => self.see_uploads(server),
            Part::Accounts => account_list(&self.data).expect("the server stays"),
            Part::Tokens => token_list(&self.data).expect("the server stays"),
        }
    }

    /// Looks at every upload that there is or may be: a draft is in no list.
    fn see_uploads(&self, server: SocketAddr) -> Map<String, Value> {
        let get = |below: String| self.send(server, "GET", &below, None).expect("the server stays");
        let known = self.stands.get(&Part::Uploads).map_or(0, Map::len);
        let mut seen = Map::new();
        for id in (0..=known).map(|number| format!("upload-{number}")) {
            let details = get(format!("/images/v1/{id}"));
            if details.status == 404 {
                continue;
            }
            let upload = match details.result()["draft"] == true {
                true => json!("draft"),
                false => fingerprint(&get(format!("/images/v1/{id}/blob")).body),
            };
            seen.insert(id, upload);
        }
        seen
    }
}

/// Says whether a part is what a write was to make of it. What is null in it the server chose: some text, and another
/// one than before.
fn is_result(now: &Map<String, Value>, after: &Map<String, Value>, before: &Map<String, Value>) -> bool {
    let is_as_asked = |(name, asked): (&String, &Value)| match now.get(name) {
        Some(found) if asked.is_null() => found.is_string() && before.get(name) != Some(found),
        found => found == Some(asked),
    };
    now.len() == after.len() && after.iter().all(is_as_asked)
}

/// Returns what tells an original from every other one.
fn fingerprint(bytes: &[u8]) -> Value {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    json!(hasher.finish())
}

fn path(account: &str, below: &str) -> String {
    format!("/client/v4/accounts/{account}{below}")
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is no object"),
    }
}

/// Returns values by names.
fn keys_of(result: &Value) -> Map<String, Value> {
    let keys = result["keys"].as_array().expect("keys").iter();
    keys.map(|key| (key["name"].as_str().expect("a name").to_owned(), key["value"].clone())).collect()
}
