//! The render thread: its pace, its promises to those who wait for it, and its end.

use std::fs;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use mp_tqdm_render::{
    Display, Driver, MemorySink, Output, OutputId, Postfix, Row, Size, Style, Template, Value, Wait,
};

/// Long enough for any machine; no test waits for it unless it fails.
const WATCHDOG: Duration = Duration::from_secs(20);

const SOON: Duration = Duration::from_millis(1);

fn start(tick: impl FnMut(f64) -> Wait + Send + 'static) -> Driver {
    Driver::start("mp-tqdm-test", tick).expect("the system has a thread to give")
}

/// A driver whose ticks are reported, with the time each was given.
fn reporting(wait: Wait) -> (Driver, Receiver<f64>) {
    let (sender, receiver) = channel();
    let driver = start(move |now_s| {
        let _ = sender.send(now_s);
        wait
    });
    (driver, receiver)
}

#[test]
fn ticks_keep_their_pace_whatever_each_takes() {
    let (sender, receiver) = channel();
    let pause = Duration::from_millis(20);
    let driver = start(move |now_s| {
        let _ = sender.send(now_s);
        std::thread::sleep(Duration::from_millis(5));
        Wait::For(pause)
    });
    let first = receiver.recv_timeout(WATCHDOG).unwrap();
    for _ in 0..50 {
        receiver.recv_timeout(WATCHDOG).unwrap();
    }
    let last = receiver.recv_timeout(WATCHDOG).unwrap();
    // 51 pauses of 20 ms are 1.02 s, if the 5 ms of work are not added to each; a busy machine may
    // stretch them, but never shrink them.
    assert!(last - first > 1.0, "{}", last - first);
    assert!(driver.stop(WATCHDOG));
}

#[test]
fn an_idle_thread_ticks_when_woken_and_not_before() {
    let (driver, ticks) = reporting(Wait::UntilWoken);
    ticks.recv_timeout(WATCHDOG).unwrap();
    assert!(ticks.recv_timeout(Duration::from_millis(50)).is_err());
    driver.wake();
    ticks.recv_timeout(WATCHDOG).unwrap();
    assert!(driver.stop(WATCHDOG));
}

#[test]
fn stop_gives_up_on_a_tick_that_hangs() {
    let (release, held): (Sender<()>, Receiver<()>) = channel();
    let (begun, begins) = channel();
    let driver = start(move |_| {
        let _ = begun.send(());
        let _ = held.recv();
        Wait::UntilWoken
    });
    begins.recv_timeout(WATCHDOG).unwrap();
    let asked = Instant::now();
    assert!(!driver.stop(Duration::from_millis(20)));
    assert!(asked.elapsed() >= Duration::from_millis(20));
    assert!(!driver.is_running());
    drop(release);
    assert!(driver.stop(WATCHDOG));
    assert!(
        begins.recv().is_err(),
        "no tick begins after the one that hung"
    );
}

#[test]
fn after_stop_there_is_no_tick() {
    let (driver, ticks) = reporting(Wait::For(SOON));
    ticks.recv_timeout(WATCHDOG).unwrap();
    assert!(driver.stop(WATCHDOG));
    while ticks.try_recv().is_ok() {}
    driver.wake();
    assert!(ticks.recv_timeout(Duration::from_millis(20)).is_err());
    assert!(driver.stop(WATCHDOG), "a second stop finds it stopped");
}

#[test]
fn a_panic_or_an_exit_ends_the_thread_and_every_wait_for_it() {
    let exits = start(|_| Wait::Exit);
    let panics = start(|_| std::panic::resume_unwind(Box::new("tick")));
    for driver in [exits, panics] {
        let asked = Instant::now();
        while driver.is_running() && asked.elapsed() < WATCHDOG {
            std::thread::sleep(SOON);
        }
        assert!(driver.stop(WATCHDOG));
        assert!(asked.elapsed() < WATCHDOG);
    }
}

#[test]
fn the_stack_holds_a_frame_of_many_rows() {
    let terminal = MemorySink::new(Size {
        cols: 500,
        rows: 100,
    });
    let mut display = Display::new();
    display.add_output(OutputId(1), Output::terminal(Box::new(terminal.clone())));
    let template = Template::parse("{l_bar}{bar:u}{r_bar}{n:>20,}").unwrap();
    let style = Arc::new(Style {
        bar_format: Some(template),
        ..Style::default()
    });
    let row = |id| Row {
        total: Some(1000.into()),
        postfix: Postfix::Pairs(vec![("loss".to_owned(), Value::Float(0.1))]),
        ..Row::new(id, 5.into(), 0.0, Arc::clone(&style))
    };
    let scene = [(OutputId(1), (0..64).map(row).collect())];
    let (drawn, draws) = channel();
    let driver = start(move |now_s| {
        display.draw(now_s, &scene);
        let _ = drawn.send(());
        Wait::UntilWoken
    });
    draws.recv_timeout(WATCHDOG).unwrap();
    assert!(driver.stop(WATCHDOG));
    assert_eq!(terminal.lines().len(), 65);
}

#[test]
fn the_longest_wait_is_no_overflow() {
    let (driver, ticks) = reporting(Wait::For(Duration::MAX));
    ticks.recv_timeout(WATCHDOG).unwrap();
    driver.wake();
    ticks.recv_timeout(WATCHDOG).unwrap();
    assert!(driver.stop(WATCHDOG));
}

#[test]
fn the_thread_has_a_name_and_blocks_every_signal() {
    let (sender, receiver) = channel();
    let driver = start(move |_| {
        let _ = sender.send(fs::read_to_string("/proc/thread-self/status").unwrap());
        Wait::UntilWoken
    });
    let status = receiver.recv_timeout(WATCHDOG).unwrap();
    let field = |name: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap()
            .trim()
            .to_owned()
    };
    assert_eq!(field("Name:"), "mp-tqdm-test");
    // All but SIGKILL, SIGSTOP and the two that the C library keeps for itself.
    assert_eq!(field("SigBlk:"), "fffffffe7ffbfeff");
    let own = fs::read_to_string("/proc/thread-self/status").unwrap();
    assert!(
        own.contains("SigBlk:\t0000000000000000"),
        "the starting thread keeps its own mask"
    );
    assert!(driver.stop(WATCHDOG));
}

#[test]
fn after_each_of_a_thousand_stops_the_kernel_lists_no_thread() {
    let is_listed = || {
        fs::read_dir("/proc/self/task")
            .unwrap()
            .filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok())
            .any(|name| name.trim() == "mp-tqdm-ends")
    };
    let mut late = 0;
    for _ in 0..1000 {
        let driver = Driver::start("mp-tqdm-ends", |_| Wait::For(SOON)).unwrap();
        assert!(driver.stop(WATCHDOG));
        // Of one that loses the processor at its end, the end is waited for no longer than it matters.
        late += u32::from(is_listed());
        while is_listed() {
            std::thread::sleep(SOON);
        }
    }
    assert!(late < 5, "{late}");
}
