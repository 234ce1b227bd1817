//! Names over time: renewals, changes, failures.

use super::super::zone::{Zone, name};
use super::super::{Families, Host, NoTarget, Service, Spoken};
use super::*;

const BRIDGE: WatchId = WatchId(1);

/// A book, its name service and their clock.
struct Scene {
    book: Book,
    zone: Zone,
    now: Instant,
    asked: usize,
}

impl Scene {
    fn new(zone: &str) -> Self {
        let v4 = Families {
            v4: true,
            v6: false,
        };
        let spoken = Spoken {
            sip_d2t: v4,
            sip_d2u: v4,
            ..Spoken::default()
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "a beginning for a test's own clock"
        )]
        let now = Instant::now();
        let rules = Rules {
            spoken,
            seed: 3,
            ..Rules::default()
        };
        Self {
            book: Book::new(rules, Times::default()),
            zone: Zone::new(zone),
            now,
            asked: 0,
        }
    }

    fn watch(&mut self, id: WatchId, host: &str, port: Option<u16>) {
        let host = Host::Name(name(host));
        let destination = Destination {
            host,
            port,
            service: Some(Service::SipD2u),
            is_sips: false,
        };
        self.book.watch(self.now, id, destination);
    }

    /// Answers all questions; gives who was located anew.
    fn settle(&mut self) -> Vec<WatchId> {
        let mut located = Vec::new();
        while let Some(output) = self.book.poll_output() {
            match output {
                Output::Located(id) => located.push(id),
                Output::Ask(question) => {
                    self.asked += 1;
                    let answer = self.zone.answer(&question);
                    self.book.handle_answer(self.now, question, answer);
                }
            }
        }
        located
    }

    /// Lets time pass; gives who was located anew on the way.
    fn pass(&mut self, seconds: u64) -> Vec<WatchId> {
        let end = self.now + Duration::from_secs(seconds);
        let mut located = Vec::new();
        while let Some(next) = self.book.poll_timeout().filter(|next| *next <= end) {
            assert!(next > self.now, "time stands still");
            self.now = next;
            self.book.handle_timeout(next);
            located.extend(self.settle());
        }
        self.now = end;
        located
    }

    fn told(&self, id: WatchId) -> String {
        let location = self.book.location(id).expect("located");
        let targets = location.targets.iter().map(ToString::to_string);
        let mut words: Vec<String> = targets.collect();
        words.extend(location.why_none.map(|why| why.to_string()));
        words.extend(location.is_stale.then(|| "(stale)".to_owned()));
        words.join(" ")
    }
}

const ZONE: &str = "
_sip._udp.example.com 300 SRV 1 0 5060 a.example.com
a.example.com 60 A 192.0.2.1
";

#[test]
fn asked_again_before_the_end_and_told_only_what_is_new() {
    let mut scene = Scene::new(ZONE);
    scene.watch(BRIDGE, "example.com", None);
    assert_eq!(scene.book.location(BRIDGE), None);
    assert_eq!(scene.settle(), [BRIDGE]);
    assert_eq!(
        (scene.told(BRIDGE).as_str(), scene.asked),
        ("udp:192.0.2.1:5060", 2)
    );
    assert_eq!(scene.pass(47), []);
    assert_eq!(scene.asked, 2);
    // 48 to 57 seconds of 60: the address is asked again, the SRV record holds.
    assert_eq!(scene.pass(11), []);
    assert_eq!(scene.asked, 3);
    scene.zone = Zone::new(&ZONE.replace("192.0.2.1", "192.0.2.2"));
    assert_eq!(scene.pass(60), [BRIDGE]);
    assert_eq!(scene.told(BRIDGE), "udp:192.0.2.2:5060");
}

#[test]
fn a_dead_name_service_takes_nobody_with_it() {
    let mut scene = Scene::new(ZONE);
    scene.watch(BRIDGE, "example.com", None);
    scene.settle();
    scene.zone = Zone::new("fail a.example.com A\ntimeout _sip._udp.example.com SRV");
    assert_eq!(scene.pass(3_600), [BRIDGE]);
    assert_eq!(scene.told(BRIDGE), "udp:192.0.2.1:5060 (stale)");
    let before = scene.asked;
    scene.zone = Zone::new(ZONE);
    assert_eq!(scene.pass(40), [BRIDGE]);
    assert_eq!(scene.told(BRIDGE), "udp:192.0.2.1:5060");
    assert!(scene.asked <= before + 4, "retries are spaced");
}

