//! Every limit that a request can meet: name, default, unit, reason.
//!
//! Limits of a format (the length of an id, the levels of a field path) stand with their types; what stands here is
//! policy, read wherever a request is judged.

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
    /// Connections served at the same time; further ones wait to be accepted. Default 4,096.
    pub connections_max: usize,
    /// Bytes that all uploads in progress may hold in memory together. Default 256 MiB; further uploads wait.
    pub upload_memory_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
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
            connections_max: 4_096,
            upload_memory_bytes_max: 256 << 20,
        }
    }
}
