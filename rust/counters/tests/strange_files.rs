//! Whatever waits under the segment's name: it is refused or replaced, and nothing is written through
//! it. Leftovers of jobs that were killed are never gone on with.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::fs::{File, OpenOptions, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use common::{Killed, Scratch, Watchdog, again, argument, as_child, note};
use mp_tqdm_counters::{
    Application, Error, Home, Incarnation, ProcessId, Role, Rung, SEGMENT_BYTES, Slot,
};
use nix::sys::stat::Mode;

const JOB: u64 = 7;
/// Offset of the layout version in the header.
const VERSION_AT: u64 = 8;

fn attach(directory: &Path, role: Role) -> Home {
    Home::attach(&common::application(directory, JOB, role)).unwrap()
}

/// Where the job's segment would be.
fn name_in(scratch: &Scratch) -> PathBuf {
    let home = attach(&scratch.0, Role::Root);
    let path = common::file_of(&home);
    home.leave();
    assert_eq!(scratch.names(), Vec::<String>::new());
    path
}

fn private_file(path: &Path, bytes: &[u8]) {
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    file.unwrap().write_all(bytes).unwrap();
}

/// Attaches at each first line of its input, says to which inode, and leaves at each second one; not
/// before the moment that the line names, so that several do it at once.
fn stay() {
    let directory: PathBuf = argument(0);
    let role = if argument::<u8>(1) == 0 {
        Role::Root
    } else {
        Role::Worker
    };
    let mut left = None;
    let mut moments = std::io::stdin().lines().map(|line| {
        let moment = Duration::from_nanos(line.unwrap().parse().unwrap());
        move || {
            while UNIX_EPOCH.elapsed().unwrap() < moment {
                std::hint::spin_loop();
            }
        }
    });
    while let Some(wait) = moments.next() {
        drop(left.take());
        wait();
        let home = attach(&directory, role);
        let joined = common::open(&home);
        joined.claimed.cell.add(5);
        note(match &home.rung {
            Rung::File(_) => common::inode_of(&home).to_string(),
            rung => format!("{rung:?} {:?}", home.refused),
        });
        if let Some(wait) = moments.next() {
            wait();
            home.leave();
            note("left");
        }
        // Between leaving and the end of a process some time passes, in which its locks are held.
        left = Some(home);
    }
}

/// Says on which rung it attached, and touches more pages of the segment than 64 KiB.
fn say_rung() {
    let home = attach(&argument::<PathBuf>(0), Role::Worker);
    let joined = common::open(&home);
    joined.claimed.cell.add(5);
    for path in 0..100 {
        common::open_at(&home, path);
    }
    note(format_args!("{:?} {:?}", home.rung, home.refused));
    home.leave();
}

#[test]
fn child() {
    match common::work().as_deref() {
        Some("stay") => stay(),
        Some("say") => say_rung(),
        _ => return,
    }
    std::process::exit(0);
}

/// A process that attaches and leaves when it is told to.
struct Attached {
    process: Killed,
    said: BufReader<std::process::ChildStderr>,
}

impl Attached {
    fn start(scratch: &Scratch, role: Role) -> Self {
        let arguments: [&dyn std::fmt::Display; 2] =
            [&scratch.0.display(), &u8::from(role == Role::Worker)];
        let mut command = again("stay", &arguments);
        command.stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let said = BufReader::new(process.stderr.take().unwrap());
        Self {
            process: Killed(process),
            said,
        }
    }

    fn tell(&mut self, moment: Duration) {
        let input = self.process.0.stdin.as_mut().unwrap();
        writeln!(input, "{}", moment.as_nanos()).unwrap();
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    fn attach(&mut self) -> String {
        self.tell(Duration::ZERO);
        self.hear()
    }
}

/// Has all of them do the next thing at the same moment.
fn tell_all(processes: &mut [Attached]) {
    let moment = UNIX_EPOCH.elapsed().unwrap() + Duration::from_micros(200);
    for process in processes {
        process.tell(moment);
    }
}

// faults: F40
#[test]
fn what_is_no_private_file_is_refused_and_not_written_through() {
    let _watchdog = Watchdog::new(Duration::from_secs(60));
    let (scratch, elsewhere) = (Scratch::new("strange"), Scratch::new("strange-victims"));
    let name = name_in(&scratch);
    let victim = elsewhere.0.join("victim");
    let contents = vec![b'x'; SEGMENT_BYTES];
    type Trick<'a> = (&'a str, &'a dyn Fn(), &'a str);
    let tricks: &[Trick<'_>] = &[
        (
            "a link to a file",
            &|| symlink(&victim, &name).unwrap(),
            "symbolic link",
        ),
        (
            "a link to nothing",
            &|| symlink(elsewhere.0.join("nothing"), &name).unwrap(),
            "symbolic link",
        ),
        (
            "a second name of a file",
            &|| std::fs::hard_link(&victim, &name).unwrap(),
            "kept changing",
        ),
        (
            "a FIFO",
            &|| nix::unistd::mkfifo(&name, Mode::S_IRUSR | Mode::S_IWUSR).unwrap(),
            "no regular file",
        ),
        (
            "a directory",
            &|| std::fs::create_dir(&name).unwrap(),
            "open the segment",
        ),
        (
            "a socket",
            &|| drop(std::os::unix::net::UnixListener::bind(&name).unwrap()),
            "open the segment",
        ),
        (
            "a file that others may read",
            &|| {
                private_file(&name, &contents);
                std::fs::set_permissions(&name, Permissions::from_mode(0o644)).unwrap();
            },
            "others may open",
        ),
    ];
    for (what, trick, refusal) in tricks {
        private_file(&victim, &contents);
        trick();
        let before = std::fs::symlink_metadata(&name).unwrap();
        let home = attach(&scratch.0, Role::Root);
        common::open(&home).claimed.cell.add(1);
        assert_eq!(home.rung, Rung::Memfd, "{what}");
        let said = home.refused[0].1.to_string();
        assert!(said.contains(refusal), "{what}: {said}");
        home.leave();
        let after = std::fs::symlink_metadata(&name).unwrap();
        assert_eq!(
            (before.ino(), before.mtime_nsec()),
            (after.ino(), after.mtime_nsec()),
            "{what}"
        );
        assert!(std::fs::read(&victim).unwrap() == contents, "{what}");
        assert_eq!(elsewhere.names(), ["victim"], "{what}");
        let _ = std::fs::remove_file(&name).or_else(|_| std::fs::remove_dir(&name));
        std::fs::remove_file(&victim).unwrap();
    }
}

