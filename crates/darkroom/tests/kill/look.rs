//! What must hold after a restart, seen through the API.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use serde_json::Value;

use crate::IMAGES;
use crate::chance::Chance;
use crate::client::send;
use crate::picture::picture;
use crate::worker::{COLOURS, CREATORS, State, Worker, image_path};

/// Images whose bytes are compared although nothing happened to them.
const UNTOUCHED_SAMPLE: usize = 100;

/// Expects that every acknowledged write stands, that what was not acknowledged stands wholly or not at all, and that
/// listings say the same as the images. Afterwards the workers know what stands. Returns how many images do.
pub(crate) fn look(
    server: SocketAddr,
    workers: &mut [Worker],
    chance: &mut Chance,
    everything: bool,
) -> usize {
    let walk = walk(server, "sort_order=asc", 1 + chance.below(400));
    let entries: BTreeMap<&str, &Value> = walk.iter().map(|entry| (id_of(entry), entry)).collect();
    assert_eq!(entries.len(), walk.len(), "an image is listed twice");

    let mut to_compare = BTreeSet::new();
    for worker in workers.iter_mut() {
        to_compare.extend(worker.touched.drain(..));
        if let Some(pending) = worker.pending.take() {
            let before = worker.images.get(&pending.id).cloned().flatten();
            let stands =
                settle(&pending.id, entries.get(pending.id.as_str()).copied(), before, pending.after);
            to_compare.insert(pending.id.clone());
            worker.images.insert(pending.id, stands);
        }
    }
    let model: BTreeMap<&str, &State> = workers
        .iter()
        .flat_map(|worker| &worker.images)
        .filter_map(|(id, state)| Some((id.as_str(), state.as_ref()?)))
        .collect();
    compare_entries(&entries, &model);
    compare_filtered(server, &walk, &model, chance);

    let ids: Vec<&str> = model.keys().copied().collect();
    if everything {
        to_compare.extend(ids.iter().map(|id| (*id).to_owned()));
    } else if !ids.is_empty() {
        to_compare.extend((0..UNTOUCHED_SAMPLE).map(|_| ids[chance.below(ids.len())].to_owned()));
    }
    for id in &to_compare {
        compare_image(server, id, entries.get(id.as_str()).copied(), model.get(id.as_str()).copied());
    }
    model.len()
}

/// Decides which of the two the unanswered write left behind; anything else is half a write.
fn settle(id: &str, entry: Option<&Value>, before: Option<State>, after: Option<State>) -> Option<State> {
    let fits = |state: &Option<State>| match (state, entry) {
        (None, None) => true,
        (Some(state), Some(entry)) => state.is_shown_by(entry),
        _ => false,
    };
    if fits(&after) {
        return after;
    }
    assert!(fits(&before), "{id}: {entry:?} is neither {before:?} nor {after:?}");
    before
}

fn compare_entries(entries: &BTreeMap<&str, &Value>, model: &BTreeMap<&str, &State>) {
    for (id, state) in model {
        let entry =
            entries.get(id).unwrap_or_else(|| panic!("{id} was acknowledged and is not listed: {state:?}"));
        assert!(state.is_shown_by(entry), "{id} was acknowledged as {state:?} and is listed as {entry}");
    }
    for id in entries.keys() {
        assert!(model.contains_key(id), "{id} is listed and does not exist");
    }
}

/// Expects that every filter finds what the whole walk, filtered by the model, has in the same order.
fn compare_filtered(
    server: SocketAddr,
    walk_of_all: &[Value],
    model: &BTreeMap<&str, &State>,
    chance: &mut Chance,
) {
    let mut check = |query: &str, keep: &dyn Fn(&State) -> bool| {
        let expected = walk_of_all.iter().map(id_of).filter(|id| keep(model[id]));
        let mut expected: Vec<&str> = expected.collect();
        let mut query = query.to_owned();
        if chance.one_in(2) {
            query += "&sort_order=asc";
        } else {
            expected.reverse();
        }
        let found = walk(server, &query, 1 + chance.below(200));
        let found: Vec<&str> = found.iter().map(id_of).collect();
        let differ = found.iter().zip(&expected).find(|(found, expected)| found != expected);
        assert!(
            found == expected,
            "{query}: {} found, {} expected, first found and expected {differ:?}",
            found.len(),
            expected.len()
        );
    };
    for colour in COLOURS {
        check(&format!("meta.colour[eq]={colour}"), &|state| state.colour == colour);
        check(&format!("meta.colour[eq]={colour}&meta.odd[eq:boolean]=true&creator=ann"), &|state| {
            state.colour == colour && state.version % 2 == 1 && state.creator == Some("ann")
        });
    }
    for creator in CREATORS {
        check(&format!("creator={creator}"), &|state| state.creator == Some(creator));
    }
    check("creator=", &|state| state.creator.is_none());
    check("meta.version[gte]=2&meta.version[lt:number]=4", &|state| (2..4).contains(&state.version));
    check("meta.deep.half[in:number]=0.5|1|1.5", &|state| (1..=3).contains(&state.version));
}

fn compare_image(server: SocketAddr, id: &str, entry: Option<&Value>, state: Option<&State>) {
    let get = |path: &str| send(server, "GET", path, None, b"").expect("the server stays");
    let details = get(&image_path(id));
    let blob = get(&format!("{}/blob", image_path(id)));
    match (entry, state) {
        (Some(entry), Some(state)) => {
            assert_eq!(details.result(), *entry, "details and list differ");
            assert_eq!(blob.status, 200, "{id} has no original");
            assert!(blob.body == picture(state.picture), "{id}: the original differs");
        }
        _ => assert_eq!((details.status, blob.status), (404, 404), "{id} is only half gone"),
    }
}

/// Returns every image that the query finds.
fn walk(server: SocketAddr, query: &str, page: usize) -> Vec<Value> {
    let mut images: Vec<Value> = Vec::new();
    let mut token = String::new();
    loop {
        let path = format!("{IMAGES}/v2?{query}&per_page={page}&continuation_token={token}");
        let mut result = send(server, "GET", &path, None, b"").expect("the server stays").result();
        let Value::Array(found) = result["images"].take() else { panic!("no images in {result}") };
        images.extend(found);
        match result["continuation_token"].as_str() {
            Some(next) => token = next.to_owned(),
            None => return images,
        }
    }
}

fn id_of(entry: &Value) -> &str {
    entry["id"].as_str().expect("every image has an id")
}
