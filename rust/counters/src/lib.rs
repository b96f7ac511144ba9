//! Lock-free counters of one job, in memory shared by its processes.
