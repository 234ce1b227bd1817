//! The fixture T0 of the policy cases, without HTTP.

use super::*;
use crate::rule::Action;
use balancer::{AliasSettings, BridgeAlias, Operator, PeerSettings, PoolSettings, Role, Target};
use std::net::SocketAddr;

fn peer(name: &str, prefix: &str, free: u32, pool: &str) -> PeerSettings {
    let target = Target {
        transport: balancer::Transport::Udp,
        remote: SocketAddr::from(([127, 0, 0, 1], 5060)),
    };
    let alias = format!("{prefix}{{number}}@bridges.example.com");
    PeerSettings {
        alias: Some(BridgeAlias::new(&alias).expect("right")),
        pool: pool.to_owned(),
        ..PeerSettings::new(name, target, free)
    }
}

fn alias(pattern: &str, conference: &str, pools: &[&str]) -> AliasSettings {
    AliasSettings {
        name: pattern.to_owned(),
        pattern: pattern.to_owned(),
        priority: 1,
        conference: Some(conference.to_owned()),
        role: Role::Participant,
        fallback: false,
        may_create: true,
        participants_max: None,
        pools: pools.iter().map(|pool| (*pool).to_owned()).collect(),
        tags: Vec::new(),
        zones: Vec::new(),
    }
}

fn rule(name: &str, kind: Kind, pattern: &str, action: Action) -> RuleSettings {
    RuleSettings {
        name: name.to_owned(),
        kind,
        authenticated: None,
        source: None,
        alias: Some(pattern.to_owned()),
        zone: None,
        addresses: Vec::new(),
        protocol: None,
        methods: Vec::new(),
        action,
    }
}

struct World {
    balancer: Balancer,
    service: Service,
    now: Instant,
    calls: u32,
}

impl World {
    fn new() -> Self {
        let peers = vec![
            peer("b1", "6001", 60, "P1"),
            peer("b2", "6002", 90, "P1"),
            peer("b4", "6004", 0, "P3"),
            PeerSettings {
                operator: Operator::Maint,
                ..peer("b5", "6005", 500, "P1")
            },
            peer("b6", "6006", 3, "P4"),
        ];
        let guest = AliasSettings {
            may_create: false,
            ..alias(r"guest\.(\w+)@example\.com", r"\1", &["P1"])
        };
        let small = AliasSettings {
            participants_max: Some(2),
            ..alias(r"small\.(\w+)@example\.com", r"s\1", &["P1"])
        };
        let settings = balancer::Settings {
            peers,
            pools: ["P1", "P3", "P4"].map(PoolSettings::new).into(),
            aliases: vec![
                alias(r"meet\.([a-z0-9]+)@example\.com", r"\1", &["P1"]),
                alias(r"full\.(\w+)@example\.com", r"f\1", &["P3"]),
                guest,
                small,
            ],
            ..balancer::Settings::default()
        };
        let fork = Action::Route {
            aliases: vec![
                "desk@example.com".to_owned(),
                "phone@example.com".to_owned(),
            ],
            timeout: Some(20),
            on_failure: Some("voicemail@example.com".to_owned()),
        };
        let reject = Action::Reject {
            status: 403,
            reason: "Gateway calls need authentication".to_owned(),
        };
        let rewrite = Action::Rewrite {
            alias: r"meet.\1@example.com".to_owned(),
        };
        let service = Settings {
            rules: vec![
                RuleSettings {
                    authenticated: Some(false),
                    ..rule("gateway", Kind::Admin, "9.*", reject)
                },
                rule("alice", Kind::User, "findme.alice@example.com", fork),
                rule("short", Kind::Search, "8(.*)", rewrite),
            ],
            ..Settings::default()
        };
        #[expect(clippy::disallowed_methods, reason = "a test tells the time")]
        let now = Instant::now();
        Self {
            balancer: Balancer::new(&settings, 7, now).expect("right"),
            service: Service::new(service).expect("right"),
            now,
            calls: 0,
        }
    }

    /// Asks for a call of its own: what was decided, and the node of the answer.
    fn ask(&mut self, kind: &str, alias: &str, more: &str) -> (Outcome, String) {
        self.calls += 1;
        let body = format!(
            "POLICY_TYPE={kind}&DESTINATION_ALIAS={alias}&GLOBAL_CALL_SERIAL_NUMBER={}{more}",
            self.calls
        );
        self.ask_body(&body)
    }

    fn ask_body(&self, body: &str) -> (Outcome, String) {
        let request = self.service.read(body.as_bytes()).expect("right");
        let mut out = Vec::new();
        let decided = self
            .service
            .decide(self.now, &self.balancer, &request, &mut out);
        let text = String::from_utf8(out).expect("ASCII");
        let (_, node) = text.split_once("<taa:routed>").expect("one");
        let (node, _) = node.split_once("</taa:routed>").expect("one");
        (decided.outcome, node.to_owned())
    }

