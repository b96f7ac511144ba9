//! What is to be done before this process crashes.
//!
//! Whoever was to be called by a fatal signal so far (`faulthandler`, a virtual machine that makes use of
//! its own faults) is called as if nothing had been in between, and is in that place from then on.

use std::ffi::{c_int, c_void};
use std::sync::OnceLock;

use nix::libc::siginfo_t;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction};

const CRASHES: [Signal; 5] = [
    Signal::SIGSEGV,
    Signal::SIGBUS,
    Signal::SIGFPE,
    Signal::SIGILL,
    Signal::SIGABRT,
];

static PREVIOUS: [OnceLock<SigAction>; CRASHES.len()] = [const { OnceLock::new() }; CRASHES.len()];
static CALLBACK: OnceLock<fn()> = OnceLock::new();

/// Has `callback` called before this process crashes; also in its fork children. It may not allocate,
/// nor wait for anything.
pub(crate) fn before_crash(callback: fn()) {
    if CALLBACK.set(callback).is_err() {
        return;
    }
    let flags = SaFlags::SA_SIGINFO | SaFlags::SA_ONSTACK;
    let ours = SigAction::new(SigHandler::SigAction(crashes), flags, SigSet::empty());
    for (signal, previous) in CRASHES.into_iter().zip(&PREVIOUS) {
        // SAFETY: the handler is a plain function that makes system calls alone, and is never unloaded.
        if let Ok(found) = unsafe { sigaction(signal, &ours) } {
            // Nobody else sets it.
            let _ = previous.set(found);
        }
    }
}

extern "C" fn crashes(number: c_int, info: *mut siginfo_t, _context: *mut c_void) {
    let found = CRASHES.iter().zip(&PREVIOUS);
    for (signal, previous) in found.filter(|(signal, _)| **signal as c_int == number) {
        if let Some(previous) = previous.get() {
            // SAFETY: what was in its place before this module came.
            let _ = unsafe { sigaction(*signal, previous) };
        }
        if let Some(callback) = CALLBACK.get() {
            callback();
        }
        // SAFETY: the kernel gives a valid one to a handler of this kind.
        let code = unsafe { (*info).si_code };
        // What the processor refused, it refuses once more at the same place; `abort` and `kill` have to
        // be done again.
        if code <= 0 {
            let _ = raise(*signal);
        }
    }
}
