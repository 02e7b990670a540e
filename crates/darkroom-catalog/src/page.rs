//! One page of a listing.

use darkroom_model::{Filters, ImageView, Sequence, SortOrder};

use crate::record::Record;

/// What a page is asked for.
#[derive(Clone, Debug)]
pub struct PageQuery {
    /// Which images.
    pub filters: Filters,
    /// In which order.
    pub sort_order: SortOrder,
    /// After which image; `None` for the first page. The image need not exist any more.
    pub after: Option<Sequence>,
    /// How many images at most; at least 1.
    pub limit: usize,
}

/// One page: the first `limit` matches after the cursor, as their records were stored.
#[derive(Clone, Debug, Default)]
pub struct Page {
    records: Vec<u8>,
    ends: Vec<usize>,
    /// The last image of the page, if more matches follow it.
    pub next: Option<Sequence>,
    /// What the page took.
    pub work: PageWork,
}

impl Page {
    /// How many images the page has.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Says whether nothing matched.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Returns the images in order.
    pub fn images(&self) -> impl Iterator<Item = ImageView<'_>> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| {
            Record::read(&self.records[start..end])
                .expect("the page holds records that were read before")
                .view()
        })
    }

    /// Appends a record in stored form, which must be readable.
    pub(crate) fn push(&mut self, record: &[u8]) {
        self.records.extend_from_slice(record);
        self.ends.push(self.records.len());
    }
}

/// What a page took: the program's own counters, which depend on the page and the number of segments, and never on
/// how many images there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PageWork {
    /// Records read, returned or not.
    pub records_read: u64,
    /// Records read whose terms were not those asked for: two terms with one hash.
    pub hash_mismatches: u64,
    /// Blocks of small containers read.
    pub blocks_read: u64,
    /// Large containers read.
    pub containers_read: u64,
    /// Columns of numbers read.
    pub columns_read: u64,
    /// Chunks of segments and of the overlay that were looked into.
    pub chunks_visited: u64,
    /// Segments that were looked into.
    pub segments_visited: u64,
    /// Transactions taken to find one of the overlay's version.
    pub transactions: u64,
}
