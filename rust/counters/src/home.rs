//! A process's place in its job: the segment it found, its slot, and the ladder of places where a
//! segment can be when the best one is not to be had.

use std::path::{Path, PathBuf};

use nix::sys::stat::{FileStat, lstat};

use crate::awaited;
use crate::error::Error;
use crate::file::{self, Leftover, Opened};
use crate::layout::{MAX_PROCESSES, Tables};
use crate::locks::{LockLiveness, Locks};
use crate::lost::Lost;
use crate::process::Role;
use crate::report::Reporter;
use crate::shm;
use crate::sweep;
use crate::tag::{Liveness, ProcessId, Rank};

/// Where the segment is, best first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rung {
    /// A file that every process of the job finds.
    File(PathBuf),
    /// A file without a name: fork children count in it, other processes do not.
    Memfd,
    /// Memory of this process alone.
    Private,
}

/// Who wants to attach, and where a segment may be.
#[derive(Clone, Debug)]
pub struct Application {
    /// Hash of the job key.
    pub job: u64,
    /// What the process is to the job.
    pub role: Role,
    /// Its local rank, or that of the rank it works for.
    pub rank: Rank,
    /// Who started it, if that process is in the job.
    pub parent: Option<ProcessId>,
    /// Its process id, for people to read.
    pub pid: u32,
    /// Directories to try, best first.
    pub directories: Vec<PathBuf>,
}

/// An attached process.
#[derive(Debug)]
pub struct Home {
    /// The segment.
    pub tables: &'static Tables,
    /// This process in it; [`ProcessId::NONE`] where all slots were taken.
    pub me: ProcessId,
    /// What it is to the job.
    pub role: Role,
    /// Its rank.
    pub rank: Rank,
    /// Hash of the job key.
    pub job: u64,
    /// Where the segment is.
    pub rung: Rung,
    /// What stood in the way of the rungs above.
    pub refused: Vec<(PathBuf, Error)>,
    /// Whether the segment is one that others left, and nobody was attached.
    pub was_left: bool,
    /// What was lost in a leftover of this name that this process replaced. Of all that attach, one
    /// is told.
    pub dropped: Lost,
    /// Whether this process made the segment.
    made: bool,
    locks: Option<Locks>,
}

impl Home {
    /// Attaches this process to its job; the first one makes the segment.
    ///
    /// Tries the directories in order, then a nameless file, then private memory, so that counting
    /// works whatever the machine refuses. A process calls it once (record locks do not exclude threads
    /// of one process).
    ///
    /// # Errors
    ///
    /// [`Error::RankTaken`] if another process counts as this rank: then this one is no part of the
    /// job. [`Error::System`] if there is not even private memory.
    pub fn attach(application: &Application) -> Result<Self, Error> {
        let home = Self::attach_unswept(application)?;
        home.sweep();
        Ok(home)
    }

