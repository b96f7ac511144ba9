//! What a bar's trait bits say beyond those that the counters know: how its processes combine, what is
//! left of its line, and who draws it.

use mp_tqdm_counters::{BY_WORKERS, CALLER_TRAITS_SHIFT, FED, ITERATES, Rank, Reduction};

/// What `reduce=` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reduce {
    Auto = 0,
    Sum = 1,
    Mean = 2,
    Min = 3,
    Max = 4,
    Rank = 5,
}

/// What `leave=` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leave {
    No = 0,
    Yes = 1,
    /// Only the outermost line.
    IfFirst = 2,
}

const REDUCE_SHIFT: u32 = CALLER_TRAITS_SHIFT;
const LEAVE_SHIFT: u32 = CALLER_TRAITS_SHIFT + 3;
/// Drawn by Python code of its process, not by the renderer.
pub(crate) const SELF_DRAWN: u32 = 1 << (CALLER_TRAITS_SHIFT + 5);
/// `set_description` was called: the desc is shown as it is, whatever others began with.
pub(crate) const DESC_SET: u32 = 1 << (CALLER_TRAITS_SHIFT + 6);

/// Drawn by the worker that opened it, on a file of its own, and by nobody else.
pub(crate) const APART: u32 = 1 << (CALLER_TRAITS_SHIFT + 7);

pub(crate) fn traits_of(reduce: Reduce, leave: Leave) -> u32 {
    (reduce as u32) << REDUCE_SHIFT | (leave as u32) << LEAVE_SHIFT
}

pub(crate) fn leave_of(traits: u32) -> Leave {
    match traits >> LEAVE_SHIFT & 3 {
        0 => Leave::No,
        2 => Leave::IfFirst,
        _ => Leave::Yes,
    }
}

/// The traits of an entry, with those of another entry of the same bar that are of the bar itself.
pub(crate) fn shared_traits(first: u32, other: u32) -> u32 {
    first | other & ((1 << CALLER_TRAITS_SHIFT) - 1)
}

/// How the processes of a bar combine; `owner` is the rank that draws.
pub(crate) fn reduction_of(traits: u32, owner: Rank) -> Reduction {
    let iterates = traits & ITERATES != 0;
    match traits >> REDUCE_SHIFT & 7 {
        1 if iterates => Reduction::Shards,
        1 => Reduction::Job,
        2 => Reduction::Mean,
        3 => Reduction::Min,
        4 => Reduction::Max,
        5 => Reduction::Rank(owner),
        _ if traits & BY_WORKERS != 0 => Reduction::Shards,
        _ if traits & FED != 0 && !iterates => Reduction::Job,
        _ => Reduction::Mean,
    }
}
