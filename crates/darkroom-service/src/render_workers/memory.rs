//! What a worker does with the memory that a picture leaves behind.
//!
//! Left alone, glibc gives it back at once, and takes it anew for the next picture, page by page: of a photograph of
//! 12 megapixels that becomes 1200 pixels wide, this took a sixth of the time. So a worker keeps some of it for as long
//! as it has work.

/// Bytes that are kept; also those from which on a piece of memory is taken and given back by itself.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT_BYTES_MAX: i32 = 32 << 20;

/// Has the process keep memory that is freed. To be called while there is one thread.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "no safe call sets the allocator")]
pub(super) fn keep() {
    for parameter in [libc::M_TRIM_THRESHOLD, libc::M_MMAP_THRESHOLD] {
        // SAFETY: it takes two numbers and changes nothing that is in use: no other thread is there.
        let is_set = unsafe { libc::mallopt(parameter, KEPT_BYTES_MAX) };
        debug_assert_eq!(is_set, 1, "glibc has this setting");
    }
}

/// Gives back what was kept.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "no safe call reaches the allocator")]
pub(super) fn release() {
    // SAFETY: it takes a number, locks what it looks at, and touches nothing that is in use.
    unsafe { libc::malloc_trim(0) };
}

/// Other allocators are left as they are.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) fn keep() {}

/// Other allocators are left as they are.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) fn release() {}
