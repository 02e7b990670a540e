//! Images and drafts: what becomes of their rows.

use std::collections::btree_map;
use std::sync::Arc;

use darkroom_model::{Draft, Edit, Entry, Image, ImageId, NewImage, Original, Sequence, Timestamp};
use heed::{RoTxn, RwTxn};

use super::operations::Outcome;
use super::{Group, Touched, Writer};
use crate::CatalogError;
use crate::lmdb::keys;
use crate::lmdb::rows::{self, IdRow};
use crate::lmdb::shared::{AccountEntry, Shared, damaged};
use crate::lmdb::store::{Opened, failed, get};
use crate::posting::overlay::Change;
use crate::record::{self, Record};

impl Writer {
    pub(super) fn insert(
        &self,
        opened: &Opened,
        txn: &mut RwTxn<'_>,
        group: &mut Group,
        entry: &Arc<AccountEntry>,
        image: NewImage,
    ) -> Result<Outcome, CatalogError> {
        let now = self.shared.clock.now();
        let id_key = self.claim(opened, txn, entry, &image.id, now)?;
        self.push(opened, txn, group, entry, &id_key, image, now)
    }

    pub(super) fn insert_draft(
        &self,
        opened: &Opened,
        txn: &mut RwTxn<'_>,
        group: &mut Group,
        entry: &Arc<AccountEntry>,
        draft: &Draft,
    ) -> Result<Outcome, CatalogError> {
        let id_key = self.claim(opened, txn, entry, &draft.id, self.shared.clock.now())?;
        opened.tables.drafts.put(txn, &id_key, &rows::write_draft(draft)).map_err(failed)?;
        opened.tables.ids.put(txn, &id_key, &IdRow::Draft.to_bytes()).map_err(failed)?;
        self.touch(opened, txn, group, entry)?;
        group.wrote = true;
        Ok(Outcome::Done)
    }

    #[expect(clippy::too_many_arguments, reason = "a group, and what the caller of the catalog gave")]
    pub(super) fn complete_draft(
        &self,
        opened: &Opened,
        txn: &mut RwTxn<'_>,
        group: &mut Group,
        entry: &Arc<AccountEntry>,
        id: &ImageId,
        filename: Option<String>,
        original: Original,
    ) -> Result<Outcome, CatalogError> {
        let now = self.shared.clock.now();
        let draft = match find(&self.shared, opened, txn, entry, id)? {
            None => return Err(CatalogError::NotFound),
            Some(Found::Image(..)) => return Err(CatalogError::Exists),
            Some(Found::Draft(draft)) if !draft.is_open_at(now) => return Err(CatalogError::Expired),
            Some(Found::Draft(draft)) => draft,
        };
        let id_key = keys::id(entry.number, &self.shared.secrets.id_hash(id));
        opened.tables.drafts.delete(txn, &id_key).map_err(failed)?;
        self.push(opened, txn, group, entry, &id_key, draft.completed(filename, original), now)
    }

    /// Returns the key of an id that is free now; the draft that held it and has expired is gone.
    fn claim(
        &self,
        opened: &Opened,
        txn: &mut RwTxn<'_>,
        entry: &AccountEntry,
        id: &ImageId,
        now: Timestamp,
    ) -> Result<[u8; 20], CatalogError> {
        let id_key = keys::id(entry.number, &self.shared.secrets.id_hash(id));
        let Some(row) = get(opened.tables.ids, txn, &id_key)? else { return Ok(id_key) };
        if IdRow::from_bytes(row).ok_or_else(|| damaged("id"))? != IdRow::Draft
            || read_draft(opened, txn, &id_key)?.is_open_at(now)
        {
            return Err(CatalogError::Exists);
        }
        opened.tables.drafts.delete(txn, &id_key).map_err(failed)?;
        Ok(id_key)
    }