    /// As [`Home::attach`], for one that calls [`Home::sweep`] as soon as it has the time.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn attach_unswept(application: &Application) -> Result<Self, Error> {
        let mut refused = Vec::new();
        for directory in &application.directories {
            match Self::attach_in(directory, application) {
                Ok(home) => return Ok(Self { refused, ..home }),
                Err(error) if error.is_rank_taken() => return Err(error),
                Err(error) => refused.push((directory.clone(), error)),
            }
        }
        let unnamed = file::create_memfd(application.job)
            .and_then(|opened| Self::settle(opened, Rung::Memfd, application));
        match unnamed {
            Ok(home) => return Ok(Self { refused, ..home }),
            Err(error) => refused.push((PathBuf::from("memfd"), error)),
        }
        let tables = shm::map_private()?;
        tables.initialise(application.job);
        let home = Self::settle_without_locks(tables, application);
        Ok(Self { refused, ..home })
    }

    fn attach_in(directory: &Path, application: &Application) -> Result<Self, Error> {
        let leftover = match application.role {
            Role::Worker => Leftover::Keep,
            Role::Root => Leftover::KeepOwn,
            Role::Rank => Leftover::Replace,
        };
        let opened = file::open_or_create(directory, application.job, leftover)?;
        let path = directory.join(file::name_of(application.job));
        Self::settle(opened, Rung::File(path), application)
    }

    /// Removes what other jobs left where this process made its segment; one thread at a time.
    pub fn sweep(&self) {
        if let (true, Rung::File(path), Some(locks)) = (self.made, &self.rung, &self.locks)
            && let Some(directory) = path.parent()
        {
            sweep::sweep(directory, locks);
        }
    }

    /// Attaches a fork child to the segment that it inherited, through the inherited mapping and
    /// descriptor: it finds it even if the name is gone.
    ///
    /// # Errors
    ///
    /// As [`Home::attach`]; the caller attaches anew then.
    pub fn attach_inherited(&self, application: &Application) -> Result<Self, Error> {
        let Some(inherited) = &self.locks else {
            // Private memory was copied, not shared: count for this process alone, from zero.
            let tables = shm::map_private()?;
            tables.initialise(application.job);
            return Ok(Self::settle_without_locks(tables, application));
        };
        // A second descriptor of the same description: locks are of the process, not of either.
        let copy = inherited.file().try_clone().map_err(|_| Error::Contended)?;
        let locks = Locks::new(copy)?;
        if locks.inode != inherited.inode {
            return Err(Error::Untrusted {
                found: "another file under our descriptor",
            });
        }
        if !locks.enter()? {
            return Err(Error::Contended);
        }
        let opened = Opened::joined(self.tables, locks);
        Self::settle(opened, self.rung.clone(), application)
    }

    fn settle(opened: Opened, rung: Rung, application: &Application) -> Result<Self, Error> {
        let Opened {
            tables,
            locks,
            was_left,
            dropped,
            created,
        } = opened;
        if application.role == Role::Rank {
            locks.take_rank(application.rank)?;
        }
        let me = match locks.take_slot(MAX_PROCESSES)? {
            Some(slot) => Self::begin(tables, slot, application),
            None => ProcessId::NONE,
        };
        if application.role == Role::Root {
            // It is here. A program in its place by `exec` has its pid and its start, too.
            tables.set_first_process((0, 0));
        }
        let home = Self::new(tables, me, rung, application, Some(locks));
        Ok(Self {
            was_left,
            dropped,
            made: created,
            ..home
        })
    }

    fn settle_without_locks(tables: &'static Tables, application: &Application) -> Self {
        let me = Self::begin(tables, crate::tag::Slot(0), application);
        Self::new(tables, me, Rung::Private, application, None)
    }

    fn begin(tables: &Tables, slot: crate::tag::Slot, application: &Application) -> ProcessId {
        let Application {
            pid,
            role,
            rank,
            parent,
            ..
        } = *application;
        let processes = tables.processes();
        let begun = processes
            .entry(slot)
            .map(|entry| entry.begin(slot, pid, role, rank, parent));
        processes.raise(slot);
        begun.unwrap_or(ProcessId::NONE)
    }

    fn new(
        tables: &'static Tables,
        me: ProcessId,
        rung: Rung,
        application: &Application,
        locks: Option<Locks>,
    ) -> Self {
        let Application {
            role, rank, job, ..
        } = *application;
        Self {
            tables,
            me,
            role,
            rank,
            job,
            rung,
            refused: Vec::new(),
            was_left: false,
            dropped: Lost::NONE,
            made: false,
            locks,
        }
    }

    /// Notes the program's first process, by pid and start (in clock ticks since boot), in the segment
    /// of its worker, which came before it: while that one lives, no other job takes the segment for a
    /// leftover. Elsewhere than in its pid namespace it counts as gone.
    pub fn await_first(&self, pid: u32, start: u64) {
        awaited::await_first(self.tables, (pid, start));
    }

    /// Life and death of the job's processes.
    #[must_use]
    pub fn liveness(&self) -> LockLiveness<'_> {
        LockLiveness {
            locks: self.locks.as_ref(),
            processes: self.tables.processes(),
            me: self.me,
        }
    }

    /// This process as the sender of reports.
    #[must_use]
    pub fn reporter(&self) -> Reporter {
        let owner = self.tables.ownership().owner().map(|owner| owner.process);
        Reporter {
            process: self.me,
            rank: self.rank,
            owner,
        }
    }

    /// Leaves the job at a clean exit: counts stay for others to show and to go on from; the last one
    /// out removes the file. A worker leaves that to those who started it, while they live.
    pub fn leave(&self) {
        self.tables.cells().release_all(self.me);
        let Some(locks) = &self.locks else { return };
        // First: two that leave in the same moment, each attached until it is gone, would each take
        // the other for one who stays (3 of 20 jobs with two ranks left their file). The last to
        // withdraw finds nobody.
        locks.withdraw();
        if let Rung::File(path) = &self.rung
            && (self.role != Role::Worker || self.is_orphan())
        {
            file::unlink_if_alone(path, locks);
        }
    }

    /// Whether the path names the segment that this process is attached to.
    #[must_use]
    pub fn is_at(&self, path: &Path) -> bool {
        let inode = |stat: FileStat| (stat.st_dev, stat.st_ino);
        let locks = self.locks.as_ref();
        locks.is_some_and(|locks| lstat(path).map(inode) == Ok(locks.inode))
    }

    fn is_orphan(&self) -> bool {
        let parent = self.tables.processes().view(self.me);
        let parent = parent.and_then(|view| view.parent);
        parent.is_some_and(|parent| self.liveness().is_dead(parent))
    }
}

