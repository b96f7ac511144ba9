"""Where things lie in a segment, in bytes; of rust/counters/src/layout.rs."""

SEGMENT_BYTES = 1 << 20
VERSION_AT, JOB_AT, CELLS_USED_AT, TABLES_AT = 8, 16, 64, 4096
CELLS_AT = 454_656
