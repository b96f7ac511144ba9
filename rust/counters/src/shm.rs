//! The mapping: the only file of this crate with `unsafe` (I2).
//!
//! What makes a shared mapping hazardous is that other processes write it at any moment. Everything
//! in [`Tables`] is an atomic integer, so a racing write is a race the language allows, and every bit
//! pattern is a valid value. What remains is a file that shrinks under the mapping (SIGBUS at the next
//! touch). Nobody of ours shrinks a segment; the pages are allocated before the mapping is used
//! (`fallocate`, for `ftruncate` on a full tmpfs succeeds and the first write kills the process); and
//! the file is 0600, so that only the user's own processes could. That case is left: a memfd can be sealed
//! against it, but has no name that a process finds once its maker is gone.
//!
//! Mappings are never undone: a process has one segment, forked children at most a few, and pointers
//! into it are cached where no count could be kept of them.
#![expect(
    unsafe_code,
    reason = "mmap, madvise and atexit have no safe form; see I2"
)]

use std::fs::File;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::ptr::NonNull;

use nix::errno::Errno;
use nix::libc;
use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap, mmap_anonymous};

use crate::error::Error;
use crate::layout::{SEGMENT_BYTES, Tables};
use crate::sync::{AtomicPtr, AtomicU64};

const READ_WRITE: ProtFlags = ProtFlags::PROT_READ.union(ProtFlags::PROT_WRITE);

/// Maps a segment's file, which must be at least [`SEGMENT_BYTES`] long.
pub(crate) fn map_file(file: impl AsFd) -> Result<&'static Tables, Error> {
    const LENGTH: NonZeroUsize = NonZeroUsize::new(SEGMENT_BYTES).expect("it is 2^20");
    // SAFETY: the address is the kernel's choice, so no memory of the program is replaced.
    let address = unsafe { mmap(None, LENGTH, READ_WRITE, MapFlags::MAP_SHARED, file, 0) };
    Ok(as_tables(
        address.map_err(Error::system("map the segment"))?,
    ))
}

/// Maps zeroed memory of this process alone: the last rung of the ladder.
pub(crate) fn map_private() -> Result<&'static Tables, Error> {
    Ok(as_tables(
        map_zeroes(SEGMENT_BYTES).map_err(Error::system("map private memory"))?,
    ))
}

fn map_zeroes(bytes: usize) -> Result<NonNull<libc::c_void>, Errno> {
    let length = NonZeroUsize::new(bytes).ok_or(Errno::EINVAL)?;
    // SAFETY: the address is the kernel's choice, so no memory of the program is replaced.
    unsafe { mmap_anonymous(None, length, READ_WRITE, MapFlags::MAP_PRIVATE) }
}

fn as_tables(address: NonNull<libc::c_void>) -> &'static Tables {
    // SAFETY: the mapping is page-aligned, as `Tables` asks, at least as long as it (asserted in
    // layout.rs), never undone, and holds atomic integers only, for which all bits are valid.
    unsafe { address.cast::<Tables>().as_ref() }
}

/// Copies a segment's file for somebody who only looks at it: no mapping that a shorter file could
/// make deadly, no page of it filled that was none. Of two words one may be newer than the other.
pub(crate) fn copy_file(file: &File) -> Result<Box<Tables>, Error> {
    let mut tables = Box::<Tables>::new_uninit();
    let start = tables.as_mut_ptr().cast::<u8>();
    // SAFETY: the box is that large, and nobody else knows it.
    unsafe { start.write_bytes(0, size_of::<Tables>()) };
    // SAFETY: the same bytes, now set; the box is used again only when the slice is gone.
    let bytes = unsafe { std::slice::from_raw_parts_mut(start, size_of::<Tables>()) };
    file.read_exact_at(bytes, 0).map_err(|error| {
        let errno = error.raw_os_error().map(Errno::from_raw);
        errno.map_or(Error::Corrupt, Error::system("read the segment"))
    })?;
    // SAFETY: atomic integers only, for which all bits are valid.
    Ok(unsafe { tables.assume_init() })
}

/// What a handle or the process caches for its hot path; zeros mean "cold: claim first".
///
/// Entries lie in pages that the kernel wipes in a fork child, so that a child of any kind (`os.fork`,
/// `_Fork`, a raw clone) starts cold without a handler and without asking for its pid.
#[repr(C, align(64))]
#[derive(Debug)]
pub struct HotEntry {
    /// The cell to count into; null: cold.
    pub cell: AtomicPtr<crate::cell::Cell>,
    /// A word whose change sends the next count to the cold path.
    pub watched: AtomicPtr<AtomicU64>,
    /// What `watched` was when the cold path last looked.
    pub seen: AtomicU64,
    /// The caller's own state; forgotten at a fork like the rest.
    pub state: AtomicPtr<()>,
}

/// Number of entries in one page of 4 KiB.
pub const HOT_ENTRIES: usize = 64;

/// Maps a page of [`HotEntry`]s that a fork child sees as zeros.
///
/// The flag is false where the kernel refused to wipe (before Linux 4.14, some sandboxes): then the
/// caller has to forget the entries itself, after each fork that it hears of.
///
/// # Errors
///
/// [`Error::System`] where there is no memory for a page.
pub fn map_hot_page() -> Result<(&'static [HotEntry; HOT_ENTRIES], bool), Error> {
    const BYTES: usize = size_of::<[HotEntry; HOT_ENTRIES]>();
    let address = map_zeroes(BYTES).map_err(Error::system("map a page of hot entries"))?;
    // SAFETY: the range is exactly the mapping made above, which nobody else knows yet.
    let wiped = unsafe { madvise(address, BYTES, MmapAdvise::MADV_WIPEONFORK) }.is_ok();
    // SAFETY: page-aligned, long enough, never undone; zeros are valid (null pointers and 0).
    let page = unsafe { address.cast::<[HotEntry; HOT_ENTRIES]>().as_ref() };
    Ok((page, wiped))
}

/// Has libc call `callback` when the process exits normally; false if libc had no room.
pub fn at_exit(callback: extern "C" fn()) -> bool {
    // SAFETY: `callback` is a plain function of a module that is never unloaded (CPython keeps
    // extension modules mapped).
    unsafe { libc::atexit(callback) == 0 }
}

/// Owns a descriptor that the kernel has just made for this process.
pub(crate) fn adopt_descriptor(number: i32) -> OwnedFd {
    // SAFETY: the caller got the number from a duplicating call and gives it to nobody else.
    unsafe { OwnedFd::from_raw_fd(number) }
}
