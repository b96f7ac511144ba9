//! Looking at a segment from outside tells what is in it, holds up nobody, and trusts nothing.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::fs::{OpenOptions, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use common::{Killed, Scratch, Watchdog, again, argument, note, scaled};
use mp_tqdm_counters::{
    Cell, Home, Liveness, Lost, Observed, Rank, Role, SEGMENT_BYTES, Value, observe,
};
use nix::sys::stat::Mode;

const JOB: u64 = 9;
/// Offset of the layout version in the header.
const VERSION_AT: u64 = 8;

fn attach(directory: &Path) -> Home {
    Home::attach(&common::application(directory, JOB, Role::Root)).unwrap()
}

/// What a job loses.
const LOST: Lost = Lost {
    items: Value::Int(3),
    processes: 1,
};

/// Attaches, counts or says what was dropped, and leaves when it is told to.
#[test]
fn child() {
    let Some(work) = common::work() else { return };
    let home = attach(&argument::<PathBuf>(0));
    match work.as_str() {
        "count" => count(&home),
        _ => note(format_args!("{:?}", home.dropped)),
    }
    std::io::stdin().read_line(&mut String::new()).unwrap();
    home.leave();
    std::process::exit(0);
}

/// Counts 5 in a bar, loses [`LOST`], and says so.
fn count(home: &Home) {
    let joined = common::open(home);
    joined.claimed.cell.add(5);
    let lost = home
        .tables
        .claim_lost(Rank(0), home.me, &home.liveness())
        .unwrap();
    lost.cell.add_value(LOST.items);
    home.tables.note_losers(LOST.processes);
    note("counted");
}

/// A process of the job in this directory.
fn start(work: &str, scratch: &Scratch) -> Killed {
    let mut command = again(work, &[&scratch.0.display()]);
    command.stdin(Stdio::piped()).stderr(Stdio::piped());
    Killed(command.spawn().unwrap())
}

/// The first line that it says.
fn said(process: &mut Killed) -> String {
    let mut said = String::new();
    let mut errors = BufReader::new(process.0.stderr.take().unwrap());
    errors.read_line(&mut said).unwrap();
    said
}

/// A job of one process, and the path of its segment.
fn job(scratch: &Scratch) -> (Killed, PathBuf) {
    let mut process = start("count", scratch);
    assert_eq!(said(&mut process), "counted\n");
    let path = scratch.0.join(&scratch.names()[0]);
    (process, path)
}

fn counted(seen: &Observed) -> i64 {
    let cells = seen.tables.cells();
    let bars: Vec<_> = seen.tables.bars().views().map(|view| view.id).collect();
    let views = cells.used().filter_map(Cell::read);
    let ours = views.filter(|view| bars.contains(&view.key.bar));
    ours.map(|view| match view.n {
        Value::Int(n) => n,
        Value::Float(n) => panic!("{n} was counted as a float"),
    })
    .sum()
}

fn alive(seen: &Observed) -> Vec<bool> {
    let views = seen.tables.processes().views();
    views
        .map(|view| !seen.liveness().is_dead(view.id))
        .collect()
}

#[test]
fn what_a_living_job_counts_is_seen_and_its_last_process_out_takes_the_file() {
    let _watchdog = Watchdog::new(Duration::from_secs(60));
    let scratch = Scratch::new("observe");
    let (mut process, path) = job(&scratch);
    let seen = observe(&path).unwrap();
    assert_eq!((counted(&seen), alive(&seen)), (5, vec![true]));
    assert!(seen.is_in_use());
    assert_eq!(seen.tables.lost(), LOST);
    // The observer still has the file open, and is no reason to leave it.
    process.0.stdin.take().unwrap().write_all(b"\n").unwrap();
    assert!(process.0.wait().unwrap().success());
    assert!(!path.exists());
    assert_eq!(alive(&seen), [false]);
}

#[test]
fn what_a_killed_job_left_is_seen_to_be_in_nobodys_use() {
    let _watchdog = Watchdog::new(Duration::from_secs(60));
    let scratch = Scratch::new("observe-killed");
    let (mut process, path) = job(&scratch);
    process.kill();
    let seen = observe(&path).unwrap();
    assert_eq!((counted(&seen), alive(&seen)), (5, vec![false]));
    assert!(!seen.is_in_use());
}