#[cfg(all(test, not(mp_tqdm_loom)))]
mod tests {
    use super::*;
    use crate::bar::{Opening, REPORTABLE};
    use crate::layout::SEGMENT_BYTES;
    use crate::tag::CellKey;
    use crate::value::Value;

    fn application(directory: &Path, job: u64, role: Role) -> Application {
        Application {
            job,
            role,
            rank: Rank(0),
            parent: None,
            pid: std::process::id(),
            directories: vec![directory.to_path_buf()],
        }
    }

    struct Scratch(PathBuf);
    impl Scratch {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("mp_tqdm-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).expect("the temporary directory is writable");
            Self(path)
        }
    }
    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_count_is_seen_through_a_second_mapping_and_the_last_one_out_unlinks() {
        let scratch = Scratch::new("home");
        let home = Home::attach(&application(&scratch.0, 7, Role::Root)).unwrap();
        let Rung::File(path) = home.rung.clone() else {
            panic!("{:?}", home.refused)
        };
        assert_eq!(
            std::fs::metadata(&path).unwrap().len(),
            SEGMENT_BYTES as u64
        );
        let (bars, cells) = (home.tables.bars(), home.tables.cells());
        let opening = Opening {
            path: 1,
            pass: 1,
            traits: REPORTABLE,
            ..Opening::default()
        };
        let alive = home.liveness();
        let joined = bars
            .open(&cells, &opening, home.rank, home.me, &alive)
            .unwrap();
        joined
            .claimed
            .cell
            .open(Some(Value::Int(10)), Value::ZERO, 5);
        joined.claimed.cell.add(3);
        let target = crate::target(
            &bars,
            &cells,
            &home.tables.processes(),
            &home.reporter(),
            &alive,
        );
        assert_eq!(target, Some(joined.id));
        let key = CellKey {
            bar: joined.id,
            rank: home.rank,
        };
        let again = bars.attach(&cells, key, home.me, &alive).unwrap();
        again.cell.add(4);
        assert_eq!(again.cell.read().unwrap().n, Value::Int(7));
        assert_eq!(joined.claimed.cell.close(9), 0);
        assert!(bars.try_end(&cells, joined.id, home.me, &alive));
        bars.free(&cells, joined.id, home.me, &alive);
        assert!(bars.is_gone(joined.id));
        assert_eq!(bars.views().count(), 0);
        home.leave();
        assert!(!path.exists());
    }

    #[test]
    fn a_missing_directory_takes_the_next_rung() {
        let nowhere = Path::new("/nonexistent/mp_tqdm");
        let home = Home::attach(&application(nowhere, 8, Role::Root)).unwrap();
        assert_eq!(home.rung, Rung::Memfd);
        assert_eq!(home.refused.len(), 1);
    }
}