    /// Writes an image as the newest of its account.
    #[expect(clippy::too_many_arguments, reason = "a group, and what the callers above have found out")]
    fn push(
        &self,
        opened: &Opened,
        txn: &mut RwTxn<'_>,
        group: &mut Group,
        entry: &Arc<AccountEntry>,
        id_key: &[u8; 20],
        image: NewImage,
        now: Timestamp,
    ) -> Result<Outcome, CatalogError> {
        let touched = self.touch(opened, txn, group, entry)?;
        let Sequence(sequence) = touched.state.next;
        let uploaded = now.max(touched.state.last_uploaded);
        let image = image.uploaded_at(uploaded);
        let row = record::write(&image);
        let terms = self.shared.hasher.image_terms(&Record::read(&row).map_err(CatalogError::failed)?);
        opened.tables.records.put(txn, &keys::sequence(entry.number, sequence), &row).map_err(failed)?;
        let leads_to = IdRow::Image(Sequence(sequence)).to_bytes();
        opened.tables.ids.put(txn, id_key, &leads_to).map_err(failed)?;
        touched.state.next = Sequence(sequence + 1);
        touched.state.last_uploaded = uploaded;
        touched.changes.push(Change::Insert(sequence, terms));
        group.wrote = true;
        Ok(outcome(Entry::Image(image)))
    }

    pub(super) fn edit(
        &self,
        opened: &Opened,
        txn: &mut RwTxn<'_>,
        group: &mut Group,
        entry: &Arc<AccountEntry>,
        id: &ImageId,
        edit: Edit,
    ) -> Result<Outcome, CatalogError> {
        let (sequence, mut image) = match find_open(&self.shared, opened, txn, entry, id)? {
            None => return Ok(Outcome::Entry(None)),
            Some(Found::Image(sequence, image)) => (sequence, image),
            Some(Found::Draft(mut draft)) => {
                draft.edit(edit);
                let id_key = keys::id(entry.number, &self.shared.secrets.id_hash(id));
                opened.tables.drafts.put(txn, &id_key, &rows::write_draft(&draft)).map_err(failed)?;
                self.touch(opened, txn, group, entry)?;
                group.wrote = true;
                return Ok(outcome(Entry::Draft(draft)));
            }
        };
        let before = image.clone();
        edit.apply(&mut image);
        if image == before {
            return Ok(outcome(Entry::Image(image)));
        }
        let touched = self.touch(opened, txn, group, entry)?;
        let row = record::write(&image);
        let terms = self.shared.hasher.image_terms(&Record::read(&row).map_err(CatalogError::failed)?);
        opened.tables.records.put(txn, &keys::sequence(entry.number, sequence), &row).map_err(failed)?;
        mask(&self.shared, opened, txn, touched, sequence)?;
        touched.changes.push(Change::Edit(sequence, terms));
        group.wrote = true;
        Ok(outcome(Entry::Image(image)))
    }

    pub(super) fn delete(
        &self,
        opened: &Opened,
        txn: &mut RwTxn<'_>,
        group: &mut Group,
        entry: &Arc<AccountEntry>,
        id: &ImageId,
    ) -> Result<Outcome, CatalogError> {
        let id_key = keys::id(entry.number, &self.shared.secrets.id_hash(id));
        let (sequence, image) = match find_open(&self.shared, opened, txn, entry, id)? {
            None => return Ok(Outcome::Entry(None)),
            Some(Found::Image(sequence, image)) => (sequence, image),
            Some(Found::Draft(draft)) => {
                opened.tables.drafts.delete(txn, &id_key).map_err(failed)?;
                opened.tables.ids.delete(txn, &id_key).map_err(failed)?;
                self.touch(opened, txn, group, entry)?;
                group.wrote = true;
                return Ok(outcome(Entry::Draft(draft)));
            }
        };
        let touched = self.touch(opened, txn, group, entry)?;
        opened.tables.records.delete(txn, &keys::sequence(entry.number, sequence)).map_err(failed)?;
        opened.tables.ids.delete(txn, &id_key).map_err(failed)?;
        let note = keys::garbage(entry.number, &image.original.key);
        opened.tables.garbage.put(txn, &note, &[]).map_err(failed)?;
        mask(&self.shared, opened, txn, touched, sequence)?;
        touched.changes.push(Change::Delete(sequence));
        group.wrote = true;
        Ok(outcome(Entry::Image(image)))
    }