    fn search(&mut self, alias: &str) -> (Outcome, String) {
        self.ask("SEARCH", alias, "")
    }
}

fn reject(status: u16, reason: &str) -> String {
    format!("<reject status=\"{status}\" reason=\"{reason}\"/>")
}

#[test]
fn searches_are_answered_as_the_table_says() {
    let mut world = World::new();
    let (outcome, sales) = world.search("meet.sales%40example.com");
    assert_eq!(outcome, Outcome::Placed);
    // The number follows from the balancer's seed.
    assert!(
        sales.contains("url=\"6002100007@bridges.example.com\""),
        "{sales}"
    );
    for alias in [
        "MEET.Sales@EXAMPLE.com",
        "sip:meet.sales@example.com",
        "guest.sales@example.com",
    ] {
        assert_eq!(
            world.search(alias),
            (Outcome::Placed, sales.clone()),
            "{alias}"
        );
    }
    let missed = reject(404, "No matching conference alias");
    for alias in [
        "nobody@example.com",
        "%FF%FE@example.com",
        "%3C%22%26%27%3E%0D%0A@example.com",
    ] {
        assert_eq!(
            world.search(alias),
            (Outcome::Missed, missed.clone()),
            "{alias}"
        );
    }
    let full = reject(503, "No conference bridge capacity");
    assert_eq!(
        world.search("full.a@example.com"),
        (Outcome::Unplaced, full)
    );
    let unborn = reject(480, "Conference not started");
    assert_eq!(
        world.search("guest.unborn@example.com"),
        (Outcome::Unplaced, unborn)
    );
    let back = world.search("600112345@bridges.example.com");
    assert_eq!(back, (Outcome::Allowed, "<proxy/>".to_owned()));
    assert_eq!(world.search("8sales").1, sales);
    for _ in 0..2 {
        assert_eq!(world.search("small.x@example.com").0, Outcome::Placed);
    }
    let full = reject(486, "Conference is full");
    assert_eq!(world.search("small.x@example.com").1, full);
}

#[test]
fn what_is_no_call_takes_nothing() {
    let mut world = World::new();
    for method in ["OPTIONS", "LRQ", "SUBSCRIBE", "PUBLISH", "BREW"] {
        let more = format!("&METHOD={method}");
        let answer = world.ask("SEARCH", "meet.a@example.com", &more);
        assert_eq!(
            answer,
            (Outcome::Allowed, "<proxy/>".to_owned()),
            "{method}"
        );
    }
    assert_eq!(
        (
            world.balancer.lease_count(),
            world.balancer.conference_count()
        ),
        (0, 0)
    );
    let (_, route) = world.search("meet.a@example.com");
    assert_eq!(
        world.ask("SEARCH", "meet.a@example.com", "&METHOD=LRQ"),
        (Outcome::Placed, route)
    );
    assert_eq!(world.balancer.lease_count(), 1);
}

#[test]
fn a_call_that_asks_again_takes_one_place() {
    let world = World::new();
    let body =
        "POLICY_TYPE=SEARCH&DESTINATION_ALIAS=small.y@example.com&GLOBAL_CALL-SERIAL_NUMBER=x";
    let first = world.ask_body(body);
    let again = world.ask_body(&body.replace("CALL-SERIAL", "CALL_SERIAL"));
    assert_eq!(first, again);
    assert_eq!(world.balancer.lease_count(), 1);
    // Without a serial, or with one that is none, each request is a call.
    let nameless = "POLICY_TYPE=SEARCH&DESTINATION_ALIAS=meet.z@example.com";
    world.ask_body(nameless);
    world.ask_body(&format!(
        "{nameless}&GLOBAL_CALL_SERIAL_NUMBER={}",
        "x".repeat(65)
    ));
    assert_eq!(world.balancer.lease_count(), 3);
}

#[test]
fn rules_decide_for_the_other_types() {
    let mut world = World::new();
    let gateway = reject(403, "Gateway calls need authentication");
    let asked = world.ask("ADMIN", "901632960000", "&AUTHENTICATED=FALSE");
    assert_eq!(asked, (Outcome::Refused, gateway));
    let allowed = (Outcome::Allowed, "<proxy/>".to_owned());
    assert_eq!(
        world.ask("ADMIN", "901632960000", "&AUTHENTICATED=TRUE"),
        allowed
    );
    // Call Policy creates nothing, whatever is dialled.
    assert_eq!(world.ask("ADMIN", "meet.sales@example.com", ""), allowed);
    assert_eq!(world.balancer.conference_count(), 0);
    assert_eq!(world.ask("REGISTRATION", "", "&ALIAS=bob"), allowed);
    let (outcome, node) = world.ask("USER", "findme.alice@example.com", "");
    assert_eq!(outcome, Outcome::Routed);
    assert!(
        node.contains("<failure>") && node.contains("url=\"phone@example.com\""),
        "{node}"
    );
    assert_eq!(world.ask("USER", "bob@example.com", ""), allowed);
}