#[test]
fn what_a_leftover_lost_is_told_to_one_of_those_that_replace_it() {
    let _watchdog = Watchdog::new(Duration::from_secs(60));
    for _ in 0..scaled(5) {
        let scratch = Scratch::new("observe-replaced");
        job(&scratch).0.kill();
        let mut all: Vec<_> = (0..4).map(|_| start("attach", &scratch)).collect();
        let mut told: Vec<_> = all.iter_mut().map(said).collect();
        told.sort();
        let expected = [Lost::NONE, Lost::NONE, Lost::NONE, LOST];
        assert_eq!(told, expected.map(|lost| format!("{lost:?}\n")));
    }
}

#[test]
fn looking_at_another_job_leaves_the_observers_own_locks() {
    let _watchdog = Watchdog::new(Duration::from_secs(60));
    let (scratch, own) = (Scratch::new("observe-other"), Scratch::new("observe-own"));
    let (_process, path) = job(&scratch);
    let home = attach(&own.0);
    let own_path = common::file_of(&home);
    assert!(home.is_at(&own_path));
    assert!(!home.is_at(&path));
    drop(observe(&path).unwrap());
    let other = observe_elsewhere(&own_path);
    assert!(other, "another process sees the observer alive");
    home.leave();
}

/// Whether a process that is not this one finds the segment in use.
fn observe_elsewhere(path: &Path) -> bool {
    let locks = std::fs::read_to_string("/proc/locks").unwrap();
    let inode = std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(path).unwrap());
    let owner = std::process::id();
    locks
        .lines()
        .any(|line| line.contains(&format!(":{inode} ")) && line.contains(&format!(" {owner} ")))
}

#[test]
fn what_is_no_segment_of_this_user_is_an_error_and_never_opened_where_that_does_something() {
    let _watchdog = Watchdog::new(Duration::from_secs(60));
    let scratch = Scratch::new("observe-strange");
    let home = attach(&scratch.0);
    let name = common::file_of(&home);
    let mut whole = vec![0; SEGMENT_BYTES];
    let file = std::fs::File::open(&name).unwrap();
    file.read_exact_at(&mut whole, 0).unwrap();
    home.leave();
    assert!(!name.exists());
    let write = |bytes: &[u8], length: usize| {
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(&name);
        let mut file = file.unwrap();
        file.write_all(bytes).unwrap();
        file.set_len(length as u64).unwrap();
        file
    };
    let victim = scratch.0.join("victim");
    std::fs::write(&victim, &whole).unwrap();
    std::fs::set_permissions(&victim, Permissions::from_mode(0o600)).unwrap();
    type Trick<'a> = (&'a dyn Fn(), &'a str);
    let tricks: &[Trick<'_>] = &[
        (&|| symlink(&victim, &name).unwrap(), "a symbolic link"),
        (
            &|| std::fs::hard_link(&victim, &name).unwrap(),
            "of another name",
        ),
        (&|| std::fs::create_dir(&name).unwrap(), "no regular file"),
        (
            &|| nix::unistd::mkfifo(&name, Mode::S_IRUSR | Mode::S_IWUSR).unwrap(),
            "no regular file",
        ),
        (
            &|| {
                let file = write(&whole, SEGMENT_BYTES);
                file.set_permissions(Permissions::from_mode(0o644)).unwrap();
            },
            "others may open",
        ),
        (&|| drop(write(&[], 0)), "other contents"),
        (&|| drop(write(&whole[..4096], 4096)), "other contents"),
        (&|| drop(write(&[], SEGMENT_BYTES)), "other contents"),
        (
            &|| drop(write(&vec![0xff; SEGMENT_BYTES], SEGMENT_BYTES)),
            "other contents",
        ),
        (
            &|| {
                let file = write(&whole, SEGMENT_BYTES);
                file.write_all_at(&[0x40], VERSION_AT).unwrap();
            },
            "layout version 64",
        ),
        (&|| (), "No such file"),
    ];
    for (trick, expected) in tricks {
        trick();
        let said = observe(&name).unwrap_err().to_string();
        assert!(said.contains(expected), "{said}");
        let _ = std::fs::remove_file(&name).or_else(|_| std::fs::remove_dir(&name));
    }
    // A header alone, the rest a hole: it is copied as zeros, and no page of the file is made.
    drop(write(&whole[..4096], SEGMENT_BYTES));
    let seen = observe(&name).unwrap();
    assert_eq!(alive(&seen), Vec::<bool>::new());
}
