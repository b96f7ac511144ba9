//! What the names of jobs and bars are made of: hashes, and the start of this process.

use pyo3::prelude::*;
use pyo3::types::PyString;

/// 64 bits of a text, the same in every process and on every machine: FNV-1a, and the last step of
/// MurmurHash3 behind it, so that each bit depends on every character. Nothing here is a secret.
fn mixed(bytes: &[u8]) -> u64 {
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    for byte in bytes {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
    }
    for factor in [0xFF51_AFD7_ED55_8CCD_u64, 0xC4CE_B9FE_1A85_EC53] {
        hash = (hash ^ hash >> 33).wrapping_mul(factor);
    }
    hash ^ hash >> 33
}

/// 64 bits of a text, the same in every process.
#[pyfunction]
pub(crate) fn hash64(text: &Bound<'_, PyString>) -> u64 {
    mixed(text.to_string_lossy().as_bytes())
}

/// When this process started, in clock ticks since boot, 0 if unknown; and the number of its pid
/// namespace, empty if unknown.
#[pyfunction]
pub(crate) fn own_start() -> (u64, String) {
    let start = mp_tqdm_counters::start_of(std::process::id());
    let link = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let digits = link.to_string_lossy();
    let digits = digits.trim_start_matches("pid:[").trim_end_matches(']');
    (start.flatten().unwrap_or(0), digits.to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn texts_that_differ_in_one_digit_share_no_hash_and_no_half_of_one() {
        let texts = (0..20_000).map(|n| format!("/train.py\0{n}"));
        let hashes = Vec::from_iter(texts.map(|text| mixed(text.as_bytes())));
        let halves = |shift: u32| -> HashSet<u64> {
            let half = |hash: &u64| hash >> shift & 0xFFFF_FFFF;
            hashes.iter().map(half).collect()
        };
        assert_eq!(hashes.iter().collect::<HashSet<_>>().len(), 20_000);
        assert!(halves(0).len() > 19_990, "{}", halves(0).len());
        assert!(halves(32).len() > 19_990, "{}", halves(32).len());
    }
}