    /// Returns the account in the group. Whatever changes an account touches it, so that its version tells after a failed
    /// commit whether the change stands.
    pub(super) fn touch<'g>(
        &self,
        opened: &Opened,
        txn: &RwTxn<'_>,
        group: &'g mut Group,
        entry: &Arc<AccountEntry>,
    ) -> Result<&'g mut Touched, CatalogError> {
        match group.accounts.entry(entry.number) {
            btree_map::Entry::Occupied(touched) => Ok(touched.into_mut()),
            btree_map::Entry::Vacant(place) => {
                let state = self.shared.state(opened, txn, entry.number)?;
                Ok(place.insert(Touched { entry: Arc::clone(entry), state, changes: Vec::new() }))
            }
        }
    }
}

fn outcome(entry: Entry) -> Outcome {
    Outcome::Entry(Some(Box::new(entry)))
}

/// Masks an image that a segment, present or being built, has.
fn mask(
    shared: &Shared,
    opened: &Opened,
    txn: &mut RwTxn<'_>,
    touched: &Touched,
    sequence: u64,
) -> Result<(), CatalogError> {
    shared.load_overlay(opened, &touched.entry)?;
    let overlay = touched.entry.overlay.read().unwrap_or_else(|poisoned| poisoned.into_inner());
    let Some(overlay) = &*overlay else { return Err(CatalogError::Unavailable) };
    if overlay.needs_mask(sequence) {
        let key = keys::sequence(touched.entry.number, sequence);
        let version = touched.state.version + 1;
        opened.tables.masks.put(txn, &key, &version.to_be_bytes()).map_err(failed)?;
    }
    Ok(())
}

/// What an id leads to, with the number of an image.
pub(crate) enum Found {
    Image(u64, Image),
    Draft(Draft),
}

/// Returns what this id leads to; a draft also after it has expired.
pub(crate) fn find(
    shared: &Shared,
    opened: &Opened,
    txn: &RoTxn<'_>,
    entry: &AccountEntry,
    id: &ImageId,
) -> Result<Option<Found>, CatalogError> {
    let id_key = keys::id(entry.number, &shared.secrets.id_hash(id));
    let Some(row) = get(opened.tables.ids, txn, &id_key)? else { return Ok(None) };
    // Another id of the same hash is not the one that was asked for.
    match IdRow::from_bytes(row).ok_or_else(|| damaged("id"))? {
        IdRow::Image(Sequence(sequence)) => {
            let bytes = get(opened.tables.records, txn, &keys::sequence(entry.number, sequence))?;
            let bytes = bytes.ok_or_else(|| damaged("id without a record"))?;
            let image = Record::read(bytes).and_then(|record| record.to_image(&entry.account.id));
            let image = image.map_err(CatalogError::failed)?;
            Ok((image.id == *id).then_some(Found::Image(sequence, image)))
        }
        IdRow::Draft => {
            let draft = read_draft(opened, txn, &id_key)?;
            Ok((draft.id == *id).then_some(Found::Draft(draft)))
        }
    }
}

/// Returns what this id leads to, but no draft that has expired.
pub(crate) fn find_open(
    shared: &Shared,
    opened: &Opened,
    txn: &RoTxn<'_>,
    entry: &AccountEntry,
    id: &ImageId,
) -> Result<Option<Found>, CatalogError> {
    let now = shared.clock.now();
    let found = find(shared, opened, txn, entry, id)?;
    Ok(found.filter(|found| match found {
        Found::Image(..) => true,
        Found::Draft(draft) => draft.is_open_at(now),
    }))
}

fn read_draft(opened: &Opened, txn: &RoTxn<'_>, id_key: &[u8; 20]) -> Result<Draft, CatalogError> {
    let row = get(opened.tables.drafts, txn, id_key)?.ok_or_else(|| damaged("id without a draft"))?;
    rows::read_draft(row).ok_or_else(|| damaged("draft"))
}
