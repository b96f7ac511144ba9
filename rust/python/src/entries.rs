//! Hot entries by the page: each bar of this process has one, and gives it back.

use std::sync::Mutex;

use mp_tqdm_counters::sync::Ordering;
use mp_tqdm_counters::{HotEntry, map_hot_page};

use crate::locks::lock;

struct Slab {
    all: Vec<&'static HotEntry>,
    free: Vec<&'static HotEntry>,
    is_wiped: bool,
}

static SLAB: Mutex<Slab> = Mutex::new(Slab {
    all: Vec::new(),
    free: Vec::new(),
    is_wiped: true,
});

/// A cold entry; `None` where there is no memory.
pub(crate) fn take() -> Option<&'static HotEntry> {
    let mut slab = lock(&SLAB);
    if slab.free.is_empty() {
        let (page, is_wiped) = map_hot_page().ok()?;
        slab.is_wiped &= is_wiped;
        slab.all.extend(page);
        slab.free.extend(page);
    }
    slab.free.pop()
}

/// Takes an entry back.
pub(crate) fn give(entry: &'static HotEntry) {
    forget(entry);
    lock(&SLAB).free.push(entry);
}

fn forget(entry: &HotEntry) {
    entry.cell.store(std::ptr::null_mut(), Ordering::Relaxed);
    entry.state.store(std::ptr::null_mut(), Ordering::Relaxed);
}

/// In a fork child, where the kernel does not wipe the pages by itself.
pub(crate) fn forget_all_after_fork() {
    let slab = lock(&SLAB);
    if !slab.is_wiped {
        slab.all.iter().for_each(|entry| forget(entry));
    }
}
