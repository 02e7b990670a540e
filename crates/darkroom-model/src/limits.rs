//! Every limit that a request can meet: name, default, unit, reason.
//!
//! Limits of a format (the length of an id, the levels of a field path) stand with their types; what stands here is
//! policy, read wherever a request is judged.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The limits of one server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Filters in one listing. Default 5 (reference: list-v2 §2.2).
    pub filters_max: usize,
    /// Elements of one `in` list, counted before repeats are removed. Default 10 (reference: list-v2 §2.2).
    pub list_values_max: usize,
    /// Largest accepted `per_page`. Default 10,000: public clients send it (reference: list-v2 §1.2).
    pub per_page_max: usize,
    /// Images on one page, however large `per_page` is. Default 1,000 (reference: list-v2 §1.2).
    pub page_max: usize,
    /// Characters of a creator. Default 1,024 (reference: list-v2 §1.1).
    pub creator_chars_max: usize,
    /// Characters of a file name. Default 255 (reference: api §3.2).
    pub filename_chars_max: usize,
    /// Bytes of metadata in compact form. Default 1,024 (reference: api §1.7).
    pub metadata_bytes_max: usize,
    /// Bytes of an uploaded file. Default 10 MiB, inclusive (reference: api §3.2).
    pub file_bytes_max: usize,
    /// Bytes of a multipart part that is not the file. Default 64 KiB: metadata with white space, and no more.
    pub field_bytes_max: usize,
    /// Parts of a multipart body. Default 512: SDKs send metadata as one part a value, and 1,024 bytes of
    /// metadata hold fewer.
    pub parts_max: usize,
    /// Bytes of a JSON body. Default 64 KiB.
    pub json_bytes_max: usize,
    /// Pixels of an image, all frames of an animation together. Default 100 million (reference: api §3.2).
    pub pixels_max: u64,
    /// Pixels on a side, except WebP, whose format ends at 16,383. Default 12,000 (reference: api §3.2).
    pub side_max: u32,
    /// Bytes of a request's head. Default 64 KiB: an id of 1,024 characters, encoded, takes 12 KiB.
    pub head_bytes_max: usize,
    /// How long fetching a file may take, from the name of its host to its last byte, redirects included. Default 30 s
    /// (reference: api §3.2): an origin that feeds a byte at a time is no reason to hold memory.
    pub fetch_wait: Duration,
    /// Bytes of a file from elsewhere that is transformed. Default 100 MiB (reference: delivery §13). Such files share the
    /// memory of uploads while they are transformed.
    pub remote_file_bytes_max: usize,
    /// Redirects that are followed on the way to a file. Default 5 (reference: api §3.2).
    pub redirects_max: usize,
    /// Files fetched at the same time; further ones wait. Default 16: slow origins hold 160 of the 256 MiB that uploads
    /// have, and leave the rest to files that are sent.
    pub fetches_max: usize,
    /// Connections served at the same time; further ones wait to be accepted. Default 4,096.
    pub connections_max: usize,
    /// Requests in progress on one HTTP/2 connection. Default 100: what browsers and proxies expect, and those of all
    /// such connections together are no more than `connections_max`.
    pub streams_max: u32,
    /// Bytes that must be free where the data folder lies for uploads to be taken. Default 256 MiB: edits, deletes and
    /// the catalog's own work go on below it, and need some room.
    pub min_free_bytes: u64,
    /// Bytes that all uploads in progress may hold in memory together. Default 256 MiB; further uploads wait, for at most
    /// [`Limits::upload_wait`].
    pub upload_memory_bytes_max: usize,
    /// How long the head of a request may take to arrive, and how long a connection may wait for its next request.
    /// Default 30 s: longer than any client that still wants an answer, and the end of those that feed a byte at a time.
    pub head_wait: Duration,
    /// How long a body may pause. Default 30 s: a phone in a tunnel comes back sooner.
    pub body_wait: Duration,
    /// How long a body may take in all. Default 10 min: the largest file over a line of 140 kbit/s, and the end of those
    /// that hold the memory of an upload with a byte now and then.
    pub body_time_max: Duration,
    /// How long an upload may wait for its share of the memory. Default 30 s: half of what SDKs wait for an answer.
    pub upload_wait: Duration,
    /// How long an answer may wait for a client that does not take it. Default 60 s: it costs a place and a picture.
    pub answer_wait: Duration,
    /// Whether an image with a custom id may be private. Default no (reference: api §1.6).
    pub private_custom_ids: bool,
    /// Whether a custom id may be a UUID, as the ids of images are that come from elsewhere. Default no (reference:
    /// api §1.6).
    pub uuid_custom_ids: bool,
    /// Variants of an account. Default 100 (reference: api §10.1). Each is a URL in every image of a page.
    pub variants_max: usize,
    /// How far ahead the end of a one-time URL must be at least. Default 2 minutes, inclusive (reference: api §13).
    pub draft_life_min: Duration,
    /// How far ahead it may be at most. Default 6 hours, inclusive (reference: api §13).
    pub draft_life_max: Duration,
    /// How long a server that was told to stop waits for the requests that it accepted. Default 25 s: supervisors
    /// that ask politely kill after 30 s or more.
    pub shutdown_wait: Duration,
    /// What a rendering may take and give.
    pub render: RenderLimits,
    /// Processes that render, each one picture at a time. Default 0, which is one a core: pixels keep a core busy, and
    /// more processes would take memory and make nothing faster.
    pub render_workers_max: usize,
    /// Renderings that wait for a process; further ones are refused. Default 256: a page full of pictures that nobody has
    /// seen yet, and no more than a few cores render within [`Limits::render_wait_max`].
    pub render_queue_max: usize,
    /// How long a rendering may wait for a process. Default 10 s: whoever looks at a page has left it by then.
    pub render_wait_max: Duration,
    /// How long a rendering may take, from the moment that a process has it. Default 20 s: several times what the largest
    /// picture that is let in takes, and the end of those that are made to take forever.
    pub render_time_max: Duration,
    /// Bytes of memory that a process may take for a rendering beside what it takes when idle. Default 1 GiB: 100 million
    /// pixels with alpha, twice, and some room.
    pub render_memory_bytes_max: u64,
    /// Bytes of renditions kept in memory. Default 64 MiB: some thousand, so that what is asked for now is answered
    /// without a look at the disk.
    pub rendition_memory_bytes_max: u64,
    /// Bytes of renditions kept in the data folder; 0 is none. Default 1 GiB: some ten thousand, which need not be
    /// rendered again after a restart.
    pub rendition_disk_bytes_max: u64,
}

