//! What can go wrong between a process and its segment; none of it may stop the job.

use std::fmt;

use nix::errno::Errno;

/// Why a segment could not be used.
///
/// Every variant has the same remedy in the caller: take the next rung of the ladder
/// ([`crate::Home::attach`] does so itself and reports what it met).
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A system call on the segment's file failed.
    System {
        /// What was tried, as in "open the segment".
        action: &'static str,
        /// What the kernel answered.
        errno: Errno,
    },
    /// What stands under the segment's name is not a private, regular file of this user.
    Untrusted {
        /// What was found instead.
        found: &'static str,
    },
    /// The segment was written by another layout of this package.
    Version {
        /// This build's layout version.
        expected: u32,
        /// The segment's.
        found: u32,
    },
    /// The segment's header does not describe a segment of this job.
    Corrupt,
    /// The directory lies on a file system that other machines may share.
    NetworkFileSystem,
    /// The name kept changing its file while this process tried to attach.
    Contended,
    /// Another live process counts as this local rank already.
    RankTaken {
        /// The local rank.
        rank: u16,
        /// Process id of the holder, where the kernel tells (0 across pid namespaces).
        pid: i32,
    },
}

impl Error {
    /// Adapts an errno to the action that met it; made for `map_err`.
    pub(crate) fn system(action: &'static str) -> impl Fn(Errno) -> Self {
        move |errno| Self::System { action, errno }
    }

    /// Whether something stands under the segment's name that others may count in.
    #[must_use]
    pub const fn is_about_name(&self) -> bool {
        matches!(
            self,
            Self::Untrusted { .. }
                | Self::Version { .. }
                | Self::Corrupt
                | Self::Contended
                // A directory, a socket.
                | Self::System {
                    errno: Errno::EISDIR | Errno::ENXIO,
                    ..
                }
        )
    }

    /// Whether the error is about who this process is, not about where the segment lies.
    #[must_use]
    pub const fn is_rank_taken(&self) -> bool {
        matches!(self, Self::RankTaken { .. })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System { action, errno } => write!(f, "could not {action}: {}", errno.desc()),
            Self::Untrusted { found } => write!(
                f,
                "the segment's name should be a private regular file of this user, found {found}"
            ),
            Self::Version { expected, found } => write!(
                f,
                "the segment has layout version {found}, this process expects version {expected}"
            ),
            Self::Corrupt => {
                f.write_str("the segment's header should describe this job, found other contents")
            }
            Self::NetworkFileSystem => {
                f.write_str("the directory should be local memory, found a network file system")
            }
            Self::Contended => f.write_str("the segment's name kept changing its file"),
            Self::RankTaken { rank, pid } => {
                write!(f, "local rank {rank} is already counted by process {pid}")
            }
        }
    }
}

impl std::error::Error for Error {}
