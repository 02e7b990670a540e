//! The catalog on LMDB.
