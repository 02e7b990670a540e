//! One client: uploads, edits and deletes images of its own, and knows what was acknowledged.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::json;

use crate::chance::Chance;
use crate::client::{Answer, send};
use crate::picture::picture;
use crate::{IMAGES, MULTIPART};

pub(crate) const COLOURS: [&str; 3] = ["red", "green", "blue"];
pub(crate) const CREATORS: [&str; 3] = ["ann", "bob", "eve"];

/// What an image is, or is to become.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct State {
    /// Raised by every edit.
    pub(crate) version: u64,
    pub(crate) colour: &'static str,
    pub(crate) creator: Option<&'static str>,
    /// Which picture was uploaded.
    pub(crate) picture: u64,
}

impl State {
    pub(crate) fn metadata(&self) -> serde_json::Value {
        json!({ "version": self.version, "colour": self.colour, "odd": self.version % 2 == 1,
                "deep": { "half": self.version as f64 / 2.0 } })
    }

    /// Says whether a listing's entry shows this state.
    pub(crate) fn is_shown_by(&self, entry: &serde_json::Value) -> bool {
        entry["meta"] == self.metadata() && entry["creator"].as_str() == self.creator
    }
}

/// A write that was sent and not answered: it may stand or not.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub(crate) id: String,
    pub(crate) after: Option<State>,
}

pub(crate) struct Worker {
    name: usize,
    chance: Chance,
    /// Every id ever used, with the acknowledged state; `None` for what does not exist.
    pub(crate) images: BTreeMap<String, Option<State>>,
    /// The ids of answered writes since the last look.
    pub(crate) touched: Vec<String>,
    pub(crate) pending: Option<Pending>,
}

impl Worker {
    pub(crate) fn new(name: usize, seed: u64) -> Worker {
        let chance = Chance::from_seed(seed ^ (name as u64 + 1).wrapping_mul(0x0123_4567_89ab_cdef));
        Worker { name, chance, images: BTreeMap::new(), touched: Vec::new(), pending: None }
    }

    /// Writes until the server goes away.
    pub(crate) fn work(&mut self, server: SocketAddr) {
        while self.step(server).is_ok() {}
    }

    fn step(&mut self, server: SocketAddr) -> std::io::Result<()> {
        let pending = self.choose();
        let before = self.images.get(&pending.id).cloned().flatten();
        self.pending = Some(pending.clone());
        let answer = match (&before, &pending.after) {
            (None, Some(state)) => upload(server, &pending.id, state)?,
            (Some(_), Some(state)) => edit(server, &pending.id, state)?,
            (_, None) => send(server, "DELETE", &image_path(&pending.id), None, b"")?,
        };
        answer.result();
        self.touched.push(pending.id.clone());
        self.images.insert(pending.id, pending.after);
        self.pending = None;
        Ok(())
    }

    fn choose(&mut self) -> Pending {
        let (standing, free): (Vec<_>, Vec<_>) = self.images.iter().partition(|(_, state)| state.is_some());
        let chance = &mut self.chance;
        if standing.is_empty() || chance.one_in(2) {
            let state = State {
                version: 1,
                colour: COLOURS[chance.below(COLOURS.len())],
                creator: CREATORS.get(chance.below(CREATORS.len() + 1)).copied(),
                picture: chance.next(),
            };
            // An id that was deleted may come again, with another picture.
            let id = match free.get(chance.below(free.len().max(1))) {
                Some((id, _)) if chance.one_in(4) => (*id).clone(),
                _ => format!("worker {}/image-{}", self.name, self.images.len()),
            };
            return Pending { id, after: Some(state) };
        }
        let (id, state) = standing[chance.below(standing.len())];
        let mut state = state.clone().expect("it stands");
        if chance.one_in(3) {
            return Pending { id: id.clone(), after: None };
        }
        state.version += 1;
        state.colour = COLOURS[chance.below(COLOURS.len())];
        state.creator = CREATORS.get(chance.below(CREATORS.len() + 1)).copied();
        Pending { id: id.clone(), after: Some(state) }
    }
}

pub(crate) fn image_path(id: &str) -> String {
    format!("{IMAGES}/v1/{}", id.replace(' ', "%20").replace('/', "%2F"))
}

fn upload(server: SocketAddr, id: &str, state: &State) -> std::io::Result<Answer> {
    let mut body = Vec::new();
    let metadata = state.metadata().to_string();
    let mut part = |disposition: &str, content: &[u8]| {
        body.extend_from_slice(
            format!("--cut\r\ncontent-disposition: form-data; {disposition}\r\n\r\n").as_bytes(),
        );
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    };
    part("name=\"file\"; filename=\"noise.png\"", &picture(state.picture));
    part("name=\"id\"", id.as_bytes());
    part("name=\"metadata\"", metadata.as_bytes());
    if let Some(creator) = state.creator {
        part("name=\"creator\"", creator.as_bytes());
    }
    body.extend_from_slice(b"--cut--\r\n");
    send(server, "POST", &format!("{IMAGES}/v1"), Some(MULTIPART), &body)
}

fn edit(server: SocketAddr, id: &str, state: &State) -> std::io::Result<Answer> {
    let body = json!({ "metadata": state.metadata(), "creator": state.creator }).to_string();
    send(server, "PATCH", &image_path(id), Some("application/json"), body.as_bytes())
}