#[test]
fn an_answer_that_there_is_nothing_counts() {
    let mut scene = Scene::new(ZONE);
    scene.watch(BRIDGE, "a.example.com", Some(5070));
    assert_eq!(scene.settle(), [BRIDGE]);
    scene.zone = Zone::new("");
    assert_eq!(scene.pass(60), [BRIDGE]);
    assert_eq!(scene.told(BRIDGE), NoTarget::NoSuchName.to_string());
    scene.zone = Zone::new(ZONE);
    assert_eq!(scene.pass(60), [BRIDGE]);
    assert_eq!(scene.told(BRIDGE), "udp:192.0.2.1:5070");
}

#[test]
fn a_service_that_is_down_from_the_beginning_is_asked_until_it_comes() {
    let mut scene = Scene::new("timeout a.example.com A");
    scene.watch(BRIDGE, "a.example.com", Some(5060));
    assert_eq!(scene.settle(), [BRIDGE]);
    assert_eq!(scene.told(BRIDGE), NoTarget::NoAnswer.to_string());
    assert_eq!(scene.pass(600), []);
    assert!((20..30).contains(&scene.asked), "{}", scene.asked);
    scene.zone = Zone::new(ZONE);
    assert_eq!(scene.pass(40), [BRIDGE]);
}

#[test]
fn two_who_want_the_same_ask_once() {
    let mut scene = Scene::new(ZONE);
    let other = WatchId(2);
    scene.watch(BRIDGE, "example.com", None);
    scene.watch(other, "example.com", None);
    assert_eq!(scene.settle(), [BRIDGE, other]);
    assert_eq!(scene.asked, 2);
    scene.pass(50 * 60);
    // 60 s each, asked by whoever is first.
    assert!((52..=80).contains(&scene.asked), "{}", scene.asked);
    scene.book.forget(BRIDGE);
    scene.book.forget(other);
    assert_eq!(scene.book.poll_timeout(), None);
}

#[test]
fn a_host_that_goes_takes_nobody_with_it_while_an_old_srv_record_holds() {
    let mut scene = Scene::new(ZONE);
    scene.watch(BRIDGE, "example.com", None);
    scene.settle();
    let moved = "_sip._udp.example.com 300 SRV 1 0 5060 b.example.com\n\
                 b.example.com 60 A 192.0.2.2";
    scene.zone = Zone::new(moved);
    // The address is asked for first and is gone; the SRV record would hold for minutes.
    assert_eq!(scene.pass(60), [BRIDGE]);
    assert_eq!(scene.told(BRIDGE), "udp:192.0.2.2:5060");
}

#[test]
fn a_refresh_asks_all_and_not_too_often() {
    let mut scene = Scene::new(ZONE);
    let gap = Duration::from_secs(5);
    scene.watch(BRIDGE, "example.com", None);
    scene.settle();
    scene.book.refresh(scene.now, BRIDGE, gap);
    assert_eq!((scene.settle(), scene.asked), (vec![], 2));
    scene.pass(5);
    scene.zone = Zone::new(&ZONE.replace("192.0.2.1", "192.0.2.2"));
    scene.book.refresh(scene.now, BRIDGE, gap);
    scene.book.refresh(scene.now, BRIDGE, gap);
    assert_eq!((scene.settle(), scene.asked), (vec![BRIDGE], 4));
}

#[test]
fn other_rules_have_everything_asked_anew_and_forget_nothing() {
    let mut scene = Scene::new(ZONE);
    scene.watch(BRIDGE, "example.com", None);
    scene.settle();
    scene.pass(1);
    scene.zone = Zone::new("fail a.example.com A\nfail _sip._udp.example.com SRV");
    let rules = scene.book.rules.clone();
    scene.book.reconfigure(scene.now, rules, Times::default());
    assert_eq!(scene.book.location(BRIDGE), None);
    scene.watch(BRIDGE, "example.com", None);
    assert_eq!((scene.settle(), scene.asked), (vec![BRIDGE], 4));
    assert_eq!(scene.told(BRIDGE), "udp:192.0.2.1:5060 (stale)");
}

#[test]
fn an_answer_that_nobody_waits_for_changes_nothing() {
    let mut scene = Scene::new(ZONE);
    scene.watch(BRIDGE, "a.example.com", Some(5060));
    let Some(Output::Ask(question)) = scene.book.poll_output() else {
        panic!("a question");
    };
    scene.book.forget(BRIDGE);
    let answer = scene.zone.answer(&question);
    scene.book.handle_answer(scene.now, question, answer);
    assert_eq!(scene.settle(), []);
    assert_eq!(scene.book.location(BRIDGE), None);
}
