//! Sinks over real descriptors: each kind that standard error can be, and each way it can fail.

use std::fs::{File, OpenOptions};
use std::io::{PipeReader, Read, Seek, SeekFrom, Write, pipe};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use mp_tqdm_render::{Display, FdSink, Outcome, Output, OutputId, Row, Screen, Sink, Size};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::pty::{Winsize, openpty};
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};

/// Long enough for any machine; no test waits for it unless it fails.
const WATCHDOG: Duration = Duration::from_secs(20);

fn sink_of(user: &impl AsFd) -> FdSink {
    FdSink::new(
        user.as_fd()
            .try_clone_to_owned()
            .expect("a descriptor is free"),
    )
}

/// Writes frames until the sink takes no more, and returns what it took.
fn fill(sink: &mut FdSink) -> Vec<u8> {
    let frame: Vec<u8> = (0..=255).cycle().take(5000).collect();
    let mut taken = Vec::new();
    loop {
        match sink.write_frame(&frame) {
            Outcome::Whole => taken.extend_from_slice(&frame),
            Outcome::Part(part) => {
                assert!(0 < part && part < frame.len());
                taken.extend_from_slice(&frame[..part]);
            }
            Outcome::Busy => return taken,
            Outcome::Dead => panic!("the reader is still there"),
        }
    }
}

/// Runs `body` in a thread of its own and fails if it does not return: a blocked write.
fn without_blocking(body: impl FnOnce() + Send + 'static) {
    let (done, is_done) = channel();
    let thread = thread::spawn(move || {
        body();
        let _ = done.send(());
    });
    let ended = is_done.recv_timeout(WATCHDOG);
    if thread.is_finished() {
        thread.join().expect("the body holds");
    }
    ended.expect("no write blocks");
}

fn blocks(user: &impl AsFd) -> bool {
    let flags = fcntl(user.as_fd(), FcntlArg::F_GETFL).expect("the descriptor is open");
    !OFlag::from_bits_retain(flags).contains(OFlag::O_NONBLOCK)
}