// faults: F40
#[test]
fn a_file_of_another_user_is_refused() {
    let scratch = Scratch::new("other-user");
    let name = name_in(&scratch);
    private_file(&name, &vec![b'x'; SEGMENT_BYTES]);
    if std::os::unix::fs::chown(&name, Some(65_534), None).is_err() {
        note("skipped: only root can give a file away");
        return;
    }
    let home = attach(&scratch.0, Role::Root);
    assert_eq!(home.rung, Rung::Memfd);
    let said = home.refused[0].1.to_string();
    assert!(said.contains("another user"), "{said}");
    home.leave();
    assert!(std::fs::read(&name).unwrap() == vec![b'x'; SEGMENT_BYTES]);
}

/// Headers of segments that nobody is attached to, none of them this job's present layout.
fn leftovers() -> Vec<(&'static str, Vec<u8>)> {
    let scratch = Scratch::new("leftover");
    let home = attach(&scratch.0, Role::Root);
    let mut whole = vec![0; SEGMENT_BYTES];
    let file = File::open(common::file_of(&home)).unwrap();
    file.read_exact_at(&mut whole, 0).unwrap();
    let patched = |at: usize, byte: u8| {
        let mut bytes = whole.clone();
        bytes[at] ^= byte;
        bytes
    };
    vec![
        ("nothing", vec![]),
        ("half a header", whole[..100].to_vec()),
        ("half a segment", whole[..SEGMENT_BYTES / 2].to_vec()),
        ("zeros", vec![0; SEGMENT_BYTES]),
        (
            "garbage",
            (0..SEGMENT_BYTES)
                .map(|at| (at * 7919 % 251) as u8)
                .collect(),
        ),
        ("another version", patched(VERSION_AT as usize, 0x40)),
        ("another size", patched(12, 0x40)),
        ("another job's", patched(16, 0x40)),
    ]
}

// faults: F33
#[test]
fn what_is_no_segment_of_the_job_is_replaced() {
    let _watchdog = Watchdog::new(Duration::from_secs(60));
    for (what, bytes) in leftovers() {
        let scratch = Scratch::new("replaced");
        let name = name_in(&scratch);
        private_file(&name, &bytes);
        let strange = File::open(&name).unwrap();
        let home = attach(&scratch.0, Role::Worker);
        assert_eq!(common::file_of(&home), name, "{what}");
        assert_ne!(
            strange.metadata().unwrap().ino(),
            common::inode_of(&home),
            "{what}"
        );
        common::open(&home).claimed.cell.add(1);
        let mut kept = vec![0; bytes.len()];
        strange.read_exact_at(&mut kept, 0).unwrap();
        assert!(kept == bytes, "{what}: written to");
    }
}

// faults: F33
#[test]
fn a_segment_of_another_version_that_is_in_use_is_left_alone() {
    let _watchdog = Watchdog::new(Duration::from_secs(60));
    let scratch = Scratch::new("version");
    let mut other = Attached::start(&scratch, Role::Root);
    other.attach();
    let name = scratch.0.join(&scratch.names()[0]);
    let file = OpenOptions::new().write(true).open(&name).unwrap();
    file.write_all_at(&[77, 0, 0, 0], VERSION_AT).unwrap();
    let home = attach(&scratch.0, Role::Root);
    assert_eq!(home.rung, Rung::Memfd);
    let refused = &home.refused[0].1;
    assert!(
        matches!(refused, Error::Version { found: 77, .. }),
        "{refused}"
    );
    assert!(name.exists());
}

