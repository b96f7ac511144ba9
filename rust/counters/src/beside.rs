//! For a process that prints beside the lines of a job and is no part of it, yet or ever: the word that
//! says where they are drawn.
//!
//! It takes no lock and no place in the segment. Who it is to the job is decided when it counts.

use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::sys::stat::{FileStat, fstat};

use crate::error::Error;
use crate::file;
use crate::layout::{Header, LAYOUT_VERSION, SEGMENT_BYTES, Seen};
use crate::shm;
use crate::trust::{leads_to, open_to_look};

/// The header of a job's segment.
#[derive(Debug)]
pub struct Beside {
    header: &'static Header,
    path: PathBuf,
    stat: FileStat,
}

impl Beside {
    /// Maps the segment that stands under a path; the mapping stays for good.
    ///
    /// Not for the one that this process is attached to, nor while it attaches: record locks are lost
    /// when any descriptor of the file is closed.
    ///
    /// # Errors
    ///
    /// What attaching to it would meet: no file that is to be trusted, another layout, no segment at all.
    pub fn at(path: &Path) -> Result<Self, Error> {
        let name = path.file_name().and_then(|name| name.to_str());
        let job = name.and_then(file::job_of).ok_or(Error::Corrupt)?;
        let file = open_to_look(path, OFlag::O_RDWR)?;
        let stat = fstat(&file).map_err(Error::system("inspect the segment"))?;
        if usize::try_from(stat.st_size).is_ok_and(|bytes| bytes < SEGMENT_BYTES) {
            return Err(Error::Corrupt);
        }
        let tables = shm::map_file(&file)?;
        match tables.inspect(job) {
            Seen::Ours => Ok(Self {
                header: &tables.header,
                path: path.to_owned(),
                stat,
            }),
            Seen::Version(found) => Err(Error::Version {
                expected: LAYOUT_VERSION,
                found,
            }),
            Seen::Nonsense => Err(Error::Corrupt),
        }
    }

    /// What the job says to all of its processes.
    #[must_use]
    pub fn header(&self) -> &'static Header {
        self.header
    }

    /// Whether the job still has this segment.
    #[must_use]
    pub fn is_there(&self) -> bool {
        leads_to(&self.path, &self.stat)
    }
}