fn terminal(size: Size) -> (OwnedFd, OwnedFd) {
    let size = Winsize {
        ws_row: size.rows,
        ws_col: size.cols,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let pty = openpty(Some(&size), None).expect("a pseudo-terminal is free");
    (pty.master, pty.slave)
}

#[test]
fn a_full_pipe_takes_nothing_and_loses_nothing() {
    without_blocking(|| {
        let (mut reader, user) = pipe().unwrap();
        let mut sink = sink_of(&user);
        let taken = fill(&mut sink);
        assert!(blocks(&user), "the user's description keeps its mode");
        let mut read = vec![0; taken.len()];
        reader.read_exact(&mut read).unwrap();
        assert!(read == taken);
        assert_eq!(sink.write_frame(b"again"), Outcome::Whole);
        assert_eq!(sink.size(), None);
    });
}

#[test]
fn a_terminal_that_nobody_reads_does_not_block() {
    without_blocking(|| {
        let (_master, user) = terminal(Size {
            cols: 100,
            rows: 30,
        });
        let mut sink = sink_of(&user);
        assert_eq!(
            sink.size(),
            Some(Size {
                cols: 100,
                rows: 30
            })
        );
        assert!(!fill(&mut sink).is_empty());
        assert!(blocks(&user));
    });
}

#[test]
fn a_terminal_without_a_size_says_none() {
    let (_master, user) = terminal(Size { cols: 0, rows: 0 });
    assert_eq!(sink_of(&user).size(), None);
}

#[test]
fn a_socket_is_written_with_care() {
    without_blocking(|| {
        let (mut reader, user) = UnixStream::pair().unwrap();
        let mut sink = sink_of(&user);
        let taken = fill(&mut sink);
        assert!(blocks(&user));
        let mut read = vec![0; taken.len()];
        reader.read_exact(&mut read).unwrap();
        assert!(read == taken);
    });
}

#[test]
fn a_file_is_shared_with_its_user() {
    let path = std::env::temp_dir().join(format!("mp-tqdm-fd-sink-{}", std::process::id()));
    let mut user = OpenOptions::new()
        .create_new(true)
        .read(true)
        .append(true)
        .open(&path)
        .unwrap();
    std::fs::remove_file(&path).unwrap();
    let mut sink = sink_of(&user);
    for number in 0..3 {
        writeln!(user, "user {number}").unwrap();
        assert_eq!(
            sink.write_frame(format!("sink {number}\n").as_bytes()),
            Outcome::Whole
        );
    }
    let mut text = String::new();
    user.seek(SeekFrom::Start(0)).unwrap();
    user.read_to_string(&mut text).unwrap();
    assert_eq!(text, "user 0\nsink 0\nuser 1\nsink 1\nuser 2\nsink 2\n");
}

#[test]
fn a_full_disk_may_have_room_later() {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    assert_eq!(sink_of(&full).write_frame(b"x"), Outcome::Busy);
}

#[test]
fn what_will_never_take_anything_is_dead() {
    let (reader, user) = pipe().unwrap();
    let mut sink = sink_of(&user);
    drop::<PipeReader>(reader);
    assert_eq!(
        sink.write_frame(b"x"),
        Outcome::Dead,
        "a pipe without a reader"
    );

    let (master, user) = terminal(Size { cols: 80, rows: 24 });
    let mut sink = sink_of(&user);
    drop(master);
    assert_eq!(
        sink.write_frame(b"x"),
        Outcome::Dead,
        "a terminal that hung up"
    );

    let (reader, user) = UnixStream::pair().unwrap();
    let mut sink = sink_of(&user);
    drop(reader);
    assert_eq!(
        sink.write_frame(b"x"),
        Outcome::Dead,
        "a socket without a peer"
    );

    let read_only = File::open("/proc/self/status").unwrap();
    assert_eq!(
        sink_of(&read_only).write_frame(b"x"),
        Outcome::Dead,
        "a file to read"
    );
}

#[test]
fn the_null_device_takes_everything() {
    let user = OpenOptions::new().write(true).open("/dev/null").unwrap();
    assert_eq!(sink_of(&user).write_frame(&[b'x'; 100_000]), Outcome::Whole);
}

#[test]
fn frames_pass_through_a_terminal_driver_unharmed() {
    let size = Size { cols: 60, rows: 10 };
    let (master, user) = terminal(size);
    let mut display = Display::new();
    display.add_output(OutputId(2), Output::terminal(Box::new(sink_of(&user))));
    let row = Row {
        total: Some(10.into()),
        ..Row::new(1, 5.into(), 0.0, Arc::default())
    };
    let scene = [(OutputId(2), vec![row.clone(), row])];

    File::from(user.try_clone().unwrap())
        .write_all(b"$ train\n")
        .unwrap();
    assert!(!display.draw(4.0, &scene).is_behind);
    File::from(user.try_clone().unwrap())
        .write_all(b"foreign\n")
        .unwrap();
    assert!(!display.draw(5.0, &scene).is_behind);

    // Once nobody holds the terminal, reading ends with an error behind the last byte.
    drop((display, user));
    let mut screen = Screen::new(size);
    let (mut master, mut bytes) = (File::from(master), [0; 4096]);
    while let Ok(count @ 1..) = master.read(&mut bytes) {
        screen.feed_bytes(&bytes[..count]);
    }
    let bar = " 50%|███████████▌           | 5/10 [00:05<00:04,  1.25it/s]";
    assert_eq!(screen.lines(), ["$ train", "foreign", "", bar, bar]);
    assert_eq!(screen.cursor(), (0, 2));
}

#[test]
fn a_terminal_that_is_read_key_by_key_is_edited() {
    let pty = openpty(None, None).expect("a terminal is free");
    let sink = sink_of(&pty.slave);
    assert!(!sink.is_edited());
    let mut modes = tcgetattr(&pty.slave).expect("it is a terminal");
    modes.local_flags.remove(LocalFlags::ICANON);
    tcsetattr(&pty.slave, SetArg::TCSANOW, &modes).expect("it has modes");
    assert!(sink.is_edited());
    let (_reader, writer) = pipe().expect("a pipe is free");
    assert!(!sink_of(&writer).is_edited());
}
