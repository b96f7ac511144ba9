//! What the tests with real processes share: a directory of their own, this binary again as a child,
//! chance with a printed seed, and a watchdog in place of sleeping.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::fmt::Display;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use mp_tqdm_counters::{
    Application, BarId, Cell, Home, Joined, Opening, REPORTABLE, Rank, Role, Rung, Value,
};

/// A directory in memory, if there is one, that goes when the test ends.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Self {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() {
            memory.to_path_buf()
        } else {
            std::env::temp_dir()
        };
        let path = parent.join(format!("mp-tqdm-test-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("the directory is writable");
        Self(path)
    }

    /// The names of all files in it.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).expect("the directory is there");
        let name = |entry: std::fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
        entries.flatten().map(name).collect()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Says something to whoever reads the test's output.
pub(crate) fn note(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// How often a test tries its luck: `MP_TQDM_STRESS` multiplies what it does by default.
pub(crate) fn scaled(by_default: u64) -> u64 {
    let factor = std::env::var("MP_TQDM_STRESS").ok();
    let factor: f64 = factor.and_then(|text| text.parse().ok()).unwrap_or(1.0);
    ((by_default as f64 * factor) as u64).max(1)
}

/// Numbers by chance (SplitMix64).
pub(crate) struct Random(u64);

impl Random {
    /// Begins where `MP_TQDM_SEED` says, else anywhere; says where.
    pub(crate) fn new() -> Self {
        let given = std::env::var("MP_TQDM_SEED").ok();
        let seed = given.and_then(|text| text.parse().ok()).unwrap_or_else(|| {
            let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
            now.as_nanos() as u64 ^ u64::from(std::process::id())
        });
        note(format_args!("MP_TQDM_SEED={seed}"));
        Self(seed)
    }

    pub(crate) fn from(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// Ends the whole test binary, children included, if it is not dropped in time.
pub(crate) struct Watchdog(Option<Sender<()>>);

impl Watchdog {
    /// Patient for `limit`, and as often as long as tests try their luck.
    pub(crate) fn new(limit: Duration) -> Self {
        let limit = limit * scaled(1) as u32;
        let (alive, watched): (Sender<()>, Receiver<()>) = channel();
        std::thread::spawn(move || {
            if watched.recv_timeout(limit) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                note(format_args!("still not done after {limit:?}"));
                std::process::abort();
            }
        });
        Self(Some(alive))
    }
}

/// A child that dies with its handle.
pub(crate) struct Killed(pub(crate) Child);

impl Killed {
    pub(crate) fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        self.kill();
    }
}

/// This binary again: it runs its test `child` alone, which does what `work` says.
pub(crate) fn again(work: &str, arguments: &[&dyn Display]) -> Command {
    let binary = std::env::current_exe().expect("this binary has a path");
    as_child(Command::new(binary), work, arguments)
}

/// Has `command`, which ends in running this binary, run it as a child.
pub(crate) fn as_child(mut command: Command, work: &str, arguments: &[&dyn Display]) -> Command {
    command
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env("MP_TQDM_CHILD", work)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    for (index, argument) in arguments.iter().enumerate() {
        command.env(format!("MP_TQDM_CHILD_{index}"), argument.to_string());
    }
    command
}

/// What a child has to do, if this is one; it dies with the thread that started it.
pub(crate) fn work() -> Option<String> {
    let work = std::env::var("MP_TQDM_CHILD").ok()?;
    let _ = nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL);
    Some(work)
}

/// An argument of this child.
pub(crate) fn argument<T: std::str::FromStr>(index: usize) -> T {
    let text = std::env::var(format!("MP_TQDM_CHILD_{index}"));
    let parsed = text.ok().and_then(|text| text.parse().ok());
    parsed.expect("the parent gave all arguments")
}

pub(crate) fn application(directory: &Path, job: u64, role: Role) -> Application {
    Application {
        job,
        role,
        rank: Rank(0),
        parent: None,
        pid: std::process::id(),
        directories: vec![directory.to_path_buf()],
    }
}

/// The file of a process that is attached to one.
pub(crate) fn file_of(home: &Home) -> PathBuf {
    match &home.rung {
        Rung::File(path) => path.clone(),
        rung => panic!("{rung:?} after {:?}", home.refused),
    }
}

/// Inode that the segment is mapped from.
pub(crate) fn inode_of(home: &Home) -> u64 {
    let address = std::ptr::from_ref(home.tables).addr();
    let maps = std::fs::read_to_string("/proc/self/maps").expect("/proc is mounted");
    let inode = maps.lines().find_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let (first, last) = fields.next()?.split_once('-')?;
        let range = usize::from_str_radix(first, 16).ok()?..usize::from_str_radix(last, 16).ok()?;
        let inode = fields.nth(3)?.parse().ok()?;
        range.contains(&address).then_some(inode)
    });
    inode.expect("the segment is mapped")
}

/// A bar that reports can reach.
pub(crate) const OPENING: Opening<'static> = Opening {
    path: 1,
    pass: 1,
    traits: REPORTABLE,
    now_ns: 1,
    position: None,
    desc: "a bar",
    name: "",
    style: &[],
    order: 0,
};

/// Opens [`OPENING`] and counts its first handle.
pub(crate) fn open(home: &Home) -> Joined<'static> {
    open_at(home, OPENING.path)
}

/// The same at another path of calls.
pub(crate) fn open_at(home: &Home, path: u64) -> Joined<'static> {
    let (bars, cells) = (home.tables.bars(), home.tables.cells());
    let opening = Opening { path, ..OPENING };
    let joined = bars.open(&cells, &opening, home.rank, home.me, &home.liveness());
    let joined = joined.expect("there is room");
    joined.claimed.cell.open(None, Value::ZERO, 1);
    joined
}

/// What a reader shows for a bar.
pub(crate) fn sum(home: &Home, bar: BarId) -> i64 {
    let cells = home.tables.cells();
    let counts = cells.used().filter_map(Cell::read);
    let ours = counts.filter(|view| view.key.bar == bar);
    ours.map(|view| match view.n {
        Value::Int(n) => n,
        Value::Float(n) => panic!("{n} was counted as a float"),
    })
    .sum()
}