#[test]
fn reasons_have_the_prefix_of_the_service() {
    let mut world = World::new();
    let settings = Settings {
        reason_prefix: "Baton: ".to_owned(),
        not_started: 403,
        ..Settings::default()
    };
    world.service = Service::new(settings).expect("right");
    let unborn = reject(403, "Baton: Conference not started");
    assert_eq!(world.search("guest.x@example.com").1, unborn);
}

#[test]
fn one_scheme_is_stripped_and_no_more() {
    let mut world = World::new();
    let (_, sales) = world.search("meet.sales@example.com");
    assert_eq!(world.search("SIP:meet.sales@example.com").1, sales);
    // What the rules see and what the dial plan sees is the same alias.
    for twice in [
        "sip:sip:meet.sales@example.com",
        "sip:h323:6002101@bridges.example.com",
    ] {
        assert_eq!(world.search(twice).0, Outcome::Missed, "{twice}");
    }
    let rewrite = Action::Rewrite {
        alias: "sip:closed@example.com".to_owned(),
    };
    let closed = Action::Reject {
        status: 403,
        reason: "Closed".to_owned(),
    };
    let settings = Settings {
        rules: vec![
            rule("open", Kind::Search, "open", rewrite),
            rule("closed", Kind::Search, "closed@example.com", closed),
        ],
        ..Settings::default()
    };
    world.service = Service::new(settings).expect("right");
    assert_eq!(world.search("open").0, Outcome::Refused);
}

#[test]
fn who_cannot_be_told_from_those_that_are_refused_is_refused() {
    let mut world = World::new();
    let slow = r"(?=(a+)+$)(a|aa)+b\1";
    let reject = Action::Reject {
        status: 403,
        reason: "Closed".to_owned(),
    };
    let allow = Action::Allow { timeout: None };
    let settings = Settings {
        rules: vec![
            rule("allowed", Kind::Search, slow, allow),
            rule("closed", Kind::Search, slow, reject),
        ],
        ..Settings::default()
    };
    world.service = Service::new(settings).expect("right");
    for alias in ["a".repeat(60), "x".repeat(2_000)] {
        let body = format!("POLICY_TYPE=SEARCH&DESTINATION_ALIAS={alias}");
        let request = world.service.read(body.as_bytes()).expect("right");
        let mut out = Vec::new();
        let decided = world
            .service
            .decide(world.now, &world.balancer, &request, &mut out);
        assert_eq!(
            (decided.rule, decided.gave_up),
            (Some("closed"), Some("allowed")),
            "{alias}"
        );
        assert_eq!(decided.outcome, Outcome::Refused);
    }
    // Another kind of request is not looked at.
    assert_eq!(world.ask("ADMIN", &"a".repeat(60), "").0, Outcome::Allowed);
    assert_eq!(world.search("meet.sales@example.com").0, Outcome::Placed);
}

#[test]
fn a_second_peer_is_named_where_the_alias_asks_for_it() {
    let spare = AliasSettings {
        fallback: true,
        ..alias(r"spare\.(\w+)@example\.com", r"t\1", &["P1"])
    };
    let settings = balancer::Settings {
        peers: vec![peer("b1", "6001", 60, "P1"), peer("b2", "6002", 90, "P1")],
        pools: vec![PoolSettings::new("P1")],
        aliases: vec![spare],
        ..balancer::Settings::default()
    };
    let mut world = World::new();
    world.balancer = Balancer::new(&settings, 7, world.now).expect("right");
    let (outcome, node) = world.search("spare.a@example.com");
    assert_eq!(outcome, Outcome::Placed);
    let (first, rest) = node.split_once("><proxy><failure>").expect("a second peer");
    let alias = |text: &str, prefix: &str| {
        let (_, alias) = text.split_once("url=\"").expect("an alias");
        let (alias, _) = alias.split_once('"').expect("its end");
        let number = alias.strip_prefix(prefix).expect(prefix).to_owned();
        number.split_once('@').expect("a domain").0.to_owned()
    };
    assert_eq!(
        alias(first, "6002"),
        alias(rest, "6001"),
        "one conference, one number"
    );
    // Nothing is taken there, and with nobody else there is nobody else.
    assert_eq!(world.balancer.lease_count(), 1);
    let other = world.balancer.board().peer_named("b1").expect("b1").id;
    world
        .balancer
        .set_operator(world.now, other, Operator::Maint);
    assert!(!world.search("spare.b@example.com").1.contains("failure"));
}
