//! Times to live, their bounds, and answers that outlive them.

use super::super::zone::{Zone, question};
use super::super::{Failure, Kind, Name};
use super::*;

const FAILED: Answer = Answer::Failed(Failure::Timeout);

fn start() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "a beginning for a test's own clock"
    )]
    Instant::now()
}

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

fn answers() -> Answers {
    Answers::new(Times::default(), Limits::default(), 7)
}

fn ask() -> Question {
    question("A a.example.com")
}

fn answer(ttl: u64) -> Answer {
    Zone::new(&format!("a.example.com {ttl} A 192.0.2.1")).answer(&ask())
}

fn absent(ttl: Option<u64>) -> Answer {
    Answer::Absent {
        exists: false,
        ttl: ttl.map(seconds),
    }
}

/// For how many seconds nobody asks again, and what is believed.
fn fresh_for(answers: &Answers, now: Instant) -> (f64, Answer, bool) {
    let moment = Moment {
        at: now,
        since: now,
    };
    let entry = answers.known(&ask(), moment).expect("just answered");
    let fresh = entry.fresh_until.duration_since(now).as_secs_f64();
    (fresh, entry.answer.clone(), entry.is_stale)
}

#[test]
fn floors_and_ceilings() {
    let now = start();
    for (given, expected) in [
        (answer(0), 5.0),
        (answer(60), 60.0),
        (answer(864_000), 86_400.0),
        (absent(None), 60.0),
        (absent(Some(1)), 5.0),
        (absent(Some(3_600)), 60.0),
    ] {
        let mut answers = answers();
        answers.handle_answer(now, ask(), given.clone());
        assert_eq!(fresh_for(&answers, now), (expected, given, false));
    }
}

#[test]
fn known_until_its_time_and_not_after() {
    let now = start();
    let mut answers = answers();
    answers.handle_answer(now, ask(), answer(60));
    let known = |at: u64, since: u64| {
        let moment = Moment {
            at: now + seconds(at),
            since: now + seconds(since),
        };
        answers.known(&ask(), moment).is_some()
    };
    assert!(known(59, 59) && !known(60, 60));
    // What came since the walk began is good for it, however short its time.
    assert!(known(100, 0));
}

#[test]
fn failures_leave_the_answer_and_are_asked_again_ever_more_slowly() {
    let mut now = start();
    let mut answers = answers();
    answers.handle_answer(now, ask(), answer(60));
    now += seconds(60);
    let mut waits = Vec::new();
    for _ in 0..10 {
        answers.handle_answer(now, ask(), FAILED);
        let (wait, kept, is_stale) = fresh_for(&answers, now);
        assert_eq!((kept, is_stale), (answer(60), true));
        waits.push(wait);
        now += Duration::from_secs_f64(wait);
    }
    for (wait, least) in waits
        .iter()
        .zip([1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0])
    {
        assert!((least..=least * 1.25).contains(wait), "{waits:?}");
    }
    answers.handle_answer(now, ask(), answer(70));
    assert_eq!(fresh_for(&answers, now), (70.0, answer(70), false));
}

#[test]
fn nothing_is_kept_for_ever() {
    let now = start();
    let mut answers = answers();
    answers.handle_answer(now, ask(), answer(60));
    let much_later = now + seconds(60) + Times::default().stale_max;
    answers.handle_answer(much_later, ask(), FAILED);
    let (_, kept, is_stale) = fresh_for(&answers, much_later);
    assert_eq!((kept, is_stale), (FAILED, false));
}

#[test]
fn that_there_is_nothing_is_an_answer() {
    let now = start();
    let mut answers = answers();
    answers.handle_answer(now, ask(), answer(60));
    answers.handle_answer(now, ask(), absent(None));
    answers.handle_answer(now, ask(), FAILED);
    let (_, kept, is_stale) = fresh_for(&answers, now);
    assert_eq!((kept, is_stale), (absent(None), true));
}

#[test]
fn the_table_is_bounded() {
    let now = start();
    let limits = Limits {
        answers: 8,
        records: 3,
        ..Limits::default()
    };
    let mut answers = Answers::new(Times::default(), limits, 7);
    for n in 0..100 {
        let name = Name::new(&format!("h{n}.example.com")).expect("a name");
        let question = Question {
            name,
            kind: Kind::A,
        };
        let mut records = match answer(60 + n) {
            Answer::Records(records) => records,
            Answer::Absent { .. } | Answer::Failed(_) => Vec::new(),
        };
        records.extend(records.clone().into_iter().cycle().take(20));
        answers.handle_answer(now, question, Answer::Records(records));
    }
    assert_eq!(answers.entries.len(), 8);
    let few =
        |entry: &Entry| matches!(&entry.answer, Answer::Records(records) if records.len() == 3);
    assert!(answers.entries.values().all(few));
}