// faults: F33
#[test]
fn a_job_that_was_killed_is_never_gone_on_with() {
    let _watchdog = Watchdog::new(Duration::from_secs(60));
    for role in [Role::Root, Role::Rank] {
        let scratch = Scratch::new("killed-job");
        let mut killed = Attached::start(&scratch, Role::Root);
        let inode = killed.attach();
        drop(killed);
        let home = attach(&scratch.0, role);
        common::file_of(&home);
        assert_ne!(common::inode_of(&home).to_string(), inode);
        assert_eq!(home.tables.bars().views().count(), 0);
        home.leave();
        assert_eq!(scratch.names(), Vec::<String>::new());
    }
}

#[test]
fn a_worker_whose_parent_was_killed_leaves_nothing_behind() {
    let _watchdog = Watchdog::new(Duration::from_secs(60));
    let scratch = Scratch::new("orphan");
    let mut parent = Attached::start(&scratch, Role::Root);
    parent.attach();
    let home = Home::attach(&Application {
        // The first process of a segment.
        parent: Some(ProcessId {
            slot: Slot(0),
            incarnation: Incarnation(1),
        }),
        ..common::application(&scratch.0, JOB, Role::Worker)
    })
    .unwrap();
    home.leave();
    assert_eq!(scratch.names().len(), 1, "the parent lives");
    drop(parent);
    home.leave();
    assert_eq!(scratch.names(), Vec::<String>::new());
}

#[test]
fn the_next_worker_goes_on_where_the_last_one_left() {
    let scratch = Scratch::new("next-worker");
    let mut first = Attached::start(&scratch, Role::Worker);
    let inode = first.attach();
    drop(first);
    let home = attach(&scratch.0, Role::Worker);
    assert_eq!(common::inode_of(&home).to_string(), inode);
    assert_eq!(home.tables.bars().views().count(), 1);
}

// faults: F33
#[test]
fn processes_that_meet_a_leftover_at_once_meet_in_one_new_segment() {
    let _watchdog = Watchdog::new(Duration::from_secs(120));
    let scratch = Scratch::new("at-once");
    let name = name_in(&scratch);
    let mut processes: Vec<Attached> = (0..4)
        .map(|_| Attached::start(&scratch, Role::Root))
        .collect();
    let mut leftovers = leftovers();
    let job = attach(&scratch.0, Role::Worker);
    leftovers.push(("a killed job's", std::fs::read(&name).unwrap()));
    drop(job);
    std::fs::remove_file(&name).unwrap();
    for round in 0..common::scaled(200) as usize {
        let (what, bytes) = &leftovers[round % leftovers.len()];
        private_file(&name, bytes);
        let inode = std::fs::metadata(&name).unwrap().ino().to_string();
        tell_all(&mut processes);
        let inodes: Vec<String> = processes.iter_mut().map(Attached::hear).collect();
        assert!(
            inodes.iter().all(|one| *one == inodes[0]),
            "{what}: {inodes:?}"
        );
        assert_ne!(inodes[0], inode, "{what}");
        tell_all(&mut processes);
        assert!(processes.iter_mut().all(|one| one.hear() == "left"));
        assert_eq!(scratch.names(), Vec::<String>::new(), "{what}");
    }
}

/// Runs a child in a mount namespace of its own, with a file system of 64 KiB in `scratch`, after
/// `before`; what the child said.
fn in_a_small_directory(scratch: &Scratch, before: &str) -> Option<String> {
    let root = nix::unistd::getuid().is_root();
    let script =
        format!("mount -t tmpfs -o size=64k tmpfs \"$1\" && {before} shift && exec \"$@\"");
    let mut command = Command::new("unshare");
    command
        .args(if root { "-m" } else { "-rm" }.split(' '))
        .args(["sh", "-c", &script, "sh"])
        .arg(&scratch.0)
        .arg(std::env::current_exe().unwrap());
    let arguments: [&dyn std::fmt::Display; 1] = [&scratch.0.display()];
    let output = as_child(command, "say", &arguments).output().ok()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if said.contains("unshare:") || said.contains("mount:") {
        note(format_args!("skipped: {said}"));
        return None;
    }
    assert!(output.status.success(), "{}: {said}", output.status);
    Some(said)
}

// faults: F27
#[test]
fn a_full_directory_sends_to_the_next_rung() {
    let scratch = Scratch::new("full");
    if let Some(said) = in_a_small_directory(&scratch, "") {
        assert!(said.starts_with("Memfd"), "{said}");
        assert!(said.contains("ENOSPC"), "{said}");
    }
}

// faults: F27, F33
#[test]
fn a_forged_segment_with_holes_in_a_full_directory_kills_nobody() {
    let scratch = Scratch::new("holes");
    let forged = Scratch::new("holes-original");
    let home = attach(&forged.0, Role::Worker);
    let name = common::file_of(&home);
    let before = format!(
        "head -c 4096 {0} > \"$1/{1}\" && chmod 600 \"$1/{1}\" && truncate -s {SEGMENT_BYTES} \"$1/{1}\" &&",
        name.display(),
        name.file_name().unwrap().display(),
    );
    if let Some(said) = in_a_small_directory(&scratch, &before) {
        assert!(said.starts_with("Memfd"), "{said}");
    }
}
