//! A text is read whole or not at all, and a writer that dies stands in nobody's way.

use loom::sync::Arc;
use loom::thread;

use super::{A, B, Lives, check, check_deaths};
use crate::tag::ProcessId;
use crate::text::Text;

struct Page {
    text: Text<2>,
    lives: Lives,
}

impl Page {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            text: Text::new(),
            lives: Lives::new(),
        })
    }

    fn set(&self, text: &str, me: ProcessId) -> bool {
        self.text.set(text.as_bytes(), me, &self.lives).is_some()
    }
}

/// Texts whose lengths and letters belong together.
const SAMPLES: [&str; 4] = ["", "1", "22", "333"];

fn assert_whole(text: &Page) -> Option<String> {
    let read = text.text.get_string();
    if let Some(read) = &read {
        assert!(SAMPLES.contains(&read.as_str()), "{read:?}");
    }
    read
}

#[test]
fn a_reader_sees_a_whole_text() {
    check(Some(3), || {
        let page = Page::new();
        let writer = {
            let page = page.clone();
            thread::spawn(move || SAMPLES[1..].iter().all(|text| page.set(text, A)))
        };
        assert_whole(&page);
        assert!(writer.join().unwrap());
        assert_eq!(assert_whole(&page).unwrap(), "333");
    });
}

#[test]
fn of_two_writers_one_has_the_last_word() {
    check(None, || {
        let page = Page::new();
        let other = {
            let page = page.clone();
            thread::spawn(move || page.set("1", A))
        };
        let mine = page.set("22", B);
        let theirs = other.join().unwrap();
        let read = assert_whole(&page).unwrap();
        assert!(mine || theirs);
        assert!(read == "22" && mine || read == "1" && theirs, "{read}");
    });
}

#[test]
fn a_writer_that_dies_is_taken_over_by_the_next_one() {
    check_deaths(Some(2), |steps| {
        let page = Page::new();
        let victim = {
            let page = page.clone();
            thread::spawn(move || {
                let life = || page.set("1", A) && page.set("22", A);
                page.lives.live_for(steps, A, life).is_some()
            })
        };
        let reader = {
            let page = page.clone();
            thread::spawn(move || assert_whole(&page))
        };
        page.set("333", B);
        reader.join().unwrap();
        let lived = victim.join().unwrap();
        assert_whole(&page).unwrap();
        if !lived {
            assert!(page.set("333", B));
            assert_eq!(assert_whole(&page).unwrap(), "333");
        }
        lived
    });
}