/// What one rendering may take and give; a process that renders is told these with its work.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RenderLimits {
    /// Pixels of a source, all frames of an animation together. Default 100 million (reference: delivery §13).
    pub pixels_max: u64,
    /// Pixels on a side of a source. Default 16,383, where WebP ends: other formats are judged when they are uploaded.
    pub side_max: u32,
    /// Pixels of an animation, all frames together, above which it is sent as it is. Default 50 million (reference:
    /// delivery §7).
    pub animation_pixels_max: u64,
    /// Pixels of a progressive JPEG times its scans. Default 1,000 million: a decoder holds all coefficients of such a
    /// file, and goes over all pixels once for each scan.
    pub progressive_work_max: u64,
    /// Pixels on a side of what is sent. Default 12,000 (reference: delivery §6).
    pub output_side_max: u32,
    /// Pixels of what is sent, all frames together. Default 100 million (reference: delivery §6).
    pub output_pixels_max: u64,
    /// Bytes of what is sent. Default 64 MiB: twice what 100 million pixels of a photograph take as JPEG. The server holds
    /// as many for each process that renders.
    pub output_bytes_max: u64,
    /// Pixels on a side up to which AVIF is made. Default 1,200 (reference: delivery §4.2): larger ones take seconds.
    pub avif_side_max: u32,
    /// Bytes of an SVG, before and after it was made harmless. Default 32 MiB: three times the largest upload, since
    /// what is written has a line for each element, indented.
    pub svg_bytes_max: usize,
}

impl RenderLimits {
    /// The defaults.
    pub const DEFAULT: RenderLimits = RenderLimits {
        pixels_max: 100_000_000,
        side_max: 16_383,
        animation_pixels_max: 50_000_000,
        progressive_work_max: 1_000_000_000,
        output_side_max: 12_000,
        output_pixels_max: 100_000_000,
        output_bytes_max: 64 << 20,
        avif_side_max: 1_200,
        svg_bytes_max: 32 << 20,
    };
}

impl Default for RenderLimits {
    fn default() -> RenderLimits {
        RenderLimits::DEFAULT
    }
}

impl Limits {
    /// The defaults, which are those of [`Compatibility::Strict`](crate::Compatibility::Strict).
    pub const STRICT: Limits = Limits {
        filters_max: 5,
        list_values_max: 10,
        per_page_max: 10_000,
        page_max: 1_000,
        creator_chars_max: 1_024,
        filename_chars_max: 255,
        metadata_bytes_max: 1_024,
        file_bytes_max: 10 << 20,
        field_bytes_max: 64 << 10,
        parts_max: 512,
        json_bytes_max: 64 << 10,
        pixels_max: 100_000_000,
        side_max: 12_000,
        head_bytes_max: 64 << 10,
        fetch_wait: Duration::from_secs(30),
        remote_file_bytes_max: 100 << 20,
        redirects_max: 5,
        fetches_max: 16,
        connections_max: 4_096,
        streams_max: 100,
        min_free_bytes: 256 << 20,
        upload_memory_bytes_max: 256 << 20,
        head_wait: Duration::from_secs(30),
        body_wait: Duration::from_secs(30),
        body_time_max: Duration::from_secs(600),
        upload_wait: Duration::from_secs(30),
        answer_wait: Duration::from_secs(60),
        shutdown_wait: Duration::from_secs(25),
        private_custom_ids: false,
        uuid_custom_ids: false,
        variants_max: 100,
        draft_life_min: Duration::from_secs(2 * 60),
        draft_life_max: Duration::from_secs(6 * 60 * 60),
        render: RenderLimits::DEFAULT,
        render_workers_max: 0,
        render_queue_max: 256,
        render_wait_max: Duration::from_secs(10),
        render_time_max: Duration::from_secs(20),
        render_memory_bytes_max: 1 << 30,
        rendition_memory_bytes_max: 64 << 20,
        rendition_disk_bytes_max: 1 << 30,
    };
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::STRICT
    }
}
