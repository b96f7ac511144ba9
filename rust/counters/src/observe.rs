//! Looks at a segment from outside: who is in it, and what it counts. Takes no lock, changes nothing,
//! trusts nothing.

use std::fs::File;
use std::path::Path;

use nix::fcntl::OFlag;

use crate::awaited;
use crate::error::Error;
use crate::file;
use crate::layout::{LAYOUT_VERSION, Seen, Tables};
use crate::locks::{LockLiveness, Locks};
use crate::shm;
use crate::tag::ProcessId;
use crate::trust::open_to_look;

/// A segment as it was at one moment, and who is alive now.
#[derive(Debug)]
pub struct Observed {
    /// A copy of it.
    pub tables: Box<Tables>,
    locks: Locks,
}

/// Copies the segment that stands under a path.
///
/// For any but the one this process is attached to ([`crate::Home::is_at`]): record locks are lost when
/// any descriptor of the file is closed.
///
/// # Errors
///
/// What attaching to it would meet: no file that is to be trusted, another layout, no segment at all.
pub fn observe(path: &Path) -> Result<Observed, Error> {
    let name = path.file_name().and_then(|name| name.to_str());
    let job = name.and_then(file::job_of).ok_or(Error::Corrupt)?;
    let locks = Locks::new(open_to_look(path, OFlag::O_RDONLY)?)?;
    let file = locks.file().try_clone().map_err(|_| Error::Contended)?;
    let tables = shm::copy_file(&File::from(file))?;
    match tables.inspect(job) {
        Seen::Ours => Ok(Observed { tables, locks }),
        Seen::Version(found) => Err(Error::Version {
            expected: LAYOUT_VERSION,
            found,
        }),
        Seen::Nonsense => Err(Error::Corrupt),
    }
}

impl Observed {
    /// Life and death of the job's processes.
    #[must_use]
    pub fn liveness(&self) -> LockLiveness<'_> {
        LockLiveness {
            locks: Some(&self.locks),
            processes: self.tables.processes(),
            me: ProcessId::NONE,
        }
    }

    /// Whether any process is attached. Without one, and if none is awaited, the segment is a leftover,
    /// which the next job of this user sweeps.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        self.locks.is_in_use()
    }

    /// The pid of the program's first process, if workers came before it and it lives: they may come
    /// again, and so may it.
    #[must_use]
    pub fn awaited_by(&self) -> Option<u32> {
        awaited::awaited_by(&self.tables)
    }
}
